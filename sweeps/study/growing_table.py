"""Rows by trial and case offsets of a growing table, updated as its rows arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    The last digit of a pandas mean depends on the other rows of its table, so cells cannot be summed up one by one. The
    three columns needed are kept instead, because reading all rows with their many columns each time is slow.

    Args:
        rows: A growing list of rows with `configuration`, `case` and `score`.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._columns: dict[str, list[Any]] = {"configuration": [], "case": [], "score": []}

    def by_case(self) -> dict[str, float]:
        """Return the offsets by case, from the rows so far."""
        import pandas as pd

        from analysis.observations.case_offsets import cells_of, fit_offsets

        for index in range(len(self._columns["score"]), len(self._rows)):
            for name, column in self._columns.items():
                column.append(self._rows[index][name])
        cells = cells_of(pd.DataFrame(self._columns))
        (configurations, cases), (rows, columns) = cells.index.levels, cells.index.codes  # type: ignore[attr-defined]
        means, counts = (np.zeros((len(configurations), len(cases))) for _ in range(2))
        means[rows, columns], counts[rows, columns] = cells["mean"], cells["size"]
        return {str(case): float(offset) for case, offset in zip(cases, fit_offsets(means, counts), strict=True)}
