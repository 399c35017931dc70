"""t tests of an effect, on these cases and for new ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.arrays import FloatArray
from analysis.comparison.estimate import ROUNDING, Estimate, TEstimate
from analysis.comparison.pair import FEWEST_CASES, Arm, Pair
from analysis.observations.table import TableError

PERMUTE_BELOW = 3
"""With fewer seeds per case, as many in each arm, seeds are permuted; see "Why permutation" in `docs/statistics.md`."""

LOPSIDED = 4 / 3
"""Where an arm has more than this many times the other's seeds in a case, a t test and a permutation must agree."""

MANY = 2000
"""From this many observations in each arm, nothing is permuted: sums of so many are normal whatever their shape.

Counted are observations that, spread evenly over the cases, would give the same standard error.
"""

_ENOUGH_TO_LEND = 4


def stratified_t(two: Pair, *, pooled: bool = False) -> TEstimate:
    """Compare two arms on these cases, with the variance within cells (a cell is one configuration on one case).

    By default each cell has its own variance. Degrees of freedom are Welch's (Biometrika 34, 1947), in the form
    `V**2 / sum(v_i**2 / (dof_i + 2)) - 2`. They are Satterthwaite's, which are fewer, in three situations:

    - Cells differ in their number of observations: at most those of two arms with one variance each.
    - The level is below FAR_TAIL: cell by cell.
    - A single cell has most of the variance: cell by cell, at any level.

    A cell with one observation borrows the pooled variance of its arm. Where that has fewer than 4 degrees of freedom
    or is 0, the cell borrows the variance of both arms, if that is larger. "Why Welch" in `docs/statistics.md` has the
    reasons, and the error rates with and without these rules.

    Args:
        two: The arms.
        pooled: Assume one variance for all cells of both arms, as the textbook's test does; the degrees of freedom are
            then the sum of (n - 1).

    Raises:
        TableError: No cell was repeated, so the noise is unknown.
    """
    error, dof, tail_dof = stratified_error(two.weights, two.noisy, pooled=pooled)
    return TEstimate(two.effect, error, dof, f"stratified {'pooled' if pooled else 'Welch'} t", tail_dof)


def is_lopsided(two: Pair) -> bool:
    """Say whether an arm has more than LOPSIDED times the other's seeds in a case."""
    a, b = two.baseline.n, two.finalist.n
    return bool((np.maximum(a, b) > LOPSIDED * np.minimum(a, b) + ROUNDING).any())


def cautious_t(two: Pair) -> TEstimate:
    """Compare arms on these cases with each cell's own variance and with one for all: the larger error counts.

    A few lucky seeds seem to have little noise; see "Why both" in `docs/statistics.md`.
    """
    own, pooled = stratified_t(two), stratified_t(two, pooled=True)
    error = max(own.standard_error, pooled.standard_error)
    return TEstimate(own.effect, error, min(own.dof, pooled.dof), "t, the larger error of two", own.tail_dof)


def stratified_error(weights: FloatArray, arms: Sequence[Arm], *, pooled: bool = False) -> tuple[float, float, float]:
    """Return the standard error of a sum or difference of weighted means; see `stratified_t`.

    Args:
        weights: Weight of each stratum, shape (strata,).
        arms: The arms that are not greedy.
        pooled: Assume one variance for all cells.

    Returns:
        Standard error, degrees of freedom, and degrees of freedom at levels below FAR_TAIL.

    Raises:
        TableError: No cell was repeated.
    """
    dof = sum(each.dof for each in arms)
    if not dof:
        raise TableError("no case has two seeds in either arm, so the noise is unknown: add seeds")
    common = sum(float(each.m2.sum()) for each in arms) / dof
    if pooled:
        return math.sqrt(common * sum(each.spread(weights) for each in arms)), float(dof), float(dof)
    total, spread, tail_spread, largest = 0.0, 0.0, 0.0, 0.0
    for each in arms:
        share = weights**2 / each.n
        repeated = each.n > 1
        own = share[repeated] * each.m2[repeated] / (each.n[repeated] - 1)
        total += float(own.sum())
        largest = max(largest, float(own.max(initial=0.0)))
        spread += float((own**2 / (each.n[repeated] + 1)).sum())
        tail_spread += float((own**2 / (each.n[repeated] - 1)).sum())
        if not repeated.all():
            lent, lent_dof = _lent(each, common, dof)
            borrowed = float(share[~repeated].sum()) * lent
            total += borrowed
            spread += borrowed**2 / (lent_dof + 2)
            tail_spread += borrowed**2 / lent_dof
    most = float(sum(each.dof for each in arms if not each.constant) or dof)
    freedom = min(max(total**2 / spread - 2, 1.0), most) if spread > 0 else most
    if len({int(size) for each in arms for size in each.n}) > 1:
        freedom = min(freedom, _satterthwaite(weights, [each for each in arms if each.dof]))
    tail_freedom = min(freedom, total**2 / tail_spread) if tail_spread > 0 else freedom
    one_cell = largest > 0.5 * total and len(weights) > 2
    return math.sqrt(total), tail_freedom if one_cell else freedom, tail_freedom


def _lent(own: Arm, common: float, dof: int) -> tuple[float, int]:
    """Return the variance for cells with one observation, and its degrees of freedom."""
    if own.dof and own.variance > 0 and (own.dof >= _ENOUGH_TO_LEND or own.variance >= common):
        return own.variance, own.dof
    return common, dof


def _satterthwaite(weights: FloatArray, arms: Sequence[Arm]) -> float:
    """Return the degrees of freedom of a difference of arms with a variance each; infinite without any variance."""
    variances = [each.variance * each.spread(weights) for each in arms]
    spread = sum(variance**2 / each.dof for variance, each in zip(variances, arms, strict=True))
    return sum(variances) ** 2 / spread if spread > 0 else math.inf


def paired_t(two: Pair) -> TEstimate:
    """Compare two arms for new cases: a paired t test on the case means.

    Raises:
        TableError: Fewer than FEWEST_CASES cases are common to both.
    """
    if two.cases < FEWEST_CASES:
        raise TableError(
            f"a claim for new cases takes at least {FEWEST_CASES} cases with both arms; there are {two.cases}. "
            'Add cases, or claim for these cases only (claim "these-cases").'
        )
    differences = two.case_differences()
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return TEstimate(float(differences.mean()), error, len(differences) - 1, "paired t on case means")


def error_with_more_seeds(two: Pair, estimate: Estimate, share: float, *, new_cases: bool) -> float:
    """Return the standard error at the planned end, of which the seeds so far are a share.

    More seeds shrink the noise within cases. A claim for new cases has noise on top of that, since the cases respond
    differently; seeds leave that part as it is.

    Args:
        two: The arms.
        estimate: The estimate from the seeds so far.
        share: The seeds so far as a share of all planned seeds, in (0, 1].
        new_cases: Whether the claim is for new cases.
    """
    if not new_cases:
        return estimate.standard_error * math.sqrt(share)
    within = min(two.noise_variance, estimate.standard_error**2)
    return math.sqrt(estimate.standard_error**2 - within * (1 - share))
