"""Interactive figures of the options: the search's surface along each, which matter, and the two that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.observations import views
from analysis.observations.scale import UNIT
from analysis.report.data import ReportData
from analysis.report.interactive.figure import (
    BASELINE,
    CURVE,
    DOT,
    FINALIST,
    INK,
    SCALE,
    LiveFigure,
    Trace,
    Who,
    axis,
    layout,
    line,
    numbers,
    points,
)
from analysis.report.plots.option_panels import axis_places, is_wide
from analysis.report.surface import Contour, Scale, Slice, Surface

_PANEL = 250  # pixels
_GAP = 0.07


def slices(who: Who, title: str) -> LiveFigure:
    """Each trial's mean against each option, with the surface's curve and band where the search has one."""
    data, surface = who.tables.data, who.tables.data.surface
    rows = data.observations
    names = _by_importance(views.swept(rows), surface)
    columns = min(3, max(len(names), 1))
    lines = -(-len(names) // columns)
    trials, fresh, first = who.dots, who.fresh, who.first
    traces: list[Trace] = []
    axes: dict[str, Any] = {}
    for place, name in enumerate(names):
        at, labels = axis_places(first[name])
        own = surface.slice_of(name) if surface is not None else None
        number = "" if place == 0 else str(place + 1)
        panel = _curve(own, labels) if own is not None else []
        panel.append(_trials(who, trials, at))
        panel += _marks(who, data, at, fresh)
        where = {"xaxis": f"x{number}", "yaxis": f"y{number}", "showlegend": place == 0}
        traces += [{**trace, **where} for trace in panel]
        axes |= _panel_axes(name, number, place, columns, lines, at, labels)
    says = "" if surface is None else f" {surface.reading}"
    band = (
        " The curve is the search's estimate with the other options as in "
        f"{surface.at}, and the band holds the true curve with 95%."
        if surface is not None
        else ""
    )
    shown = layout(height=_PANEL * lines + 90, **axes)
    return LiveFigure("sensitivity", title, f"Each dot is the mean of one trial.{band}{says}", traces, shown)


def importances(who: Who) -> LiveFigure | None:
    """How much of the surface's variation is due to each option; None without a surface."""
    surface = who.tables.data.surface
    if surface is None or len(surface.importances) < 2:
        return None
    table = surface.importances.sort_values("share")
    names = table.index.tolist()
    low, high = table["share"] - table["low"], table["high"] - table["share"]
    error = {"type": "data", "symmetric": False, "array": numbers(high), "arrayminus": numbers(low), "color": INK}
    hover = [
        f"{name}: {row.share:.0%} ({row.low:.0%} to {row.high:.0%})"
        for name, row in zip(names, table.itertuples(index=False), strict=True)
    ]
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "the search's estimate, with its 95% interval",
        "x": numbers(table["share"]),
        "y": names,
        "error_x": error,
        "marker": {"color": CURVE},
        "hovertext": hover,
    }
    traces: list[Trace] = [bars]
    for column, symbol in zip(surface.by_optuna, ("circle", "x"), strict=False):
        trace = points(
            numbers(table[column]), names, [None] * len(names), f"Optuna's {column}", DOT, marker={"symbol": symbol}
        )
        traces.append(
            trace | {"hovertext": [f"{n}: {v:.0%} by {column}" for n, v in zip(names, table[column], strict=True)]}
        )
    head = ["option", "share", "95% interval", *surface.by_optuna]
    cells = [
        [
            str(name),
            f"{row['share']:.0%}",
            f"{row['low']:.0%} to {row['high']:.0%}",
            *(_share(row[c]) for c in surface.by_optuna),
        ]
        for name, row in table.iloc[::-1].iterrows()
    ]
    return LiveFigure(
        "importances",
        surface.importance_title,
        "Each bar is the share of the score's variation over the search space that one option causes by itself; what"
        f" is left belongs to options acting together. {surface.certainty}",
        traces,
        layout(
            "share of the variation",
            height=140 + 34 * len(names),
            xaxis={"range": [0, 1], "tickformat": ".0%"},
        ),
        [head, *cells],
    )


def contour(who: Who) -> LiveFigure | None:
    """The surface over the two options that matter most, with the trials on it; None where there are not two."""
    data, surface = who.tables.data, who.tables.data.surface
    if surface is None or surface.contour is None:
        return None
    plane = surface.contour
    first = data.observations.drop_duplicates("configuration").set_index("configuration")
    if not {plane.x.name, plane.y.name} <= set(first.columns):
        return None
    trials = who.dots
    z = [numbers(row) for row in plane.mean]
    x, y = plane.x.places(), plane.y.places()
    names = f"{plane.x.name} %{{x}}, {plane.y.name} %{{y}}"
    traces: list[Trace] = [
        {
            "type": "contour" if plane.is_smooth else "heatmap",
            "x": x,
            "y": y,
            "z": z,
            "colorscale": SCALE,
            "colorbar": {"title": {"text": "estimated<br>score"}},
            "hovertemplate": f"{names}: estimated %{{z:.3f}}<extra></extra>",
            **(
                {"contours": {"coloring": "heatmap"}, "line": {"width": 0.5, "color": "rgba(0,0,0,.35)"}}
                if plane.is_smooth
                else {}
            ),
        }
    ]
    at = {scale.name: scale.places_of(first[scale.name]) for scale in (plane.x, plane.y)}
    groups = [(list(trials.index), "trial", "#ffffff", 7, "circle")]
    groups += [([data.baseline], "baseline", BASELINE, 12, "square")]
    groups += [([data.finalist], "finalist", FINALIST, 13, "diamond")] if data.finalist else []
    for keys, name, colour, size, symbol in groups:
        known = [key for key in keys if key in at[plane.x.name].index]
        mark = {"size": size, "symbol": symbol, "line": {"color": "#000000", "width": 0.8}}
        xs, ys = (numbers(at[scale.name].reindex(known)) for scale in (plane.x, plane.y))
        traces.append(points(xs, ys, [who.number(key) for key in known], name, colour, marker=mark))
    return LiveFigure(
        "contour",
        f"{plane.x.name} and {plane.y.name}: the two options with the largest shares",
        f"The colour is the search's estimate of the score, with the other options as in {surface.at}. {_best(plane)}"
        f"{'' if surface.clear else ' No option is known to matter, so this is a guess.'}",
        traces,
        layout(plane.x.name, plane.y.name, height=460, xaxis=_scaled(plane.x), yaxis=_scaled(plane.y)),
    )


def _best(plane: Contour) -> str:
    row, column = np.unravel_index(int(np.argmax(plane.mean)), plane.mean.shape)
    return f"It is highest near {plane.x.name} {plane.x.text(int(column))} and {plane.y.name} {plane.y.text(int(row))}."


def _scaled(scale: Scale) -> dict[str, Any]:
    if scale.labels:
        return {"tickvals": list(range(len(scale.labels))), "ticktext": list(scale.labels)}
    return {"type": "log", **_decades(scale.values)} if scale.log else {}


def _decades(values: Sequence[float]) -> dict[str, Any]:
    """Ticks of a log axis as people write them: 1, 2, 5, 10, 20."""
    low, high = min(values), max(values)
    ticks = [digit * 10.0**power for power in range(-6, 8) for digit in (1, 2, 5)]
    shown = [float(f"{tick:.3g}") for tick in ticks if low * 0.99 <= tick <= high * 1.01]
    return {"tickvals": shown, "ticktext": [f"{tick:g}" for tick in shown]}


def _by_importance(names: list[str], surface: Surface | None) -> list[str]:
    if surface is None:
        return names
    shares = surface.importances["share"].to_dict()
    return sorted(names, key=lambda name: -shares.get(name, -1.0))


def _curve(own: Slice, labels: list[str]) -> list[Trace]:
    """The surface along one option: a curve with its band, or a point with its interval for each choice."""
    below, above = UNIT.reach(own.mean, own.mean - own.low, own.high - own.mean)
    low, mean, high = (numbers(part) for part in (own.mean - below, own.mean, own.mean + above))
    if own.scale.labels:
        at = [labels.index(label) if label in labels else None for label in own.scale.labels]
        ends = {"symmetric": False, "array": numbers(above), "arrayminus": numbers(below)}
        bars = {"error_y": {**ends, "color": CURVE, "thickness": 1.4}}
        return [
            line(at, mean, "estimate, with 95% band", CURVE, mode="markers", marker={"color": CURVE, "size": 9}, **bars)
        ]
    x = own.scale.places()
    edge = {"width": 0}
    return [
        line(x, low, "", CURVE, line=edge, legendgroup="band"),
        line(x, high, "95% band", CURVE, line=edge, fill="tonexty", fillcolor=f"{CURVE}/0.2", legendgroup="band"),
        line(x, mean, "estimate of the search", CURVE),
    ]


def _trials(who: Who, trials: pd.DataFrame, at: pd.Series[Any]) -> Trace:
    of = [who.number(key) for key in trials.index]
    return points(numbers(at.reindex(trials.index)), numbers(trials["mean"]), of, "trial", DOT, marker={"size": 6})


def _marks(who: Who, data: ReportData, at: pd.Series[Any], fresh: pd.Series[Any] | None) -> list[Trace]:
    """Baseline and finalist in a panel, by their own means."""
    base = who.base
    found = []
    wanted = [
        (data.baseline, base, "baseline", BASELINE, "square"),
        (data.finalist, fresh, "finalist, fresh", FINALIST, "diamond"),
    ]
    for key, row, name, colour, symbol in wanted:
        if key is not None and row is not None and np.isfinite(at.get(key, np.nan)):
            mark = {"symbol": symbol, "size": 10}
            found.append(
                points(numbers([at[key]]), numbers([row["mean"]]), [who.number(key)], name, colour, marker=mark)
            )
    return found


def _panel_axes(
    name: str, number: str, place: int, columns: int, lines: int, at: pd.Series[Any], labels: list[str]
) -> dict[str, Any]:
    row, column = divmod(place, columns)
    width, height = (1 - _GAP * (columns - 1)) / columns, (1 - 0.28 * (lines - 1) / lines) / lines
    left, top = column * (width + _GAP), 1 - row * (height + 0.28 / lines)
    x = axis(name, domain=[round(left, 4), round(left + width, 4)], anchor=f"y{number}")
    if labels:
        x |= {"tickvals": list(range(len(labels))), "ticktext": labels, "range": [-0.5, len(labels) - 0.5]}
    elif is_wide(at):
        x |= {"type": "log", **_decades(at.dropna().tolist())}
    y = axis(
        "score" if column == 0 else "", domain=[round(max(top - height, 0.0), 4), round(top, 4)], anchor=f"x{number}"
    )
    if place:
        y |= {"matches": "y"}
    return {f"xaxis{number}": x, f"yaxis{number}": y}


def _share(value: float) -> str:
    return f"{value:.0%}" if np.isfinite(value) else "–"
