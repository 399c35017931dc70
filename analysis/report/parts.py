"""Limits, the Pareto set, any table and facts, as rows for the templates of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.pareto import front_of
from analysis.report.data import ReportData, Value

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


def pareto_rows(data: ReportData) -> list[dict[str, Any]]:
    """The configurations that no other beats on score and tokens, the cheapest first; [] where that is not known."""
    if data.expected is None:
        return []
    table, rows = front_of(data.expected), []
    for values in table.to_numpy(dtype=object):
        row: dict[str, Any] = dict(zip(map(str, table.columns), values, strict=True))
        key = str(row["configuration"])
        role = data.role(key) if data.role(key) != key else ""
        rows.append({**row, "role": role, "differs": data.differences(key)})
    return rows


def frame(table: pd.DataFrame | None) -> dict[str, Any] | None:
    """Any table as its columns, their names and its rows; None without rows."""
    if table is None or not len(table):
        return None
    columns = [str(name) for name in table.columns]
    return {
        "columns": [name.replace("_", " ") for name in columns],
        "names": columns,
        "rows": table.to_numpy().tolist(),
    }


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
