"""What a sampler works out from each trial, made once: finished trials do not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_not
from typing import Generic, TypeVar

import numpy as np
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweeps.samplers.encoding import Encoding
from sweeps.samplers.evaluated import Evaluated, evaluated
from sweeps.samplers.trial_noise import trial_noise

T = TypeVar("T")


class OfTrials(Generic[T]):
    """A value per trial, made once for each finished trial, since finished trials do not change.

    Args:
        make: Makes the values of several trials.
    """

    def __init__(self, make: Callable[[Sequence[FrozenTrial]], Sequence[T]]) -> None:
        self._make = make
        self._known: dict[int, tuple[FrozenTrial, T]] = {}

    def __call__(self, trials: Sequence[FrozenTrial]) -> list[T]:
        """Return the values of trials, in their order."""
        found = [self._known.get(trial._trial_id) for trial in trials]
        missing = [i for i, (trial, known) in enumerate(zip(trials, found, strict=True)) if not _is_of(trial, known)]
        if missing:
            made = self._make([trials[i] for i in missing])
            for i, value in zip(missing, made, strict=True):
                found[i] = (trials[i], value)
                if trials[i].state.is_finished():
                    self._known[trials[i]._trial_id] = (trials[i], value)
        return [known[1] for known in found if known is not None]


def _is_of(trial: FrozenTrial, known: tuple[FrozenTrial, T] | None) -> bool:
    return known is not None and known[0] is trial


class TrialMemory:
    """Codes, keys and scores of the trials in a space, made once for each finished trial.

    Args:
        encoding: The space.
        noise_sd: Standard deviation of one generation for trials without their own.

    Attributes:
        codes: Codes of trials, each of shape (n_axes,).
        keys: Keys of their configurations.
    """

    def __init__(self, encoding: Encoding, noise_sd: float | None) -> None:
        self.encoding = encoding
        self.codes = OfTrials(lambda trials: list(encoding.codes([trial.params for trial in trials])))
        self.keys = OfTrials(lambda trials: encoding.keys(np.array(self.codes(trials)).reshape(len(trials), -1)))
        self._noise = OfTrials(lambda trials: [trial_noise(trial.user_attrs, noise_sd) for trial in trials])
        self._noise_sd = noise_sd
        self._done: Evaluated | None = None

    def evaluated(self, study: Study, others: Sequence[FrozenTrial]) -> Evaluated:
        """Return the evaluated ones of the trials: the last answer where they are still the same, as within a batch."""
        done = evaluated(study, self._noise_sd, others, self._noise)
        known = () if self._done is None else self._done.trials
        if self._done is None or len(known) != len(done.trials) or any(map(is_not, known, done.trials)):
            self._done = done
        return self._done
