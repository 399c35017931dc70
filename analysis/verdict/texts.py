"""Facts about the texts of two arms that decide what a difference of their scores means."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.comparison.pair import Pair, pair
from analysis.formatting import decimals
from analysis.observations.marks import says
from analysis.observations.scale import Scale
from analysis.observations.table import TableError, codes_of, summarize

CUT_OFF = 0.2
"""Smallest difference of the shares of texts cut off for which there is a note."""

LONGER = 1.5
"""Smallest ratio of lengths for which there is a note."""

_TELLING = {"finish", "words", "output_tokens", "copied_share"}

COPIES, COPIES_MORE = 0.5, 0.2
"""Smallest share of copied words, and smallest difference of the shares, for which there is a note."""


def text_notes(rows: pd.DataFrame, two: Pair) -> tuple[str, ...]:
    """Say where one arm's texts are cut off, much longer, or copied from the log, and the other's are not.

    Args:
        rows: The usable rows of both arms. Used where they exist: `finish`, `words` (or `output_tokens`) and
            `copied_share`.
        two: The arms.
    """
    names = [two.cells.configurations[each.row] for each in (two.finalist, two.baseline)]
    cases = {two.cells.cases[each] for each in two.cells.stratum_case[two.strata]}
    if not _TELLING & set(rows.columns):
        return ()
    case, labels = codes_of(rows["case"], "case")
    within = np.array([label in cases for label in labels])[case]
    configuration, labels = codes_of(rows["configuration"], "configuration")
    arms = [rows[within & (configuration == labels.index(name))] for name in names]
    rows = rows[within]
    found = (_cut_off(rows, arms, names, two.cells.scale), _longer(arms, names, two.effect), _copied(arms, names))
    return tuple(filter(None, found))


def _cut_off(rows: pd.DataFrame, arms: list[pd.DataFrame], names: list[str], scale: Scale) -> str:
    """Compare whole texts where one arm has many more that num_predict cut off."""
    cut = [int(says(own, "finish", "length").sum()) for own in arms]
    shares = [count / len(own) for count, own in zip(cut, arms, strict=True)]
    if abs(shares[0] - shares[1]) < CUT_OFF:
        return ""
    counts = " and ".join(
        f"{count} of {len(own)} texts of {name}" for count, own, name in zip(cut, arms, names, strict=True)
    )
    try:
        cells = summarize(rows[~says(rows, "finish", "length")], scale=scale)
        whole = pair(cells, cells.index(names[1]), cells.index(names[0]))
    except TableError:
        return f"Cut off (finish = length) are {counts}: no whole texts of both are left to compare."
    effect = f"{whole.effect:+.{decimals(whole.effect)}f}"
    on = f"{whole.cases} case{'s' if whole.cases > 1 else ''}"
    return (
        f"Cut off (finish = length) are {counts}. Among texts that are not cut off, the difference is {effect} on {on}."
    )


def _longer(arms: list[pd.DataFrame], names: list[str], effect: float) -> str:
    """Say that the arm with more has longer texts."""
    column = next((each for each in ("words", "output_tokens") if all(each in own for own in arms)), None)
    if column is None:
        return ""
    means = [_mean(own, column) for own in arms]
    if not all(mean > 0 for mean in means):
        return ""
    longer = 0 if means[0] > means[1] else 1
    ratio = means[longer] / means[1 - longer]
    if ratio < LONGER or effect * (1 if longer == 0 else -1) <= 0:
        return ""
    unit = column.replace("_", " ")
    return (
        f"The texts of {names[longer]} are {ratio:.1f} times as long ({means[longer]:.0f} {unit} on average, "
        f"{means[1 - longer]:.0f} of {names[1 - longer]}). Longer texts cover more by length alone: compare equal "
        "lengths (`budget_words`, or a limit on words)."
    )


def _copied(arms: list[pd.DataFrame], names: list[str]) -> str:
    """Say that one arm copies the log; a sweep's own tables have their own note on that."""
    if any("copied_share" not in own or "study" in own for own in arms):
        return ""
    shares = [_mean(own, "copied_share") for own in arms]
    more = 0 if shares[0] > shares[1] else 1
    if not (shares[more] >= COPIES and shares[more] - shares[1 - more] >= COPIES_MORE):
        return ""
    return (
        f"{names[more]} copies {shares[more]:.0%} of its words from the log ({names[1 - more]} "
        f"{shares[1 - more]:.0%}), and copies count as covered: read its texts."
    )


def _mean(own: pd.DataFrame, column: str) -> float:
    """Return the mean over cases of a column's mean; NaN where it has no number."""
    numbers = pd.to_numeric(own[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    known = ~np.isnan(numbers)
    case, _ = codes_of(own["case"][known], "case")
    means = np.bincount(case, weights=numbers[known]) / np.bincount(case)
    return float(means.mean()) if len(means) else math.nan
