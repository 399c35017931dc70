"""The interactive figure of the score against words, tokens and seconds."""

from __future__ import annotations

import pandas as pd

from analysis.formatting import count_text
from analysis.observations import views
from analysis.pareto import undominated
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
"""Columns of a configuration's means, with their names for people; seconds are those of the request itself."""


def cost(who: Who, sentence: str) -> LiveFigure | None:
    """Expected score against one of three costs, which a person chooses; None where no cost is known."""
    data = who.tables.data
    known = None if data.expected is None else data.expected.set_index("configuration")
    if known is None or known.empty:
        return None
    table = _costs(data.observations, data.baseline).reindex(known.index).assign(score=known["score"])
    found = {column: name for column, name in QUANTITIES.items() if column in table and table[column].notna().any()}
    if not found:
        return None
    traces: list[Trace] = []
    counts: dict[str, int] = {}
    for column, name in found.items():
        own = _traces(who, table.dropna(subset=[column]), column)
        counts[name] = len(own)
        traces += [{**trace, "visible": not traces or name == next(iter(found.values()))} for trace in own]
    buttons = []
    for name in counts:
        visible = [each == name for each, times in counts.items() for _ in range(times)]
        change = {"xaxis.title.text": f"{name} per text"}
        buttons.append({"label": name, "method": "update", "args": [{"visible": visible}, change]})
    menu = {"type": "buttons", "direction": "right", "x": 0, "y": 1.14, "xanchor": "left", "buttons": buttons}
    first = next(iter(found.values()))
    extra = {"updatemenus": [menu], "margin": {"l": 60, "r": 16, "t": 56, "b": 96}} if len(buttons) > 1 else {}
    front = int(undominated(table["score"].to_numpy(), table[[next(iter(found))]].to_numpy()).sum())
    return LiveFigure(
        "pareto",
        f"{front} of {count_text(len(table), 'configuration')} are beaten by no other on both score and {first}",
        f"{sentence} The buttons change the cost." if len(buttons) > 1 else sentence,
        traces,
        layout(f"{first} per text", "score to expect", height=440, **extra),
    )


def _costs(observations: pd.DataFrame, baseline: str) -> pd.DataFrame:
    rows = views.without_luck(observations, set(observations["configuration"]) - {baseline})
    if "seconds" in rows:
        rows = rows.assign(seconds=views.request_seconds(rows))
    return views.summary(rows)


def _traces(who: Who, table: pd.DataFrame, column: str) -> list[Trace]:
    """Points, front, baseline and finalist for one cost."""
    data = who.tables.data
    front = table[undominated(table["score"].to_numpy(), table[[column]].to_numpy())].sort_values(column)
    dots = points(
        numbers(table[column]), numbers(table["score"]), [who.number(key) for key in table.index], "configuration", DOT
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
