"""Holm's method: verdicts on several configurations share one level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float], alpha: float = 0.05) -> tuple[list[float], list[float]]:
    """Adjust p values by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: Two-sided p values; NaN (no test was possible) counts as a comparison and stays NaN.
        alpha: Two-sided level for all of them together.

    Returns:
        The adjusted p values and, for each comparison, the level at which it was tested in the end. An interval at 1
        minus that level contains 0 exactly where the adjusted p is above `alpha`.
    """
    count = len(p_values)
    values = np.where(np.isnan(p_values), 2.0, p_values)
    adjusted, levels = [math.nan] * count, [alpha] * count
    highest, stopped = 0.0, 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        level = alpha / (count - rank)
        highest = max(highest, float(values[index]) * (count - rank))
        if highest > alpha and not stopped:
            stopped = level
        levels[index] = stopped or level
        if not math.isnan(p_values[index]):
            adjusted[index] = min(1.0, highest)
    return adjusted, levels
