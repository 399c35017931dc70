"""Reasons to withhold a claim although its test shows one: data that are not there could make the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.comparison.claim import is_shown
from analysis.comparison.estimate import Estimate
from analysis.comparison.missing_rows import MissingRows, missing_rows, rows_of
from analysis.comparison.pair import Pair
from analysis.formatting import decimals
from analysis.verdict.verdict import Outcome

Withheld = Literal["", "failures", "missing rows"]
"""The reason to withhold a claim; "" where none is withheld."""

_MOST_CASES = 4


@dataclass(frozen=True)
class Doubts:
    """The data that are not there, for one comparison.

    Attributes:
        two: The arms.
        missing: The rows that an arm lacks.
        at_random: Whether the caller says that rows are missing at random, so that they make no difference.
    """

    two: Pair
    missing: MissingRows
    at_random: bool

    @property
    def effect_with_missing(self) -> float:
        """The effect with the least favourable scores for missing rows."""
        return self.two.effect + self.missing.against(self.two.effect)

    def outcome(
        self,
        estimate: Estimate | None,
        p_value: float,
        p_equivalence: float,
        margin: float,
        *,
        alpha: float,
        tail: float,
    ) -> tuple[Outcome, Withheld]:
        """Return the outcome of a comparison, and why a difference that was shown is not claimed.

        Args:
            estimate: The result of its test; None where there was none.
            p_value: Two-sided p, adjusted.
            p_equivalence: See `equivalence.show_equivalence`.
            margin: The margin; NaN without one.
            alpha: Level of the verdict.
            tail: Two-sided level of the test itself.
        """
        if estimate is None:
            return "not distinguishable", ""
        counted = self.two.effect_with_failures
        if p_value <= alpha:
            if not is_shown(p_value, alpha, self.two.effect, counted):
                return "not distinguishable", "failures"
            if not self._holds_with_missing(estimate.interval(1 - tail)):
                return "not distinguishable", "missing rows"
            return ("better" if self.two.effect > 0 else "worse"), ""
        within = p_equivalence <= tail and (not any(self.two.failed) or abs(counted) <= margin)
        return (
            "equivalent" if within and self._equal_with_missing(estimate, tail, margin) else "not distinguishable"
        ), ""

    def _holds_with_missing(self, interval: tuple[float, float]) -> bool:
        """Say whether the interval excludes 0 with the least favourable scores for missing rows, too."""
        if self.at_random or not (self.missing.baseline or self.missing.finalist):
            return True
        low, high = interval
        return low + self.missing.down > 0 or high + self.missing.up < 0

    def _equal_with_missing(self, estimate: Estimate, tail: float, margin: float) -> bool:
        if self.at_random or not (self.missing.baseline or self.missing.finalist):
            return True
        low, high = estimate.interval(1 - 2 * tail)
        return low + self.missing.down >= -margin and high + self.missing.up <= margin

    def notes(self) -> tuple[str, ...]:
        """Say what is not there, and what it could change."""
        return (*_failure_notes(self.two), *self._missing_notes())

    def _missing_notes(self) -> tuple[str, ...]:
        names = self.two.cells.configurations
        arms = ((self.two.finalist, self.missing.finalist), (self.two.baseline, self.missing.baseline))
        said = []
        for (own, lacking), where in zip(arms, reversed(self.missing.where), strict=True):
            if lacking:
                made = rows_of(self.two, own)
                said.append(f"{names[own.row]} has {made} rows, {lacking} too few for even numbers: {_some(where)}.")
        if not said:
            return _planned_note(self.two)
        if self.at_random:
            return (*said, "They are taken to be missing at random, as you said.")
        effects = self.two.effect, self.effect_with_missing
        without, counted = (f"{effect:+.{decimals(*effects)}f}" for effect in effects)
        worst = (
            f"With the least favourable scores for missing rows the difference would be {counted} instead of {without}."
        )
        return (*said, worst)


def doubts_about(two: Pair, *, at_random: bool) -> Doubts:
    """Return the doubts about a comparison."""
    return Doubts(two, missing_rows(two), at_random)


def _some(where: Sequence[str]) -> str:
    shown = ", ".join(where[:_MOST_CASES])
    return shown if len(where) <= _MOST_CASES else f"{shown} and {len(where) - _MOST_CASES} more"


def _planned_note(two: Pair) -> tuple[str, ...]:
    """Name unequal numbers of rows that are alike in every case."""
    arms = (two.finalist, two.baseline)
    rows = [rows_of(two, own) for own in arms]
    if rows[0] == rows[1] or any(own.greedy for own in arms):
        return ()
    names = [two.cells.configurations[own.row] for own in arms]
    return (f"{names[0]} has {rows[0]} rows and {names[1]} {rows[1]}: taken as planned, with no row missing.",)


def _failure_notes(two: Pair) -> tuple[str, ...]:
    """Say what the effect would be if generations without a score had 0."""
    if not any(two.failed):
        return ()
    effects = two.effect, two.effect_with_failures
    without, counted = (f"{effect:+.{decimals(*effects)}f}" for effect in effects)
    return (f"With 0 for rows without a score the difference would be {counted} instead of {without}.",)
