"""The noise floor, its interval, and the A/A and drift checks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.noise.aa_check import aa_check
from analysis.noise.floor import noise_floor, worth
from analysis.observations.table import TableError, summarize
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


ONE_FAILURE = np.array([[0.0, 0, 0, 1], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])


def test_long_tails_widen_the_interval_by_hand():
    # Residuals -.25 (three times) and .75: squares .75 in all, fourth powers .328125. With 9 degrees of freedom
    # sigma**4 is 1/144; kurtosis (.328125 * 144 - 3 * 45/16) / (3 * 21/16) = 69/7; 9 / (1 + 48/7 * 9/24) = 2.52.
    known = worth(summarize(frame(ONE_FAILURE)), 0)
    assert (known.dof, known.effective) == (9, pytest.approx(2.52))
    floor = noise_floor(frame(ONE_FAILURE))
    assert (floor.sd, floor.dof) == (pytest.approx(math.sqrt(0.75 / 9)), 9)
    assert floor.ci_low == pytest.approx(math.sqrt(0.75 / 9 * 2.52 / stats.chi2.ppf(0.975, 2.52)))
    assert floor.ci_high == pytest.approx(math.sqrt(0.75 / 9 * 2.52 / stats.chi2.ppf(0.025, 2.52)))


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 5).flatmap(
        lambda seeds: st.lists(
            st.lists(st.integers(0, 10), min_size=seeds + 1, max_size=seeds + 1), min_size=1, max_size=4
        )
    )
)
def test_an_interval_is_never_narrower_than_the_plain_one(rows):
    scores = np.array(rows) / 10
    floor = noise_floor(frame(scores))
    if floor.greedy:
        return
    square = floor.sd**2 * floor.dof
    assert floor.ci_low <= math.sqrt(square / stats.chi2.ppf(0.975, floor.dof)) * (1 + 1e-9)
    assert floor.ci_high >= math.sqrt(square / stats.chi2.ppf(0.025, floor.dof)) * (1 - 1e-9)
    other = worth(summarize(frame(1 - scores / 2)), 0)
    assert other.effective == pytest.approx(worth(summarize(frame(scores)), 0).effective)


@pytest.mark.parametrize("seeds", [2, 3, 8])
def test_kurtosis_is_found_from_a_few_seeds(seeds):
    # Of scores that are .4 or .6 with .1 each, else .5, it is 5: fourth moment .2 over squared variance .04.
    rng, dof, n = np.random.default_rng(9), 400 * (seeds - 1), 400 * seeds
    scores = 0.5 + rng.choice([-0.1, 0, 0, 0, 0, 0, 0, 0, 0, 0.1], (40, 400, seeds))
    found = [dof / worth(summarize(frame(each)), 0).effective for each in scores]
    assert np.mean(found) == pytest.approx(1 + 2 * dof / (2 * n), rel=0.03)


SKEWED = {
    "normal": (lambda rng, n: rng.normal(0.5, 0.05, n), 0.05, 0.93, 0.985),
    "pass .9": (lambda rng, n: rng.random(n) < 0.9, 0.3, 0.9, 0.98),
    "pass .95": (lambda rng, n: rng.random(n) < 0.95, math.sqrt(0.0475), 0.83, 0.98),
    "rubric": (lambda rng, n: rng.binomial(5, 0.9, n) / 5, math.sqrt(0.09 / 5), 0.9, 0.98),
    "beta": (lambda rng, n: rng.beta(4, 0.4, n), stats.beta(4, 0.4).std(), 0.86, 0.98),
}


@pytest.mark.parametrize("kind", SKEWED)
def test_the_interval_covers_what_skewed_scores_have(kind):
    # The plain chi-square interval covers .722, .595, .895 and .729 of the last four.
    draw, truth, least, most = SKEWED[kind]
    rng = np.random.default_rng(10)
    floors = [noise_floor(frame(np.asarray(draw(rng, (6, 10)), dtype=float))) for _ in range(400)]
    assert least <= np.mean([floor.ci_low <= truth <= floor.ci_high for floor in floors]) <= most


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
def test_a_fault_is_told_with_the_rate_of_false_alarms(alpha, rate):
    scores = np.random.default_rng(0).normal(0.4, 0.02, (6, 10))
    scores[:, 1::2] += 0.2
    check = aa_check(frame(scores), alpha=alpha)
    assert f"Chance does that in {rate} of such checks" in check.sentence
    for wrong in (0, 1, math.nan):
        with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
            aa_check(frame(scores), alpha=wrong)


def test_a_column_that_tells_no_order_is_refused():
    scores = np.random.default_rng(1).beta(3, 4, (3, 4))
    when = list(range(12))
    for order, told in (([*when[:-1], None], "is empty in 1 of 12 rows"), ([*when[:-1], "late"], "mixes what cannot")):
        with pytest.raises(TableError, match=f"column 'order' {told}"):
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
