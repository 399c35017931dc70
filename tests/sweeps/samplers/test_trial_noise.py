"""Noise of a trial's score, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.samplers.trial_noise import case_table, centre_and_spread, noise_variances, trial_noise, winsorise


@pytest.mark.parametrize(
    ("attributes", "noise_sd", "expected"),
    [
        ({"n": 4, "noise_sd": 0.2}, None, 0.01),
        ({"n": 4, "score_var": 0.04}, None, 0.01),
        ({"n": 4, "noise_sd": 0.2, "score_var": 9.0}, None, 0.01),
        ({"noise_sd": 0.2}, None, 0.04),
        ({"n": 10}, 0.1, 0.001),
        ({"n": 0, "noise_sd": 0.1}, None, 0.01),
        ({"n": "many", "noise_sd": None}, 0.1, 0.01),
    ],
)
def test_a_trial_says_its_own_noise(attributes: dict[str, object], noise_sd: float | None, expected: float) -> None:
    assert trial_noise(attributes, noise_sd) == pytest.approx(expected)


def test_a_trial_that_says_nothing_has_unknown_noise() -> None:
    assert math.isnan(trial_noise({"n": 3}))


def test_case_scores_make_a_table_of_the_same_cases() -> None:
    table = case_table([None, {"b": 0.2, "a": 0.1}, {"a": 0.3, "b": None}, {"a": 0.3, "c": 0.4}, [0.1, 0.2], {"a": 1}])
    nan = math.nan
    expected = [[nan, nan], [0.1, 0.2], [0.3, nan], [0.3, nan], [nan, nan], [nan, nan]]
    np.testing.assert_array_equal(table, expected)


def test_told_noise_goes_before_estimated_and_the_rest_is_unknown() -> None:
    values = np.array([0.4, 0.6])
    cases = [[1.0, 2.0], [5.0, 4.0]]
    own = [{"case_scores": scores} for scores in cases]
    np.testing.assert_allclose(noise_variances([own[0] | {"n": 2, "noise_sd": 0.2}, own[1]], values), [0.02, 0.5])
    np.testing.assert_allclose(noise_variances([{}, {"noise_sd": 0.3}], values), [math.nan, 0.09])
    np.testing.assert_allclose(noise_variances([{"n": 2}, {"n": 4}], values, 0.2), [0.02, 0.01])


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, -0.1, 1e300, 10**400, "x", None, True, [1]])
def test_what_is_no_usable_number_counts_as_missing(odd: object) -> None:
    assert math.isnan(trial_noise({"noise_sd": odd}))
    assert math.isnan(trial_noise({"score_var": odd}))
    assert trial_noise({"noise_sd": odd, "score_var": 0.04}) == pytest.approx(0.04)
    assert trial_noise({"n": odd, "noise_sd": 0.2}) == pytest.approx(0.04)


@pytest.mark.parametrize(
    "odd", [3.0, "abc", [], {}, [math.inf, math.nan], [1e200, -1e200], [[1], 2], {1: 0.2, "b": 0.1}]
)
def test_odd_case_scores_tell_nothing(odd: object) -> None:
    found = noise_variances([{"case_scores": odd}, {"case_scores": odd}, {}], np.array([0.1, 0.2, 0.4]))
    assert ((found > 0) & (found < 1) | np.isnan(found)).all()


def test_noise_told_as_zero_is_a_share_of_the_spread() -> None:
    values = np.array([0.0, 0.48, 0.49, 0.5, 0.51, 0.52, 0.53])
    attributes = [{"noise_sd": 0.0}] * 7
    for scale in (1.0, 2.0**-60, 2.0**60):
        expected = (1e-4 * scale * 1.4826 * (0.505 - 0.49)) ** 2
        np.testing.assert_allclose(noise_variances(attributes, scale * values), expected, rtol=1e-9)
    assert (noise_variances(attributes, np.zeros(7)) > 0).all()
    # a score cannot be known better than its last digit
    assert noise_variances(attributes, values + 1e12)[0] >= np.spacing(1e12) ** 2


def test_where_half_of_the_trials_fell_off_one_cliff_the_spread_is_that_of_the_others() -> None:
    good = np.array([0.48, 0.49, 0.5, 0.51, 0.52])
    values = np.concatenate([np.full(20, -1e6), good])
    assert centre_and_spread(values) == (0.5, pytest.approx(1.4826 * 0.01))
    raised = winsorise(values, np.full(25, math.nan))
    assert raised.min() == pytest.approx(0.5 - 3 * 1.4826 * 0.01)
    np.testing.assert_array_equal(raised[20:], good)
    assert centre_and_spread(np.full(9, 0.3)) == (0.3, 0.0)
    assert centre_and_spread(np.array([0.0] * 8 + [1.0]))[1] == pytest.approx(math.sqrt(8) / 9)


def test_known_noise_alone_widens_what_is_winsorised() -> None:
    values = np.array([0.0, 0.48, 0.49, 0.5, 0.51, 0.52, 0.53])
    some = np.array([math.nan] * 4 + [0.04] * 3)
    np.testing.assert_array_equal(winsorise(values, some), values)
    assert winsorise(values, np.full(7, math.nan))[0] > 0.4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_winsorising_raises_the_lowest_alone(scores: list[float]) -> None:
    values = np.array(scores)
    raised = winsorise(values, np.full(len(values), 0.01))
    assert (raised >= values).all()
    assert ((raised == values) | (raised == raised.min())).all()
    upper = values >= np.median(values)
    np.testing.assert_array_equal(raised[upper], values[upper])


def test_a_cliff_is_raised_to_three_deviations_below_the_median() -> None:
    values = np.array([0.0, 0.48, 0.49, 0.5, 0.51, 0.52, 0.53])
    # upper half about .50: 0, .01, .02, .03; median .015 x 1.4826 = .0222; the noise (.01) is smaller
    raised = winsorise(values, np.full(7, 1e-4))
    assert raised[0] == pytest.approx(0.5 - 3 * 1.4826 * 0.015)
    np.testing.assert_array_equal(raised[1:], values[1:])
    # with noise of .2 a score of 0 is nothing special
    np.testing.assert_array_equal(winsorise(values, np.full(7, 0.04)), values)
