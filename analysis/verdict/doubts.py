"""Reasons to withhold a claim although its test shows one: data that are not there could make the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.comparison.claim import is_shown
from analysis.comparison.estimate import Estimate
from analysis.comparison.missing_rows import MissingRows, missing_rows, rows_of
from analysis.comparison.pair import Pair
from analysis.formatting import decimals, level_text, p_text
from analysis.noise.drift import Drift, drift_between
from analysis.observations.scale import Scale
from analysis.verdict.verdict import Outcome

Withheld = Literal["", "failures", "missing rows", "drift"]
"""The reason to withhold a claim; "" where none is withheld."""

_MOST_CASES = 4


@dataclass(frozen=True)
class Doubts:
    """The data that are not there, for one comparison.

    Attributes:
        two: The arms.
        missing: The rows that an arm lacks.
        drift: The drift of arms that did not run at the same time; None where they did, or nothing tells.
        at_random: Whether the caller says that rows are missing at random, so that they make no difference.
    """

    two: Pair
    missing: MissingRows
    drift: Drift | None
    at_random: bool

    @property
    def effect_with_missing(self) -> float:
        """The effect with the least favourable scores for missing rows; the effect itself if they are so at random."""
        if self.at_random:
            return self.two.effect
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
        equal_tail: float,
    ) -> tuple[Outcome, Withheld]:
        """Return the outcome of a comparison, and why a difference that was shown is not claimed.

        Args:
            estimate: The result of its test; None where there was none.
            p_value: Two-sided p, adjusted.
            p_equivalence: See `equivalence.show_equivalence`.
            margin: The margin; NaN without one.
            alpha: Level of the verdict.
            tail: Two-sided level of the test itself.
            equal_tail: Level of each one-sided test of equality.
        """
        if estimate is None:
            return "not distinguishable", ""
        counted = self.two.effect_with_failures
        if p_value <= alpha:
            if not is_shown(p_value, alpha, self.two.effect, counted):
                return "not distinguishable", "failures"
            if not self._holds_with_missing(estimate.interval(1 - tail)):
                return "not distinguishable", "missing rows"
            if not self._holds_without_drift(estimate, tail):
                return "not distinguishable", "drift"
            return ("better" if self.two.effect > 0 else "worse"), ""
        within = p_equivalence <= equal_tail and (not any(self.two.failed) or abs(counted) <= margin)
        within = within and self._equal_with_missing(estimate, equal_tail, margin)
        within = within and self._equal_without_drift(estimate, equal_tail, margin)
        return ("equivalent" if within else "not distinguishable"), ""

    def _holds_with_missing(self, interval: tuple[float, float]) -> bool:
        """Say whether the interval excludes 0 with the least favourable scores for missing rows, too."""
        if self.at_random or not (self.missing.baseline or self.missing.finalist):
            return True
        low, high = interval
        return low + self.missing.down > 0 or high + self.missing.up < 0

    def _holds_without_drift(self, estimate: Estimate, tail: float) -> bool:
        """Say whether the interval excludes 0 on the same side after adjusting for a drift that explains the effect."""
        if self.drift is None or not self.drift.explains(self.two.effect):
            return True
        low, high = self.drift.adjusted(estimate).interval(1 - tail)
        return low > 0 if self.two.effect > 0 else high < 0

    def _equal_without_drift(self, estimate: Estimate, tail: float, margin: float) -> bool:
        if self.drift is None or not self.drift.seen:
            return True
        low, high = self.drift.adjusted(estimate).interval(1 - 2 * tail)
        return low >= -margin and high <= margin

    def _equal_with_missing(self, estimate: Estimate, tail: float, margin: float) -> bool:
        if self.at_random or not (self.missing.baseline or self.missing.finalist):
            return True
        low, high = estimate.interval(1 - 2 * tail)
        return low + self.missing.down >= -margin and high + self.missing.up <= margin

    @property
    def effect_without_drift(self) -> float:
        """The effect adjusted to equal times; the effect itself where there is no drift to adjust for."""
        return self.two.effect - (0.0 if self.drift is None else self.drift.shift)

    def notes(self, estimate: Estimate | None, tail: float) -> tuple[str, ...]:
        """Say what is not there, and what it could change.

        Args:
            estimate: The result of the test; None where there was none.
            tail: Two-sided level of the test.
        """
        notes = (*_failure_notes(self.two), *self._missing_notes())
        if estimate is None or self.drift is None:
            return notes
        return (*notes, _drift_note(self.drift, estimate, tail, self.two.cells.scale))

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


def doubts_about(rows: pd.DataFrame, two: Pair, whole: Pair, *, at_random: bool) -> Doubts:
    """Return the doubts about a comparison.

    Args:
        rows: The usable rows of both arms.
        two: The arms as they are compared.
        whole: The arms with seeds that only one of them has.
        at_random: See `Doubts`.
    """
    return Doubts(two, missing_rows(whole), drift_between(rows, whole), at_random)


def _drift_note(drift: Drift, estimate: Estimate, tail: float, scale: Scale) -> str:
    """Say that the arms did not run at the same time, and what a drift would change."""
    apart = "The arms did not run at the same time: a host that changed in between would look like a difference."
    if math.isnan(drift.p_value):
        return f"{apart} Nothing shows whether scores drift."
    if not drift.explains(estimate.effect):
        return f"{apart} Scores show no drift towards it within the arms ({p_text(drift.p_value)})."
    adjusted = drift.adjusted(estimate)
    low, high = scale.bounded(adjusted.interval(1 - tail))
    d = decimals(estimate.effect, low, high)
    numbers = f"{adjusted.effect:+.{d}f} ({level_text(1 - tail)} interval {low:+.{d}f} to {high:+.{d}f})"
    return (
        f"The arms did not run at the same time, and scores drift within them ({p_text(drift.p_value)}). Adjusted to "
        f"equal times the difference would be {numbers} instead of {estimate.effect:+.{d}f}."
    )


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
    worst = f"{two.cells.scale.worst:g}"
    return (f"With {worst} for rows without a score the difference would be {counted} instead of {without}.",)
