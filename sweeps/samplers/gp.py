"""A sampler for noisy scores: a Gaussian process that knows the noise, and augmented expected improvement.

It keeps no state, apart from proposals to other threads. A proposal depends on the seed, the trial's number and the
study's trials. So an interrupted study goes on with a new sampler object as it would have without the interruption.
"""

from __future__ import annotations

import copy
import threading
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from analysis.arrays import FloatArray
from sweeps.samplers import start_size
from sweeps.samplers.acquisition import Start, augmented_expected_improvement, candidates, first_free, start_design
from sweeps.samplers.earlier import EarlierScores
from sweeps.samplers.encoding import ActiveWhen, Encoding, Params
from sweeps.samplers.evaluated import Evaluated, asked_ranges, evaluated, union_space
from sweeps.samplers.feasibility import Feasibility
from sweeps.samplers.posterior import Posterior, Surface, checkpoint, fit_surrogate
from sweeps.samplers.surrogate import Surrogate, one_thread
from sweeps.samplers.trial_memory import TrialMemory

_STREAM_ASK, _STREAM_INDEPENDENT = 1, 2


class NoiseAwareSampler(BaseSampler):
    """Optuna sampler for objectives that are means of noisy scores.

    The first trials are a start design: the baseline, then points spread over the space alternate with points around
    the baseline (`acquisition.start_design`). Every later trial maximises augmented expected improvement under a
    Gaussian process. The noise of a score comes from its trial's user attributes `n` and `noise_sd` (or `score_var`),
    otherwise from `case_scores`. Where both are missing, one variance for all such trials is fitted with the surface.
    Running trials count with their expected scores, so batches are diverse. A configuration is proposed twice only in
    an exhausted space.

    Where trials have constraints (`Trial.set_constraint`), the reference is the best trial that meets them all. The
    improvement is multiplied by the probability that a configuration meets them (`sweeps.samplers.feasibility`). Pruned
    trials and infinite scores count as bad (`sweeps.samplers.evaluated.Evaluated.values`). Failed trials have no
    effect, but are not proposed again.

    Args:
        seed: Makes proposals repeatable; drawn if not given. Use the study's seed for every sampler object of a study.
        space: Distributions by name. Without it, all parameters of the study's trials.
        active_when: Conditions, such as `{"mirostat_tau": {"mirostat": (1, 2)}}`.
        baseline: The configuration in use today, as values by name. Unless it lies outside the space, it is the next
            trial until a trial has it. It is the centre of half of the start design, and gives the values of parents
            that are not swept.
        n_startup_trials: Size of the start design; from `n_trials` and the number of parameters if not given.
        n_trials: Planned number of trials, if known.
        noise_sd: Standard deviation of one generation within a case, for trials without their own.
        earlier: Scores of earlier studies of the same surface. As many as a start design take its place.
        start: Kind of the points around the baseline: one parameter at an end of its range, or a few moved.

    Raises:
        ValueError: If the study has several objectives.
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
        earlier: EarlierScores | None = None,
        start: Start = "near",
    ) -> None:
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else abs(seed)
        self._space = None if space is None else dict(space)
        self._active_when = active_when
        self._baseline = None if baseline is None else dict(baseline)
        self._n_startup_trials = n_startup_trials
        self._n_trials, self._start = n_trials, start
        self._turn = threading.Lock()
        self._proposed: dict[str, dict[int, dict[str, Any]]] = {}
        self._warned: set[str] = set()
        self._noise_sd = noise_sd
        self._earlier = earlier
        self._memory: TrialMemory | None = None

    def reseed_rng(self) -> None:
        """Do nothing: random streams belong to trial numbers, so copies of a sampler never share one."""

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002 - Optuna's signature
    ) -> dict[str, BaseDistribution]:
        """Return the given space, or all parameters of the study's trials, without parameters of a single value."""
        self._raise_error_if_multi_objective(study)
        space = self._space
        if space is None:
            space, changed = asked_ranges(study)
            self._warn_of_changed_ranges(changed)
        return {name: distribution for name, distribution in space.items() if not distribution.single()}

    def _warn_of_changed_ranges(self, names: set[str]) -> None:
        for name in sorted(names - self._warned):
            self._warned.add(name)
            warnings.warn(
                f"the range of parameter {name!r} changes between trials, so it is drawn at random and nothing is"
                f" learnt about it; give NoiseAwareSampler the range to search as space={{{name!r}: ...}}",
                stacklevel=2,
            )

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Propose a configuration; inactive parameters have the value at their centre."""
        self._raise_error_if_multi_objective(study)
        if not search_space:
            return {}
        rng = np.random.default_rng([self._seed, _STREAM_ASK, trial.number])
        with self._turn, one_thread():
            memory = self._remember(search_space)
            encoding = memory.encoding
            others = self._others(study, trial)
            taken = set(memory.keys([other for other in others if other.params]))
            baseline = self._baseline_codes(encoding)
            if baseline is not None and not _is_fixed(trial) and encoding.keys(baseline)[0] not in taken:
                ranked = baseline
            elif self._is_starting(trial.number, encoding):
                ranked = self._planned(encoding, trial.number, inside=baseline is not None)
            else:
                ranked = self._ranked(memory, memory.evaluated(study, others), others, rng)
            params = encoding.params(first_free(encoding, ranked, taken, rng))
            self._proposed[study.study_name][trial._trial_id] = params
            return params

    def _remember(self, space: dict[str, BaseDistribution]) -> TrialMemory:
        """Return the memory of trials in a space; of another space than the last one it is empty."""
        if self._memory is None or self._memory.encoding.space != space:
            self._memory = TrialMemory(Encoding(space, self._active_when, self._baseline), self._noise_sd)
        return self._memory

    def _others(self, study: Study, trial: FrozenTrial) -> list[FrozenTrial]:
        """Return all other trials. A trial just asked by another thread has the parameters proposed for it."""
        others = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        waiting = {other._trial_id for other in others if other.state == TrialState.RUNNING and not other.params}
        known = {i: params for i, params in self._proposed.get(study.study_name, {}).items() if i in waiting}
        self._proposed[study.study_name] = known
        return [_with(other, known[other._trial_id]) if other._trial_id in known else other for other in others]

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:  # noqa: ARG002 - Optuna's signature
        """Forget the proposal for a finished trial."""
        with self._turn:
            proposed = self._proposed.get(study.study_name, {})
            proposed.pop(trial._trial_id, None)
            if not proposed:
                self._proposed.pop(study.study_name, None)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a copy in another process: all except the lock and the memory of trials."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_turn", "_memory")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a state of `__getstate__`."""
        self.__dict__.update(state, _turn=threading.Lock(), _memory=None)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a value for an unforeseen parameter: the baseline's if not tried yet, otherwise a uniform one."""
        self._raise_error_if_multi_objective(study)
        encoding = Encoding({param_name: param_distribution}, None, self._baseline)
        codes = self._baseline_codes(encoding)
        if codes is None or not self._claims_baseline(study, trial):
            stream = [self._seed, _STREAM_INDEPENDENT, trial.number, zlib.crc32(param_name.encode())]
            codes = np.random.default_rng(stream).random((1, len(encoding)))
        return encoding.params(codes[0])[param_name]

    def _claims_baseline(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether no other trial has the baseline's values; then this trial claims them."""
        with self._turn:
            if any(self._is_baseline(other) for other in self._others(study, trial)):
                return False
            self._proposed[study.study_name].setdefault(trial._trial_id, dict(self._baseline or {}))
            return True

    def _is_baseline(self, trial: FrozenTrial) -> bool:
        """Whether a trial has the baseline's values, wherever the trial could have them."""
        baseline = self._baseline or {}
        if not trial.distributions:  # another thread is asking for its first value
            return bool(trial.params) and trial.params == baseline
        axes = Encoding(trial.distributions).axes
        held = {a.name: a.distribution for a in axes if a.name in baseline and a.holds(baseline[a.name])}
        encoding = Encoding(held, self._active_when, baseline)
        return bool(held) and encoding.keys(encoding.codes([baseline])) == encoding.keys(encoding.codes([trial.params]))

    def posterior(self, study: Study) -> Posterior:
        """Return the posterior given all scored trials of a study; larger is better even if the study minimises.

        Raises:
            ValueError: If the study has no scored trial.
        """
        return study_posterior(study, self._space, **self._known)

    def pick(self, study: Study) -> FrozenTrial:
        """Return the complete trial with the largest posterior mean and all constraints met.

        Raises:
            ValueError: If there is none.
        """
        return pick(study, self._space, **self._known)

    @property
    def _known(self) -> dict[str, Any]:
        """Arguments of a posterior."""
        own = {"active_when": self._active_when, "fixed": self._baseline}
        return own | {"noise_sd": self._noise_sd, "earlier": self._earlier}

    def n_startup(self, dimensions: int) -> int:
        """Return the size of the start design for this number of parameters."""
        given = self._n_startup_trials
        return start_size(dimensions, self._n_trials) if given is None else given

    def _is_starting(self, trials: int, encoding: Encoding) -> bool:
        """Whether the next trial after so many is one of the start design."""
        wanted = self.n_startup(len(encoding))
        return trials < wanted and len(self._earlier or ()) < wanted

    def _planned(self, encoding: Encoding, number: int, *, inside: bool) -> FloatArray:
        """Return the start design's point for a trial, shape (1, n_axes)."""
        n = self.n_startup(len(encoding))
        centre = None if self._baseline is None else encoding.codes([self._baseline])[0]
        return start_design(encoding, n, centre, self._seed, self._start)[[number - 1 if inside else number]]

    def _baseline_codes(self, encoding: Encoding) -> FloatArray | None:
        """Return canonical codes of the baseline, shape (1, n_axes).

        None unless the baseline has a value inside the space for every parameter that acts.
        """
        if self._baseline is None:
            return None
        codes = encoding.codes([self._baseline])
        needed = encoding.active(encoding.canonical(np.nan_to_num(codes, nan=0.5)))[0]
        inside = all(
            axis.name in self._baseline and axis.holds(self._baseline[axis.name])
            for axis, acts in zip(encoding.axes, needed, strict=True)
            if acts
        )
        return encoding.canonical(codes) if inside else None

    def surface(self, study: Study, space: Mapping[str, BaseDistribution]) -> tuple[Encoding, Surface | None]:
        """Return the surface that the next proposal is chosen by, and the encoding of its points.

        Args:
            study: The study.
            space: Distributions by name.

        Returns:
            The surface is None during the start design, and where none can be fitted.
        """
        with self._turn, one_thread():
            memory = self._remember({name: each for name, each in space.items() if not each.single()})
            done = memory.evaluated(study, study.get_trials(deepcopy=False))
            is_early = self._is_starting(len(done.trials), memory.encoding)
            return memory.encoding, None if is_early else self._fitted(memory, done)[1]

    def _fitted(self, memory: TrialMemory, done: Evaluated) -> tuple[FloatArray, Surface | None]:
        """Return the codes of the evaluated trials, shape (n, n_axes), and their surface."""
        codes = np.array(memory.codes(done.trials)).reshape(len(done.trials), len(memory.encoding))
        early = done.first(checkpoint(len(codes), self.n_startup(len(memory.encoding))))
        scores = (done.values, done.noise, (early.values, early.noise))
        return codes, fit_surrogate(memory.encoding, codes, *scores, earlier=self._earlier)

    def _ranked(
        self, memory: TrialMemory, done: Evaluated, others: Sequence[FrozenTrial], rng: np.random.Generator
    ) -> FloatArray:
        """Return candidates, the most promising first, shape (n, n_axes)."""
        encoding = memory.encoding
        codes, surrogate = self._fitted(memory, done)

        def fitted(n: int) -> int:
            return checkpoint(n, self.n_startup(len(encoding)))

        feasibility = Feasibility(encoding, codes, done.constraints, fitted) if done.constraints else None
        if surrogate is None and not (feasibility and feasibility.surfaces):
            return encoding.canonical(rng.random((1, len(encoding))))
        pending = encoding.features(encoding.codes([t.params for t in others if _is_running(t)]))
        earlier = encoding.codes(self._earlier.points) if self._earlier else codes[:0]
        known = np.vstack([codes, earlier])
        means = np.zeros(len(known)) if surrogate is None else surrogate.known_means()
        order = np.argsort(-means, kind="stable")
        incumbents = np.arange(len(codes)) if len(earlier) and len(codes) else None  # earlier best sets are no trials
        if feasibility is not None:
            incumbents = np.flatnonzero(done.eligible)
            kept = feasibility.probability(encoding.features(codes))
            order = np.lexsort((-means[: len(codes)] if len(incumbents) else -kept, ~done.eligible))
        pool = candidates(encoding, known[order], rng, earlier)
        features = encoding.features(pool)
        value = np.ones(len(pool))
        if surrogate is not None and (incumbents is None or len(incumbents)):
            next_noise = float(np.median(surrogate.noise[: len(codes) or None]))
            believing = surrogate.believing(pending, next_noise)
            value = augmented_expected_improvement(believing, features, next_noise, incumbents)
        if feasibility is not None:
            value = value * feasibility.probability(features, pending)
        return pool[np.argsort(-value, kind="stable")]


def study_posterior(
    study: Study,
    space: Mapping[str, BaseDistribution] | None = None,
    *,
    active_when: ActiveWhen | None = None,
    fixed: Params | None = None,
    noise_sd: float | None = None,
    values: Sequence[float] | None = None,
    earlier: EarlierScores | None = None,
) -> Posterior:
    """Return the posterior given all scored trials of a study, whichever sampler proposed them.

    Its `pick` chooses from the complete trials with a finite score that meet all constraints.

    Args:
        study: A study with one objective.
        space: Distributions by name; by default all parameters of the trials.
        active_when: Conditions, as in `Encoding`.
        fixed: Values outside the space that conditions may use.
        noise_sd: Standard deviation of one generation for trials without their own.
        values: Other scores of the trials, in the order of `evaluated`; by default the trials' own.
        earlier: Scores of earlier studies, which shape the surface.

    Raises:
        ValueError: If no trial has a score.
    """
    done = evaluated(study, noise_sd)
    space = union_space(study) if space is None else space
    scores = done.values if values is None else values
    eligible = [int(index) for index in np.flatnonzero(done.eligible)]
    return Posterior(
        space, done.points, scores, done.noise,
        active_when=active_when, fixed=fixed, eligible=eligible, earlier=earlier,
    )  # fmt: skip


def pick(
    study: Study,
    space: Mapping[str, BaseDistribution] | None = None,
    *,
    active_when: ActiveWhen | None = None,
    fixed: Params | None = None,
    noise_sd: float | None = None,
    earlier: EarlierScores | None = None,
) -> FrozenTrial:
    """Return the complete trial with the largest posterior mean and all constraints met.

    Arguments are as for `study_posterior`.

    Raises:
        ValueError: If there is none.
    """
    done = evaluated(study)
    if not done.eligible.any():
        raise ValueError(f"there is nothing to pick: {done.why_none()}")
    model = study_posterior(study, space, active_when=active_when, fixed=fixed, noise_sd=noise_sd, earlier=earlier)
    return done.trials[model.pick()]


def _with(trial: FrozenTrial, params: Mapping[str, Any]) -> FrozenTrial:
    """Return a copy of a trial with other parameters."""
    known = copy.copy(trial)
    known.params = dict(params)
    return known


def _is_running(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and bool(trial.params)


def _is_fixed(trial: FrozenTrial) -> bool:
    """Whether a trial's parameters were fixed in advance (`Study.enqueue_trial`)."""
    return bool(trial.system_attrs.get("fixed_params"))


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
