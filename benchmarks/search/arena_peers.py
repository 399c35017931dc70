"""Usual ways to tune options, to compare the product with at equal generations (see `arena.py`).

`run_peer` runs one of `PEERS` on a problem. All of them try the baseline first, as anybody would. All know the
conditions of the space, and so do not search an option that does nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search.arena import Options, Problem

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

TIE = 1e-9
"""Size of the noise that parts equal scores."""


@dataclass(frozen=True)
class Found:
    """A rival's recommendation after so many generations.

    Attributes:
        budget: Generations that it was given.
        used: Generations of the trials that were complete by then; never more than the budget.
        truth: True mean of the trial with the best score.
        reported: That trial's score.
        claims: Whether it would claim a gain: that score is above the baseline trial's.
        trials: Number of trials.
        options: That trial's options.
    """

    budget: int
    used: int
    truth: float
    reported: float
    claims: bool
    trials: int
    options: Options = field(repr=False)


@dataclass(frozen=True)
class Trial:
    """One finished trial of a rival: its options, score and cost in generations; `whole` if not cut short."""

    options: Options
    score: float
    cost: int
    whole: bool = True


Peer = Callable[[Problem, int, int], Iterator[Trial]]
"""Problem, budget and seed to trials, the baseline first; no trial costs more than is left."""


def run_peer(name: str, problem: Problem, budgets: Sequence[int], seed: int) -> list[Found]:
    """Run one of `PEERS` to the largest budget, and read its recommendation at each budget.

    Raises:
        ValueError: If a budget does not hold the baseline's trial.
    """
    best: Trial | None = None
    baseline, used = 0.0, 0
    found: dict[int, Found] = {}
    for number, trial in enumerate(PEERS[name](problem, max(budgets), seed)):
        used += trial.cost
        if best is None:
            best, baseline = trial, trial.score
        elif trial.whole and trial.score > best.score:
            best = trial
        state = Found(0, used, math.nan, best.score, best.score > baseline, number + 1, best.options)
        found |= {budget: state for budget in budgets if used <= budget}
    if missing := [budget for budget in budgets if budget not in found]:
        raise ValueError(f"budget {min(missing)} does not hold one trial of {name} on {problem.cases} cases")
    return [replace(found[b], budget=b, truth=problem.truth(found[b].options)) for b in budgets]


def in_order(problem: Problem) -> list[str]:
    """Names of the space, parents before the options that depend on them."""
    waiting, names = list(problem.distributions), []
    while waiting:
        ready = [name for name in waiting if not set(problem.active_when.get(name, {})) & set(waiting)]
        assert ready, "conditions go in a circle"
        names += ready
        waiting = [name for name in waiting if name not in ready]
    return names


def is_active(problem: Problem, name: str, options: Options) -> bool:
    """Whether an option acts beside others."""
    return all(options.get(parent) in values for parent, values in problem.active_when.get(name, {}).items())


def suggest(problem: Problem, trial: optuna.Trial) -> dict[str, Any]:
    """Options of an Optuna trial: only options that act are asked for; the others have the baseline's values."""
    options = {name: value for name, value in problem.baseline.items() if name not in problem.distributions}
    for name in in_order(problem):
        if is_active(problem, name, options):
            options[name] = _ask(trial, name, problem.distributions[name])
    return options


def _ask(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        step = distribution.step
        return trial.suggest_int(name, distribution.low, distribution.high, step=step, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    return trial.suggest_float(name, low, high, step=distribution.step, log=distribution.log)


def _study(problem: Problem, sampler: optuna.samplers.BaseSampler, pruner: Any = None) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner or optuna.pruners.NopPruner())
    first = {name: problem.baseline[name] for name in in_order(problem) if is_active(problem, name, problem.baseline)}
    study.enqueue_trial(first)
    return study


def optuna_peer(sampler: str, repeats: int) -> Peer:
    """An Optuna study with the mean of `repeats` seeds per case as a trial's value."""

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        import optuna

        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
            "independent": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=False),
            "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        }
        study, rng = _study(problem, samplers[sampler]()), np.random.default_rng([seed, 1])
        cost = problem.cases * repeats
        for _ in range(budget // cost):
            trial = study.ask()
            options = suggest(problem, trial)
            score = float(problem.draw_block(options, repeats, rng).mean())
            study.tell(trial, score)
            yield Trial(options, score, cost)

    return run


def wilcoxon_peer(repeats: int) -> Peer:
    """TPE whose trials are stopped by Optuna's WilcoxonPruner, used as its documentation says.

    A step is a generation of one case and repeat, in random order; a stopped trial tells its mean so far. The pruner
    never stops a trial whose mean is above the best one's, so `best_trial` is one that has all steps. Its test takes
    50 ms where scores tie, so a little noise is added to the reported scores.
    """

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            pruner = optuna.pruners.WilcoxonPruner()
        study = _study(problem, optuna.samplers.TPESampler(seed=seed), pruner)
        rng, left = np.random.default_rng([seed, 1]), budget
        while left > 0:
            trial = study.ask()
            options = suggest(problem, trial)
            scores = problem.draw_block(options, repeats, rng).ravel()
            seen: list[float] = []
            for step in rng.permutation(len(scores)):
                if len(seen) == left:
                    return
                seen.append(float(scores[step]))
                trial.report(seen[-1] + TIE * rng.random(), int(step))
                if len(seen) < len(scores) and trial.should_prune():
                    break
            score = float(np.mean(seen))
            study.tell(trial, score)
            left -= len(seen)
            yield Trial(options, score, len(seen), whole=len(seen) == len(scores))

    return run


def one_factor_peer(repeats: int, levels: int) -> Peer:
    """One option at a time: try a few levels of it, keep the best value seen, go on with the next; then all over.

    Levels lie in the middle of equal parts of the range (of its logarithm where that is how it is read). Further
    rounds use the middles between those of the rounds before.
    """

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        rng, cost, left = np.random.default_rng([seed, 1]), problem.cases * repeats, budget

        def tried(options: Options) -> Trial:
            return Trial(options, float(problem.draw_block(options, repeats, rng).mean()), cost)

        best = tried({k: v for k, v in problem.baseline.items() if is_active(problem, k, problem.baseline)})
        yield best
        left -= cost
        for parts in (levels * 2**i for i in range(20)):
            for name in in_order(problem):
                for value in _levels(problem.distributions[name], parts):
                    if not is_active(problem, name, best.options) or best.options.get(name) == value:
                        continue
                    if left < cost:
                        return
                    trial = tried(_changed(problem, best.options, name, value))
                    left -= cost
                    yield trial
                    best = max(best, trial, key=lambda t: t.score)

    return run


def _levels(distribution: BaseDistribution, parts: int) -> list[Any]:
    """The middles of equal parts of a range; all choices of a categorical option."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = (math.log(end) if distribution.log else end for end in (distribution.low, distribution.high))
    values = low + (high - low) * (np.arange(parts) + 0.5) / parts
    values = np.exp(values) if distribution.log else values
    if distribution.step and not distribution.log:
        steps = np.round((values - distribution.low) / distribution.step)
        values = distribution.low + steps * distribution.step
    digits = None if isinstance(distribution, IntDistribution) else 12
    return list(dict.fromkeys(round(float(value), digits) for value in values))


def _changed(problem: Problem, options: Options, name: str, value: Any) -> dict[str, Any]:
    """Options with one value changed; an option that acts only now has the baseline's value."""
    whole = {**problem.baseline, **options, name: value}
    return {key: part for key, part in whole.items() if is_active(problem, key, whole)}


PEERS: Mapping[str, Peer] = {
    "tpe-1": optuna_peer("tpe", 1),
    "tpe-3": optuna_peer("tpe", 3),
    "tpe-5": optuna_peer("tpe", 5),
    "tpe-wilcoxon": wilcoxon_peer(3),
    "random": optuna_peer("random", 3),
    "one-factor": one_factor_peer(3, levels=3),
    "tpe-3-independent": optuna_peer("independent", 3),
}
"""The rivals by name: `best_trial` of TPE with 1, 3 and 5 seeds per case; TPE with WilcoxonPruner and 3 seeds; random
search with 3 (better than with 1); one factor at a time with 3 repeats and 3 levels (no worse than 2, 4 or 5); TPE with
3 seeds that models each option by itself, as Optuna's did by default before version 5."""
