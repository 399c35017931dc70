"""Results in the order of their values, one change at a time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.search.trial import TrialResult
from sweeps.study.snapshot import RankedResults

VALUES = st.sampled_from([0.1, 0.25, 0.5, math.nan])


@given(st.lists(st.tuples(st.integers(0, 5), VALUES), max_size=30))
def test_results_are_in_the_order_of_their_last_values(changes: list[tuple[int, float]]) -> None:
    ranked, last = RankedResults(), dict[int, float]()
    for number, value in changes:
        ranked.put(number, TrialResult(value, 6, [value], 0.1))
        last[number] = value
    assert {number: result.value for number, result in ranked.items()} == pytest.approx(last, nan_ok=True)
    scored = sorted((-value, number) for number, value in last.items() if not math.isnan(value))
    assert ranked.order == scored
