"""Optuna's grid sampler for studies whose length is planned."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.samplers import GridSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class PlannedGridSampler(GridSampler):
    """A grid that leaves it to the plan when the study ends.

    Optuna's own stops the study when the grid is used up, which it can only do inside `Study.optimize`. Whoever asks
    for more trials than the grid has points gets points again.
    """

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Go on."""
