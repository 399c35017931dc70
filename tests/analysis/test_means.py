"""Means and shares of one configuration: intervals by other means, and how often they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.means import mean_interval, share_interval
from analysis.table import TableError

CASES = ["a", "a", "a", "b", "b", "b"]


def test_for_these_cases_by_hand():
    # variances 1 and 4 within the cases, 3 seeds each: variance of the mean (1/3 + 4/3) / 4
    found = mean_interval([1, 2, 3, 10, 12, 14], CASES)
    variance = (1 / 3 + 4 / 3) / 4
    dof = min(variance**2 / ((1 / 12) ** 2 / 4 + (4 / 12) ** 2 / 4) - 2, 4)
    half = stats.t.ppf(0.975, dof) * math.sqrt(variance)
    assert found.value == pytest.approx(7.0)
    assert (found.low, found.high) == pytest.approx((7 - half, 7 + half))
    assert found.n == 6


def test_for_new_cases_it_is_the_t_interval_of_the_case_means():
    values, cases = [1, 2, 3, 10, 12, 14, 5, 6], [*CASES, "c", "c"]
    expected = stats.t.interval(0.9, 2, loc=np.mean([2, 12, 5.5]), scale=stats.sem([2, 12, 5.5]))
    found = mean_interval(values, cases, claim="new-cases", level=0.9)
    assert (found.low, found.high) == pytest.approx(expected)


def test_every_case_counts_the_same_and_within_it_every_host():
    values = [1.0, 1.0, 1.0, 4.0, 4.0, 8.0]
    found = mean_interval(values, ["a", "a", "a", "a", "b", "b"], ["x", "x", "x", "y", "x", "x"])
    assert found.value == pytest.approx(((1 + 4) / 2 + 6) / 2)


def test_unknown_values_are_left_out():
    found = mean_interval([1, math.nan, 3, 5, 7], ["a", "a", "a", "b", "b"])
    assert (found.value, found.n) == (4.0, 4)
    nothing = mean_interval([math.nan], ["a"])
    assert (nothing.n, math.isnan(nothing.value)) == (0, True)
    with pytest.raises(TableError, match="2 values, 1 cases"):
        mean_interval([1.0, 2.0], ["a"])


def test_one_generation_per_case_tells_no_noise_unless_it_would_be_the_same_again():
    once = mean_interval([1.0, 3.0], ["a", "b"])
    assert (once.value, math.isnan(once.low), math.isnan(once.high)) == (2.0, True, True)
    greedy = mean_interval([1.0, 3.0], ["a", "b"], repeatable=True)
    assert (greedy.low, greedy.high) == (2.0, 2.0)


@pytest.mark.parametrize(("count", "n"), [(0, 12), (1, 12), (5, 12), (12, 12)])
def test_a_share_has_clopper_and_pearsons_interval(count, n):
    happened = np.array([1.0] * count + [0.0] * (n - count))
    expected = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    order = np.random.default_rng(1).permutation(n)
    found = share_interval(happened[order], ["a", "b", "c"] * 4)
    assert found.value == pytest.approx(count / n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_share_for_new_cases_is_no_narrower():
    happened = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    cases = ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    these, new = (share_interval(happened, cases, claim=claim) for claim in ("these-cases", "new-cases"))
    assert new.low <= these.low
    assert new.high == 1.0 > these.high


@pytest.mark.parametrize("seeds", [3, 8])
def test_the_intervals_hold_as_often_as_they_say(seeds):
    rng = np.random.default_rng(7)
    cases = np.repeat(list("abcdef"), seeds)
    truth = np.repeat([80, 100, 120, 150, 160, 200], seeds)
    spread = np.repeat([10, 10, 20, 20, 30, 40], seeds)
    chances = np.repeat([0.0, 0.0, 0.1, 0.2, 0.3, 0.6], seeds)
    held, shares = 0, 0
    for _ in range(600):
        found = mean_interval(truth + spread * rng.standard_normal(len(cases)), cases)
        held += found.low <= truth.mean() <= found.high
        share = share_interval((rng.random(len(cases)) < chances).astype(float), cases)
        shares += share.low <= chances.mean() <= share.high
    assert held / 600 == pytest.approx(0.95, abs=0.03)
    assert shares / 600 >= 0.95 - 0.02  # it errs on the safe side
