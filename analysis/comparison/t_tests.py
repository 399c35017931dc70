"""t tests of an effect, on these cases and for new ones, and when another test must agree with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.arrays import FloatArray
from analysis.comparison.estimate import ROUNDING, Estimate, TEstimate
from analysis.comparison.pair import FEWEST_CASES, Arm, Pair
from analysis.observations.table import TableError

PERMUTE_BELOW = 3
"""With fewer seeds per case than this, as many in either arm, seeds are permuted instead of trusting a t distribution.

Simulated with beta and discrete noise, equal and unequal in the arms, the Welch form errs with .041-.058 from 3 seeds
on (4 to 12 cases), but with up to .063 at 2 seeds, where permuting errs with .045-.061.
"""

LOPSIDED = 4 / 3
"""Where an arm has more than this many times the other's seeds in a case, a t test and a permutation must agree.

Up to it (10 against 9, 4 against 3) Welch's test alone holds its level; at 12 against 8 it calls an equal arm of which
one text in ten fails "better" with .05.
"""

MANY = 2000
"""From so many observations in either arm on (as many as would give the same standard error) nothing is permuted: sums
of so many are normal, whatever their shape, and a hundred thousand cells take minutes to permute."""

_ENOUGH_TO_LEND = 4


def stratified_t(two: Pair, *, pooled: bool = False) -> TEstimate:
    """Compare two arms on these very cases, with the variance within cells.

    By default each cell has its own variance, and the degrees of freedom are Welch's (Biometrika 34, 1947, in the form
    `V**2 / sum(v_i**2 / (dof_i + 2)) - 2`, whose ingredients are unbiased; the better known Satterthwaite form loses
    half of them at 3 seeds). With equal variances it has those of the pooled test on average. Where cells differ in
    their number of observations, there are no more than Satterthwaite's for two arms with a variance each: with 3 seeds
    in 4 cases, half of the finalist's lost and its noise doubled, the test would err with .08 otherwise, and does so
    with .06 to .07. A cell with one observation borrows its arm's pooled variance; where that rests on fewer than 4
    degrees of freedom or is 0, the variance of both arms if it is larger.

    Welch's degrees of freedom are right on average, and too many where one case holds most of the noise. At .05 that
    matters little (.065-.071 where the case is as noisy in both arms, or twice so in one); at the small levels of many
    finalists and early looks it doubles or trebles the errors (.0158 for .005: 12 cases x 3 seeds, all noise in one of
    them, twice as much in one arm). So levels below FAR_TAIL take Satterthwaite's, cell by cell, and so does any level
    where a single cell has most of the variance: with 3 seeds, one of them 10 times as noisy as the other cells, the
    test errs with .07 to .08 then, and with .09 otherwise.

    Args:
        two: The arms.
        pooled: Assume one variance for all cells of both arms, as the textbook's test does; the degrees of freedom are
            then the sum of (n - 1).

    Raises:
        TableError: No cell was repeated, so that there is nothing to tell noise by.
    """
    error, dof, tail_dof = stratified_error(two.weights, two.noisy, pooled=pooled)
    return TEstimate(two.effect, error, dof, f"stratified {'pooled' if pooled else 'Welch'} t", tail_dof)


def is_lopsided(two: Pair) -> bool:
    """Say whether an arm has more than LOPSIDED times the other's seeds in a case."""
    a, b = two.baseline.n, two.finalist.n
    return bool((np.maximum(a, b) > LOPSIDED * np.minimum(a, b) + ROUNDING).any())


def cautious_t(two: Pair) -> TEstimate:
    """Compare arms on these cases with each cell's own variance and with one for all: the larger error counts.

    The few seeds of a smaller arm know least of their noise where their mean is luckiest; see `choice.compare`.
    """
    own, pooled = stratified_t(two), stratified_t(two, pooled=True)
    error = max(own.standard_error, pooled.standard_error)
    return TEstimate(own.effect, error, min(own.dof, pooled.dof), "t, the larger error of two", own.tail_dof)


def stratified_error(weights: FloatArray, arms: Sequence[Arm], *, pooled: bool = False) -> tuple[float, float, float]:
    """Return standard error and degrees of freedom of a sum or difference of weighted means; see `stratified_t`.

    The last number is the degrees of freedom below FAR_TAIL.

    Args:
        weights: Of the strata.
        arms: Those that are not greedy.
        pooled: One variance for all cells.

    Raises:
        TableError: No cell was repeated.
    """
    dof = sum(each.dof for each in arms)
    if not dof:
        raise TableError("no case has two seeds in either arm, so there is no noise to compare with: add seeds")
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
    """Return the variance that cells with one observation borrow, and its degrees of freedom."""
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
    """Return what the standard error would be if these seeds were a share of all there will be.

    Seeds shrink the noise within cases. What a claim for new cases has on top, that cases respond differently, they
    leave as it is.

    Args:
        two: The arms.
        estimate: Their comparison.
        share: Of the seeds, in (0, 1].
        new_cases: Whether the claim is for new cases.
    """
    if not new_cases:
        return estimate.standard_error * math.sqrt(share)
    within = min(two.noise_variance, estimate.standard_error**2)
    return math.sqrt(estimate.standard_error**2 - within * (1 - share))
