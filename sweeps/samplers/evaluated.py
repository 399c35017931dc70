"""The evaluated trials of an Optuna study: scores, their noise, constraints, and the parameters' ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from analysis.arrays import BoolArray, FloatArray
from sweeps.samplers.encoding import Params
from sweeps.samplers.trial_noise import MOST, noise_variances

_PRUNED_QUANTILE = 0.25


@dataclass(frozen=True)
class Evaluated:
    """The complete and the pruned trials of a study, in the order of their numbers.

    Attributes:
        trials: The trials.
        sign: 1 where the study maximises, -1 where it minimises.
        noise_sd: Standard deviation of one generation for trials without their own.
        own: Variance of each score by its trial alone, shape (n,); computed if not given.
    """

    trials: Sequence[FrozenTrial]
    sign: float
    noise_sd: float | None
    own: FloatArray | None = None

    def first(self, n: int) -> Evaluated:
        """Return the first `n` trials, with the knowledge of that time."""
        if n not in self._first:
            own = None if self.own is None else self.own[:n]
            self._first[n] = Evaluated(self.trials[:n], self.sign, self.noise_sd, own)
        return self._first[n]

    @cached_property
    def _first(self) -> dict[int, Evaluated]:
        return {}

    @cached_property
    def points(self) -> Sequence[Params]:
        """Parameters of the trials."""
        return [trial.params for trial in self.trials]

    @cached_property
    def values(self) -> FloatArray:
        """Scores, negated where the study minimises, shape (n,), all finite.

        An infinite score counts as the worst, or the best, of the finite ones. A pruned trial was judged worse than
        others: its score is its last finite report, but at most the lower quartile of the complete ones.
        """
        values = np.full(len(self.trials), math.nan)
        complete = np.array([trial.state == TrialState.COMPLETE for trial in self.trials], dtype=bool)
        values[complete] = [self.sign * float(t.value) for t in self.trials if t.state == TrialState.COMPLETE]  # type: ignore[arg-type]
        finite = values[np.isfinite(values)]
        worst, best = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)
        values[complete] = np.clip(values[complete], max(worst, -MOST), min(best, MOST))
        if not complete.all():
            values[~complete] = self._pruned(values[complete])
        return values

    def _pruned(self, complete: FloatArray) -> FloatArray:
        """Return the scores of the pruned trials, given those of the complete ones."""
        pruned = [trial for trial in self.trials if trial.state == TrialState.PRUNED]
        reported = np.clip([self.sign * _last_reported(trial) for trial in pruned], -MOST, MOST)
        known = complete if len(complete) else reported[~np.isnan(reported)]
        bar = float(np.quantile(known, _PRUNED_QUANTILE)) if len(known) else 0.0
        return np.asarray(np.fmin(reported, bar))

    @cached_property
    def noise(self) -> FloatArray:
        """Variance of each score, shape (n,); NaN where it is unknown."""
        attributes = [trial.user_attrs for trial in self.trials]
        return noise_variances(attributes, self.values, self.noise_sd, own=self.own)

    @cached_property
    def constraints(self) -> dict[str, FloatArray]:
        """Constraint values by name, each of shape (n,): met where not above 0, NaN where a trial has none."""
        reported = [trial.constraints for trial in self.trials]
        names = dict.fromkeys(name for each in reported for name in each)
        return {name: np.array([each.get(name, math.nan) for each in reported], dtype=float) for name in names}

    @cached_property
    def eligible(self) -> BoolArray:
        """The trials that may be picked, shape (n,): complete, with a finite score and all constraints met."""
        kept = np.array([_is_scored(trial) for trial in self.trials], dtype=bool)
        for values in self.constraints.values():
            kept &= ~(values > 0.0)
        return kept

    def why_none(self) -> str:
        """Return the reason why no trial may be picked."""
        scored = sum(map(_is_scored, self.trials))
        if not scored:
            return "no trial is complete with a finite score"
        return f"none of the {scored} scored trials meets all constraints ({', '.join(sorted(self.constraints))})"


def evaluated(
    study: Study,
    noise_sd: float | None = None,
    among: Sequence[FrozenTrial] | None = None,
    own: Callable[[Sequence[FrozenTrial]], Sequence[float]] | None = None,
) -> Evaluated:
    """Return the complete and the pruned trials of a study.

    Args:
        study: A study with one objective. Trials may carry user attributes `n` with `noise_sd` or `score_var`, or
            `case_scores` (see `sweeps.samplers.trial_noise`).
        noise_sd: Standard deviation of one generation for trials without their own.
        among: The trials; those of the study if not given.
        own: Returns `trial_noise` of each trial, from a memory of it.
    """
    trials = study.get_trials(deepcopy=False) if among is None else among
    sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
    kept = sorted(filter(_is_evaluated, trials), key=lambda t: t.number)
    return Evaluated(kept, sign, noise_sd, None if own is None else np.array(own(kept), dtype=float))


def union_space(study: Study) -> dict[str, BaseDistribution]:
    """Return every parameter of a study's trials, sorted by name, without the parameters whose range changed."""
    return asked_ranges(study)[0]


def asked_ranges(study: Study) -> tuple[dict[str, BaseDistribution], set[str]]:
    """Return the space of `union_space`, and the names of the parameters left out."""
    found: dict[str, BaseDistribution] = {}
    changed: set[str] = set()
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    for trial in study.get_trials(deepcopy=False, states=states):
        for name, distribution in trial.distributions.items():
            if found.setdefault(name, distribution) != distribution:
                changed.add(name)
    return {name: found[name] for name in sorted(found) if name not in changed}, changed


def _is_evaluated(trial: FrozenTrial) -> bool:
    scored = trial.state == TrialState.COMPLETE and trial.value is not None and not math.isnan(trial.value)
    return scored or trial.state == TrialState.PRUNED


def _is_scored(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and trial.value is not None and math.isfinite(trial.value)


def _last_reported(trial: FrozenTrial) -> float:
    """Return the last finite intermediate value of a trial; NaN without one."""
    finite = [step for step, value in trial.intermediate_values.items() if math.isfinite(value)]
    return trial.intermediate_values[max(finite)] if finite else math.nan
