"""The result of a test: effect, interval, p."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from analysis.arrays import FloatArray

ROUNDING = 1e-9
"""Scores lie between 0 and 1; what differs by less than this differs by the rounding of sums, and is the same."""


FAR_TAIL = 0.02
"""Below this level a t test has Satterthwaite's degrees of freedom, cell by cell; see `ttests.stratified_t`."""


@dataclass(frozen=True)
class Estimate:
    """An effect with what a test says about it.

    Attributes:
        effect: Difference of mean scores.
        standard_error: Of the effect.
        dof: Degrees of freedom of the t distribution.
        p_value: Two-sided.
        test: Name of the test.
        tail_dof: Degrees of freedom at levels below FAR_TAIL; NaN where they are the same.
        draws: Thresholds of a permutation test, ascending (see `analysis.comparison.permutation`); empty for the t
        tests.
        same: Number of arrangements that are the observed one; 0 for the t tests.
        drawn: Whether the permutation test's arrangements are a sample.
        both: Whether a t test and a permutation test must agree; p is the larger one, the interval holds both.
    """

    effect: float
    standard_error: float
    dof: float
    p_value: float
    test: str
    tail_dof: float = math.nan
    draws: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    same: int = 0
    drawn: bool = False
    both: bool = False

    def dof_at(self, level: float) -> float:
        """Return the degrees of freedom that count at a two-sided level."""
        return self.dof if level >= FAR_TAIL or math.isnan(self.tail_dof) else min(self.dof, self.tail_dof)

    @property
    def least_p(self) -> float:
        """The smallest p that a result of any size could have had: a permutation of few seeds has an end."""
        return 2 * self.same / (len(self.draws) + self.same) if self.same and not self.drawn else 0.0

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a confidence level such as 0.95; it excludes 0 where p is at most 1 - level."""
        tail = (1 - level) / 2
        half = -float(special.stdtrit(self.dof_at(2 * tail), tail)) * self.standard_error
        by_t = self.effect - half, self.effect + half
        if not self.same:
            return by_t
        # A shift is kept if more than this share of arrangements is at least as extreme, on either side.
        rank = math.floor(tail * (len(self.draws) + self.same) - self.same + 1e-9) + 1
        if rank < 1 and not self.drawn:
            return -1.0, 1.0
        moved = float(self.draws[max(rank, 1) - 1]), float(self.draws[-max(rank, 1)])
        return (min(by_t[0], moved[0]), max(by_t[1], moved[1])) if self.both or rank < 1 else moved

    def tail_probability(self, errors: float) -> float:
        """Return the one-sided p of a difference of so many standard errors (negative) from what is tested."""
        p_value = float(special.stdtr(self.dof, errors))
        if not p_value < FAR_TAIL / 2:  # nor if it is NaN
            return p_value
        # capped, so that p falls steadily with the difference where the degrees of freedom change
        return min(FAR_TAIL / 2, float(special.stdtr(self.dof_at(2 * p_value), errors)))
