"""Plots of a study. Each function returns a matplotlib `Figure`; nothing touches pyplot's global state.

Titles say what is seen, and are counted from the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from scipy import stats

from analysis.formatting import cases_text, count_text
from analysis.observations import views
from analysis.report.plots.option_panels import option_sensitivity
from analysis.report.plots.style import (
    BAND,
    BASELINE,
    CURVE,
    DOT,
    ENDINGS,
    FINALIST,
    INK,
    MUTED,
    legend,
    new_figure,
    plain,
    score_axis,
    spread,
    titles,
    to_png,
    to_svg,
)

__all__ = [
    "confirm_strips",
    "finishes",
    "history",
    "level_coverage",
    "noise_band",
    "option_sensitivity",
    "pareto",
    "to_png",
    "to_svg",
]

_ENDING_WORDS = {
    "stop": "ended by itself",
    "length": "cut off at num_predict",
    "repeat": "stopped for repeating",
    "error": "failed",
}
_Z95 = float(stats.norm.ppf(0.975))
_MOST_CASES = 40


def noise_band(observations: pd.DataFrame, *, baseline: str, noise_sd: float, finalist: str | None = None) -> Figure:
    """Every trial's mean with its interval, against the baseline and the band that noise alone would fill.

    The band is where 95% of trials would land that are exactly as good as the baseline: its mean plus and minus 1.96
    standard errors of a difference. Trials are sorted by their mean, so the rightmost ones are also the luckiest; the
    finalist's fresh generations are drawn apart from them.

    Args:
        observations: The whole study.
        baseline: Key of the baseline.
        noise_sd: Within-case standard deviation of one generation's score.
        finalist: Key of the finalist, if there is one.
    """
    trials, base = views.trials(observations, baseline), views.base(observations, baseline)
    half = _half_band(trials, base, noise_sd)
    figure, axes = new_figure(4.6)
    above = int((trials["mean"] > base["mean"] + half).sum())
    below = int((trials["mean"] < base["mean"] - half).sum())
    if noise_sd > 0:
        titles(
            axes,
            f"{above} of {len(trials)} trials lie above the noise band, {below} below it",
            f"Chance alone would put about {_count(len(trials) * 0.025)} on each side; the best are partly luck. "
            f"Line: mean of the baseline's {int(base['n'])} generations.",
        )
    else:
        titles(
            axes,
            f"{above} of {len(trials)} trials have a higher mean than the baseline",
            "No run-to-run noise is known, so there is no noise band.",
        )
    _draw_band(axes, float(base["mean"]), half)
    ordered = trials.iloc[::-1]
    x = np.arange(1, len(ordered) + 1)
    chosen = (ordered.index == finalist) if finalist else np.zeros(len(ordered), dtype=bool)
    for mask, colour, label in (
        (~chosen, DOT, "trial, with 95% interval"),
        (chosen, FINALIST, "finalist in the search"),
    ):
        if mask.any():
            _points(
                axes,
                x[mask],
                ordered["mean"][mask],
                _Z95 * noise_sd / np.sqrt(ordered["n"][mask]),
                colour,
                label,
                hollow=colour == FINALIST,
                size=5 if len(ordered) <= 80 or colour == FINALIST else 3,
            )
    fresh = views.fresh(observations, finalist)
    place = len(ordered) + max(2.0, 0.04 * len(ordered))
    if fresh is not None:
        # Noise differs between configurations, and with several fresh seeds the finalist's own is known.
        own_sd = views.within_sd(views.confirmation(observations, [str(finalist)]))
        _points(
            axes,
            [place],
            [fresh["mean"]],
            [_Z95 * (own_sd if np.isfinite(own_sd) else noise_sd) / np.sqrt(fresh["n"])],
            FINALIST,
            f"finalist on {count_text(int(fresh['n']), 'fresh generation')}",
            size=8,
        )
    axes.set_xlim(0, place + max(1.0, 0.02 * len(ordered)))
    axes.set_xlabel("trials, from the lowest mean to the highest")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    score_axis(axes.yaxis, axes.get_ylim())
    legend(figure, axes)
    return figure


def confirm_strips(observations: pd.DataFrame, *, baseline: str, finalist: str) -> Figure:
    """Every fresh score by case, baseline against finalist, with means and 95% t intervals."""
    rows = views.usable(views.confirmation(observations, [baseline, finalist]))
    means = views.case_means(rows, [baseline, finalist])
    table = means.reset_index().pivot_table(index="case", columns="configuration", values="mean", sort=False)
    effect = (table[finalist] - table[baseline]).dropna().sort_values()
    shown = list(effect.index[-_MOST_CASES:])
    figure, axes = new_figure(1.6 + 0.52 * max(len(shown), 1))
    hidden = (
        f" The {len(effect) - len(shown)} cases with the lowest effect are not drawn."
        if len(effect) > len(shown)
        else ""
    )
    titles(
        axes,
        f"The finalist's mean is above the baseline's in {int((effect > 0).sum())} of {cases_text(len(effect))}",
        f"Each dot is one fresh generation; diamonds are means with 95% intervals. Ordered by effect.{hidden}",
    )
    for key, colour, shift, label in ((baseline, BASELINE, 0.17, "baseline"), (finalist, FINALIST, -0.17, "finalist")):
        for place, case in enumerate(shown):
            scores = rows.loc[(rows["case"] == case) & (rows["configuration"] == key), "score"].sort_values().to_numpy()
            axes.plot(
                scores,
                [place + shift + offset for offset in spread(len(scores))],
                "o",
                ms=3.6,
                mfc=colour,
                mec="none",
                alpha=0.45,
                zorder=2,
            )
            cell = means.loc[(case, key)]
            half = stats.t.ppf(0.975, cell["n"] - 1) * cell["se"] if cell["n"] > 1 else 0.0
            name = label if place == 0 else None
            axes.errorbar(
                cell["mean"],
                place + shift,
                xerr=half,
                fmt="D",
                ms=5.5,
                color=colour,
                capsize=2.5,
                lw=1.6,
                zorder=4,
                label=name,
            )
    axes.set_yticks(range(len(shown)), [plain(str(case)) for case in shown])
    axes.set_ylim(-0.6, max(len(shown), 1) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("score")
    legend(figure, axes)
    return figure


def level_coverage(observations: pd.DataFrame, *, baseline: str, finalist: str | None = None) -> Figure:
    """Share of items covered per importance level, baseline against finalist; levels 1 and 2 together first.

    Raises:
        ValueError: If no text has a level with items; see `views.levels`.
    """
    keys = [key for key in (baseline, finalist) if key]
    table = views.levels(views.confirmation(observations, keys))
    found = set(table.index.get_level_values("level"))
    shown = [level for level in views.LEVEL_COLUMNS if level in found]
    if not shown:
        raise ValueError("no score has items by level; draw another plot")
    figure, axes = new_figure(3.4)
    width = 0.8 / len(keys)
    share = table.reset_index().pivot_table(index="configuration", columns="level", values="share")
    share = share.reindex(index=keys, columns=shown)
    for place, (key, colour, label) in enumerate(
        zip(keys, (BASELINE, FINALIST), ("baseline", "finalist"), strict=False)
    ):
        x = np.arange(len(shown)) + (place - (len(keys) - 1) / 2) * width
        bars = axes.bar(x, share.loc[key].fillna(0), width * 0.94, color=colour, label=label, zorder=2)
        axes.bar_label(
            bars,
            [f"{value:.0%}" if value == value else "" for value in share.loc[key]],
            padding=2,
            color=INK,
            fontsize=9,
        )
    first = share[shown[0]]
    items = "Essential items (levels 1 and 2)" if shown[0] == "1-2" else f"Items of level {shown[0]}"
    named = zip(keys, ("baseline", "finalist"), strict=False)
    shares = " and ".join(f"{label} {first[key]:.0%}" for key, label in named)
    titles(
        axes,
        f"{items} covered: {shares}",
        "Share of rubric items that the summaries cover, by importance.",
    )
    axes.set_xticks(
        range(len(shown)), [f"level{'s' if '-' in level else ''} {level.replace('-', ' and ')}" for level in shown]
    )
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x", visible=False)
    legend(figure, axes)
    return figure


def history(observations: pd.DataFrame, *, baseline: str, noise_sd: float) -> Figure:
    """Trials in the order of the search, with the best so far and the noise band around the baseline."""
    trials, base = views.trials(observations, baseline).sort_values("trial"), views.base(observations, baseline)
    half = _half_band(trials, base, noise_sd)
    figure, axes = new_figure(3.9)
    best = trials["mean"].cummax()
    since = int(trials["trial"].to_numpy()[int(np.argmax(trials["mean"]))]) if len(trials) else 0
    titles(
        axes,
        f"The highest mean so far came in trial {since}" if len(trials) else "No trial yet",
        "The highest of many noisy means is too high on average; only fresh generations show how good it is.",
    )
    _draw_band(axes, float(base["mean"]), half)
    axes.plot(trials["trial"], trials["mean"], "o", ms=5, mfc=DOT, mec="none", label="trial", zorder=3)
    axes.step(trials["trial"], best, where="post", color=INK, lw=1.6, label="highest so far", zorder=4)
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    score_axis(axes.yaxis, axes.get_ylim())
    legend(figure, axes)
    return figure


def pareto(expected: pd.DataFrame, *, baseline: str, finalist: str | None = None) -> Figure:
    """Expected score against expected output tokens, with the configurations that no other beats on both.

    Args:
        expected: Rows of `pareto.expected`; the plot is empty without any.
        baseline: Key of the baseline.
        finalist: Key of the finalist, if there is one.
    """
    table = expected.set_index("configuration")
    table["mean"] = table["score"]
    front = table[table["front"]]
    figure, axes = new_figure(4.2)
    titles(
        axes,
        f"{len(front)} of {len(table)} configurations are beaten by no other on both score and length",
        "Up and to the left is better. Scores and tokens are to be expected from fresh generations: means of few"
        " generations are drawn together.",
    )
    axes.plot(table["output_tokens"], table["mean"], "o", ms=5, mfc=DOT, mec="none", zorder=2, label="configuration")
    axes.step(front["output_tokens"], front["mean"], where="post", color=CURVE, lw=1.5, zorder=3)
    axes.plot(front["output_tokens"], front["mean"], "o", ms=6, mfc=CURVE, mec="none", zorder=4, label="beaten by none")
    _mark(axes, table, "output_tokens", baseline, finalist)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.06 * (high - low))
    typical = _Z95 * float(table["se"].median()) if len(table) else 0.0
    middle = float(np.mean(axes.get_ylim()))
    axes.errorbar(
        [high + 0.03 * (high - low)],
        [middle],
        yerr=[typical],
        color=MUTED,
        capsize=3,
        lw=1.2,
        fmt="none",
        label="typical 95% interval",
    )
    axes.set_xlabel("expected output tokens")
    score_axis(axes.yaxis, axes.get_ylim())
    legend(figure, axes)
    return figure


def finishes(observations: pd.DataFrame, *, baseline: str, finalist: str | None = None) -> Figure:
    """How generations ended: by themselves, cut off, repeating, failed; baseline, finalist and the whole search."""
    groups = {"baseline": observations[observations["configuration"] == baseline]}
    if finalist:
        groups["finalist"] = observations[observations["configuration"] == finalist]
    groups["all trials"] = views.search(observations)
    groups = {name: rows for name, rows in groups.items() if len(rows)}
    counts = pd.DataFrame({name: views.endings(rows) for name, rows in groups.items()}).T.astype(int)
    total = counts[list(views.FINISHES)].sum(axis=1).clip(lower=1)
    cut = "; ".join(f"{name} {counts.loc[name, 'length'] / total[name]:.0%}" for name in groups)
    figure, axes = new_figure(1.5 + 0.5 * len(groups))
    truncated = int(views.endings(observations)["truncated"])
    titles(axes, f"Cut off at num_predict: {cut}", f"Prompts cut because they were longer than num_ctx: {truncated}.")
    left = np.zeros(len(groups))
    for ending in views.FINISHES:
        share = (counts[ending] / total).to_numpy()
        if share.any() or ending == "stop":
            bars = axes.barh(
                list(groups), share, left=left, color=ENDINGS[ending], height=0.62, label=_ENDING_WORDS[ending]
            )
            light = ending in ("stop", "length", "repeat")
            axes.bar_label(
                bars,
                [f"{part:.0%}" if part >= 0.04 else "" for part in share],
                label_type="center",
                fontsize=9,
                color=INK if ending == "stop" else ("#1a1a1a" if light else "white"),
            )
        left += share
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y", visible=False)
    legend(figure, axes)
    return figure


def _half_band(trials: pd.DataFrame, base: pd.Series[Any], noise_sd: float) -> float:
    per_trial = float(trials["n"].median()) if len(trials) else float(base["n"])
    return _Z95 * noise_sd * float(np.sqrt(1 / max(per_trial, 1) + 1 / max(float(base["n"]), 1)))


def _mark(axes: Axes, table: pd.DataFrame, column: str, baseline: str, finalist: str | None) -> None:
    """Draw baseline and finalist over the others."""
    for key, colour, marker, label in ((baseline, BASELINE, "s", "baseline"), (finalist, FINALIST, "D", "finalist")):
        if key is not None and key in table.index:
            place = table.loc[[key]]
            style: dict[str, Any] = {"ms": 8, "mfc": colour, "mec": "white", "mew": 0.8, "ls": "none"}
            axes.plot(place[column], place["mean"], marker, zorder=5, label=label, **style)


def _points(
    axes: Axes, x: Any, y: Any, half: Any, colour: str, label: str, *, size: float = 5, hollow: bool = False
) -> None:
    face = "white" if hollow else colour
    axes.errorbar(
        x,
        y,
        yerr=half,
        fmt="D" if colour == FINALIST else "o",
        ms=size,
        color=colour,
        mfc=face,
        ecolor=colour,
        elinewidth=1.2 if size >= 5 else 0.6,
        alpha=0.95,
        zorder=3,
        label=label,
    )


def _count(expected: float) -> str:
    return f"{expected:.0f}" if expected >= 0.95 else f"{expected:.1f}"


def _draw_band(axes: Axes, centre: float, half: float) -> None:
    if half > 0:
        axes.axhspan(centre - half, centre + half, color=BAND, lw=0, zorder=0, label="noise band, 95%")
    axes.axhline(centre, color=BASELINE, lw=1.8, zorder=1, label="baseline")
