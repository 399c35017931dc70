"""Optuna's grid sampler for studies whose length is planned."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.samplers import GridSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class PlannedGridSampler(GridSampler):
    """A grid sampler that never stops the study.

    Optuna's own stops it at the end of the grid, which works inside `Study.optimize` only. Trials beyond the grid's
    size repeat points.
    """

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Do nothing, so that the study goes on."""
