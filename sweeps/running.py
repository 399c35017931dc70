"""What is asked of a growing table again and again, kept up to date as its rows arrive instead of computed anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]


class ByTrial:
    """Rows of a growing list by their trial.

    Args:
        rows: The list; rows may be added at its end, by anybody.
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
    """How much easier each case is than the mean case; the same numbers, bit by bit, as of `analysis.offsets`.

    Sums of cells are compensated (Kahan 1965), as pandas' means are.

    Args:
        rows: A growing list of rows with `configuration`, `case` and `score`.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self._seen = rows, 0
        self._configurations: dict[str, int] = {}
        self._cases: dict[str, int] = {}
        self._sums, self._lost, self._counts = (np.zeros((0, 0)) for _ in range(3))

    def by_case(self) -> dict[str, float]:
        """Offsets by case, of the rows so far."""
        from analysis.offsets import fit_offsets

        for index in range(self._seen, len(self._rows)):
            self._add(self._rows[index])
        self._seen = len(self._rows)
        configurations, cases = sorted(self._configurations), sorted(self._cases)
        cells = np.ix_([self._configurations[key] for key in configurations], [self._cases[case] for case in cases])
        # In the order that pandas' tables have in memory, on which the last digit of a product of matrices depends.
        counts = np.asfortranarray(self._counts[cells])
        means = np.divide(np.asfortranarray(self._sums[cells]), counts, out=np.zeros_like(counts), where=counts > 0)
        return {case: float(offset) for case, offset in zip(cases, fit_offsets(means, counts), strict=True)}

    def _add(self, row: Row) -> None:
        score = row["score"]
        if math.isnan(score):
            return
        i = self._configurations.setdefault(row["configuration"], len(self._configurations))
        j = self._cases.setdefault(row["case"], len(self._cases))
        self._make_room()
        added = score - self._lost[i, j]
        total = self._sums[i, j] + added
        self._lost[i, j] = total - self._sums[i, j] - added
        self._sums[i, j] = total
        self._counts[i, j] += 1

    def _make_room(self) -> None:
        """Twice as much as there was, each time that it does not suffice."""
        has, wanted = self._sums.shape, (len(self._configurations), len(self._cases))
        if wanted[0] <= has[0] and wanted[1] <= has[1]:
            return
        more = [
            (0, max(2 * size, need) - size) if need > size else (0, 0) for size, need in zip(has, wanted, strict=True)
        ]
        self._sums, self._lost, self._counts = (np.pad(part, more) for part in (self._sums, self._lost, self._counts))
