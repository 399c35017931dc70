"""Plots of all trials against the baseline and its noise band."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from analysis.formatting import count_text
from analysis.observations import views
from analysis.observations.scale import UNIT
from analysis.report.plots.style import (
    BAND,
    BASELINE,
    DOT,
    FINALIST,
    INK,
    MUTED,
    legend,
    new_figure,
    score_axis,
    titles,
)

Z95 = float(stats.norm.ppf(0.975))
_FEWEST_TO_PICK = 3  # trials
_MOST_NUMBERED = 24  # trials whose numbers are readable side by side
"""Standard errors on either side of a mean in its 95% interval."""

Shown = Callable[[pd.DataFrame], pd.DataFrame]


def every_row(table: pd.DataFrame) -> pd.DataFrame:
    """The whole table: all configurations are drawn."""
    return table


def noise_band(
    observations: pd.DataFrame,
    *,
    baseline: str,
    noise_sd: float,
    finalist: str | None = None,
    shown: Shown = every_row,
) -> Figure:
    """Every trial's mean with its interval, against the baseline and the band that noise alone would fill.

    The band is where 95% of trials would land that are exactly as good as the baseline: its mean plus and minus 1.96
    standard errors of a difference. Trials are sorted by their mean, so the rightmost ones are also the luckiest; the
    finalist's fresh generations are drawn apart from them.

    Args:
        observations: The whole study.
        baseline: Key of the baseline.
        noise_sd: Within-case standard deviation of one generation's score.
        finalist: Key of the finalist, if there is one.
        shown: Picks the rows of a table by configuration whose points are drawn; all by default. Titles and bands are
            about all.
    """
    trials, base = views.trials(observations, baseline), views.base(observations, baseline)
    half = half_band(trials, base, noise_sd)
    figure, axes = new_figure(4.6)
    fresh, line = views.fresh(observations, finalist), baseline_line(observations, base)
    fresh_text = " The band is for trials; the fresh mean is of more texts, and its own interval counts."
    fresh_text *= fresh is not None
    above = int((trials["mean"] > base["mean"] + half).sum())
    below = int((trials["mean"] < base["mean"] - half).sum())
    if noise_sd > 0:
        titles(
            axes,
            f"{above} of {len(trials)} trials lie above the noise band, {below} below it",
            f"{_luck(len(trials))}Line: {line}.{fresh_text}",
        )
    else:
        titles(
            axes,
            f"{above} of {len(trials)} trials have a higher mean than the baseline",
            "No run-to-run noise is known, so there is no noise band.",
        )
    _draw_band(axes, float(base["mean"]), half, line)
    ordered = trials.iloc[::-1]
    name = finalist_label(trials, finalist)
    drawn = shown(ordered.assign(place=np.arange(1, len(ordered) + 1)))
    x = drawn["place"].to_numpy()
    chosen = (drawn.index == finalist) if finalist else np.zeros(len(drawn), dtype=bool)
    for mask, colour, label in (
        (~chosen, DOT, "trial, with 95% interval"),
        (chosen, FINALIST, f"{name} in the search"),
    ):
        if mask.any():
            _points(
                axes,
                x[mask],
                drawn["mean"][mask],
                Z95 * noise_sd / np.sqrt(drawn["n"][mask]),
                colour,
                label,
                hollow=colour == FINALIST,
                size=5 if len(ordered) <= 80 or colour == FINALIST else 3,
            )
    end = float(len(ordered) + 1)
    if fresh is not None:
        # Noise differs between configurations, and with several fresh seeds the finalist's own is known.
        own_sd = views.within_sd(views.confirmation(observations, [str(finalist)]))
        _points(
            axes,
            [_draw_fresh_part(axes, len(ordered))],
            [fresh["mean"]],
            [Z95 * (own_sd if np.isfinite(own_sd) else noise_sd) / np.sqrt(fresh["n"])],
            FINALIST,
            f"{name} on {count_text(int(fresh['n']), 'fresh generation')}",
            size=8,
        )
        end = _fresh_place(len(ordered)) + _fresh_width(len(ordered))
    axes.set_xlim(0, end)
    ticks = trial_ticks(ordered)
    axes.set_xlabel(order_text(ticks) + ("; right of the line: fresh seeds" if fresh is not None else ""))
    ticks |= {_fresh_place(len(ordered)): "fresh"} if fresh is not None else {}
    axes.set_xticks(list(ticks), list(ticks.values()))
    score_axis(axes.yaxis, axes.get_ylim())
    legend(figure, axes)
    return figure


def history(
    observations: pd.DataFrame, *, baseline: str, noise_sd: float, shown: Shown = every_row, start: int = 0
) -> Figure:
    """Trials in the order of the search, with the best so far and the noise band around the baseline.

    Arguments are those of `noise_band`, and `start` is the number of first trials that are the start design.
    """
    trials, base = views.trials(observations, baseline).sort_values("trial"), views.base(observations, baseline)
    half = half_band(trials, base, noise_sd)
    figure, axes = new_figure(3.9)
    best = trials["mean"].cummax()
    since = int(trials["trial"].to_numpy()[int(np.argmax(trials["mean"]))]) if len(trials) else 0
    titles(
        axes,
        f"The highest mean so far came in trial {since}" if len(trials) else "No trial yet",
        "The highest of many noisy means is too high on average; only fresh generations show how good it is."
        + (f" Trials before {start} are the start design." if start else ""),
    )
    _draw_band(axes, float(base["mean"]), half, baseline_line(observations, base))
    drawn = shown(trials.assign(best=best))
    axes.plot(drawn["trial"], drawn["mean"], "o", ms=5, mfc=DOT, mec="none", label="trial", zorder=3)
    axes.step(drawn["trial"], drawn["best"], where="post", color=INK, lw=1.6, label="highest so far", zorder=4)
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    score_axis(axes.yaxis, axes.get_ylim())
    legend(figure, axes)
    return figure


def half_band(trials: pd.DataFrame, base: pd.Series[Any], noise_sd: float) -> float:
    """Half the height of the noise band: 1.96 standard errors of a difference between a trial and the baseline."""
    per_trial = float(trials["n"].median()) if len(trials) else float(base["n"])
    return Z95 * noise_sd * float(np.sqrt(1 / max(per_trial, 1) + 1 / max(float(base["n"]), 1)))


def _points(
    axes: Axes, x: Any, y: Any, half: Any, colour: str, label: str, *, size: float = 5, hollow: bool = False
) -> None:
    face = "white" if hollow else colour
    half = np.asarray(half, dtype=float)
    axes.errorbar(
        x,
        y,
        yerr=UNIT.reach(np.asarray(y, dtype=float), half, half),
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


def _luck(trials: int) -> str:
    """Say how many trials chance puts outside the band; "" where they are too few to be picked from."""
    if trials < _FEWEST_TO_PICK:
        return ""
    expected = trials * 0.025
    count = f"{expected:.0f}" if expected >= 0.95 else f"{expected:.1f}"
    return f"Chance alone would put about {count} on each side; the best are partly luck. "


def _draw_band(axes: Axes, centre: float, half: float, line: str) -> None:
    if half > 0:
        axes.axhspan(centre - half, centre + half, color=BAND, lw=0, zorder=0, label="noise band, 95%")
    axes.axhline(centre, color=BASELINE, lw=1.8, zorder=1, label=line)


def _fresh_width(trials: int) -> float:
    """Half the width of the part of the noise-band plot that is apart from the trials."""
    return max(1.0, 0.04 * trials)


def _fresh_place(trials: int) -> float:
    """The place of fresh generations, in a part of its own: they are no trial."""
    return trials + 1 + _fresh_width(trials)


def _draw_fresh_part(axes: Axes, trials: int) -> float:
    """Draw the line between the trials and the fresh generations; return the place of the latter."""
    axes.axvline(trials + 1, color=MUTED, lw=1, ls=":", zorder=1)
    return _fresh_place(trials)


def trial_ticks(ordered: pd.DataFrame) -> dict[float, str]:
    """Numbers of the trials below an axis on which they stand by their means; {} where they are too many to read."""
    numbers = ordered["trial"].astype(int)
    if len(ordered) > _MOST_NUMBERED or (numbers < 0).any():
        return {}
    return {float(place): str(number) for place, number in enumerate(numbers, 1)}


def order_text(ticks: Mapping[float, str]) -> str:
    """Name of an axis on which trials stand by their means."""
    return f"{'trial numbers' if ticks else 'trials'}, from the lowest mean to the highest"


def finalist_label(trials: pd.DataFrame, finalist: str | None) -> str:
    """The finalist with the number of its trial, as in the table of trials."""
    number = int(trials["trial"].get(finalist, -1)) if finalist else -1
    return f"finalist (trial {number})" if number >= 0 else "finalist"


def baseline_line(observations: pd.DataFrame, base: pd.Series[Any]) -> str:
    """Name of the line of the baseline's mean, with the generations behind it; `base` is of `views.base`."""
    fresh = views.has_fresh(observations, str(base.name))
    return f"baseline's mean of {count_text(int(base['n']), 'fresh generation' if fresh else 'generation')}"
