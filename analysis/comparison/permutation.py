"""Permutation of seeds between the arms within cases: a test without assumptions about the shape of the noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.estimate import PermutationEstimate, TEstimate
from analysis.comparison.pair import Pair
from analysis.comparison.t_tests import stratified_t
from analysis.observations.table import TableError

PERMUTATIONS = 9999
ENUMERATE = 20_000
"""Up to this many, all rearrangements are enumerated; beyond that, PERMUTATIONS of them are drawn."""

_FEWEST, _ROOM = 999, 10_000_000
_KEPT = 2_000_000
"""Up to so many places (16 MB), drawn arrangements are kept for the next comparison of the same sizes."""


def permutation(two: Pair, *, seed: int = 0, permutations: int = PERMUTATIONS) -> PermutationEstimate:
    """Compare two arms on these cases by permuting seeds between the arms within each case (and host).

    The test is exact for arms that differ by a shift, or not at all. Its interval is the set of shifts that it does not
    reject (test inversion). No search is needed: under a shift d the effect of a rearrangement is linear in d. So each
    rearrangement gives one threshold, and the ends of the interval are quantiles of the thresholds. Two-sided p is
    twice the smaller one-sided p, so p and interval agree. Where the rearrangements are a sample and the observed
    arrangement is more extreme than all of them, p is the t test's if that is smaller.

    Args:
        two: The arms.
        seed: Seed of the rearrangements, where they are drawn and not enumerated.
        permutations: Number of rearrangements to draw; fewer, but at least 999, where a case has over a thousand seeds.

    Raises:
        TableError: An arm is greedy: its scores are not random, and cannot be exchanged with random ones.
    """
    if two.baseline.greedy or two.finalist.greedy:
        raise TableError(
            "a permutation test needs two arms whose seeds matter; one of them is greedy: use another test"
        )
    base = stratified_t(two)
    arrangements = math.prod(math.comb(int(a + b), int(b)) for a, b in zip(two.baseline.n, two.finalist.n, strict=True))
    if arrangements <= ENUMERATE:
        shuffled, moved = _enumerated(two)
    else:
        largest = int((two.baseline.n + two.finalist.n).max())
        draws = min(permutations, max(_FEWEST, _ROOM // largest))
        shuffled, moved = _drawn(two, draws, seed)
    drawn = arrangements > ENUMERATE
    found, least = inverted(base, shuffled, moved, drawn=drawn, test="permutation within cases")
    found = replace(found, reach=two.cells.scale.width)
    if drawn and least == found.same:  # more extreme than all that were drawn: the sample says no more than that
        return replace(found, p_value=min(found.p_value, base.p_value))
    return found


def inverted(
    base: TEstimate, shuffled: FloatArray, moved: FloatArray, *, drawn: bool, test: str
) -> tuple[PermutationEstimate, int]:
    """Compare an effect with those of rearrangements, shifted and unshifted.

    Args:
        base: The t estimate of the effect.
        shuffled: Effect of each rearrangement, shape (rearrangements,).
        moved: Effect of a shift of the finalist's scores by 1, after each rearrangement; the same shape.
        drawn: Whether they were drawn at random: the observed arrangement then completes the sample.
        test: Name of the test.

    Returns:
        The estimate, and how many rearrangements are as extreme as the observed one on the side with fewer.
    """
    # Under a shift d a rearrangement is at least as extreme, upwards, if shuffled - d * moved >= effect - d.
    stay = 1.0 - moved
    slack = 1e-12
    identity = stay <= slack
    thresholds = (base.effect - shuffled[~identity]) / stay[~identity]
    thresholds[np.abs(thresholds) <= slack] = 0.0  # a tie with the observed arrangement, for p and interval alike
    total = len(shuffled) + drawn
    same = total - len(thresholds)
    least = min(int((thresholds <= 0).sum()), int((thresholds >= 0).sum())) + same
    p_value = min(1.0, 2 * least / total)
    return PermutationEstimate(base, p_value, test, np.sort(thresholds), same, drawn), least


def _stratum(two: Pair, index: int) -> tuple[FloatArray, int, float]:
    """Return the scores of a stratum (the finalist's first), the finalist's number of scores, and the weight."""
    stratum = int(two.strata[index])
    scores = np.concatenate(
        [two.cells.cell_scores(two.finalist.row, stratum), two.cells.cell_scores(two.baseline.row, stratum)]
    )
    return scores, int(two.finalist.n[index]), float(two.weights[index])


def _difference(chosen: FloatArray, total: float, n: int, other: int) -> FloatArray:
    """Return the mean of the chosen scores minus that of the rest, from the sum of the chosen."""
    return np.asarray(chosen / n - (total - chosen) / other)


def _effects(scores: FloatArray, n: int, weight: float, picks: _Picks) -> tuple[FloatArray, FloatArray]:
    """Return effect, and effect of a shift by 1, of a stratum under some arrangements."""
    other = len(scores) - n
    effect = _difference(scores[picks.places].sum(axis=1), float(scores.sum()), n, other)
    return weight * effect, weight * _difference(picks.own, float(n), n, other)


def _enumerated(two: Pair) -> tuple[FloatArray, FloatArray]:
    """Return effect, and effect of a shift by 1, for every arrangement."""
    shuffled, moved = np.zeros(1), np.zeros(1)
    for index in range(len(two.strata)):
        scores, n, weight = _stratum(two, index)
        effect, shift = _effects(scores, n, weight, _combinations(len(scores), n))
        shuffled = np.add.outer(shuffled, effect).ravel()
        moved = np.add.outer(moved, shift).ravel()
    return shuffled, moved


def _drawn(two: Pair, permutations: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Return effect, and effect of a shift by 1, for arrangements drawn at random."""
    strata = [_stratum(two, index) for index in range(len(two.strata))]
    sizes = tuple((len(scores), n) for scores, n, _ in strata)
    shuffled, moved = np.zeros(permutations), np.zeros(permutations)
    few = permutations * sum(n for _, n in sizes) <= _KEPT
    draws = (_kept_arrangements if few else _arrangements)(sizes, permutations, seed)
    for (scores, n, weight), picks in zip(strata, draws, strict=True):
        effect, shift = _effects(scores, n, weight, picks)
        shuffled += effect
        moved += shift
    return shuffled, moved


@dataclass(frozen=True)
class _Picks:
    """Arrangements of a stratum.

    Attributes:
        places: Which scores the finalist gets, shape (arrangements, its scores).
        own: How many of these are its own, shape (arrangements,).
    """

    places: IntArray
    own: FloatArray


def _picks(places: IntArray) -> _Picks:
    return _Picks(places, (places < places.shape[1]).sum(axis=1).astype(np.float64))


@lru_cache(maxsize=32)
def _combinations(scores: int, n: int) -> _Picks:
    return _picks(np.array(list(itertools.combinations(range(scores), n))))


def _arrangements(sizes: tuple[tuple[int, int], ...], permutations: int, seed: int) -> Iterator[_Picks]:
    """Yield drawn arrangements of each stratum, which has so many scores, and so many of the finalist."""
    rng = np.random.default_rng(seed)
    for scores, n in sizes:
        # a copy: the view would keep all places in memory
        yield _picks(rng.random((permutations, scores)).argpartition(n - 1, axis=1)[:, :n].copy())


@lru_cache(maxsize=2)
def _kept_arrangements(sizes: tuple[tuple[int, int], ...], permutations: int, seed: int) -> tuple[_Picks, ...]:
    """Keep the arrangements: finalists, looks and other scores of a study have the same sizes, over and over."""
    return tuple(_arrangements(sizes, permutations, seed))
