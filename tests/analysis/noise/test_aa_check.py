"""The A/A check and the trend over time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.noise.aa_check import aa_check
from analysis.observations.table import TableError
from tests.analysis import simulate
from tests.analysis.noise.sample import frame


def test_halves_are_dealt_in_turn():
    scores = np.array([[0.1, 0.5, 0.2, 0.6], [0.3, 0.7, 0.2, 0.8]])
    check = aa_check(frame(scores))
    assert check.effect == pytest.approx(((0.55 - 0.15) + (0.75 - 0.25)) / 2)
    assert check.n_per_half == 4


def test_a_difference_between_halves_is_found():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.4, 0.05, (6, 10))
    scores[:, 1::2] += 0.2
    check = aa_check(frame(scores.clip(0, 1)))
    assert not check.passed
    assert "fault" in check.sentence


@pytest.mark.parametrize("rng", [None, 1])
def test_aa_check_does_not_know_the_order_of_rows(rng):
    table = frame(np.random.default_rng(2).beta(3, 4, (5, 7)))
    shuffled = table.sample(frac=1, random_state=3)
    first, second = (
        aa_check(each, rng=None if rng is None else np.random.default_rng(rng)) for each in (table, shuffled)
    )
    assert first == second


def test_two_seeds_per_case_can_be_halved():
    check = aa_check(frame(np.random.default_rng(4).beta(3, 4, (6, 2))))
    assert check.n_per_half == 6
    assert 0 < check.p_value <= 1
    with pytest.raises(TableError, match="too"):
        aa_check(frame(np.array([[0.2, 0.4]])))
    with pytest.raises(TableError, match="one seed per case"):
        aa_check(frame(np.array([[0.2], [0.4]])))


@pytest.mark.slow
def test_false_alarms_are_rare():
    rng = np.random.default_rng(5)
    scores = simulate.null_scores(rng, "beta", 300, 6, 6)[:, 0]
    alarms = sum(not aa_check(frame(each)).passed for each in scores)
    assert alarms <= 300 * 0.01 + 3 * math.sqrt(300 * 0.01)


def test_drift_over_time_is_found_and_only_then():
    rng = np.random.default_rng(6)
    scores = rng.normal(0.5, 0.05, (4, 30))
    when = np.tile(np.arange(30), 4) + 30 * np.repeat(np.arange(4), 30)
    steady = aa_check(frame(scores, order=when))
    assert steady.passed
    assert steady.drift_p_value > 0.01
    drifting = aa_check(frame(scores + np.linspace(0, 0.2, 30), order=when))
    assert not drifting.passed
    assert "drift" in drifting.sentence
    # Within a case the score rises by .2; what the time between the cases did, nobody saw.
    assert drifting.drift == pytest.approx(0.2, rel=0.25)
    assert "from the first to the last generation of a case" in drifting.sentence
    assert aa_check(frame(scores)).drift is None
    with pytest.raises(TableError, match="no column 'when'"):
        aa_check(frame(scores), order="when")


def test_drift_agrees_with_scipy_for_one_case():
    scores = np.random.default_rng(7).beta(3, 4, (1, 20))
    expected = stats.linregress(np.arange(20), scores[0])
    check = aa_check(frame(scores, created=pd.date_range("2026-01-01", periods=20)))
    assert check.drift_p_value == pytest.approx(expected.pvalue)
    assert check.drift == pytest.approx(expected.slope * 19)


def test_drift_agrees_with_least_squares_with_a_term_per_case():
    rng = np.random.default_rng(8)
    scores = rng.beta(3, 4, (10, 2))
    when = rng.permutation(20).reshape(10, 2)
    design = np.column_stack([np.kron(np.eye(10), np.ones((2, 1))), when.ravel()])
    solved, (square,), *_ = np.linalg.lstsq(design, scores.ravel(), rcond=None)
    dof = 20 - 11
    error = math.sqrt(square / dof * np.linalg.inv(design.T @ design)[-1, -1])
    check = aa_check(frame(scores, order=when.ravel()))
    assert check.drift_p_value == pytest.approx(2 * stats.t.sf(abs(solved[-1]) / error, dof))
    assert check.drift == pytest.approx(solved[-1] * np.ptp(when, axis=1).mean())


def test_halves_that_do_not_vary_are_compared_from_case_to_case():
    scores = {"u": [1, 0, 1, 0], "v": [1, 1, 1, 1], "w": [0, 0, 0, 0], "x": [1, 1, 1, 1]}  # dealt in turn: 1 1 and 0 0
    rows = [("a", case, seed, score) for case, own in scores.items() for seed, score in enumerate(own)]
    found = aa_check(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]))
    assert found.effect == pytest.approx(-0.25)
    assert found.p_value == pytest.approx(stats.ttest_1samp([-1, 0, 0, 0], 0).pvalue)
    assert found.passed


@pytest.mark.parametrize(("alpha", "rate"), [(0.01, "1%"), (0.05, "5%")])
def test_a_fault_is_reported_with_the_rate_of_false_alarms(alpha, rate):
    scores = np.random.default_rng(0).normal(0.4, 0.02, (6, 10))
    scores[:, 1::2] += 0.2
    check = aa_check(frame(scores), alpha=alpha)
    assert f"Chance alone does that in {rate} of such checks" in check.sentence
    for wrong in (0, 1, math.nan):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
            aa_check(frame(scores), alpha=wrong)


def test_a_column_without_an_order_is_refused():
    scores = np.random.default_rng(1).beta(3, 4, (3, 4))
    when = list(range(12))
    for order, message in (
        ([*when[:-1], None], "is empty in 1 of 12 rows"),
        ([*when[:-1], "late"], "mixes values that cannot"),
    ):
        with pytest.raises(TableError, match=f"column 'order' {message}"):
            aa_check(frame(scores, order=pd.Series(order, dtype=object)))


def test_numbers_written_as_texts_are_ordered_as_numbers():
    scores = np.random.default_rng(2).beta(3, 4, (3, 4))
    order = np.arange(12)
    assert aa_check(frame(scores, order=order.astype(str))) == aa_check(frame(scores, order=order))
    days = [f"2026-01-{day + 1:02}" for day in order]
    assert aa_check(frame(scores, created=days)) == aa_check(frame(scores, order=order))


def test_an_empty_finish_is_no_error_for_the_halves():
    scores = np.random.default_rng(3).beta(3, 4, (4, 6))
    finish = pd.array(["error", None, "stop"] * 8, dtype="string")
    kept = frame(scores)[np.arange(24) % 3 > 0]
    assert aa_check(frame(scores, finish=finish)) == aa_check(kept)
