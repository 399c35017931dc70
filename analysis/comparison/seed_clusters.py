"""Seeds as the independent units, where scores of one seed go up and down together over the cases.

A verdict takes generations for independent. In a table from elsewhere a seed may be one run of a pipeline over all
cases, with an index, a server or a prompt of its own that lifts or lowers all scores. Such shared noise does not
average out over cases, and a test that ignores it errs several times as often as it says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.estimate import ROUNDING, Estimate
from analysis.comparison.pair import Arm, Pair
from analysis.formatting import p_text

SHARED = 0.01
"""Level of the F test for seeds that go together; so many verdicts are more cautious than needed where they do not."""

_SPARSE = 4
"""Seed codes are renumbered where the largest is more than this many times their count."""

TOGETHER = (
    "Scores of one seed go up and down together over the cases ({p}), so seeds and not single generations are "
    "the independent units: p, interval and equality allow for it."
)


@dataclass(frozen=True)
class _Seeds:
    """The scores of one arm by seed, in the strata that have two scores or more.

    Attributes:
        own: The arm.
        at: Stratum of each score, as an index into the arm's arrays, shape (scores,).
        seed: Code of the seed of each score, shape (scores,).
        residual: Each score minus the mean of its stratum, shape (scores,).
        size: Number of scores of each seed, shape (codes,).
    """

    own: Arm
    at: IntArray
    seed: IntArray
    residual: FloatArray
    size: IntArray

    def squares(self) -> tuple[float, float, float, float] | None:
        """Return sum of squares and degrees of freedom between seeds, and the same of the rest.

        Where seeds are independent, the expectation of either sum is its degrees of freedom times the same variance.
        That holds, too, where arms have holes or each host has its own seeds.

        Returns:
            The four numbers; None where no seed has two scores, or no score varies.
        """
        several = self.size > 1
        if not several.any():
            return None
        size = self.size[several]
        free = np.bincount(self.seed, weights=(1 - 1 / self.own.n)[self.at])[several]
        seeds, freedom = _total(free / size), _total(free)
        others = freedom - seeds
        total = _total(np.bincount(self.seed, weights=self.residual**2)[several])
        if seeds < 1 - 1e-9 or others < 1 - 1e-9 or total <= len(self.seed) * ROUNDING**2:
            return None
        between = _total(np.bincount(self.seed, weights=self.residual)[several] ** 2 / size)
        return between, seeds, total - between, others

    def variances(self, weights: FloatArray) -> tuple[float, float]:
        """Return the variance of the arm's mean: with seeds as units, and with generations as units."""
        n = self.own.n
        share = (weights / np.sqrt(n * np.maximum(n - 1.0, 1.0)))[self.at] * self.residual
        by_seed = _total(np.bincount(self.seed, weights=share) ** 2)
        return by_seed, float((weights**2 * self.own.m2 / (n * np.maximum(n - 1.0, 1.0))).sum())


def with_seeds_as_units(two: Pair, estimate: Estimate) -> tuple[Estimate, tuple[str, ...]]:
    """Make an estimate allow for seeds that go together, where an F test finds that they do.

    The test is a two-way analysis of variance (seed x stratum within each arm, each arm in units of its own noise). If
    it is significant at SHARED, the covariances of a seed's scores are added to the squared standard error. For these
    cases and balanced arms, the result is Welch's t test of the seeds' means. Degrees of freedom are Satterthwaite's
    for the seeds of the arms, and no more than the estimate has.

    Args:
        two: The arms.
        estimate: The result of the usual test.

    Returns:
        The more cautious estimate and a note; the same estimate and no note where seeds do not go together.
    """
    if two.cases < 2 or not estimate.standard_error:
        return estimate, ()
    found = [(arm, squares) for each in two.noisy if (squares := (arm := _by_seed(two, each)).squares()) is not None]
    chance = _chance([squares for _, squares in found])
    if chance > SHARED:
        return estimate, ()
    variances = [arm.variances(two.weights) for arm, _ in found]
    common = sum(by_seed - alone for by_seed, alone in variances)
    if common <= 0:
        return estimate, ()
    error = math.sqrt(estimate.standard_error**2 + common)
    spread = sum(by_seed**2 / seeds for (by_seed, _), (_, (_, seeds, _, _)) in zip(variances, found, strict=True))
    dof = max(sum(by_seed for by_seed, _ in variances) ** 2 / spread, 1.0)
    cautious = estimate.with_larger_error(error, dof, f"{estimate.test}, seeds as units")
    return cautious, (TOGETHER.format(p=p_text(chance)),)


def _chance(squares: Sequence[tuple[float, float, float, float]]) -> float:
    """Return the p of an F test, over all arms, that seeds do not go together; 1 where it cannot be tested."""
    if not squares:
        return 1.0
    between = rest = 0.0
    for own, seeds, other, others in squares:
        unit = (own + other) / (seeds + others)
        between, rest = between + own / unit, rest + other / unit
    seeds, others = sum(each[1] for each in squares), sum(each[3] for each in squares)
    return float(special.fdtrc(seeds, others, between / seeds / (rest / others))) if rest > ROUNDING else 0.0


def _total(by_seed: npt.ArrayLike) -> float:
    """Add up numbers by seed in ascending order: codes of seeds depend on the order of the rows."""
    return float(np.sort(by_seed).sum())


def _by_seed(two: Pair, own: Arm) -> _Seeds:
    """Return the scores of an arm by seed."""
    counts, index = two.cells.n[own.row], np.arange(len(own.n))
    first = int(two.cells.starts[own.row, 0])
    made = slice(first, first + int(counts.sum()))
    scores, seed = two.cells.scores[made], two.cells.seeds[made]
    if len(index) == len(counts) and own.n.min() > 1:
        at = np.repeat(index, own.n)
    else:
        place = np.full(len(counts), -1)
        place[two.strata] = np.where(own.n > 1, index, -1)
        at = np.repeat(place, counts)
        used = at >= 0
        at, scores, seed = at[used], scores[used], seed[used]
    if len(seed) and seed.max() > _SPARSE * len(seed):
        seed = np.unique(seed, return_inverse=True)[1]
    return _Seeds(own, at, seed, scores - own.mean[at], np.bincount(seed))
