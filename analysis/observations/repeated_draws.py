"""Repeated draws: a seed of a case made again on another host or as a repeat, and a text made again under another seed.

Either adds no information: the seed, or the text, counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

if TYPE_CHECKING:
    from analysis.arrays import BoolArray, FloatArray, IntArray

WARM = 0.6
"""From this temperature on, long texts do not repeat by chance."""

SIMILAR = 0.25
"""One-sided level of the test whether scores of a seed that was made again go together."""

LONG_WORDS = 25
"""From this many words on, a text is long."""

LONG_TOKENS = 40
"""The same in tokens, where the words are not counted."""

_LONG = {"words": LONG_WORDS, "output_tokens": LONG_TOKENS}
_NARROW: dict[str, Callable[[FloatArray], BoolArray]] = {
    "top_p": lambda value: value < 0.7,
    "top_k": lambda value: (value > 0) & (value < 10),
    "min_p": lambda value: value > 0.2,
}
"""Values at which few tokens are left to draw from, so that texts repeat at any temperature."""


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


def similar_draws(draw: IntArray, cell: IntArray, score: FloatArray, counts: BoolArray) -> BoolArray:
    """Say which rows are draws that were made again with other texts, whose scores go together all the same.

    A seed on several hosts begins alike and may differ by rounding later on. Where scores of one seed lie on the same
    side of their cells' means more often than chance makes at SIMILAR, each recurring seed counts once: to miss this
    costs false claims, and to see it where it is not costs a few degrees of freedom.

    Args:
        draw: Codes of (configuration, case, seed), shape (rows,).
        cell: Codes of (configuration, case, host), shape (rows,).
        score: Scores, shape (rows,).
        counts: Rows to consider, shape (rows,): those of configurations that are not greedy.

    Returns:
        Truth values, shape (rows,): the rows of all recurring draws, or none.
    """
    frame = pd.DataFrame({"draw": draw, "cell": cell, "score": score})[counts]
    groups = frame.groupby("cell")["score"]
    rest = frame["score"] - groups.transform("mean")
    again = frame["draw"].duplicated(keep=False)
    parts = pd.DataFrame({"rest": rest, "square": rest**2, "spread": groups.transform("var").fillna(0.0)})[again]
    parts["spread_square"] = parts["spread"] ** 2
    sums = parts.groupby(frame["draw"][again]).sum()
    together = float((sums["rest"] ** 2 - sums["square"]).sum()) / 2
    variance = float((sums["spread"] ** 2 - sums["spread_square"]).sum()) / 2  # of products of independent scores
    found = np.zeros(len(draw), dtype=bool)
    if variance > 0 and together > -float(special.ndtri(SIMILAR)) * math.sqrt(variance):
        found[np.flatnonzero(counts)[again.to_numpy()]] = True
    return found


def drawn_freely(observations: pd.DataFrame) -> BoolArray | None:
    """Say in which rows the text is too long, and was drawn too freely, to be drawn twice by chance.

    Long are LONG_WORDS `words` or more (without that column, LONG_TOKENS `output_tokens`). Freely drawn are texts at a
    `temperature` of WARM or more, unless `top_p`, `top_k` or `min_p` leave few tokens to draw from. "A text counts
    once" in `docs/statistics.md` has the shares of texts that recorded models repeated.

    Returns:
        Truth values, shape (rows,); None where the table does not say how long or how warm its texts are.
    """
    length = next((each for each in _LONG if each in observations.columns), None)
    if length is None or "temperature" not in observations.columns:
        return None

    def numbers(column: str) -> FloatArray:
        return np.asarray(pd.to_numeric(observations[column], errors="coerce").to_numpy(np.float64, na_value=np.nan))

    free = (numbers(length) >= _LONG[length]) & (numbers("temperature") >= WARM)
    for column, narrow in _NARROW.items():
        if column in observations.columns:
            free &= ~narrow(numbers(column))
    return np.asarray(free, dtype=bool)


@dataclass(frozen=True)
class Draws:
    """Rows that count, each an independent draw as far as is known.

    Attributes:
        cell: Code of the cell of each row, shape (rows,).
        score: Its score.
        seed: Code of its seed.
        text: Code of its text; -1 where it is not known.
        free: Whether that text does not repeat by chance; see `drawn_freely`.
    """

    cell: IntArray
    score: FloatArray
    seed: IntArray
    text: IntArray
    free: BoolArray

    def of(self, chosen: BoolArray) -> Draws:
        """Return some of the rows."""
        return Draws(self.cell[chosen], self.score[chosen], self.seed[chosen], self.text[chosen], self.free[chosen])

    def settings(self, stratum_case: IntArray, strata: int) -> IntArray:
        """Return a code of configuration and case of each row, shape (rows,)."""
        return self.cell // strata * len(stratum_case) + stratum_case[self.cell % strata]

    def merged(self, alike: BoolArray, group: IntArray) -> Draws:
        """Merge the rows of each group into one with their mean score, in its first cell.

        Args:
            alike: The rows to merge, shape (rows,).
            group: Code of the group of each row, shape (rows,).
        """
        order = np.lexsort((self.score[alike], group[alike]))
        values = self.score[alike][order]
        starts = np.flatnonzero(np.diff(group[alike][order], prepend=-1))
        sizes = np.diff(starts, append=len(order))
        mean = np.add.reduceat(values, starts) / sizes
        mean = np.where(values[starts] == values[starts + sizes - 1], values[starts], mean)
        cell, seed, text, free = (
            np.minimum.reduceat(each[alike][order], starts) for each in (self.cell, self.seed, self.text, self.free)
        )
        rest = ~alike
        return Draws(
            np.concatenate((self.cell[rest], cell)),
            np.concatenate((self.score[rest], mean)),
            np.concatenate((self.seed[rest], seed)),
            np.concatenate((self.text[rest], text)),
            np.concatenate((self.free[rest], free)),
        )


def seeds_once(
    rows: Draws, stratum_case: IntArray, counts: BoolArray, shape: tuple[int, int]
) -> tuple[Draws, IntArray]:
    """Merge seeds that were made again.

    Args:
        rows: The rows.
        stratum_case: Case of each stratum.
        counts: Whether a configuration's seeds matter, shape (configurations,).
        shape: Number of configurations and of strata.

    Returns:
        The rows that count, and how many each configuration lost.
    """
    draws = rows.settings(stratum_case, shape[1]) * np.int64(rows.seed.max(initial=0) + 1) + rows.seed
    values = rows.score if (rows.text < 0).any() else rows.text
    counted = counts[rows.cell // shape[1]]
    alike = same_draws(draws, values, counted)
    if not alike.any() and len(pd.unique(draws)) < len(draws):
        alike = similar_draws(draws, rows.cell, rows.score, counted)
    return _once(rows, alike, draws, shape)


def texts_once(
    rows: Draws, stratum_case: IntArray, shape: tuple[int, int], *, known: bool
) -> tuple[Draws, IntArray, IntArray]:
    """Merge long texts that stand under several seeds.

    Args:
        rows: The rows; at least one has a text.
        stratum_case: Case of each stratum.
        shape: Number of configurations and of strata.
        known: Whether the table says which texts were drawn freely; otherwise nothing is merged.

    Returns:
        The rows that count, how many each configuration lost, and its rows with a recurring text if it is not known
        which were drawn freely.
    """
    group = rows.settings(stratum_case, shape[1]) * np.int64(rows.text.max() + 1) + rows.text
    counts = (rows.free if known else np.ones(len(group), dtype=bool)) & (rows.text >= 0)
    again = np.zeros(len(group), dtype=bool)
    again[counts] = pd.Series(group[counts]).duplicated(keep=False).to_numpy()
    if not known:
        return rows, np.zeros(shape[0], dtype=np.int64), np.bincount(rows.cell[again] // shape[1], minlength=shape[0])
    once, lost = _once(rows, again, group, shape)
    return once, lost, np.zeros(shape[0], dtype=np.int64)


def _once(rows: Draws, alike: BoolArray, group: IntArray, shape: tuple[int, int]) -> tuple[Draws, IntArray]:
    """Merge the rows that are alike by group; return how many rows each configuration lost as well."""
    if not alike.any():
        return rows, np.zeros(shape[0], dtype=np.int64)
    once = rows.merged(alike, group)
    made, kept = (np.bincount(each.cell // shape[1], minlength=shape[0]) for each in (rows, once))
    return once, np.asarray(made - kept, dtype=np.int64)
