"""Results of tests behind one protocol: worked out by hand, and alike in what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.comparison.estimate import FAR_TAIL, Agreement, PermutationEstimate, TEstimate

T = TEstimate(0.1, 0.05, 10.0, "t")
COARSE = PermutationEstimate(T, 0.5, "permutation", np.array([-0.3, 0.0, 0.1, 0.2, 0.4]), same=1, drawn=False)
"""Six rearrangements, of which one is the observed one: no p below 2 / 6."""


def test_a_t_estimate_by_hand():
    half = 0.05 * stats.t.isf(0.025, 10)
    assert T.p_value == pytest.approx(2 * stats.t.sf(2, 10))
    assert T.interval(0.95) == pytest.approx((0.1 - half, 0.1 + half))
    assert T.least_p == 0
    assert T.error_at(0.05) == 0.05


@pytest.mark.parametrize(("effect", "p"), [(0.0, 1.0), (0.2, 0.0)])
def test_without_any_spread_p_is_one_for_no_effect_and_else_zero(effect, p):
    assert TEstimate(effect, 0.0, 5, "t").p_value == p


def test_a_t_estimate_has_fewer_degrees_of_freedom_far_in_the_tail():
    found = TEstimate(0.1, 0.05, 10.0, "t", tail_dof=4.0)
    assert (found.dof_at(FAR_TAIL), found.dof_at(FAR_TAIL / 2)) == (10.0, 4.0)
    p_values = [found.tail_probability(-errors) for errors in np.linspace(0, 9, 200)]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[-1] == pytest.approx(stats.t.sf(9, 4))


def test_a_coarse_permutation_excludes_nothing_at_a_high_level():
    assert COARSE.least_p == pytest.approx(2 / 6)
    assert COARSE.interval(0.95) == (-1.0, 1.0)
    assert not COARSE.interval_is_within(0.9, 0.05)
    # .25 and .35 of six are 1.5 and 2.1 rearrangements on each side, and the observed one is one of them.
    assert COARSE.interval(0.5) == (-0.3, 0.4)
    assert COARSE.interval(0.3) == (0.0, 0.2)
    assert COARSE.interval_is_within(0.21, 0.35)
    assert not COARSE.interval_is_within(0.19, 0.35)


def test_a_sample_of_rearrangements_has_no_smallest_p_and_is_helped_by_the_t_interval():
    sample = PermutationEstimate(T, 0.5, "permutation", COARSE.thresholds, same=1, drawn=True)
    assert sample.least_p == 0
    low, high = sample.interval(0.95)
    assert (low, high) == (min(-0.3, T.interval(0.95)[0]), max(0.4, T.interval(0.95)[1]))


def test_an_agreement_has_the_larger_p_and_an_interval_that_holds_both():
    for p_value in (0.01, 0.6):
        other = PermutationEstimate(T, p_value, "permutation", np.array([0.05, 0.08, 0.12]), same=1, drawn=False)
        both = Agreement(T, other, "t and permutation")
        assert both.p_value == max(p_value, T.p_value)
        assert both.least_p == other.least_p
        for level in (0.3, 0.45):
            low, high = both.interval(level)
            for one in (T, other):
                assert low <= one.interval(level)[0] < one.interval(level)[1] <= high
    assert Agreement(T, COARSE, "any").interval(0.95) == (-1.0, 1.0)


def test_a_wider_interval_counts_as_a_larger_error():
    assert COARSE.error_at(0.5) == pytest.approx(0.4 / stats.t.isf(0.25, 10))
    narrow = PermutationEstimate(T, 0.01, "permutation", np.full(20, 0.1), same=1, drawn=False)
    assert narrow.error_at(0.5) == T.standard_error


@pytest.mark.parametrize("estimate", [T, COARSE, Agreement(T, COARSE, "any")])
def test_a_larger_error_only_makes_an_estimate_more_cautious(estimate):
    found = estimate.with_larger_error(0.08, 4.0, "seeds as units")
    assert (found.standard_error, found.dof, found.test) == (0.08, 4.0, "seeds as units")
    assert found.p_value >= estimate.p_value
    for level in (0.5, 0.9, 0.99):
        (low, high), (before, after) = found.interval(level), estimate.interval(level)
        assert low <= before < after <= high
    assert math.isclose(found.effect, 0.1)
    assert estimate.with_larger_error(0.08, 99.0, "any").dof == 10.0
