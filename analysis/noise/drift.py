"""A drift of the scores over time, which looks like a difference where arms did not run at the same time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.comparison.estimate import Estimate, TEstimate
from analysis.comparison.pair import Pair
from analysis.noise.aa_check import ranks
from analysis.observations.table import TableError

ORDERS = ("order", "created")
"""Columns that have the order of generation."""

LEVEL = 0.25
"""One-sided level of the test for drift: to miss one costs more than to allow for one that is not there."""

_APART = 1.0


@dataclass(frozen=True)
class Drift:
    """A trend within cells of two arms that did not run at the same time.

    Attributes:
        p_value: Two-sided p of the trend; NaN where it cannot be tested.
        shift: The part of the effect that the trend explains.
        error: Standard error of that part.
        dof: Its degrees of freedom.
    """

    p_value: float
    shift: float
    error: float
    dof: float

    def explains(self, effect: float) -> bool:
        """Say whether the trend goes the way of an effect, at LEVEL."""
        return self.shift * effect > 0 and self.p_value / 2 <= LEVEL

    @property
    def seen(self) -> bool:
        """Whether there is a trend of either sign, at LEVEL on each side."""
        return self.p_value / 2 <= LEVEL

    def adjusted(self, estimate: Estimate) -> TEstimate:
        """Return an estimate of the effect without the drift."""
        error = math.hypot(estimate.standard_error, self.error)
        return TEstimate(estimate.effect - self.shift, error, min(estimate.dof, self.dof), "adjusted for drift")


def drift_between(rows: pd.DataFrame, two: Pair) -> Drift | None:
    """Test two arms that did not run at the same time for a drift of their scores (analysis of covariance).

    The scores of each cell may rise or fall steadily with the ranks of time, alike in all cells. The effect is adjusted
    to equal times.

    Args:
        rows: The usable rows of both arms; `order` or `created` has the order of generation.
        two: The arms.

    Returns:
        The drift; None without such a column, and where the arms ran at the same time.
    """
    name = next((each for each in ORDERS if each in rows.columns), None)
    if name is None or not two.noisy:
        return None
    labels = [two.cells.configurations[each.row] for each in (two.baseline, two.finalist)]
    arm = rows["configuration"].astype(str)
    cases = {two.cells.cases[each] for each in two.cells.stratum_case[two.strata]}
    chosen = rows["case"].astype(str).isin(cases).to_numpy()
    rows, arm = rows[chosen], arm[chosen]
    try:
        time = ranks(rows[name])
    except TableError:
        return None
    scores = two.cells.scale.oriented(pd.to_numeric(rows["score"]).to_numpy(np.float64))
    frame = pd.DataFrame({"time": time, "score": scores})
    by_case = frame["time"].groupby([arm.to_numpy(), rows["case"].astype(str).to_numpy()]).mean()
    base, final = (by_case[label].sort_index().to_numpy(np.float64) for label in labels)
    gap = float((final - base).mean())
    cells = [arm.to_numpy(), *(rows[each].astype(str).to_numpy() for each in ("case", "host") if each in rows)]
    groups = frame.groupby(cells)
    centred = frame - groups.transform("mean")
    when, score = (centred[each].to_numpy(np.float64) for each in ("time", "score"))
    square, dof = float(when @ when), len(frame) - groups.ngroups - 1
    if abs(gap) <= _APART * math.sqrt(square / len(frame)):
        return None
    if dof < 1 or not square:
        return Drift(math.nan, 0.0, 0.0, math.inf)
    slope = float(when @ score) / square
    error = math.sqrt(float(((score - slope * when) ** 2).sum()) / dof / square)
    p_value = 2 * float(stats.t.sf(abs(slope) / error, dof)) if error > 0 else math.nan
    return Drift(p_value, slope * gap, error * abs(gap), dof)
