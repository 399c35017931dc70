"""Interactive figures of all trials: against the noise band, in their order, and in all options at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray
from analysis.formatting import count_text
from analysis.observations import views
from analysis.observations.scale import UNIT
from analysis.report.interactive.figure import (
    BASELINE,
    DOT,
    FINALIST,
    INK,
    SCALE,
    LiveFigure,
    Trace,
    Who,
    band,
    layout,
    level,
    line,
    numbers,
    points,
)
from analysis.report.plots.option_panels import axis_places, is_wide
from analysis.report.plots.trial_plots import Z95, baseline_line, finalist_label, half_band, order_text, trial_ticks
from analysis.report.tables import value_text

_FEWEST_FOR_TENTH = 30  # configurations: three make a tenth
_COLOURS = 12  # steps of the score's colour: one trace of lines each


def noise_band(who: Who, title: str, sentence: str) -> LiveFigure:
    """Every trial's mean with its interval, from the lowest to the highest, and the finalist's fresh mean."""
    data = who.tables.data
    rows, sd = data.observations, data.noise_sd
    trials, base = who.trials.iloc[::-1], who.base
    half = half_band(trials, base, sd)
    dots = who.dots.iloc[::-1]
    x, own = dots["place"].to_numpy(), dots.index == data.finalist
    errors = Z95 * sd / np.sqrt(dots["n"].to_numpy(dtype=float))
    traces = []
    ticks, called = trial_ticks(trials), finalist_label(trials, data.finalist)
    axis = order_text(ticks)
    for mask, name, colour, symbol in (
        (~own, "trial, with 95% interval", DOT, "circle"),
        (own, f"{called} in the search", FINALIST, "diamond-open"),
    ):
        if mask.any():
            of = [who.number(key) for key in dots.index[mask]]
            bars = _bars(dots["mean"][mask].to_numpy(dtype=float), errors[mask], colour)
            shape = {"symbol": symbol, "size": 9 if colour == FINALIST else 6}
            at = numbers(dots["mean"][mask])
            traces.append(points(x[mask].tolist(), at, of, name, colour, marker=shape, **bars))
    fresh = who.fresh
    if fresh is not None:
        own_sd = views.within_sd(views.confirmation(rows, [str(data.finalist)]))
        error = Z95 * (own_sd if np.isfinite(own_sd) else sd) / np.sqrt(float(fresh["n"]))
        name = f"{called} on {count_text(int(fresh['n']), 'fresh generation')}"
        end = len(trials) + 1 + max(1.0, 0.03 * len(trials))
        mark = {"symbol": "diamond", "size": 11}
        ticks[end] = "fresh"
        of = [who.number(data.finalist)]
        bars = _bars(np.array([float(fresh["mean"])]), np.array([error]), FINALIST)
        traces.append(points([end], numbers([fresh["mean"]]), of, name, FINALIST, marker=mark, **bars))
    shapes = _noise(float(base["mean"]), half, baseline_line(rows, base))
    numbered = {"tickvals": list(ticks), "ticktext": list(ticks.values())}
    axis += "; at the end: fresh seeds" if fresh is not None else ""
    return LiveFigure("noise_band", title, sentence, traces, layout(axis, "score", shapes=shapes, xaxis=numbered))


def history(who: Who, title: str, sentence: str) -> LiveFigure:
    """Trials in the order of the search, with the highest mean so far."""
    data = who.tables.data
    base, trials = who.base, who.trials.sort_values("trial")
    dots = who.tables.only_shown(trials.assign(best=trials["mean"].cummax()))
    x, mean = dots["trial"].astype(int).tolist(), numbers(dots["mean"])
    best = line(x, numbers(dots["best"]), "highest so far", INK, line={"shape": "hv"})
    of = [who.number(key) for key in dots.index]
    half = half_band(trials, base, data.noise_sd)
    shapes = _noise(float(base["mean"]), half, baseline_line(data.observations, base))
    return LiveFigure(
        "history", title, sentence, [best, points(x, mean, of, "trial", DOT)], layout("trial", "score", shapes=shapes)
    )


def parallel(who: Who) -> LiveFigure:
    """Every configuration as a line through its options, coloured by its score."""
    data = who.tables.data
    rows = data.observations
    names = views.swept(rows)
    every = rows.drop_duplicates("configuration").set_index("configuration")
    first, means = who.first, who.tables.means["mean"]
    scores = pd.Series({row["key"]: float(row["row"]["mean"]) for row in who.tables.ranking})
    heights = {name: _heights(first[name].reindex(scores.index)) for name in names}
    shares = _shares(scores)
    traces = []
    for step in range(_COLOURS):
        keys = [key for key in scores.index if int(min(shares[key] * _COLOURS, _COLOURS - 1)) == step]
        if keys:
            colour = _colour((step + 0.5) / _COLOURS)
            traces.append(_lines(who, keys, names, heights, colour, width=1.2, opacity=0.75))
    named = [(key, name, colour) for key, name, colour in _arms(who) if key in scores.index]
    for key, name, colour in named:
        traces.append(_lines(who, [key], names, heights, colour, width=3.5, name=name))
    bar = {"colorscale": SCALE, "cmin": float(scores.min()), "cmax": float(scores.max()), "showscale": True}
    scale = {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "showlegend": False, "hoverinfo": "skip"}
    traces.append({**scale, "marker": {**bar, "color": [None], "colorbar": {"title": {"text": "score"}}}})
    says = _best_share(means, every, names)
    total = count_text(len(means), "configuration")
    return LiveFigure(
        "parallel",
        f"All {total} at once" if len(scores) == len(means) else f"{len(scores)} of {total} at once",
        "Each line is a configuration; it crosses each axis at its value, from the lowest at the bottom to the highest"
        f" at the top. Its colour is its mean score.{says}",
        traces,
        layout(
            xaxis={"tickvals": list(range(len(names))), "ticktext": names, "showgrid": True, "zeroline": False},
            yaxis={"visible": False, "range": [-0.12, 1.08]},
            annotations=[each for place, name in enumerate(names) for each in _ends(first[name], place)],
            height=440,
        ),
    )


def _arms(who: Who) -> list[tuple[str, str, str]]:
    """Baseline and finalist: key, name and colour."""
    data = who.tables.data
    arms = [(data.baseline, "baseline", BASELINE)]
    return arms if data.finalist is None else [*arms, (data.finalist, data.finalist_name, FINALIST)]


def _bars(means: FloatArray, half: FloatArray, colour: str) -> dict[str, Any]:
    if not np.any(half > 0):
        return {}
    below, above = UNIT.reach(means, half, half)
    ends = {"symmetric": False, "array": numbers(above), "arrayminus": numbers(below)}
    return {"error_y": {**ends, "color": colour, "thickness": 1, "width": 0}}


def _noise(centre: float, half: float, line: str) -> list[dict[str, Any]]:
    """Noise band and mean of the baseline, as shapes."""
    own, (below, above) = level(centre, line), UNIT.reach(np.array([centre]), np.array([half]), np.array([half]))
    return [band(centre - below.item(), centre + above.item(), "noise band, 95%"), own] if half > 0 else [own]


def _lines(
    who: Who, keys: list[str], names: list[str], heights: dict[str, Any], colour: str, width: float, **more: Any
) -> Trace:
    """Configurations as one trace; a gap parts two of them."""
    x: list[int | None] = []
    y: list[float | None] = []
    of: list[int | None] = []
    for key in keys:
        x += [*range(len(names)), None]
        y += [*numbers([heights[name][key] for name in names]), None]
        of += [who.number(key)] * len(names) + [None]
    style = {"mode": "lines+markers", "line": {"color": colour, "width": width}, "showlegend": "name" in more}
    return points(x, y, of, more.pop("name", "score"), colour, marker={"size": 4}, **style, **more)


def _heights(column: pd.Series[Any]) -> pd.Series[Any]:
    """Values as places between 0 and 1, on the scale that they are searched on; NaN stays out."""
    at, labels = axis_places(column)
    at = np.log(at) if not labels and is_wide(at) else at
    width = float(at.max() - at.min())
    return (at - at.min()) / width if width > 0 else at * 0 + 0.5


def _shares(scores: pd.Series[Any]) -> pd.Series[Any]:
    width = float(scores.max() - scores.min())
    return (scores - scores.min()) / width if width > 0 else scores * 0 + 0.5


def _colour(share: float) -> str:
    """A colour of `SCALE`."""
    stops = [float(str(stop)) for stop, _ in SCALE]
    parts = [np.interp(share, stops, [int(str(code)[i : i + 2], 16) for _, code in SCALE]) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part):02x}" for part in parts)


def _ends(column: pd.Series[Any], place: int) -> list[dict[str, Any]]:
    """The lowest and the highest value of an axis as texts below and above it."""
    at, labels = axis_places(column)
    known = column[at.notna()]
    if known.empty:
        return []
    low, high = (labels[0], labels[-1]) if labels else (value_text(at.min().item()), value_text(at.max().item()))
    style = {"x": place, "showarrow": False, "font": {"size": 11}}
    return [
        {**style, "y": -0.02, "yanchor": "top", "text": low},
        {**style, "y": 1.02, "yanchor": "bottom", "text": high},
    ]


def _best_share(scores: pd.Series[Any], first: pd.DataFrame, names: list[str]) -> str:
    """Say what the best tenth shares; "" where a tenth is too few to share anything but luck."""
    if len(scores) < _FEWEST_FOR_TENTH:
        return ""
    best = scores.index[: len(scores) // 10]
    narrow = _narrow(first.loc[best], first, names)
    shares = f"share {narrow}" if narrow else "lie all over the ranges"
    return f" The best tenth ({len(best)} configurations) {shares}."


def _narrow(best: pd.DataFrame, every: pd.DataFrame, names: list[str]) -> str:
    """Options in which the best cover at most a third of the range of all, with that range in words."""
    found = []
    for name in names:
        at, labels = axis_places(every[name])
        own = at.reindex(best.index).dropna()
        width = float(at.max() - at.min())
        if labels or own.empty or not width or len(best) < 3:
            continue
        if float(own.max() - own.min()) <= width / 3:
            found.append(f"{name} {value_text(own.min().item())} to {value_text(own.max().item())}")
    return ", ".join(found)
