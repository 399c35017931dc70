"""Rows by trial and case offsets of a growing table, updated as its rows arrive."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

Row = Mapping[str, Any]


class ByTrial:
    """Rows of a growing list by their trial.

    Args:
        rows: The list; its owner adds rows at the end.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self._seen = rows, 0
        self._found: dict[int, list[Row]] = {}

    def of(self, trial: int) -> Sequence[Row]:
        """The rows of a trial so far, in their order."""
        for index in range(self._seen, len(self._rows)):
            row = self._rows[index]
            self._found.setdefault(row["trial"], []).append(row)
        self._seen = len(self._rows)
        return self._found.get(trial, [])


class RunningOffsets:
    """Case offsets of a growing table, equal to `analysis.observations.case_offsets` to the last bit.

    A cell's mean is that of pandas, whose groups are summed up in the order of their rows with Kahan's correction. Rows
    are read once; what remains for each call is the fit to a table of configurations and cases.

    Args:
        rows: A growing list of rows with `configuration`, `case` and `score`.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self._seen = rows, 0
        self._configurations: list[str] = []
        self._cases: list[str] = []
        self._sums, self._lost, self._counts = (np.zeros((0, 0)) for _ in range(3))

    def by_case(self) -> dict[str, float]:
        """Return the offsets by case, from the rows so far."""
        from analysis.observations.case_offsets import fit_offsets

        new = [row for row in islice(self._rows, self._seen, None) if not math.isnan(row["score"])]
        self._seen = len(self._rows)
        self._make_room(new)
        for row in new:
            at = bisect_left(self._configurations, row["configuration"]), bisect_left(self._cases, row["case"])
            value = float(row["score"]) - self._lost[at]
            total = self._sums[at] + value
            self._lost[at] = total - self._sums[at] - value
            self._sums[at] = total
            self._counts[at] += 1
        means = np.divide(self._sums, self._counts, out=np.zeros_like(self._sums), where=self._counts > 0)
        fitted = fit_offsets(means, self._counts)
        return {case: float(offset) for case, offset in zip(self._cases, fitted, strict=True)}

    def _make_room(self, rows: Sequence[Row]) -> None:
        """Make cells for the configurations and cases of rows; both stay sorted."""
        for axis, (known, column) in enumerate(((self._configurations, "configuration"), (self._cases, "case"))):
            names = {row[column] for row in rows}
            added = sorted(name for name in names if _position(known, name) is None)
            if not added:
                continue
            places = [bisect_left(known, name) for name in added]
            self._sums, self._lost, self._counts = (
                np.insert(table, places, 0.0, axis=axis) for table in (self._sums, self._lost, self._counts)
            )
            for name in added:
                insort(known, name)


def _position(names: Sequence[str], name: str) -> int | None:
    """The place of a name in a sorted list; None if it is not there."""
    at = bisect_left(names, name)
    return at if at < len(names) and names[at] == name else None
