"""The interactive figure of the score against words, tokens and seconds."""

from __future__ import annotations

import pandas as pd

from analysis.formatting import count_text
from analysis.pareto import expected
from analysis.report.data import ReportData
from analysis.report.interactive.figure import (
    BASELINE,
    CURVE,
    DOT,
    FINALIST,
    INK,
    LiveFigure,
    Trace,
    Who,
    layout,
    line,
    numbers,
    points,
)

QUANTITIES = {"output_tokens": "tokens", "words": "words", "seconds": "seconds"}
"""Costs with their names for people; seconds are those of the request itself."""


def cost(who: Who, sentence: str) -> LiveFigure | None:
    """Expected score against one of three costs, which a person chooses; None where no cost is known."""
    data = who.tables.data
    known = None if data.expected is None else data.expected.set_index("configuration")
    if known is None or known.empty:
        return None
    tables = {column: own for column in QUANTITIES if (own := _expected(data, known, column)) is not None}
    found = {column: QUANTITIES[column] for column in tables}
    if not found:
        return None
    traces: list[Trace] = []
    counts: dict[str, int] = {}
    for column, name in found.items():
        parts = _traces(who, tables[column], column)
        counts[name] = len(parts)
        traces += [{**trace, "visible": not traces or name == next(iter(found.values()))} for trace in parts]
    buttons = []
    for name in counts:
        visible = [each == name for each, times in counts.items() for _ in range(times)]
        change = {"xaxis.title.text": f"{name} per text to expect"}
        buttons.append({"label": name, "method": "update", "args": [{"visible": visible}, change]})
    menu = {"type": "buttons", "direction": "right", "x": 0, "y": 1.14, "xanchor": "left", "buttons": buttons}
    column, first = next(iter(found.items()))
    table, front = tables[column], int(tables[column]["front"].sum())
    extra = {"updatemenus": [menu], "margin": {"l": 60, "r": 16, "t": 56, "b": 96}} if len(buttons) > 1 else {}
    return LiveFigure(
        "pareto",
        f"{front} of {count_text(len(table), 'configuration')} are beaten by no other on both score and {first}",
        f"{sentence} The buttons change the cost." if len(buttons) > 1 else sentence,
        traces,
        layout(f"{first} per text to expect", "score to expect", height=440, **extra),
    )


def _expected(data: ReportData, known: pd.DataFrame, column: str) -> pd.DataFrame | None:
    """Score and one cost to expect, by configuration; None where the cost is unknown.

    Tokens are those of the page's table, `known`. The others are expected in the same way.
    """
    if column in known:
        return known
    rows = data.observations
    if column not in rows or not rows[column].notna().any():
        return None
    sd = data.floor.sd if data.floor is not None else None
    found = expected(rows, baseline=data.baseline, costs=[column], noise_sd=sd).set_index("configuration")
    return None if found.empty else found


def _traces(who: Who, table: pd.DataFrame, column: str) -> list[Trace]:
    """Points, front, baseline and finalist for one cost."""
    data = who.tables.data
    front, shown = table[table["front"]].sort_values(column), who.tables.only_shown(table)
    dots = points(
        numbers(shown[column]), numbers(shown["score"]), [who.number(key) for key in shown.index], "configuration", DOT
    )
    step = line(numbers(front[column]), numbers(front["score"]), "", CURVE, line={"shape": "hv"}, showlegend=False)
    of = [who.number(key) for key in front.index]
    best = points(numbers(front[column]), numbers(front["score"]), of, "beaten by none", CURVE)
    found = [dots, step, best]
    for key, name, colour, symbol in (
        (data.baseline, "baseline", BASELINE, "square"),
        (data.finalist, data.finalist_name, FINALIST, "diamond"),
    ):
        if key in table.index:
            own = table.loc[[key]]
            mark = {"symbol": symbol, "size": 12}
            found.append(
                points(numbers(own[column]), numbers(own["score"]), [who.number(key)], name, colour, marker=mark)
            )
    for limit in (each.limit for each in data.limits if each.name == column):
        ends = [float(table["score"].min()), float(table["score"].max())]
        found.append(line([limit, limit], ends, f"limit: {limit:g}", INK, line={"dash": "dash"}))
    return found
