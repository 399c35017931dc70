"""Draws that were only made again: the same seed on several hosts or in repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from analysis.arrays import BoolArray, FloatArray, IntArray


def same_draws(draw: IntArray, value: npt.NDArray[Any], counts: BoolArray) -> BoolArray:
    """Say which rows are draws that were only made again.

    A seed that recurs on several hosts or in repeats may give its text once more, which says nothing new: three copies
    of every generation, counted as three, made arms that were equal differ in 31% of tables. Where at least half of
    the recurring seeds give one value, each counts once.

    Args:
        draw: Codes of (configuration, case, seed).
        value: Scores, or codes of texts.
        counts: Rows of configurations that are not greedy, whose seeds are no draws anyhow.

    Returns:
        The rows of all recurring draws, or none.
    """
    found = np.zeros(len(draw), dtype=bool)
    if len(pd.unique(draw)) == len(draw):
        return found
    order = np.lexsort((value, draw))
    starts = np.flatnonzero(np.diff(draw[order], prepend=-1))
    sizes = np.diff(starts, append=len(draw))
    last = starts + sizes - 1
    recurs = (sizes > 1) & counts[order][starts]
    same = value[order][starts] == value[order][last]
    if recurs.any() and same[recurs].mean() >= 0.5:
        found[order] = np.repeat(recurs, sizes)
    return found


def merge(
    draw: IntArray, alike: BoolArray, cell: IntArray, scores: FloatArray, shape: tuple[int, int]
) -> tuple[IntArray, FloatArray, IntArray]:
    """Make one row, with their mean score, of the rows of each draw, in its first stratum; also count those gone."""
    order = np.lexsort((scores[alike], draw[alike]))
    own, values, cells = draw[alike][order], scores[alike][order], cell[alike][order]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    sizes = np.diff(starts, append=len(own))
    mean = np.add.reduceat(values, starts) / sizes
    mean = np.where(values[starts] == values[starts + sizes - 1], values[starts], mean)
    first = np.minimum.reduceat(cells, starts)
    merged = np.bincount(first // shape[1], weights=sizes - 1, minlength=shape[0]).astype(np.int64)
    return np.concatenate((cell[~alike], first)), np.concatenate((scores[~alike], mean)), merged
