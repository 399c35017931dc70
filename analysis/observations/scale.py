"""The scale of a metric: where scores begin and end, and whether more or less is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray


@dataclass(frozen=True)
class Scale:
    """The scale of a metric, in its own unit.

    Everything that computes takes *oriented* scores: the scores as they are, or with the sign changed where less is
    better. So more is always better there, and a positive difference is always a gain.

    Attributes:
        low: The smallest possible score.
        high: The largest possible score.
        lower_is_better: Whether less is better, as with seconds or errors.
    """

    low: float = 0.0
    high: float = 1.0
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"the range of scores must have a low end below its high end, not {self.text}")

    @property
    def width(self) -> float:
        """Distance of the ends: no difference of means is larger."""
        return self.high - self.low

    @property
    def floor(self) -> float:
        """The worst oriented score."""
        return -self.high if self.lower_is_better else self.low

    @property
    def ceiling(self) -> float:
        """The best oriented score."""
        return -self.low if self.lower_is_better else self.high

    @property
    def worst(self) -> float:
        """The worst score, in the metric's own direction: the score of a failure."""
        return self.high if self.lower_is_better else self.low

    @property
    def best(self) -> float:
        """The best score, in the metric's own direction."""
        return self.low if self.lower_is_better else self.high

    @property
    def text(self) -> str:
        """The ends, such as `0,100`."""
        return f"{self.low:g},{self.high:g}"

    def oriented(self, scores: FloatArray) -> FloatArray:
        """Return oriented scores, of the same shape."""
        return -scores if self.lower_is_better else scores

    def reach(self, means: FloatArray, below: FloatArray, above: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return how far intervals reach below and above their means, cut off at the ends of the scale.

        Args:
            means: Means of scores, shape (n,). An interval whose mean lies beyond an end does not reach further.
            below: Whole lengths below the means, at least 0, shape (n,).
            above: Whole lengths above the means, at least 0, shape (n,).

        Returns:
            Two arrays of shape (n,).
        """
        room_below, room_above = np.maximum(means - self.low, 0.0), np.maximum(self.high - means, 0.0)
        return np.minimum(below, room_below), np.minimum(above, room_above)

    def bounded(self, interval: tuple[float, float]) -> tuple[float, float]:
        """Return an interval of a difference of means, cut off where no difference can be: at `width` on either side.

        An interval that holds the truth still does so. Few degrees of freedom at an early look make it reach further.
        """
        low, high = interval
        return max(low, -self.width), min(high, self.width)

    def shown(self, mean: float) -> float:
        """Return an oriented mean in the metric's own direction."""
        return 0.0 - mean if self.lower_is_better else mean


UNIT = Scale()
"""Scores from 0 to 1, of which more is better."""
