"""The recommendation: its probability by hand, and how it depends on its inputs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from analysis import Prior, Verdict
from analysis.verdict.recommendation import RECOMMEND, SHRINK, probability_better, recommendation
from analysis.verdict.use_now import use_now_for, use_now_for_table
from tests.analysis.verdict.test_advice import judged

gains = st.floats(-0.2, 0.2)
errors = st.floats(0.005, 0.2)


@pytest.fixture(scope="module")
def open_() -> Verdict:
    verdict = replace(judged(0.02, sd=0.15), effect=0.01, standard_error=0.04)
    assert verdict.outcome == "not distinguishable"
    return verdict


def test_without_a_belief_it_is_the_normal_tail() -> None:
    assert probability_better(0.03, 0.03) == pytest.approx(0.841345, abs=1e-6)  # one standard error
    assert probability_better(0.0, 0.03) == 0.5
    assert probability_better(-0.06, 0.03) == pytest.approx(0.022750, abs=1e-6)


def test_a_belief_and_an_effect_by_hand() -> None:
    """Belief .04 counts as .03 with sd .03; effect .01 with error .04.

    Precisions are in proportion 16 to 9, so the mean is .64 x .03 + .36 x .01 = .0228; the sd is .04 x .03 / .05 =
    .024; z is .95.
    """
    assert SHRINK == 0.75
    assert probability_better(0.01, 0.04, Prior(0.04, 0.03)) == pytest.approx(0.828944, abs=1e-6)


def test_it_is_the_share_of_the_true_effects_that_fit_both() -> None:
    """By integration: prior density times likelihood, above 0 and everywhere."""
    grid = [i / 20_000 for i in range(-10_000, 10_001)]
    density = [
        stats.norm.pdf(x, SHRINK * -0.02, 0.03) * p for x, p in zip(grid, stats.norm.pdf(0.05, grid, 0.04), strict=True)
    ]
    share = sum(d for x, d in zip(grid, density, strict=True) if x > 0) / sum(density)
    assert probability_better(0.05, 0.04, Prior(-0.02, 0.03)) == pytest.approx(share, abs=1e-3)


def test_what_is_known_for_sure() -> None:
    assert [probability_better(effect, 0.0) for effect in (-0.1, 0.0, 0.1)] == [0.0, 0.5, 1.0]
    assert [probability_better(0.01, 0.04, Prior(mean, 0.0)) for mean in (-0.1, 0.0, 0.1)] == [0.0, 0.5, 1.0]
    assert math.isnan(probability_better(0.1, math.nan))
    assert math.isnan(probability_better(math.nan, 0.1, Prior(0.1, 0.1)))


@given(gains, errors, gains, errors)
def test_signs_turn_it_round(effect: float, error: float, mean: float, sd: float) -> None:
    there, back = (
        probability_better(effect, error, Prior(mean, sd)),
        probability_better(-effect, error, Prior(-mean, sd)),
    )
    assert there + back == pytest.approx(1, abs=1e-9)
    assert 0 <= there <= 1


@given(gains, errors, gains, errors, st.floats(0, 0.1))
def test_more_gain_seen_or_believed_never_lowers_it(
    effect: float, error: float, mean: float, sd: float, more: float
) -> None:
    before = probability_better(effect, error, Prior(mean, sd))
    assert probability_better(effect + more, error, Prior(mean, sd)) >= before - 1e-12
    assert probability_better(effect, error, Prior(mean + more, sd)) >= before - 1e-12


@given(gains, errors, gains)
def test_a_vague_belief_is_none(effect: float, error: float, mean: float) -> None:
    assert probability_better(effect, error, Prior(mean, 1e6)) == pytest.approx(
        probability_better(effect, error), abs=1e-6
    )


@given(effect=gains, mean=gains, low=st.floats(0, 0.99), high=st.floats(0, 0.99))
def test_a_higher_bar_recommends_no_more(open_: Verdict, effect: float, mean: float, low: float, high: float) -> None:
    assume(low <= high)
    prior = Prior(mean, 0.03)
    at_low, at_high = (recommendation(open_, effect=effect, prior=prior, recommend=bar) for bar in (low, high))
    assert at_high.is_given <= at_low.is_given
    assert at_low.is_given <= (effect > 0)
    assert recommendation(open_, effect=effect, prior=prior, recommend=0).is_given == (effect > 0)


def test_claims_stand_above_the_bar(open_: Verdict) -> None:
    hopeless, hopeful = Prior(-1.0, 0.01), Prior(1.0, 0.01)
    assert recommendation(replace(open_, outcome="better"), prior=hopeless, recommend=0.99).is_given
    assert not recommendation(replace(open_, outcome="worse"), prior=hopeful, recommend=0).is_given
    assert recommendation(open_, prior=hopeful).is_given
    assert not recommendation(open_, prior=hopeless).is_given


def test_nothing_is_recommended_where_nobody_knows(open_: Verdict) -> None:
    untested = replace(open_, standard_error=math.nan)
    assert not recommendation(untested).is_given
    assert recommendation(untested, recommend=0).is_given


def test_a_gamble_is_offered_where_the_bar_is_reached(open_: Verdict) -> None:
    """.01 with an error of .04 is .25 standard errors: a probability of .599."""
    found = recommendation(open_)
    assert found.probability == pytest.approx(0.598706, abs=1e-6)
    assert found.probability < RECOMMEND
    assert use_now_for(open_).gamble == ""
    assert use_now_for(open_).text == "Keep your current settings: no gain beyond luck was found"
    assert "If you want to gamble" in use_now_for(open_, recommended=recommendation(open_, recommend=0.59)).gamble
    assert "If you want to gamble" in use_now_for_table([open_], 0.59).gamble
    assert use_now_for_table([open_], 0.6).gamble == ""
