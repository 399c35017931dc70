"""Texts that copy the log: coverage counts copied words, though a copy is of little use to a reader."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sweeps.scoring.quantities import Row

LEAST_SHARE = 0.5
"""Smallest share of copied words for which there is a note."""

LEAST_INCREASE = 0.2
"""Smallest increase over the baseline's share for which there is a note; the baseline may copy as well."""


def copied_by(rows: Iterable[Row], key: str) -> float:
    """Mean over cases of the share of words in long stretches of the log; NaN where no row has the share.

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
    """A note on a finalist that copies the log where the baseline does not; [] for other finalists.

    Args:
        rows: Fresh rows of both.
        baseline: Key of the baseline.
        finalist: Key of the finalist.
    """
    fresh = list(rows)
    own, base = copied_by(fresh, finalist), copied_by(fresh, baseline)
    if not (own >= LEAST_SHARE and own - (0.0 if math.isnan(base) else base) >= LEAST_INCREASE):
        return []
    known = "" if math.isnan(base) else f" (the baseline {base:.0%})"
    return [
        f"the finalist copies {own:.0%} of its words from the log{known}, and copies count as covered; "
        "read its texts, or set [constraints] copied_share"
    ]
