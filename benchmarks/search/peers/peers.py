"""Usual ways to tune options, to compare the product with at equal generations (see `benchmarks.search.arena`).

`run_peer` runs one of `PEERS` on a problem. All of them try the baseline first, as anybody would. All know the
conditions of the space, and so do not search an option that does nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.search.arena import Options, Problem
from benchmarks.search.peers.parts import Peer, Trial, in_order, is_active, new_study, suggest
from benchmarks.search.peers.races import race_peer
from benchmarks.search.peers.smac import smac_peer
from benchmarks.search.peers.tokens import token_aware_peer

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TIE = 1e-9
"""Size of the noise that parts equal scores."""


@dataclass(frozen=True)
class Found:
    """A rival's recommendation after so many generations.

    Attributes:
        budget: Generations that it was given, or what they may cost.
        used: The same of the trials that were complete by then; never more than the budget.
        truth: True mean of the trial with the best score.
        reported: That trial's score.
        claims: Whether it would claim a gain: that score is above the baseline trial's. A rival that names its
            recommendation itself claims one where that is not the baseline.
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


def run_peer(
    name: str,
    problem: Problem,
    budgets: Sequence[int],
    seed: int,
    *,
    price: Callable[[Options], float] = lambda _: 1.0,
    least_price: float = 1.0,
) -> list[Found]:
    """Run one of `PEERS` to the largest budget, and read its recommendation at each budget.

    A rival in `PLANNED` spends its budget by a plan, so it has a run of its own for each budget.

    Args:
        name: The rival.
        problem: The problem.
        budgets: Budgets, in generations or in what these cost.
        seed: Seed of the rival.
        price: Cost of a generation of some options, in units of the budgets.
        least_price: The smallest of these costs.

    Raises:
        ValueError: If a budget does not hold the baseline's trial, or a rival in `PLANNED` has another price than 1.
    """
    if name in PLANNED and least_price != 1:
        raise ValueError(f"{name} plans in generations, so that it cannot have a budget of anything else")
    if name in PLANNED and len(budgets) > 1:
        return [found for budget in budgets for found in run_peer(name, problem, [budget], seed)]
    best: Trial | None = None
    baseline, spent, first = 0.0, 0.0, dict[str, Any]()
    found: dict[int, Found] = {}
    for number, trial in enumerate(PEERS[name](problem, int(max(budgets) / least_price), seed)):
        spent += trial.cost * price(trial.options)
        if (used := round(spent)) > max(budgets):
            break
        if best is None:
            best, baseline, first = trial, trial.score, dict(trial.options)
        elif trial.leads or (trial.leads is None and trial.whole and trial.score > best.score):
            best = trial
        claims = best.score > baseline if best.leads is None else dict(best.options) != first
        state = Found(0, used, math.nan, best.score, claims, number + 1, best.options)
        found |= {budget: state for budget in budgets if used <= budget}
    if missing := [budget for budget in budgets if budget not in found]:
        raise ValueError(f"budget {min(missing)} does not hold one trial of {name} on {problem.cases} cases")
    return [replace(found[b], budget=b, truth=problem.truth(found[b].options)) for b in budgets]


def optuna_peer(sampler: str, repeats: int) -> Peer:
    """An Optuna study with the mean of `repeats` seeds per case as a trial's value."""

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        import optuna

        samplers = {
            "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
            "independent": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=False),
            "random": lambda: optuna.samplers.RandomSampler(seed=seed),
            "gp": lambda: optuna.samplers.GPSampler(seed=seed),
        }
        study, rng = new_study(problem, samplers[sampler]()), np.random.default_rng([seed, 1])
        cost = problem.cases * repeats
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
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
        study = new_study(problem, optuna.samplers.TPESampler(seed=seed), pruner)
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


def hyperband_peer(repeats: int) -> Peer:
    """TPE whose trials are stopped by Optuna's HyperbandPruner; a step is a generation, rounds go over the cases.

    All trials have the cases in the same order, since the pruner compares them at the same step. `best_trial` is the
    best one that has all steps.
    """

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        steps = problem.cases * repeats
        pruner = optuna.pruners.HyperbandPruner(min_resource=2, max_resource=steps, reduction_factor=3)
        study = new_study(problem, optuna.samplers.TPESampler(seed=seed), pruner, name=str(seed))
        rng, left = np.random.default_rng([seed, 1]), budget
        order = rng.permutation(problem.cases)
        while left > 0:
            trial = study.ask()
            options = suggest(problem, trial)
            scores = problem.draw_block(options, repeats, rng)[order].T.ravel()
            seen: list[float] = []
            pruned = False
            for score in scores:
                if len(seen) == left:
                    return
                seen.append(float(score))
                trial.report(float(np.mean(seen)), len(seen))
                if len(seen) < steps and trial.should_prune():
                    pruned = True
                    break
            mean = float(np.mean(seen))
            study.tell(trial, None if pruned else mean, state=optuna.trial.TrialState.PRUNED if pruned else None)
            left -= len(seen)
            yield Trial(options, mean, len(seen), whole=not pruned)

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
    "hyperband": hyperband_peer(3),
    "race": race_peer(),
    "token-aware": token_aware_peer(),
    **({"gp-1": optuna_peer("gp", 1), "gp-3": optuna_peer("gp", 3)} if find_spec("torch") else {}),
    **({"smac": smac_peer()} if find_spec("smac") else {}),
}
"""The rivals by name: `best_trial` of TPE with 1, 3 and 5 seeds per case; TPE with WilcoxonPruner and 3 seeds; random
search with 3 (better than with 1); one factor at a time with 3 repeats and 3 levels (no worse than 2, 4 or 5); TPE with
3 seeds that models each option by itself, as Optuna's did by default before version 5; TPE with HyperbandPruner and 3
seeds; a race and a token-aware search (`races`, `tokens`); Optuna's GPSampler with 1 and 3 seeds; SMAC. The
last three need torch or smac, which are no part of the lock file."""

PLANNED = frozenset({"race", "token-aware"})
"""Rivals whose way depends on the budget, so that a run's state in between is no result of a smaller one."""


def absent() -> list[str]:
    """Sentences on the rivals that are left out, because a library is not installed."""
    needed = {"gp-1 and gp-3": "torch", "smac": "smac"}
    return [
        f"left out: {names} ({module} is not installed)" for names, module in needed.items() if not find_spec(module)
    ]
