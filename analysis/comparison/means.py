"""Means of one configuration with intervals: words, seconds, tokens, or the share of texts that were cut off.

As with effects, the mean is taken over hosts within a case and then over cases: every case counts the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special
from scipy.interpolate import BSpline

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.claim import Claim
from analysis.comparison.pair import Arm
from analysis.comparison.t_tests import stratified_error
from analysis.observations.table import TableError


@dataclass(frozen=True)
class Mean:
    """A mean with its interval, in the unit of its values.

    Attributes:
        value: The mean over cases; NaN without an observation.
        low: Lower end of the interval; NaN where the noise of single generations is unknown.
        high: Upper end.
        n: Number of observations.
    """

    value: float
    low: float
    high: float
    n: int


def mean_interval(
    values: Sequence[float] | FloatArray,
    cases: Sequence[str],
    hosts: Sequence[str] | None = None,
    *,
    claim: Claim = "these-cases",
    level: float = 0.95,
    repeatable: bool = False,
) -> Mean:
    """Estimate a mean over cases.

    For these cases the standard error comes from the variance between generations within a case (and host), with the
    degrees of freedom of `stratified_t`. For new cases it comes from the case means, with one degree of freedom less
    than there are cases.

    Args:
        values: The value of each generation, shape (generations,); NaN where unknown.
        cases: The case of each, the same length.
        hosts: The host of each, the same length, where there are several.
        claim: Whether the interval is for these cases or for new ones.
        level: Confidence level of the interval.
        repeatable: Whether another generation would give the same value (a greedy configuration). For these cases one
            value per case is exact then.

    Raises:
        TableError: The lengths differ.
    """
    strata = _strata(values, cases, hosts)
    if strata is None:
        return Mean(math.nan, math.nan, math.nan, 0)
    arm, weights, case_means = strata
    value, n = float(weights @ arm.mean), int(arm.n.sum())
    if claim == "new-cases":
        if len(case_means) < 2:
            return Mean(value, math.nan, math.nan, n)
        error, dof = float(case_means.std(ddof=1)) / math.sqrt(len(case_means)), len(case_means) - 1.0
    elif arm.dof:
        error, dof, _ = stratified_error(weights, [arm])
    elif repeatable:
        error, dof = 0.0, 1.0
    else:
        return Mean(value, math.nan, math.nan, n)
    half = -float(special.stdtrit(dof, (1 - level) / 2)) * error
    return Mean(value, value - half, value + half, n)


def share_interval(
    happened: Sequence[float] | FloatArray,
    cases: Sequence[str],
    hosts: Sequence[str] | None = None,
    *,
    claim: Claim = "these-cases",
    level: float = 0.95,
    repeatable: bool = False,
) -> Mean:
    """Estimate a share; arguments as for `mean_interval`, values 0 or 1.

    The interval has a width also where nothing, or everything, happened; `_these_shares` and `_new_shares` have the
    methods. The interval for new cases is never narrower than that for these cases.
    """
    strata = _strata(happened, cases, hosts)
    if strata is None:
        return Mean(math.nan, math.nan, math.nan, 0)
    arm, weights, case_shares = strata
    value, n = float(weights @ arm.mean), int(arm.n.sum())
    low, high = shares_interval(value, arm.n, weights, case_shares, claim=claim, level=level, repeatable=repeatable)
    return Mean(value, low, high, n)


def shares_interval(
    value: float,
    counts: FloatArray | IntArray,
    weights: FloatArray,
    case_shares: FloatArray,
    *,
    claim: Claim = "these-cases",
    level: float = 0.95,
    repeatable: bool = False,
) -> tuple[float, float]:
    """Return the interval of a mean of shares, from the shares themselves.

    Args:
        value: The weighted mean of the shares of the cells, in [0, 1].
        counts: Independent draws behind the share of each cell, above 0, shape (cells,).
        weights: Weights of the cells, shape (cells,); they add up to 1.
        case_shares: Share of each case, shape (cases,).
        claim: As for `share_interval`.
        level: As there.
        repeatable: As there.
    """
    tail = (1 - level) / 2
    low, high = (value, value) if repeatable else _these_shares(value, counts / weights, weights, tail)
    if claim == "new-cases":
        below, above = 1 - _new_shares(1 - case_shares, tail), _new_shares(case_shares, tail)
        low, high = min(low, below), max(high, above)
    return low, high


def _these_shares(value: float, counts: FloatArray, weights: FloatArray, tail: float) -> tuple[float, float]:
    """Return Clopper and Pearson's (1934) interval for a weighted mean of the shares of cells.

    The ends are the means for which a binomial reaches `value` with probability `tail`. The size of the binomial is an
    effective one, with the variance of the weighted share (Korn and Graubard 1998). That variance depends on how the
    mean is spread over the cells, which few generations cannot show, so the largest possible one is used. Where every
    generation weighs the same, the size is their number, and the interval holds for unequal shares (Hoeffding 1956).
    Elsewhere it is an approximation; "Limits" in `docs/statistics.md` has its coverage.

    Args:
        value: The weighted share, in [0, 1].
        counts: Generations of each cell divided by its weight, shape (cells,).
        weights: Weights of the cells, shape (cells,); they add up to 1.
        tail: Probability that the true mean is beyond one end.
    """

    def size(mean: float) -> float:
        # Of all shares with this mean, the variance sum(weights / counts * p * (1 - p)) is largest at these.
        def shares(slope: float) -> FloatArray:
            return np.clip((1 - slope * counts) / 2, 0, 1)

        steepest = (1 + 1e-9) / float(counts.min())
        slope = optimize.brentq(lambda s: float(weights @ shares(s)) - mean, -steepest, steepest, xtol=1e-15)
        p = shares(slope)
        return mean * (1 - mean) / float((weights / counts) @ (p * (1 - p)))

    def at_least(mean: float) -> float:
        n = size(mean)
        return float(special.betainc(value * n, n - value * n + 1, mean)) - tail

    def at_most(mean: float) -> float:
        n = size(mean)
        return float(special.betaincc(value * n + 1, n - value * n, mean)) - tail

    least, most = 1e-9, 1 - 1e-9
    low, high = 0.0, 1.0
    if value > least and at_least(least) < 0:
        low = float(optimize.brentq(at_least, least, min(value, most)))
    if value < most and at_most(most) < 0:
        high = float(optimize.brentq(at_most, max(value, least), most))
    return low, high


def _new_shares(shares: FloatArray, tail: float) -> float:
    """Return Gaffke's (2005) upper end for the mean share over all cases, from the shares of some cases.

    It is the 1 - `tail` quantile of the mean of the shares and one additional 1, under weights uniform on the simplex.
    For shares of 0 and 1 it is Clopper and Pearson's with the number of cases as n; for others it is lower. It assumes
    only that a case's observed share is in [0, 1] and right on average. Learned-Miller and Thomas (2019,
    arXiv:1905.06208) conjecture from simulations that it holds for every distribution; there is no proof for all.

    The density of such a weighted mean is a B-spline with the values as knots (Curry and Schoenberg 1966). Its
    distribution function is the sum of the splines of the next degree that begin at or after the first knot.

    Args:
        shares: Share of each case, shape (cases,).
        tail: Probability that the true mean is above the end.
    """
    knots = np.sort(np.append(shares, 1.0))
    if knots[0] == knots[-1]:
        return 1.0
    n = len(shares)
    padded = np.concatenate([np.full(n + 1, knots[0] - 1), knots, np.full(n + 1, knots[-1] + 1)])
    chance = BSpline(padded, np.repeat([0.0, 1.0], n + 1), n)
    return float(optimize.brentq(lambda mean: float(chance(mean)) - (1 - tail), knots[0], knots[-1]))


def _strata(
    values: Sequence[float] | FloatArray, cases: Sequence[str], hosts: Sequence[str] | None
) -> tuple[Arm, FloatArray, FloatArray] | None:
    """Return the cells of case and host, their weights (which add up to 1), and the means of the cases."""
    numbers = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    if not known.any():
        return None
    hosts = [""] * len(numbers) if hosts is None else hosts
    if not len(numbers) == len(cases) == len(hosts):
        raise TableError(
            f"{len(numbers)} values, {len(cases)} cases and {len(hosts)} hosts: give one of each per generation"
        )
    labels = [pair for pair, there in zip(zip(cases, hosts, strict=True), known, strict=True) if there]
    pairs = sorted(set(labels))
    place = {pair: index for index, pair in enumerate(pairs)}
    cell = np.array([place[label] for label in labels])
    n = np.bincount(cell)
    mean = np.bincount(cell, weights=numbers[known]) / n
    m2 = np.asarray(np.bincount(cell, weights=(numbers[known] - mean[cell]) ** 2), dtype=np.float64)
    _, case, count = np.unique([pair[0] for pair in pairs], return_inverse=True, return_counts=True)
    weights = 1.0 / (count[case] * len(count))
    return Arm(0, n, mean, m2, greedy=False), weights, np.bincount(case, weights=mean) / count
