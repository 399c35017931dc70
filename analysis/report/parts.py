"""Limits, the Pareto set, any table and facts, as rows for the templates of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.formatting import count_text
from analysis.observations import views
from analysis.pareto import front_of
from analysis.report.data import ReportData, Value
from analysis.report.numbers import number

if TYPE_CHECKING:
    import pandas as pd


def limit_rows(data: ReportData) -> list[dict[str, Any]]:
    """Limits with the fresh means of baseline and finalist, and the colour of each outcome."""
    if data.constraints is None:
        return []
    tones = {"kept": "better", "broken": "worse"}
    rows: list[dict[str, Any]] = [
        dict(zip(map(str, data.constraints), row, strict=True)) for row in data.constraints.to_numpy()
    ]
    return [{**row, "tone": tones.get(row["outcome"], "not-distinguishable")} for row in rows]


def limits_text(data: ReportData) -> str:
    """Limits on one line; "" without limits."""
    return "; ".join(
        f"{row['constraint']} {row['finalist']}, limit {row['limit']}: {row['outcome']}" for row in limit_rows(data)
    )


def over_limits(data: ReportData, key: str) -> list[str]:
    """Names of the limits that a configuration's means lie above."""
    return [column.name.replace("_", " ") for column in data.limits if column.over(key)]


def why_finalist(data: ReportData, ranking: Sequence[Mapping[str, Any]]) -> str:
    """Say why the finalist won although others have higher means; "" where none has, or nothing was searched.

    Args:
        data: The study.
        ranking: `key` and `row` (with `mean` and `n`) of all configurations, as in `Tables.ranked`.
    """
    rows = {str(row["key"]): row["row"] for row in ranking}
    if data.is_comparison or data.finalist is None or data.finalist not in rows:
        return ""
    own = rows[data.finalist]
    others = [
        key for key, row in rows.items() if row["mean"] > own["mean"] and key not in (data.baseline, data.finalist)
    ]
    if not others:
        return ""
    judged = {verdict.configuration for verdict in data.verdicts}
    over = [key for key in others if over_limits(data, key)]
    confirmed = [key for key in others if key in judged and key not in over]
    lucky = [key for key in others if key not in over and key not in confirmed]
    n = len(others)
    parts = [
        f"{count_text(n, 'configuration')} {'has a' if n == 1 else 'have'} higher mean{'' if n == 1 else 's'} here."
    ]
    if over:
        limits = ", ".join(dict.fromkeys(name for key in over for name in over_limits(data, key)))
        parts.append(f"{len(over)} {'is' if len(over) == 1 else 'are'} over a limit ({limits}).")
    if confirmed:
        parts.append(
            f"{len(confirmed)} {'was' if len(confirmed) == 1 else 'were'} confirmed too, with a weaker verdict."
        )
    if lucky:
        fewest, most = (pick(int(rows[key]["n"]) for key in lucky) for pick in (min, max))
        texts = count_text(fewest, "text") if fewest == most else f"{fewest} to {most} texts"
        parts.append(
            f"{len(lucky)} {'rests' if len(lucky) == 1 else 'rest'} on {texts} of the search each, where the best means"
            f" are partly luck; the finalist's mean is of {int(own['n'])} fresh ones."
        )
        parts += _without_luck(data, lucky)
    return " ".join(parts)


def _without_luck(data: ReportData, keys: Sequence[str]) -> list[str]:
    """Compare the scores to expect, which allow for luck; [] where they are unknown."""
    if data.expected is None or data.finalist is None:
        return []
    expected = data.expected.set_index("configuration")["score"]
    known = [float(expected[key]) for key in keys if key in expected.index]
    if not known or data.finalist not in expected.index:
        return []
    return [
        f"Luck allowed for, {number(float(expected[data.finalist]))} is expected of it, and at most"
        f" {number(max(known))} of {'that one' if len(keys) == 1 else 'these'}."
    ]


def pareto_rows(data: ReportData) -> list[dict[str, Any]]:
    """The configurations that no other beats on score and tokens, the cheapest first; [] where that is not known."""
    if data.expected is None:
        return []
    table, rows = front_of(data.expected), []
    rows_read = views.summarised(data.observations)
    measured = views.summary(views.without_luck(rows_read, set(rows_read["configuration"])))
    for values in table.to_numpy(dtype=object):
        row: dict[str, Any] = dict(zip(map(str, table.columns), values, strict=True))
        key = str(row["configuration"])
        role = data.role(key) if data.role(key) != key else ""
        own: Any = measured.loc[key] if key in measured.index else {}
        rows.append({**row, "role": role, "differs": data.differences(key), "tokens": own.get("output_tokens")})
    return rows


def frame(table: pd.DataFrame | None) -> dict[str, Any] | None:
    """Any table as the names of its columns and its rows; None without rows."""
    if table is None or not len(table):
        return None
    return {"names": [str(name) for name in table.columns], "rows": table.to_numpy().tolist()}


def flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """Nested facts with dotted names."""
    found: dict[str, Value] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            found |= {f"{prefix}{name}": ", ".join(map(str, value))} if value else {}
        elif value not in (None, ""):
            found[f"{prefix}{name}"] = value
    return found
