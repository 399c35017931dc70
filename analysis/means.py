"""Means of one configuration with their intervals: words, seconds, tokens, or the share of texts that were cut off.

As for effects elsewhere, the mean is over hosts within a case and then over cases: every case counts the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.choice import Claim
from analysis.comparison import Arm, stratified_error
from analysis.table import FloatArray, TableError


@dataclass(frozen=True)
class Mean:
    """A mean and what is known of it.

    Attributes:
        value: The mean over cases; NaN without an observation.
        low: Lower end of the interval; NaN where nothing tells how much single generations differ.
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

    For these cases the standard error is that of the variance between generations within a case (and host), with the
    degrees of freedom of `comparison.stratified_t`. For new cases it is that of the case means, with one degree of
    freedom less than there are cases.

    Args:
        values: One per generation; NaN where unknown.
        cases: The case of each.
        hosts: The host of each, where there are several.
        claim: What the interval speaks of.
        level: Its level.
        repeatable: Another generation would give the same values (a greedy configuration), so that for these cases one
            per case is exact.
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
        error, dof = stratified_error(weights, [arm])
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

    The interval is Clopper and Pearson's (1934) for the mean share and the number of generations. It holds although
    cases differ in their shares, since a sum over unequal chances varies less than one over equal ones (Hoeffding
    1956), and it is not empty where nothing, or everything, happened. For new cases it is widened to that of the case
    shares.
    """
    around = mean_interval(happened, cases, hosts, claim=claim, level=level, repeatable=repeatable)
    if not around.n:
        return around
    if repeatable and claim == "these-cases":
        return Mean(around.value, around.value, around.value, around.n)
    count, tail = around.value * around.n, (1 - level) / 2
    rest = around.n - count
    low = 0.0 if count < 1e-9 else float(special.betaincinv(count, rest + 1, tail))
    high = 1.0 if rest < 1e-9 else float(special.betaincinv(count + 1, rest, 1 - tail))
    if claim == "new-cases" and not math.isnan(around.low):
        low, high = max(min(low, around.low), 0.0), min(max(high, around.high), 1.0)
    return Mean(around.value, low, high, around.n)


def _strata(
    values: Sequence[float] | FloatArray, cases: Sequence[str], hosts: Sequence[str] | None
) -> tuple[Arm, FloatArray, FloatArray] | None:
    """Cells of case and host, their weights (adding up to 1, the same for every case), and the means of the cases."""
    numbers = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(numbers)
    if not known.any():
        return None
    hosts = [""] * len(numbers) if hosts is None else hosts
    if not len(numbers) == len(cases) == len(hosts):
        raise TableError(f"{len(numbers)} values, {len(cases)} cases and {len(hosts)} hosts do not belong together")
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
