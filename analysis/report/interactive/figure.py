"""An interactive figure as plain data, and the parts that figures share.

A figure is a list of plotly's traces with a layout, both of JSON's types. Its points hold the number of a configuration
(`customdata`); the page's script shows what `Who.labels` has for it, and jumps to its row. Colours are names of the
page's own (`var(--base)`), which follow light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from markupsafe import escape

from analysis.observations import views
from analysis.report.numbers import number
from analysis.report.tables import Row, Tables, value_text

INK, MUTED, GRID, BAND, DOT = "var(--ink)", "var(--muted)", "var(--grid)", "var(--band)", "var(--dot)"
BASELINE, FINALIST, CURVE = "var(--base)", "var(--best)", "var(--curve)"

SCALE = [[0.0, "#352a87"], [0.25, "#0f77db"], [0.5, "#13b5a5"], [0.75, "#d0ba59"], [1.0, "#f8fa0d"]]
"""Colours from a low score to a high one."""

_DIGITS = 5  # of numbers in the page: more than any figure can show
_LINE = 70  # characters of a line of options

Trace = dict[str, Any]


@dataclass(frozen=True)
class LiveFigure:
    """One figure.

    Attributes:
        name: Name in the page, unique.
        title: The finding.
        sentence: How to read it, and what it says here.
        traces: Plotly's traces.
        layout: Plotly's layout.
        rows: A table of the same numbers, its head first, for print and pages without scripts; () for none.
    """

    name: str
    title: str
    sentence: str
    traces: Sequence[Trace]
    layout: Mapping[str, Any]
    rows: Sequence[Sequence[str]] = ()

    @property
    def spec(self) -> dict[str, Any]:
        """What the page's script gets."""
        return {"data": list(self.traces), "layout": dict(self.layout)}


@dataclass(frozen=True)
class Who:
    """The configurations of a page, numbered as in its ranking.

    Attributes:
        tables: The tables of the page.
    """

    tables: Tables

    @cached_property
    def keys(self) -> list[str]:
        """Keys of the configurations."""
        return [row["key"] for row in self.tables.ranking]

    @cached_property
    def places(self) -> dict[str, int]:
        """Numbers of the configurations by key."""
        return {key: place for place, key in enumerate(self.keys)}

    @cached_property
    def names(self) -> list[str]:
        """Short names of the configurations: `baseline`, `finalist`, `trial 12`, a candidate's name."""
        return [self._name(row) for row in self.tables.ranking]

    @cached_property
    def labels(self) -> list[str]:
        """Trial, score and options of each configuration, as plotly's simple markup; everything else is escaped."""
        return [self._label(name, row) for name, row in zip(self.names, self.tables.ranking, strict=True)]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Means of the search's configurations; see `views.trials`."""
        return views.trials(self.tables.data.observations, self.tables.data.baseline)

    @cached_property
    def dots(self) -> pd.DataFrame:
        """The rows of `trials` that are shown, with their `place` among all, from 1 for the lowest mean."""
        return self.tables.only_shown(self.trials.assign(place=range(len(self.trials), 0, -1)))

    @cached_property
    def first(self) -> pd.DataFrame:
        """A row of observations per shown configuration, with its options."""
        rows = self.tables.data.observations
        return self.tables.only_shown(rows.drop_duplicates("configuration").set_index("configuration"))

    @cached_property
    def base(self) -> pd.Series[Any]:
        """Means of the baseline; see `views.base`."""
        return views.base(self.tables.data.observations, self.tables.data.baseline)

    @cached_property
    def fresh(self) -> pd.Series[Any] | None:
        """Means of the finalist's fresh generations; see `views.fresh`."""
        return views.fresh(self.tables.data.observations, self.tables.data.finalist)

    def number(self, key: object) -> int | None:
        """Number of a configuration; None for one that has no row."""
        return self.places.get(str(key))

    def _name(self, row: Row) -> str:
        role, trial = str(row["role"]).removeprefix("the "), int(row["row"].get("trial", -1))
        if role == "baseline" or self.tables.data.is_comparison:
            return role or str(row["key"])
        known = f"trial {trial}" if trial >= 0 else str(row["key"])
        return f"{role} ({known})" if role else known

    def _label(self, name: str, row: Row) -> str:
        values = self.tables.data.values(row["key"])
        shown = [f"{option} {value_text(values[option])}" for option in self._options if option in values]
        score = f"score {number(row['row']['mean'])}, n {row['row']['n']}"
        lines = [f"<b>{escape(name)}</b>: {escape(score)}"]
        return "<br>".join([*lines, *(str(escape(line)) for line in _lines(shown or [str(row["differs"])]))])

    @cached_property
    def _options(self) -> list[str]:
        """Names in which some configuration differs from the baseline."""
        data = self.tables.data
        return list(dict.fromkeys(name for key in self.keys for name in data.differences(key)))


def _lines(parts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) < _LINE:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Numbers as JSON has them, with the digits that a figure can show; None for what does not exist."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in map(float, values)]


def points(x: Iterable[Any], y: Iterable[Any], of: Sequence[int | None], name: str, colour: str, **more: Any) -> Trace:
    """Points that belong to configurations.

    Args:
        x: Places.
        y: Places.
        of: Numbers of the configurations (`Who.number`), one per point.
        name: Name in the legend.
        colour: One of the page's colours.
        **more: Other parts of the trace; a `marker` is added to.
    """
    marker = {"color": colour, "size": 7} | dict(more.pop("marker", {}))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(x),
        "y": list(y),
        "customdata": list(of),
        "marker": marker,
        **more,
    }


def line(x: Iterable[Any], y: Iterable[Any], name: str, colour: str, **more: Any) -> Trace:
    """A line that belongs to no configuration."""
    style = {"color": colour, "width": 1.8} | dict(more.pop("line", {}))
    trace = {"type": "scatter", "mode": "lines", "name": name, "x": list(x), "y": list(y), "line": style}
    return {**trace, "hoverinfo": "skip", **more}


def layout(x: str = "", y: str = "", *, height: int = 400, **more: Any) -> dict[str, Any]:
    """The layout that figures share.

    Args:
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        height: Height, pixels.
        **more: Other parts of the layout; `xaxis` and `yaxis` are added to.
    """
    axes = {name: axis(title) | dict(more.pop(name, {})) for name, title in (("xaxis", x), ("yaxis", y))}
    return {
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 12, "b": 96},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "hovermode": "closest",
        **axes,
        **more,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis of a figure."""
    return {"title": {"text": title}, "automargin": True, **more}


def band(low: float, high: float, name: str) -> dict[str, Any]:
    """A horizontal band across the figure, below its points."""
    ends = {"x0": 0, "x1": 1, "y0": low, "y1": high}
    style = {"fillcolor": BAND, "line": {"width": 0}, "layer": "below"}
    return {"type": "rect", "xref": "paper", "yref": "y", **ends, **style, "name": name, "showlegend": True}


def level(y: float, name: str, colour: str = BASELINE) -> dict[str, Any]:
    """A horizontal line across the figure."""
    ends = {"x0": 0, "x1": 1, "y0": y, "y1": y}
    style = {"line": {"color": colour, "width": 2}, "layer": "below"}
    return {"type": "line", "xref": "paper", "yref": "y", **ends, **style, "name": name, "showlegend": bool(name)}
