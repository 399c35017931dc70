"""The limited quantities of all configurations, for the report's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.observations import views
from analysis.report.limits import LimitColumn
from sweeps.scoring.quantities import QUANTITIES, means_of

if TYPE_CHECKING:
    from sweeps.results.study_data import StudyData


def limit_columns(study: StudyData) -> list[LimitColumn]:
    """Return a column per limit of `[constraints]`, in their order.

    Configurations with fresh generations are measured on these, like their scores; the others on those of the search.
    """
    limits = study.config.constraints.limits
    if not limits:
        return []
    picked = set(study.configurations) - {study.baseline.key}
    rows = views.without_luck(study.observations, picked)
    parts: dict[str, Any] = {str(key): part.to_dict("records") for key, part in rows.groupby("configuration")}
    means = {key: means_of(part, list(limits)) for key, part in parts.items()}
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
