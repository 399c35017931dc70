"""Repeated draws: the same seed of a case, made again on another host or as a repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from analysis.arrays import BoolArray, FloatArray, IntArray


def same_draws(draw: IntArray, value: npt.NDArray[Any], counts: BoolArray) -> BoolArray:
    """Say which rows are draws that were made again.

    A seed that recurs on several hosts or in repeats may give the same text again, which adds no information. Where at
    least half of the recurring seeds give one value, each of them counts once.

    Args:
        draw: Codes of (configuration, case, seed), shape (rows,).
        value: Scores, or codes of texts, shape (rows,).
        counts: Rows to consider, shape (rows,): those of configurations that are not greedy.

    Returns:
        Truth values, shape (rows,): the rows of all recurring draws, or none.
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
    """Merge the rows of each repeated draw into one with their mean score, in its first stratum.

    Args:
        draw: Codes of (configuration, case, seed), shape (rows,).
        alike: The rows to merge, shape (rows,); see `same_draws`.
        cell: Code of the cell of each row, shape (rows,).
        scores: Score of each row, shape (rows,).
        shape: Number of configurations and of strata.

    Returns:
        Cells and scores of all rows after merging, and the number of rows that each configuration lost.
    """
    order = np.lexsort((scores[alike], draw[alike]))
    own, values, cells = draw[alike][order], scores[alike][order], cell[alike][order]
    starts = np.flatnonzero(np.diff(own, prepend=-1))
    sizes = np.diff(starts, append=len(own))
    mean = np.add.reduceat(values, starts) / sizes
    mean = np.where(values[starts] == values[starts + sizes - 1], values[starts], mean)
    first = np.minimum.reduceat(cells, starts)
    merged = np.bincount(first // shape[1], weights=sizes - 1, minlength=shape[0]).astype(np.int64)
    return np.concatenate((cell[~alike], first)), np.concatenate((scores[~alike], mean)), merged
