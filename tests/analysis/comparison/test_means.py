"""Means and shares of one configuration: intervals by other means, and how often they hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.comparison.means import mean_interval, share_interval
from analysis.observations.table import TableError

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


def test_where_generations_weigh_differently_nothing_that_could_well_be_is_left_out():
    # Nothing happened in 10 generations of each of five cases and 1 of a sixth. The largest mean of shares p (of five)
    # and q for which that has a probability of 2.5%, (1 - p)**50 * (1 - q) = .025, is where
    # 1 - q = (1 - p) / 10 (Lagrange): (1 - p)**51 = .25.
    rest = (0.025 * 10) ** (1 / 51)
    largest = (5 * (1 - rest) + (1 - rest / 10)) / 6
    found = share_interval([0.0] * 51, [*"abcde" * 10, "f"])
    assert found.low == 0.0
    assert largest == pytest.approx(0.1728, abs=1e-4)
    assert largest < found.high < largest + 0.02


def test_a_share_and_its_complement_have_mirrored_intervals():
    happened = np.array([1, 0, 0, 1, 1, 0, 0, 0, 0.0])
    for claim in ("these-cases", "new-cases"):
        one, other = (share_interval(x, [*"aabbbbbbc"], claim=claim) for x in (happened, 1 - happened))
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))
        assert 0 <= one.low < one.value < one.high <= 1


@pytest.mark.parametrize(("count", "n"), [(0, 1), (0, 6), (2, 6), (6, 6)])
def test_for_new_cases_a_share_of_cases_that_always_do_has_the_number_of_cases_as_n(count, n):
    happened = np.repeat([1.0] * count + [0.0] * (n - count), 10)
    expected = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    found = share_interval(happened, np.repeat(list("abcdef")[:n], 10), claim="new-cases")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_for_new_cases_it_is_gaffkes_interval_drawn_otherwise():
    shares = np.array([0.0, 0.2, 0.2, 0.6, 1.0])
    happened = np.concatenate([np.arange(5) < 5 * share for share in shares]).astype(float)
    found = share_interval(happened, np.repeat(list("abcde"), 5), claim="new-cases", level=0.9)
    weights = np.random.default_rng(3).dirichlet(np.ones(6), 100_000)
    ends = [np.quantile(weights @ np.append(shares, end), tail) for end, tail in ((0, 0.05), (1, 0.95))]
    assert (found.low, found.high) == pytest.approx(ends, abs=0.005)


def test_a_share_for_new_cases_is_no_narrower():
    happened, cases = [1, 1, 0, 0] * 10, np.repeat([f"{i}" for i in range(10)], 4)
    for repeatable in (False, True):
        these, new = (
            share_interval(happened, cases, claim=claim, repeatable=repeatable)
            for claim in ("these-cases", "new-cases")
        )
        assert new.low <= these.low
        assert new.high >= these.high
        assert new.high - new.low > 0.2


def held(seeds, draw, truth, claim, replications=400):
    """How often an interval holds the true share, for cases of so many seeds and drawn chances.

    An interval depends on each case's number of successes alone, so that those that come again are computed once.
    """
    rng = np.random.default_rng(11)
    cases = np.repeat([f"{i}" for i in range(len(seeds))], seeds)
    inside, known = 0, {}
    for _ in range(replications):
        happened = rng.random(len(cases)) < np.repeat(draw(rng, len(seeds)), seeds)
        passed = tuple(int(each.sum()) for each in np.split(happened, np.cumsum(seeds)[:-1]))
        if passed not in known:
            known[passed] = share_interval(happened.astype(float), cases, claim=claim)
        found = known[passed]
        inside += found.low - 1e-12 <= truth <= found.high + 1e-12
    return inside / replications


@pytest.mark.parametrize(
    ("seeds", "chances"),
    [
        ([1, 29], [0.2, 0.2]),
        ([1, 29], [0.5, 0.02]),
        ([10] * 5 + [1], [0.3] * 6),
        ([10] * 5 + [1], [0.05] * 5 + [0.5]),
        ([10] * 5 + [1], [0.0] * 5 + [0.86]),  # needs more than the size for equal shares
        ([10] * 4 + [2] * 2, [0.3] * 6),
        ([10] * 4 + [2] * 2, [0.05] * 4 + [0.5] * 2),
    ],
)
def test_the_interval_of_a_share_holds_where_cases_have_unequal_numbers_of_seeds(seeds, chances):
    assert held(seeds, lambda rng, cases: chances, np.mean(chances), "these-cases") >= 0.95 - 0.02


@pytest.mark.parametrize(
    ("seeds", "draw", "truth"),
    [
        ([10] * 6, lambda rng, cases: rng.random(cases) < 0.2, 0.2),
        ([10] * 12, lambda rng, cases: rng.random(cases) < 0.2, 0.2),
        ([3] * 6, lambda rng, cases: rng.beta(0.2, 0.8, cases), 0.2),
        ([10] * 5 + [1], lambda rng, cases: 0.5 * (rng.random(cases) < 0.3), 0.15),
    ],
)
def test_the_interval_of_a_share_holds_for_new_cases(seeds, draw, truth):
    assert held(seeds, draw, truth, "new-cases") >= 0.95 - 0.02


@pytest.mark.slow
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
