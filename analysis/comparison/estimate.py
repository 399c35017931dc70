"""Results of tests: one type per kind of test, behind the protocol `Estimate`.

- `TEstimate`: the result of a t test.
- `PermutationEstimate`: the result of a test that rearranges seeds, or flips signs.
- `Agreement`: the result where a t test and such a test must agree.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from scipy import special

from analysis.arrays import FloatArray

ROUNDING = 1e-9
"""Scores have few digits; numbers that differ by less than this differ by rounding only, and count as equal."""

FAR_TAIL = 0.02
"""Below this two-sided level a t test has Satterthwaite's degrees of freedom, cell by cell; see `stratified_t`."""


class Estimate(Protocol):
    """An effect and the result of its test.

    Callers need to know no more than this, whichever test was used. Effects, standard errors and intervals are in
    units of the score; levels and p values are probabilities.
    """

    @property
    def effect(self) -> float:
        """Difference of mean scores, configuration minus baseline."""

    @property
    def standard_error(self) -> float:
        """Standard error of the effect, at least 0."""

    @property
    def dof(self) -> float:
        """Degrees of freedom of the t distribution."""

    @property
    def p_value(self) -> float:
        """Two-sided p."""

    @property
    def test(self) -> str:
        """Name of the test."""

    @property
    def least_p(self) -> float:
        """Smallest p that a difference of any size could have had; 0 where there is no such limit."""

    def dof_at(self, level: float) -> float:
        """Return the degrees of freedom at a two-sided level."""

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a confidence level such as 0.95; it excludes 0 where p is at most 1 - level."""

    def interval_is_within(self, margin: float, tail: float) -> bool:
        """Say whether the test's own interval at 1 - 2 * tail lies within plus or minus a margin.

        A t test says yes in any case: its one-sided p values (`tail_probability`) answer that question.
        """

    def error_at(self, tail: float) -> float:
        """Return the standard error with which a t interval would be as wide as this one.

        Args:
            tail: Two-sided level; the interval is that at 1 - tail.
        """

    def tail_probability(self, errors: float) -> float:
        """Return the one-sided p of an effect that lies this many standard errors (below 0) from the tested value."""

    def with_larger_error(self, standard_error: float, dof: float, test: str) -> Estimate:
        """Return this estimate made more cautious: p and interval allow for a larger standard error.

        Args:
            standard_error: The larger standard error.
            dof: Its degrees of freedom; the estimate's own count where they are fewer.
            test: Name of the test from now on.
        """


@dataclass(frozen=True)
class TEstimate:
    """The result of a t test.

    Attributes:
        effect: Difference of mean scores.
        standard_error: Standard error of the effect.
        dof: Degrees of freedom of the t distribution.
        test: Name of the test.
        tail_dof: Degrees of freedom at levels below FAR_TAIL; NaN where they are the same.
    """

    effect: float
    standard_error: float
    dof: float
    test: str
    tail_dof: float = math.nan

    @property
    def p_value(self) -> float:
        """Two-sided p; without any spread it is 0, or 1 for no effect."""
        if not self.standard_error:
            return float(self.effect == 0)
        return 2 * self.tail_probability(-abs(self.effect) / self.standard_error)

    @property
    def least_p(self) -> float:
        """The smallest possible p: a t test has no limit."""
        return 0.0

    def dof_at(self, level: float) -> float:
        """Return the degrees of freedom at a two-sided level."""
        return self.dof if level >= FAR_TAIL or math.isnan(self.tail_dof) else min(self.dof, self.tail_dof)

    def interval(self, level: float) -> tuple[float, float]:
        """Return the t interval at a confidence level."""
        half = self.half_width(1 - level)
        return self.effect - half, self.effect + half

    def half_width(self, tail: float) -> float:
        """Return half the width of the t interval at 1 - tail."""
        return -float(special.stdtrit(self.dof_at(tail), tail / 2)) * self.standard_error

    def interval_is_within(self, margin: float, tail: float) -> bool:  # noqa: ARG002
        """Say yes: the p values of the two one-sided t tests answer it."""
        return True

    def error_at(self, tail: float) -> float:  # noqa: ARG002
        """Return the standard error: a t interval has the width of a t interval."""
        return self.standard_error

    def tail_probability(self, errors: float) -> float:
        """Return the one-sided p of an effect that lies this many standard errors (below 0) from the tested value."""
        p_value = float(special.stdtr(self.dof, errors))
        if not p_value < FAR_TAIL / 2:  # nor where it is NaN
            return p_value
        # capped, so that p falls steadily with the difference where the degrees of freedom change
        return min(FAR_TAIL / 2, float(special.stdtr(self.dof_at(2 * p_value), errors)))

    def with_larger_error(self, standard_error: float, dof: float, test: str) -> TEstimate:
        """Return the t test of the same effect with the larger standard error."""
        dof = min(self.dof, dof)
        return TEstimate(self.effect, standard_error, dof, test, float(np.fmin(dof, self.tail_dof)))


@dataclass(frozen=True)
class _BesideT(ABC):
    """An estimate with a t test beside it, from which effect, standard error and degrees of freedom come.

    Attributes:
        by_t: The t estimate of the same effect.
    """

    by_t: TEstimate

    @property
    def effect(self) -> float:
        """Difference of mean scores, configuration minus baseline."""
        return self.by_t.effect

    @property
    def standard_error(self) -> float:
        """Standard error of the effect."""
        return self.by_t.standard_error

    @property
    def dof(self) -> float:
        """Degrees of freedom of the t distribution."""
        return self.by_t.dof

    def dof_at(self, level: float) -> float:
        """Return the degrees of freedom at a two-sided level."""
        return self.by_t.dof_at(level)

    def tail_probability(self, errors: float) -> float:
        """Return the one-sided p by the t distribution."""
        return self.by_t.tail_probability(errors)

    @property
    @abstractmethod
    def least_p(self) -> float:
        """Smallest p that a difference of any size could have had."""

    @abstractmethod
    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at a confidence level."""

    def interval_is_within(self, margin: float, tail: float) -> bool:
        """Say whether the interval at 1 - 2 * tail excludes something, and lies within plus or minus a margin."""
        low, high = self.interval(1 - 2 * tail)
        return not (self.least_p > tail or max(-low, high) > margin)

    def error_at(self, tail: float) -> float:
        """Return the standard error with which a t interval would be as wide as this one, if that is wider."""
        low, high = self.interval(1 - tail)
        wider = max(self.effect - low, high - self.effect) / self.by_t.half_width(tail)
        return self.standard_error * max(1.0, wider)


@dataclass(frozen=True)
class PermutationEstimate(_BesideT):
    """The result of a test that rearranges what was observed: seeds between the arms, or signs of differences.

    Attributes:
        by_t: The t estimate of the same effect.
        p_value: Two-sided p.
        test: Name of the test.
        thresholds: For each rearrangement, the shift up to which it is as extreme as the observed one; ascending, shape
            (rearrangements that differ from the observed one,). See `permutation.inverted`.
        same: Number of rearrangements that are the observed one, at least 1.
        drawn: Whether the rearrangements are a random sample, and not all that exist.
        reach: Distance of the ends of the scale: no effect is larger.
    """

    p_value: float
    test: str
    thresholds: FloatArray = field(repr=False)
    same: int
    drawn: bool
    reach: float = 1.0

    @property
    def least_p(self) -> float:
        """Smallest p that a difference of any size could have had: few seeds have few rearrangements."""
        return 0.0 if self.drawn else 2 * self.same / (len(self.thresholds) + self.same)

    def excludes_nothing(self, level: float) -> bool:
        """Say whether there are too few rearrangements for an interval of this level to exclude anything."""
        return self._rank(level) < 1 and not self.drawn

    def interval(self, level: float) -> tuple[float, float]:
        """Return the shifts that the test does not reject (test inversion)."""
        if self.excludes_nothing(level):
            return -self.reach, self.reach
        rank = self._rank(level)
        found = float(self.thresholds[max(rank, 1) - 1]), float(self.thresholds[-max(rank, 1)])
        return found if rank >= 1 else _union(found, self.by_t.interval(level))

    def _rank(self, level: float) -> int:
        """Return the rank of the thresholds that end the interval, from 1; below that the sample has no such end.

        A shift is kept if more than half of 1 - level of the rearrangements are at least as extreme, on either side.
        """
        tail = (1 - level) / 2
        return math.floor(tail * (len(self.thresholds) + self.same) - self.same + 1e-9) + 1

    def with_larger_error(self, standard_error: float, dof: float, test: str) -> Agreement:
        """Return the agreement of this test with a t test that has the larger standard error."""
        return Agreement(self.by_t.with_larger_error(standard_error, dof, test), self, test)


@dataclass(frozen=True)
class Agreement(_BesideT):
    """The result where a t test and a rearranging test must agree: the larger p, and an interval that holds both.

    Attributes:
        by_t: The t estimate.
        rearranged: The estimate of the other test; where there were several, the one with the largest p.
        test: Name of the test.
    """

    rearranged: PermutationEstimate
    test: str

    @property
    def p_value(self) -> float:
        """Two-sided p: the larger one."""
        return max(self.by_t.p_value, self.rearranged.p_value)

    @property
    def least_p(self) -> float:
        """Smallest p that a difference of any size could have had."""
        return self.rearranged.least_p

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval that holds those of both tests."""
        if self.rearranged.excludes_nothing(level):
            return self.rearranged.interval(level)
        return _union(self.by_t.interval(level), self.rearranged.interval(level))

    def with_larger_error(self, standard_error: float, dof: float, test: str) -> Agreement:
        """Return the agreement with a t test that has the larger standard error."""
        return replace(self, by_t=self.by_t.with_larger_error(standard_error, dof, test), test=test)


def _union(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the smallest interval that holds two."""
    return min(one[0], other[0]), max(one[1], other[1])
