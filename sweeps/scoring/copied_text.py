"""Texts that are copies of the log: coverage counts what they copy, and nobody reads a log twice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]

MUCH = 0.5
"""A set whose texts consist of copied stretches to this share, or more, is told of."""

MORE = 0.2
"""So much larger than the baseline's the share must be: what is copied today as well is nobody's gain."""


def copied_by(rows: Iterable[Row], key: str) -> float:
    """Mean over cases of the share of words in long stretches of the log; NaN where no row of a configuration tells.

    Args:
        rows: Rows of the observations table.
        key: The configuration.
    """
    by_case: dict[str, list[float]] = {}
    for row in rows:
        share = row.get("copied_share")
        if row["configuration"] == key and share is not None and not math.isnan(share):
            by_case.setdefault(str(row["case"]), []).append(float(share))
    means = [sum(own) / len(own) for own in by_case.values()]
    return sum(means) / len(means) if means else math.nan


def copying_notes(rows: Iterable[Row], baseline: str, finalist: str) -> list[str]:
    """Say that a finalist copies the log where the baseline does not; [] where it does not.

    Args:
        rows: Fresh rows of both.
        baseline: Key of the baseline.
        finalist: Key of the finalist.
    """
    fresh = list(rows)
    own, base = copied_by(fresh, finalist), copied_by(fresh, baseline)
    if not (own >= MUCH and own - (0.0 if math.isnan(base) else base) >= MORE):
        return []
    known = "" if math.isnan(base) else f" (the baseline {base:.0%})"
    return [
        f"the finalist copies {own:.0%} of its words from the log{known}, and copies count as covered; "
        "read its texts, or set [constraints] copied_share"
    ]
