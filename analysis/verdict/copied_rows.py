"""Scores that repeat as copied rows do: in one arm under other seeds, or in both arms seed by seed.

A table without texts cannot say whether a score that recurs is another text. Copied rows have a form that chance does
not make of scores with many values, so a note names it. Nothing is left out: texts that repeat have it, too.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray
from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import Arm, Pair
from analysis.comparison.paired_seeds import seed_pairs

RARE = 0.05
"""Scores have many values where at most this share of pairs from different cells is equal."""

_MOST_CELLS = 0.9
_FEWEST = 4
_FEWEST_TELLING = 5


def copied_row_notes(rows: pd.DataFrame, two: Pair) -> tuple[str, ...]:
    """Say where scores repeat as copied rows do; () elsewhere, and where a column `text_sha256` tells.

    Args:
        rows: The rows of both arms.
        two: The arms.
    """
    if "text_sha256" in rows and rows["text_sha256"].notna().any():
        return ()
    if _same_by_seed(two):
        base, final = (two.cells.configurations[each.row] for each in (two.baseline, two.finalist))
        return (
            f"Every score of {final} is that of {base} with the same seed: either rows were copied from one to the "
            "other, or what differs between them changes no text. Check both before you believe that they are equal.",
        )
    names = [two.cells.configurations[each.row] for each in (two.finalist, two.baseline) if _is_multiplied(two, each)]
    return tuple(
        f"Each score of {name} stands under two or more seeds of its case, and hardly one in two cases: so do rows "
        "that were copied under new seeds, and texts of a server that ignores the seed. They count several times here. "
        "Drop copies, or add the column `text_sha256` with `words` and `temperature`, so that each text counts once."
        for name in names
    )


def _same_by_seed(two: Pair) -> bool:
    """Say whether all scores of both arms agree by seed, and differ from seed to seed too often for chance."""
    if any(each.constant for each in (two.baseline, two.finalist)):
        return False
    pairs = seed_pairs(two)
    if len(pairs.stratum) < max(two.baseline.n.sum(), two.finalist.n.sum()):
        return False
    if not bool((np.abs(pairs.finalist - pairs.baseline) <= ROUNDING).all()):
        return False
    telling = 0
    for stratum in np.unique(pairs.stratum):
        scores = pairs.baseline[pairs.stratum == stratum]
        telling += len(scores) - max(Counter(scores.tolist()).values())
    return telling >= _FEWEST_TELLING


def _is_multiplied(two: Pair, own: Arm) -> bool:
    """Say whether nearly all cells have each of several scores twice or more, although scores have many values."""
    cells = [two.cells.cell_scores(own.row, stratum) for stratum in two.strata.tolist()]
    large = [scores for scores in cells if len(scores) >= _FEWEST]
    if sum(map(len, large)) < 2 * _FEWEST or sum(map(_is_repeated, large)) < _MOST_CELLS * len(large):
        return False
    other = two.baseline if own is two.finalist else two.finalist
    others = [two.cells.cell_scores(other.row, stratum) for stratum in two.strata.tolist()]
    return _equal_pairs(cells + others) <= RARE


def _is_repeated(scores: FloatArray) -> bool:
    """Say whether a cell has at least two scores, and each of them twice or more."""
    counts = Counter(scores.tolist()).values()
    return len(counts) > 1 and min(counts) > 1


def _equal_pairs(cells: list[FloatArray]) -> float:
    """Return the share of equal pairs among the pairs of scores from different cells."""
    inside = [Counter(scores.tolist()) for scores in cells]
    total: Counter[float] = sum(inside, Counter())
    size = sum(total.values())
    equal = sum(count**2 for count in total.values()) - sum(count**2 for each in inside for count in each.values())
    pairs = size**2 - sum(len(scores) ** 2 for scores in cells)
    return equal / pairs if pairs else 1.0
