"""The noise floor, its interval, and the A/A and drift checks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.noise import aa_check, noise_floor
from analysis.table import TableError
from tests.analysis import simulate


def frame(scores, **columns):
    """Return a table of one configuration from an array (case, seed)."""
    index = np.indices(scores.shape).reshape(2, -1)
    return pd.DataFrame(
        {"configuration": "base", "case": index[0], "seed": index[1], "score": scores.ravel(), **columns}
    )


def test_floor_by_hand():
    table = pd.DataFrame(
        {"configuration": "a", "case": list("xxyyy"), "seed": range(5), "score": [0.2, 0.4, 0.5, 0.6, 0.7]}
    )
    floor = noise_floor(table)
    assert floor.sd == pytest.approx(math.sqrt((0.02 + 0.02) / 3))
    assert (floor.dof, floor.n, floor.cases, floor.seeds_per_case) == (3, 5, 2, 2.5)
    assert floor.mean == pytest.approx(0.45)
    # Chi-square quantiles with 3 degrees of freedom, from a table: 0.2158 and 9.348.
    assert floor.ci_low == pytest.approx(math.sqrt(0.04 / 9.348), rel=1e-3)
    assert floor.ci_high == pytest.approx(math.sqrt(0.04 / 0.2158), rel=1e-3)
    assert floor.as_dict()["configuration"] == "a"


@pytest.mark.parametrize("kind", ["beta", "discrete"])
def test_floor_interval_covers(kind):
    rng = np.random.default_rng(3)
    scores = simulate.draw(rng, kind, np.full((800, 6), 0.4), np.full((800, 6), 0.12), 5)
    truth = math.sqrt(simulate.draw(rng, kind, np.full((1, 1), 0.4), np.full((1, 1), 0.12), 200_000).var())
    covered = 0
    for each in scores:
        floor = noise_floor(frame(each))
        covered += floor.ci_low <= truth <= floor.ci_high
    assert 0.93 <= covered / 800 <= 0.985


def test_a_floor_takes_two_seeds_and_one_configuration():
    with pytest.raises(TableError, match="one seed per case"):
        noise_floor(frame(np.array([[0.2], [0.4]])))
    table = pd.concat([frame(np.array([[0.2, 0.3]])), frame(np.array([[0.2, 0.3]])).assign(configuration="other")])
    with pytest.raises(TableError, match="name the one"):
        noise_floor(table)
    assert noise_floor(table, "other").sd == pytest.approx(0.1 / math.sqrt(2))


def test_a_greedy_floor_is_zero_and_says_so():
    floor = noise_floor(frame(np.repeat(np.array([[0.1], [0.3]]), 4, axis=1)))
    assert floor.greedy
    assert (floor.sd, floor.ci_low, floor.ci_high) == (0, 0, 0)
    one_seed = noise_floor(frame(np.array([[0.1], [0.3]]), temperature=0.0))
    assert one_seed.greedy
    check = aa_check(frame(np.repeat(np.array([[0.1], [0.3]]), 4, axis=1)))
    assert check.passed
    assert "greedy" in check.sentence


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


def test_false_alarms_are_rare():
    rng = np.random.default_rng(5)
    scores = simulate.null_scores(rng, "beta", 500, 6, 6)[:, 0]
    alarms = sum(not aa_check(frame(each)).passed for each in scores)
    assert alarms <= 500 * 0.01 + 3 * math.sqrt(500 * 0.01)


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
    # Within a case the score rises by .2 over 30 generations; the slope is carried over all 120.
    assert drifting.drift == pytest.approx(0.2 / 29 * 119, rel=0.25)
    assert aa_check(frame(scores)).drift is None
    with pytest.raises(TableError, match="no column 'when'"):
        aa_check(frame(scores), order="when")


def test_drift_agrees_with_scipy_for_one_case():
    from scipy import stats

    scores = np.random.default_rng(7).beta(3, 4, (1, 20))
    expected = stats.linregress(np.arange(20), scores[0])
    check = aa_check(frame(scores, created=pd.date_range("2026-01-01", periods=20)))
    assert check.drift_p_value == pytest.approx(expected.pvalue)
    assert check.drift == pytest.approx(expected.slope * 19)


def test_halves_that_do_not_vary_are_compared_from_case_to_case():
    scores = {"u": [1, 0, 1, 0], "v": [1, 1, 1, 1], "w": [0, 0, 0, 0], "x": [1, 1, 1, 1]}  # dealt in turn: 1 1 and 0 0
    rows = [("a", case, seed, score) for case, own in scores.items() for seed, score in enumerate(own)]
    found = aa_check(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]))
    assert found.effect == pytest.approx(-0.25)
    assert found.p_value == pytest.approx(stats.ttest_1samp([-1, 0, 0, 0], 0).pvalue)
    assert found.passed
