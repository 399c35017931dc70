"""Holm's method, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.comparison.holm import holm


def test_holm_by_hand():
    adjusted, levels = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Sorted: .005 at alpha/4 and .01 at alpha/3 are rejected; .03 at alpha/2 stops it, for the last as well.
    assert levels == pytest.approx([0.05 / 3, 0.025, 0.025, 0.0125])


def test_holm_of_one_is_itself_and_of_nothing_counts():
    assert holm([0.03]) == ([0.03], [0.05])
    adjusted, _ = holm([0.03, math.nan])
    assert adjusted[0] == pytest.approx(0.06)
    assert math.isnan(adjusted[1])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_levels_decide_as_the_adjusted_p_do(p_values):
    adjusted, levels = holm(p_values)
    for p_value, p_adjusted, level in zip(p_values, adjusted, levels, strict=True):
        assert p_value <= p_adjusted <= 1
        if abs(p_value - level) > 1e-12:
            assert (p_value <= level) is (p_adjusted <= 0.05)
