"""The error for a table that cannot be judged, and how its message names labels and rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import BoolArray


class TableError(ValueError):
    """A table that cannot be judged as it is; the message names the column and the rows, and says what to do."""


def some_labels(labels: Sequence[str], most: int = 12) -> str:
    """List labels, cutting a long list short."""
    shown = ", ".join(repr(label) for label in labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def rows_text(mask: BoolArray, most: int = 5) -> str:
    """Name the rows that are true in a mask, counting from 1 after the header."""
    rows = np.flatnonzero(mask) + 1
    shown = ", ".join(str(row) for row in rows[:most])
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more} (the first row after the header is 1)"
