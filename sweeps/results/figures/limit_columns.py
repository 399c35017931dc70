"""The limited quantities of all configurations, for the report's tables."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from analysis.report.limits import LimitColumn
from sweeps.scoring.quantities import QUANTITIES, Row, means_of
from sweeps.scoring.rows import STAGES

if TYPE_CHECKING:
    from sweeps.results.study_data import StudyData


def limit_columns(study: StudyData) -> list[LimitColumn]:
    """Return a column per limit of `[constraints]`, in their order.

    Configurations with fresh generations are measured on these, like their scores; the others on those of the search.
    """
    limits = study.config.constraints.limits
    if not limits:
        return []
    parts = defaultdict[str, list[Row]](list)
    for row in study.rows:  # not the table, whose rows as dicts need several times the memory
        parts[row["configuration"]].append(row)
    means = {key: means_of(_counted(parts[key], key == study.baseline.key), list(limits)) for key in sorted(parts)}
    return [
        LimitColumn(
            name=name,
            limit=limit,
            text=QUANTITIES[name].text(limit),
            means={key: found[name] for key, found in means.items()},
            texts={key: QUANTITIES[name].text(found[name], apart_from=limit) for key, found in means.items()},
        )
        for name, limit in limits.items()
    ]


def _counted(rows: list[Row], is_baseline: bool) -> list[Row]:
    """The rows by which a configuration is measured, in the order of the observations table."""
    fresh = [row for row in rows if row["stage"] == "confirm"]
    return fresh if fresh and not is_baseline else sorted(rows, key=lambda row: STAGES.index(row["stage"]))
