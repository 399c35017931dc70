"""The plot of the score against each swept option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from analysis.observations import views
from analysis.report.plots.style import BASELINE, DOT, FINALIST, INK, legend, new_grid, plain, score_axis
from analysis.report.plots.trial_plots import Shown, every_row


def option_sensitivity(
    observations: pd.DataFrame,
    *,
    baseline: str,
    options: Sequence[str] | None = None,
    finalist: str | None = None,
    shown: Shown = every_row,
) -> Figure:
    """Each trial's mean against each swept option, one panel per option.

    Args:
        observations: The whole study, with a column per option.
        baseline: Key of the baseline; its value is marked.
        options: Which columns; default all that differ between configurations.
        finalist: Key of the finalist, drawn on top.
        shown: As for `trial_plots.noise_band`.
    """
    names = [name for name in (views.swept(observations) if options is None else options) if name in observations]
    trials = shown(views.trials(observations, baseline))
    fresh = views.fresh(observations, finalist)
    values = observations.drop_duplicates("configuration").set_index("configuration")
    columns = 2 if len(names) in (2, 4) else min(3, max(len(names), 1))
    rows = -(-max(len(names), 1) // columns)
    figure, grid = new_grid(rows, columns, 2.45 * rows + 0.75)
    final = None if finalist is None or fresh is None else (finalist, float(fresh["mean"]))
    for axes, name in zip(grid, names, strict=False):
        _sensitivity_panel(axes, trials["mean"], values[name], baseline, final)
    panels = grid[: len(names)]
    limits = [axes.get_ylim() for axes in panels]
    for place, axes in enumerate(panels):
        score_axis(
            axes.yaxis, (min(low for low, _ in limits), max(high for _, high in limits)), named=place % columns == 0
        )
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    figure.suptitle(
        "Mean score of each trial against each swept option",
        x=0.008,
        ha="left",
        fontsize=12.5,
        fontweight="bold",
        color=INK,
    )
    if names:
        legend(figure, grid[0])
    return figure


def _sensitivity_panel(
    axes: Axes,
    means: pd.Series[Any],
    column: pd.Series[Any],
    base: str,
    final: tuple[str, float] | None,
) -> None:
    """One option: `means` by configuration against `column` by configuration; `final` is the finalist and its score."""
    places, labels = axis_places(column)
    x = places.reindex(means.index)
    axes.plot(x, means, "o", ms=4.5, mfc=DOT, mec="none", label="trial", zorder=2)
    if np.isfinite(places.get(base, np.nan)):
        axes.axvline(places[base], color=BASELINE, lw=1.4, ls=(0, (4, 2)), label="baseline's value", zorder=1)
    if final is not None and np.isfinite(places.get(final[0], np.nan)):
        axes.plot(
            places[final[0]],
            final[1],
            "D",
            ms=7.5,
            mfc=FINALIST,
            mec="white",
            mew=0.8,
            label="finalist, fresh generations",
            zorder=5,
        )
    axes.set_xlabel(plain(str(column.name)), color=INK, fontweight="bold")
    whole = places.dropna()
    if labels:
        axes.set_xticks(range(len(labels)), [plain(label) for label in labels])
        axes.set_xlim(-0.5, len(labels) - 0.5)
    elif is_wide(whole):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif 0 < whole.nunique() <= 5:
        axes.set_xticks(sorted(whole.unique()))


def axis_places(column: pd.Series[Any]) -> tuple[pd.Series[Any], list[str]]:
    """Values as positions on an axis; names (prompt, model) become 0, 1, 2 with their labels."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    if numbers.notna().sum() == column.notna().sum():
        return numbers, []
    labels = sorted(str(value) for value in column.dropna().unique())
    return column.map({label: float(place) for place, label in enumerate(labels)}).astype(float), labels


def is_wide(places: pd.Series[Any]) -> bool:
    """Whether values are counts that span a decade (top_k, num_ctx), which read better on a log scale."""
    whole = places.dropna()
    return bool(len(whole) and (whole == whole.round()).all() and whole.min() > 0 and whole.max() / whole.min() > 8)
