"""The parts that the rivals of the product are made of: their trials, and the options of an Optuna trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.search.arena import Options, Problem

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Trial:
    """One step of a rival.

    Attributes:
        options: Options of a finished trial; of a rival that names its recommendation itself, these.
        score: Their mean score.
        cost: Generations of the step.
        whole: Whether the trial was not cut short.
        leads: Whether these options are the recommendation from now on, whatever the scores; None where the best score
            of a whole trial decides.
    """

    options: Options
    score: float
    cost: int
    whole: bool = True
    leads: bool | None = None


Peer = Callable[[Problem, int, int], Iterator[Trial]]
"""Problem, budget and seed to trials, the baseline first; no trial costs more than is left."""


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
            options[name] = ask(trial, name, problem.distributions[name])
    return options


def active(problem: Problem, options: Options) -> dict[str, Any]:
    """Options of the space that act beside each other."""
    found = {name: value for name, value in options.items() if name not in problem.distributions}
    for name in in_order(problem):
        if is_active(problem, name, found):
            found[name] = options[name]
    return found


def ask(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        step = distribution.step
        return trial.suggest_int(name, distribution.low, distribution.high, step=step, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    return trial.suggest_float(name, low, high, step=distribution.step, log=distribution.log)


def new_study(
    problem: Problem, sampler: optuna.samplers.BaseSampler, pruner: Any = None, name: str | None = None
) -> optuna.Study:
    """A study in memory whose first trial is the baseline; HyperbandPruner deals its brackets by the study's name."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = pruner or optuna.pruners.NopPruner()
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name=name)
    first = {name: problem.baseline[name] for name in in_order(problem) if is_active(problem, name, problem.baseline)}
    study.enqueue_trial(first)
    return study
