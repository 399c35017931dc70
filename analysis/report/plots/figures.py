"""Plots of a study. Each function returns a matplotlib `Figure`; nothing touches pyplot's global state.

Titles say what is seen, and are counted from the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy import stats

from analysis.formatting import cases_text
from analysis.observations import views
from analysis.observations.scale import UNIT
from analysis.report.plots.option_panels import option_sensitivity
from analysis.report.plots.style import (
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
from analysis.report.plots.trial_plots import Shown, every_row, history, noise_band
from analysis.report.shown import dots_of, dots_text

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
    "empty": "no answer",
    "error": "failed",
}
_Z95 = float(stats.norm.ppf(0.975))
ORDER = "Ordered by difference. Intervals end where scores do, at 0 and 1."
MOST_CASES = 40
"""Cases of which single scores are drawn: those with the highest effects."""


def confirm_strips(observations: pd.DataFrame, *, baseline: str, finalist: str, name: str = "finalist") -> Figure:
    """Every fresh score by case, baseline against finalist (called `name`), with means and 95% t intervals."""
    rows = views.usable(views.confirmation(observations, [baseline, finalist]))
    means = views.case_means(rows, [baseline, finalist])
    effect = _case_effects(means, baseline, finalist)
    whose = "The finalist's" if name == "finalist" else f"{plain(name)}'s"
    shown = list(effect.index[-MOST_CASES:])
    figure, axes = new_figure(1.6 + 0.52 * max(len(shown), 1))
    hidden = (
        f" The {len(effect) - len(shown)} cases with the lowest effect are not drawn."
        if len(effect) > len(shown)
        else ""
    )
    titles(
        axes,
        f"{whose} mean is above the baseline's in {int((effect > 0).sum())} of {cases_text(len(effect))}",
        f"Each dot is one fresh generation; diamonds are means with 95% intervals. {ORDER}{hidden}"
        f"{dots_text(len(rows))}",
    )
    for key, colour, shift, label in ((baseline, BASELINE, 0.17, "baseline"), (finalist, FINALIST, -0.17, plain(name))):
        for place, case in enumerate(shown):
            own = rows.loc[(rows["case"] == case) & (rows["configuration"] == key), "score"].sort_values().to_numpy()
            scores = own[dots_of(len(own), len(rows), 2 * len(shown))]
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
            shown_once = label if place == 0 else None
            axes.errorbar(
                cell["mean"],
                place + shift,
                xerr=[[part] for part in mean_error(cell)],
                fmt="D",
                ms=5.5,
                color=colour,
                capsize=2.5,
                lw=1.6,
                zorder=4,
                label=shown_once,
            )
    axes.set_yticks(range(len(shown)), [plain(str(case)) for case in shown])
    axes.set_ylim(-0.6, max(len(shown), 1) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(*score_range(rows, means))
    axes.set_xlabel("score")
    legend(figure, axes)
    return figure


def mean_error(cell: pd.Series[Any]) -> tuple[float, float]:
    """Lengths of a mean's 95% t interval below and above it, within the scale from 0 to 1; 0 of a single score."""
    half = np.array([stats.t.ppf(0.975, cell["n"] - 1) * cell["se"] if cell["n"] > 1 else 0.0])
    below, above = UNIT.reach(np.array([float(cell["mean"])]), half, half)
    return float(below[0]), float(above[0])


def score_range(rows: pd.DataFrame, means: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis from 0 that holds all scores and intervals; `means` is of `views.case_means`."""
    ends = [float(cell["mean"]) + mean_error(cell)[1] for _, cell in means.iterrows()]
    most = max([*ends, float(rows["score"].max())]) if ends else 1.0
    top = min(1.0, 1.08 * most) if most > 0 else 1.0
    return -0.02 * top, 1.02 * top


def shown_cases(means: pd.DataFrame, baseline: str, finalist: str) -> list[str]:
    """Cases that both arms have, the lowest effect first; see `views.case_means`."""
    return [str(case) for case in _case_effects(means, baseline, finalist).index]


def _case_effects(means: pd.DataFrame, baseline: str, finalist: str) -> pd.Series[Any]:
    table = means.reset_index().pivot_table(index="case", columns="configuration", values="mean", sort=False)
    return (table[finalist] - table[baseline]).dropna().sort_values()


def level_coverage(
    observations: pd.DataFrame, *, baseline: str, finalist: str | None = None, name: str = "finalist"
) -> Figure:
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
        zip(keys, (BASELINE, FINALIST), ("baseline", plain(name)), strict=False)
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
    named = zip(keys, ("baseline", plain(name)), strict=False)
    shares = " and ".join(f"{label} {first[key]:.0%}" for key, label in named)
    titles(
        axes,
        f"{items} covered: {shares}",
        "Share of rubric items that the summaries cover, by importance.",
    )
    axes.set_xticks(
        range(len(shown)), [f"level{'s' if '-' in level else ''} {level.replace('-', ' and ')}" for level in shown]
    )
    axes.set_ylim(0, share_top(share.to_numpy()))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x", visible=False)
    legend(figure, axes)
    return figure


def share_top(shares: Any) -> float:
    """Upper end of an axis of shares: above the largest with room for its label, and at most just above 1."""
    known = [float(share) for share in np.ravel(shares) if np.isfinite(share)]
    return min(1.08, max(1.2 * max(known, default=1.0), 0.1))


def pareto(
    expected: pd.DataFrame,
    *,
    baseline: str,
    finalist: str | None = None,
    limit: float | None = None,
    shown: Shown = every_row,
) -> Figure:
    """Expected score against expected output tokens, with the configurations that no other beats on both.

    Args:
        expected: Rows of `pareto.expected`; the plot is empty without any.
        baseline: Key of the baseline.
        finalist: Key of the finalist, if there is one.
        limit: Limit of the output tokens, if there is one; a line, whose right side is over the limit.
        shown: As for `trial_plots.noise_band`; the front is drawn anyway.
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
    drawn = shown(table)
    axes.plot(drawn["output_tokens"], drawn["mean"], "o", ms=5, mfc=DOT, mec="none", zorder=2, label="configuration")
    axes.step(front["output_tokens"], front["mean"], where="post", color=CURVE, lw=1.5, zorder=3)
    axes.plot(front["output_tokens"], front["mean"], "o", ms=6, mfc=CURVE, mec="none", zorder=4, label="beaten by none")
    _mark(axes, table, "output_tokens", baseline, finalist)
    if limit is not None:
        axes.axvline(limit, color=INK, lw=1.3, ls="--", zorder=1, label=f"limit: {limit:g} tokens")
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


def finishes(
    observations: pd.DataFrame, *, baseline: str, finalist: str | None = None, name: str = "finalist"
) -> Figure:
    """How generations ended: by themselves, cut off, repeating, failed; both arms' fresh ones and the whole search."""
    arms = [key for key in (baseline, finalist) if key]
    fresh = views.confirmation(observations, arms)
    names = ["baseline", plain(name)]
    groups = {name: fresh[fresh["configuration"] == key] for name, key in zip(names, arms, strict=False)}
    groups["all trials"] = views.search(views.columns_of(observations, "stage", "finish", "truncated"))
    groups = {name: rows for name, rows in groups.items() if len(rows)}
    counts = pd.DataFrame({name: views.endings(rows) for name, rows in groups.items()}).T.astype(int)
    total = counts[list(views.FINISHES)].sum(axis=1).clip(lower=1)
    cut = "; ".join(f"{name} {counts.loc[name, 'length'] / total[name]:.0%}" for name in groups)
    figure, axes = new_figure(1.5 + 0.5 * len(groups))
    truncated = int(views.endings(observations)["truncated"])
    whose = "Fresh generations" + ("; of all trials those of the search" if "all trials" in groups else "")
    prompts = f"Prompts cut because they were longer than num_ctx: {truncated} of {len(observations)}."
    titles(axes, f"Cut off at num_predict: {cut}", f"{whose}. {prompts}")
    left = np.zeros(len(groups))
    for ending in views.FINISHES:
        share = (counts[ending] / total).to_numpy()
        if share.any() or ending == "stop":
            bars = axes.barh(
                list(groups), share, left=left, color=ENDINGS[ending], height=0.62, label=_ENDING_WORDS[ending]
            )
            light = ending in ("stop", "length", "repeat", "empty")
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


def _mark(axes: Axes, table: pd.DataFrame, column: str, baseline: str, finalist: str | None) -> None:
    """Draw baseline and finalist over the others."""
    for key, colour, marker, label in ((baseline, BASELINE, "s", "baseline"), (finalist, FINALIST, "D", "finalist")):
        if key is not None and key in table.index:
            place = table.loc[[key]]
            style: dict[str, Any] = {"ms": 8, "mfc": colour, "mec": "white", "mew": 0.8, "ls": "none"}
            axes.plot(place[column], place["mean"], marker, zorder=5, label=label, **style)
