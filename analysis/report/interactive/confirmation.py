"""Interactive figures of the confirmation: every fresh score, coverage by level, and the effect after each look."""

from __future__ import annotations

import math

from analysis.observations import views
from analysis.report.interactive.figure import (
    BASELINE,
    FINALIST,
    MUTED,
    LiveFigure,
    Trace,
    Who,
    layout,
    level,
    numbers,
    points,
)
from analysis.report.numbers import signed
from analysis.report.plots.figures import MOST_CASES, mean_error, score_range, share_top, shown_cases
from analysis.report.plots.style import spread
from analysis.report.shown import dots_of
from analysis.report.tables import Row


def strips(who: Who, title: str, sentence: str) -> LiveFigure:
    """Every fresh score by case, baseline against finalist, with means and 95% t intervals."""
    data = who.tables.data
    finalist = str(data.finalist)
    rows = views.usable(views.confirmation(data.observations, [data.baseline, finalist]))
    means = views.case_means(rows, [data.baseline, finalist])
    cases = shown_cases(means, data.baseline, finalist)[-MOST_CASES:]
    traces: list[Trace] = []
    for key, colour, shift, name in (
        (data.baseline, BASELINE, 0.17, "baseline"),
        (finalist, FINALIST, -0.17, data.finalist_name),
    ):
        own = rows[rows["configuration"] == key].sort_values("score", kind="stable")
        x: list[float | None] = []
        y: list[float] = []
        hover: list[str] = []
        centre, errors, at = [], [], []
        for place, case in enumerate(cases):
            part = own[own["case"] == case]
            part = part.iloc[dots_of(len(part), len(rows), 2 * len(cases))]
            x += numbers(part["score"])
            y += [round(place + shift + offset, 3) for offset in spread(len(part))]
            hover += [
                f"{case}, seed {seed}: {score:.3f}" for seed, score in zip(part["seed"], part["score"], strict=True)
            ]
            if (case, key) in means.index:
                cell = means.loc[[(case, key)]].iloc[0]
                centre.append(cell["mean"])
                at.append(place + shift)
                errors.append(mean_error(cell))
        number = who.number(key)
        dots = points(x, y, [number] * len(x), name, colour, marker={"size": 6, "opacity": 0.5}, hovertext=hover)
        ends = {"array": numbers(up for _, up in errors), "arrayminus": numbers(down for down, _ in errors)}
        bars = {"error_x": {"symmetric": False, **ends, "color": colour, "thickness": 1.6, "width": 3}}
        mark = {"symbol": "diamond", "size": 9}
        mean = points(numbers(centre), at, [number] * len(at), f"{name}, mean", colour, marker=mark, **bars)
        traces += [dots, mean]
    ticks = {"tickvals": list(range(len(cases))), "ticktext": list(map(str, cases)), "range": [-0.6, len(cases) - 0.4]}
    shown = layout(
        "score", height=130 + 48 * max(len(cases), 1), xaxis={"range": list(score_range(rows, means))}, yaxis=ticks
    )
    return LiveFigure("confirm", title, sentence, traces, shown)


def levels(who: Who, title: str, sentence: str) -> LiveFigure:
    """Share of items covered per level, baseline against finalist."""
    tables = who.tables
    traces, every = [], []
    names = [str(row["level"]) for row in tables.level_rows]
    arms = zip(tables.arms, (BASELINE, FINALIST), ("baseline", tables.data.finalist_name), strict=False)
    for place, (key, colour, name) in enumerate(arms):
        cells = [row["cells"][place] for row in tables.level_rows]
        shares = numbers([math.nan if cell is None else cell["share"] for cell in cells])
        every += [math.nan if share is None else share for share in shares]
        hover = ["" if cell is None else f"{cell['covered']:.1f} of {cell['total']:g} items" for cell in cells]
        of = [who.number(key)] * len(names)
        bar = {"type": "bar", "name": name, "x": [_level(each) for each in names], "y": shares, "customdata": of}
        traces.append({**bar, "marker": {"color": colour}, "hovertext": hover, "texttemplate": "%{y:.0%}"})
    shown = layout(height=360, barmode="group", yaxis={"range": [0, share_top(every)], "tickformat": ".0%"})
    return LiveFigure("levels", title, sentence, traces, shown)


def _level(name: str) -> str:
    return f"levels {name.replace('-', ' and ')}" if "-" in name else f"level {name}"


def learning(who: Who) -> LiveFigure | None:
    """Effect and interval after each look at the confirmation; None with fewer than two, which show no course."""
    data = who.tables.data
    table = data.look_effects
    if table is None or len(table) < 2 or data.finalist is None:
        return None
    half = (numbers(table["ci_high"] - table["effect"]), numbers(table["effect"] - table["ci_low"]))
    bars = {"type": "data", "symmetric": False, "array": half[0], "arrayminus": half[1], "color": FINALIST, "width": 5}
    looks: list[Row] = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    hover = [f"look {row['look']}, {row['seeds']} seeds each: {_effect(row)}" for row in looks]
    of = [who.number(data.finalist)] * len(table)
    seeds = table["seeds"].astype(int).tolist()
    mark = {"symbol": "diamond", "size": 10}
    name = "difference from the baseline, 95% interval"
    trace = points(
        seeds,
        numbers(table["effect"]),
        of,
        name,
        FINALIST,
        mode="lines+markers",
        marker=mark,
        error_y=bars,
        hovertext=hover,
    )
    trace["line"] = {"color": FINALIST, "width": 1}
    shapes = [level(0.0, "no difference")]
    verdict = data.verdict
    if verdict is not None and verdict.margin > 0:
        shapes += [level(sign * verdict.margin, "", MUTED) for sign in (-1, 1)]
    first, last = table.iloc[0], table.iloc[-1]
    narrower = (first["ci_high"] - first["ci_low"]) / max(last["ci_high"] - last["ci_low"], 1e-12)
    says = f" From the first to the last it became {narrower:.1f} times narrower."
    rows = [["look", "seeds per case", "difference", "95% interval"]]
    rows += [
        [
            str(row["look"]),
            str(row["seeds"]),
            signed(row["effect"]),
            f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
        ]
        for row in looks
    ]
    return LiveFigure(
        "learning",
        f"The difference at each check: {signed(first['effect'])} at first, {signed(last['effect'])} at the end",
        "Each point is the difference of the mean scores with all fresh generations up to that check of the"
        f" confirmation. The interval is of that check alone; claims before the end need a smaller p.{says}",
        [trace],
        layout("seeds per case", "difference", height=360, shapes=shapes, xaxis={"tickvals": seeds}),
        rows,
    )


def _effect(row: Row) -> str:
    return f"{signed(row['effect'])} ({signed(row['ci_low'])} to {signed(row['ci_high'])})"
