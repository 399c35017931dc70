"""A sampler for noisy scores: a Gaussian process with known noise, and augmented expected improvement.

It keeps no state of its own, apart from what threads have asked for at the same time. What it proposes depends on the
seed, the number of the trial and the study's trials, so a study that was interrupted and goes on with a new sampler
object proposes what it would have proposed anyway.
"""

from __future__ import annotations

import copy
import math
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sweeps.samplers.acquisition import augmented_expected_improvement, candidates, start_design
from sweeps.samplers.encoding import ActiveWhen, Encoding, Params
from sweeps.samplers.noise import noise_variances
from sweeps.samplers.posterior import MIN_POINTS, Posterior, fit_surrogate
from sweeps.samplers.surrogate import Surrogate, one_thread

Array = npt.NDArray[np.float64]

REFIT_EVERY = 12
"""Length scales are refitted after so many trials; later after a sixth of the trials so far, where that is more."""

_STREAM_ASK, _STREAM_INDEPENDENT = 1, 2
_ENUMERABLE = 50_000


@dataclass(frozen=True)
class Evaluated:
    """The finished trials of a study, in the order of their numbers.

    Attributes:
        trials: The trials.
        points: Their parameters.
        values: Their scores, negated where the study minimises, shape (n,).
        noise: Variance of each score, shape (n,).
    """

    trials: Sequence[FrozenTrial]
    points: Sequence[Params]
    values: Array
    noise: Array

    def noise_of_first(self, n: int, noise_sd: float | None = None) -> Array:
        """Variance of each of the first `n` scores as it was known when there were no more."""
        if not n:
            return np.zeros(0)
        return noise_variances([t.user_attrs for t in self.trials[:n]], self.values[:n], noise_sd)


def evaluated(study: Study, noise_sd: float | None = None) -> Evaluated:
    """The trials of a study that have a finite score, with the noise that is known or estimated of each.

    Args:
        study: A study with one objective. Trials may carry user attributes `n` with `noise_sd` or `score_var`, or
            `case_scores` (see `sweeps.samplers.noise`).
        noise_sd: Standard deviation of one generation for trials that carry none.
    """
    return _evaluated(study, study.get_trials(deepcopy=False), noise_sd)


def _evaluated(study: Study, of: Sequence[FrozenTrial], noise_sd: float | None) -> Evaluated:
    sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
    done = (t for t in of if t.state == TrialState.COMPLETE and t.value is not None and math.isfinite(t.value))
    trials = sorted(done, key=lambda t: t.number)
    values = sign * np.array([t.value for t in trials], dtype=float)
    noise = noise_variances([t.user_attrs for t in trials], values, noise_sd) if trials else np.zeros(0)
    return Evaluated(trials, [t.params for t in trials], values, noise)


class NoiseAwareSampler(BaseSampler):
    """Optuna sampler for objectives that are means of noisy scores.

    The first trials are a start design: the baseline, then points spread over the space and perturbations of the
    baseline in turn. From then on each trial maximises augmented expected improvement under a Gaussian process whose
    noise is not fitted but taken from the trials: from their user attributes `n` and `noise_sd` (or `score_var`), else
    from `case_scores`. Trials under way count as if they had scored what is expected, so batches are diverse. A
    configuration is proposed twice only when the space is exhausted.

    Args:
        seed: Makes proposals repeatable; drawn if not given. Use the study's seed for every sampler object of a study.
        space: Distributions by name. Without it, the union of what the study's trials were asked.
        active_when: Conditions, such as `{"mirostat_tau": {"mirostat": (1, 2)}}`.
        baseline: The configuration in use today, as values by name: the first trial, unless the study has it already
            or it lies outside the space, and the centre of half of the start design. It also gives the values of
            parents that are not swept.
        n_startup_trials: Size of the start design; from `n_trials` and the number of parameters if not given.
        n_trials: Trials that the study is going to have, if known.
        noise_sd: Standard deviation of one generation within a case, for trials that carry none.

    Raises:
        ValueError: On use in a study with several objectives.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        space: Mapping[str, BaseDistribution] | None = None,
        active_when: ActiveWhen | None = None,
        baseline: Params | None = None,
        n_startup_trials: int | None = None,
        n_trials: int | None = None,
        noise_sd: float | None = None,
    ) -> None:
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else abs(seed)
        self._space = None if space is None else dict(space)
        self._active_when = active_when
        self._baseline = None if baseline is None else dict(baseline)
        self._n_startup_trials = n_startup_trials
        self._n_trials = n_trials
        self._turn = threading.Lock()
        self._proposed: dict[int, dict[str, Any]] = {}
        self._noise_sd = noise_sd

    def reseed_rng(self) -> None:
        """Nothing to do: random streams belong to trial numbers, so copies of a sampler never share one."""

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002 - Optuna's signature
    ) -> dict[str, BaseDistribution]:
        """The given space, or the union of what the study's trials were asked, less parameters with one value."""
        self._raise_error_if_multi_objective(study)
        space = self._space if self._space is not None else union_space(study)
        return {name: distribution for name, distribution in space.items() if not distribution.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose a configuration; inactive parameters have the value at their centre."""
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        encoding = Encoding(search_space, self._active_when, self._baseline)
        rng = np.random.default_rng([self._seed, _STREAM_ASK, trial.number])
        with self._turn, one_thread():
            others = [self._as_proposed(t) for t in study.get_trials(deepcopy=False) if t.number != trial.number]
            if trial.number < self.n_startup(len(encoding)):
                ranked = self._planned(encoding, trial.number, others)
            else:
                ranked = self._ranked(encoding, _evaluated(study, others, self._noise_sd), others, rng)
            self._proposed[trial._trial_id] = encoding.params(_first_free(encoding, ranked, others, rng))
            return self._proposed[trial._trial_id]

    def _as_proposed(self, trial: FrozenTrial) -> FrozenTrial:
        """A trial that another thread has just asked for has no parameters yet: those that it is going to have."""
        proposed = self._proposed.get(trial._trial_id)
        if proposed is None or trial.params or trial.state != TrialState.RUNNING:
            return trial
        known = copy.copy(trial)
        known.params = dict(proposed)
        return known

    def __getstate__(self) -> dict[str, Any]:
        """What a copy in another process gets: all but the lock."""
        return {name: value for name, value in self.__dict__.items() if name != "_turn"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The inverse of `__getstate__`."""
        self.__dict__.update(state, _turn=threading.Lock())

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A uniform value, for parameters that were not foreseen."""
        self._raise_error_if_multi_objective(study)
        encoding = Encoding({param_name: param_distribution})
        stream = [self._seed, _STREAM_INDEPENDENT, trial.number, zlib.crc32(param_name.encode())]
        return encoding.params(np.random.default_rng(stream).random(len(encoding)))[param_name]

    def posterior(self, study: Study) -> Posterior:
        """The posterior given all scored trials of a study; larger is better also where the study minimises.

        Raises:
            ValueError: If the study has no scored trial.
        """
        space = self._space if self._space is not None else union_space(study)
        return study_posterior(
            study, space, active_when=self._active_when, fixed=self._baseline, noise_sd=self._noise_sd
        )

    def pick(self, study: Study) -> FrozenTrial:
        """The scored trial with the largest posterior mean.

        Raises:
            ValueError: If the study has no scored trial.
        """
        return evaluated(study).trials[self.posterior(study).pick()]

    def n_startup(self, dimensions: int) -> int:
        """Size of the start design for a space with so many parameters."""
        if self._n_startup_trials is not None:
            return self._n_startup_trials
        wanted = 2 * dimensions + 2
        if self._n_trials is not None:
            wanted = min(wanted, self._n_trials // 4)
        return max(wanted, MIN_POINTS)

    def _planned(self, encoding: Encoding, number: int, others: Sequence[FrozenTrial]) -> Array:
        """The point of the start design that belongs to a trial, shape (1, n_axes)."""
        n = self.n_startup(len(encoding))
        if self._baseline is None:
            return start_design(encoding, n, None, self._seed)[[number]]
        codes = encoding.codes([self._baseline])
        if not self._baseline_is_inside(encoding, codes):
            return start_design(encoding, n, codes[0], self._seed)[[number]]
        if number == 0 and encoding.keys(codes)[0] not in _taken(encoding, others):
            return encoding.canonical(codes)
        return start_design(encoding, n, codes[0], self._seed)[[number - 1]]

    def _baseline_is_inside(self, encoding: Encoding, codes: Array) -> bool:
        """Whether the baseline has a value inside the space for every parameter that acts in it."""
        assert self._baseline is not None
        needed = encoding.active(encoding.canonical(np.nan_to_num(codes, nan=0.5)))[0]
        return all(
            axis.name in self._baseline and axis.holds(self._baseline[axis.name])
            for axis, acts in zip(encoding.axes, needed, strict=True)
            if acts
        )

    def _ranked(
        self, encoding: Encoding, done: Evaluated, others: Sequence[FrozenTrial], rng: np.random.Generator
    ) -> Array:
        """Candidates, the most promising first, shape (n, n_axes)."""
        codes = encoding.codes(done.points)
        early_noise = done.noise_of_first(checkpoint(len(codes), self.n_startup(len(encoding))), self._noise_sd)
        surrogate = fit_surrogate(encoding, codes, done.values, done.noise, early_noise)
        if surrogate is None:
            return encoding.canonical(rng.random((1, len(encoding))))
        next_noise = float(np.median(done.noise))
        pending = encoding.codes([t.params for t in others if t.state == TrialState.RUNNING and t.params])
        means, _ = surrogate.posterior(surrogate.features)
        pool = candidates(encoding, codes[np.argsort(-means, kind="stable")], rng)
        believing = surrogate.believing(encoding.features(pending), next_noise)
        value = augmented_expected_improvement(believing, encoding.features(pool), next_noise)
        return pool[np.argsort(-value, kind="stable")]


def checkpoint(n: int, first: int) -> int:
    """How many of the first trials the hyperparameters are fitted to when there are `n`."""
    first = max(first, MIN_POINTS)
    if n <= first:
        return n
    reached = first
    while (following := reached + max(REFIT_EVERY, reached // 6)) <= n:
        reached = following
    return reached


def union_space(study: Study) -> dict[str, BaseDistribution]:
    """Every parameter that trials of a study were asked, sorted by name, less those whose range changed."""
    found: dict[str, BaseDistribution] = {}
    changed: set[str] = set()
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    for trial in study.get_trials(deepcopy=False, states=states):
        for name, distribution in trial.distributions.items():
            if found.setdefault(name, distribution) != distribution:
                changed.add(name)
    return {name: found[name] for name in sorted(found) if name not in changed}


def study_posterior(
    study: Study,
    space: Mapping[str, BaseDistribution] | None = None,
    *,
    active_when: ActiveWhen | None = None,
    fixed: Params | None = None,
    noise_sd: float | None = None,
    values: Sequence[float] | None = None,
) -> Posterior:
    """The posterior given all scored trials of a study, whichever sampler proposed them.

    Args:
        study: A study with one objective.
        space: Distributions by name; the union of what the trials were asked if not given.
        active_when: Conditions, as in `Encoding`.
        fixed: Values outside the space that conditions may name.
        noise_sd: Standard deviation of one generation for trials that carry none.
        values: Other scores of the trials, in the order of `evaluated`; those that were told by default.

    Raises:
        ValueError: If no trial has a score.
    """
    done = evaluated(study, noise_sd)
    space = union_space(study) if space is None else space
    told = done.values if values is None else values
    return Posterior(space, done.points, told, done.noise, active_when=active_when, fixed=fixed)


def pick(
    study: Study,
    space: Mapping[str, BaseDistribution] | None = None,
    *,
    active_when: ActiveWhen | None = None,
    fixed: Params | None = None,
    noise_sd: float | None = None,
) -> FrozenTrial:
    """The scored trial with the largest posterior mean; arguments as for `study_posterior`.

    Raises:
        ValueError: If no trial has a score.
    """
    model = study_posterior(study, space, active_when=active_when, fixed=fixed, noise_sd=noise_sd)
    return evaluated(study).trials[model.pick()]


def _first_free(encoding: Encoding, ranked: Array, others: Sequence[FrozenTrial], rng: np.random.Generator) -> Array:
    """The first of the ranked points that no trial has, else any that none has, else the first of the ranked."""
    taken = _taken(encoding, others)
    if (free := _free(encoding, ranked, taken)) is not None:
        return free
    if (free := _free(encoding, encoding.canonical(rng.random((256, len(encoding)))), taken)) is not None:
        return free
    if encoding.size <= _ENUMERABLE and (free := _free(encoding, rng.permutation(encoding.grid()), taken)) is not None:
        return free
    return np.asarray(ranked[0])


def _free(encoding: Encoding, points: Array, taken: set[bytes]) -> Array | None:
    """The first point that is not taken."""
    rows = zip(points, encoding.keys(points), strict=True)
    return next((np.asarray(row) for row, key in rows if key not in taken), None)


def _taken(encoding: Encoding, trials: Sequence[FrozenTrial]) -> set[bytes]:
    """Keys of the configurations that trials have or had, in whatever state."""
    points = [t.params for t in trials if t.params]
    return set(encoding.keys(encoding.codes(points))) if points else set()


__all__ = [
    "Evaluated",
    "NoiseAwareSampler",
    "Posterior",
    "Surrogate",
    "checkpoint",
    "evaluated",
    "pick",
    "study_posterior",
    "union_space",
]
