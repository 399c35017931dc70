"""The noise floor by hand, and how often its interval covers the truth."""

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
from analysis.noise.pass_fail import pass_fail_interval
from analysis.observations.table import TableError, summarize
from tests.analysis import simulate
from tests.analysis.noise.sample import frame
from tests.marks import long


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


@pytest.mark.parametrize("kind", [long("beta"), "discrete"])
def test_floor_interval_covers(kind):
    rng = np.random.default_rng(3)
    scores = simulate.draw(rng, kind, np.full((400, 6), 0.4), np.full((400, 6), 0.12), 5)
    truth = math.sqrt(simulate.draw(rng, kind, np.full((1, 1), 0.4), np.full((1, 1), 0.12), 200_000).var())
    covered = 0
    for each in scores:
        floor = noise_floor(frame(each))
        covered += floor.ci_low <= truth <= floor.ci_high
    assert covered / 400 == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


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
    assert floor.ci_low <= floor.sd <= floor.ci_high
    if not floor.sd or np.isin(scores, (0, 1)).all():  # pass/fail scores have an exact interval, often narrower
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
    "pass .9": (lambda rng, n: rng.random(n) < 0.9, 0.3, 0.93, 0.99),
    "pass .95": (lambda rng, n: rng.random(n) < 0.95, math.sqrt(0.0475), 0.93, 1.0),
    "rubric": (lambda rng, n: rng.binomial(5, 0.9, n) / 5, math.sqrt(0.09 / 5), 0.9, 0.98),
    "beta": (lambda rng, n: rng.beta(4, 0.4, n), stats.beta(4, 0.4).std(), 0.86, 0.98),
}


KNOWN = {}


def floor_of(scores):
    """The floor of scores of shape (cases, seeds); the order of cases, and of passes in a case, does not matter.

    Passes and failures that come again are computed once.
    """
    if not np.isin(scores, (0, 1)).all():
        return noise_floor(frame(scores))
    key = (scores.shape, *sorted(scores.sum(axis=1)))
    if key not in KNOWN:
        KNOWN[key] = noise_floor(frame(scores))
    return KNOWN[key]


def test_the_order_of_passes_and_of_cases_does_not_matter():
    scores = np.array([[1.0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 0, 0]])
    first, other = (noise_floor(frame(each)) for each in (scores, scores[::-1, ::-1]))
    assert (other.ci_low, other.ci_high) == pytest.approx((first.ci_low, first.ci_high))


@pytest.mark.parametrize("kind", SKEWED)
def test_the_interval_covers_what_skewed_scores_have(kind):
    # The plain chi-square interval covers .722, .595, .895 and .729 of the last four.
    draw, truth, least, most = SKEWED[kind]
    rng = np.random.default_rng(10)
    floors = [floor_of(np.asarray(draw(rng, (6, 10)), dtype=float)) for _ in range(250)]
    assert least <= np.mean([floor.ci_low <= truth <= floor.ci_high for floor in floors]) <= most


@pytest.mark.parametrize(("cases", "seeds"), [(4, 3), long(6, 5), long(12, 3)])
@pytest.mark.parametrize("shares", [(0.95,), (0.9,), (0.5,), (0.05, 0.95), (1.0, 0.5)])
def test_a_few_passes_and_failures_bound_the_noise(cases, seeds, shares):
    """The chi-square interval covered .36 to .90 of them."""
    share = np.resize(shares, (cases, 1))
    truth = math.sqrt(float((share * (1 - share)).mean()))
    rng = np.random.default_rng(12)
    floors = [floor_of((rng.random((cases, seeds)) < share).astype(float)) for _ in range(150)]
    assert np.mean([floor.ci_low - 1e-9 <= truth <= floor.ci_high + 1e-9 for floor in floors]) >= 0.93


def test_scores_that_all_pass_by_hand():
    # 4 cases x 3: no failure has the probability (q**3 + (1 - q)**3)**4 = (1 - 3 * variance)**4, which is .025.
    floor = noise_floor(frame(np.ones((4, 3))))
    assert (floor.sd, floor.ci_low) == (0, 0)
    assert floor.ci_high == pytest.approx(math.sqrt((1 - 0.025**0.25) / 3))
    assert noise_floor(frame(np.ones((4, 3)), temperature=0.0)).ci_high == 0


def test_one_case_is_a_folded_binomial():
    """One failure in ten: each end has 2.5% beyond it, whichever of pass and fail is the rarer one."""
    low, high = pass_fail_interval(np.array([9]), np.array([10]))
    q_low, q_high = ((1 - math.sqrt(1 - 4 * sd**2)) / 2 for sd in (low, high))
    assert stats.binom.pmf([0, 10], 10, q_low).sum() == pytest.approx(0.975)
    assert stats.binom.pmf([0, 1, 9, 10], 10, q_high).sum() == pytest.approx(0.025)


def test_unequal_numbers_of_passes_and_failures_and_many_of_them():
    mixed = pass_fail_interval(np.array([3, 9, 1, 0]), np.array([4, 10, 1, 7]))
    assert 0 < mixed[0] < mixed[1] <= 0.5
    same = pass_fail_interval(np.array([1, 1, 1, 7]), np.array([4, 10, 1, 7]))
    assert same == pytest.approx(mixed)
    low, high = pass_fail_interval(np.full(300, 90), np.full(300, 100))
    assert low < 0.3 < high
    assert high - low < 0.02


def test_a_floor_takes_two_seeds_and_one_configuration():
    with pytest.raises(TableError, match="one seed per case"):
        noise_floor(frame(np.array([[0.2], [0.4]])))
    table = pd.concat([frame(np.array([[0.2, 0.3]])), frame(np.array([[0.2, 0.3]])).assign(configuration="other")])
    with pytest.raises(TableError, match="name one of them"):
        noise_floor(table)
    assert noise_floor(table, "other").sd == pytest.approx(0.1 / math.sqrt(2))


def test_a_greedy_floor_is_zero_and_says_so():
    equal = np.repeat(np.array([[0.1], [0.3]]), 4, axis=1)
    floor = noise_floor(frame(equal, temperature=0.0))
    assert floor.greedy
    assert (floor.sd, floor.ci_low, floor.ci_high) == (0, 0, 0)
    one_seed = noise_floor(frame(np.array([[0.1], [0.3]]), temperature=0.0))
    assert one_seed.greedy
    check = aa_check(frame(equal, temperature=0.0))
    assert check.passed
    assert "greedy" in check.sentence


@pytest.mark.parametrize("score", [0.0, 0.4])
def test_equal_scores_at_a_temperature_above_0_are_not_called_greedy(score):
    equal = frame(np.full((2, 4), score), temperature=0.8)
    floor = noise_floor(equal)
    assert (floor.sd, floor.greedy) == (0, False)
    check = aa_check(equal)
    assert check.passed
    assert "greedy" not in check.sentence
    assert "the same scores" in check.sentence
