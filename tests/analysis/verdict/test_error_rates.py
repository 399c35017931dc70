"""How often do verdicts claim what is not there? Seeded simulations through the product's own path.

`benchmarks/verdicts/calibration.py` does the same with more replications; the tolerance here is two standard errors of
the rate.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one
from tests.analysis import simulate
from tests.marks import long

REPLICATIONS = 600
SHORT = [(4, 3), (6, 5), (12, 10)]
SIZES = [size if size in SHORT else long(*size) for size in simulate.SIZES]


def rate_is_right(rate, replications=REPLICATIONS):
    slack = 2 * math.sqrt(0.05 * 0.95 / replications)
    return 0.03 - slack <= rate <= 0.06 + slack


@pytest.mark.parametrize(("cases", "seeds"), SIZES)
def test_type_one_error_on_these_cases(cases, seeds):
    rates = []
    for kind in ("beta", "beta-unequal", "discrete-unequal"):
        rng = np.random.default_rng([cases, seeds])
        rates.append(simulate.error_rate(simulate.null_scores(rng, kind, REPLICATIONS, cases, seeds)))
        assert rate_is_right(rates[-1]), kind
    assert 0.03 <= np.mean(rates) <= 0.06


@pytest.mark.parametrize(("cases", "seeds"), [(6, 3), long(6, 5), long(6, 10), long(12, 3), long(12, 5), (12, 10)])
def test_type_one_error_on_new_cases(cases, seeds):
    for kind in ("beta-unequal", "discrete"):
        rng = np.random.default_rng([cases, seeds])
        scores = simulate.null_scores(rng, kind, REPLICATIONS, cases, seeds, interaction=0.05)
        assert rate_is_right(simulate.error_rate(scores, claim="new-cases")), kind


def test_a_test_for_these_cases_is_not_one_for_new_cases():
    """Why the claim matters: with an interaction, 10 seeds on 6 cases err far too often about new ones."""
    scores = simulate.null_scores(np.random.default_rng(1), "beta", 600, 6, 10, interaction=0.05)
    assert simulate.error_rate(scores) > 0.12


@pytest.mark.parametrize(("cases", "seeds"), SIZES)
@pytest.mark.parametrize(("test", "replications"), [("pooled", 400), ("permutation", 120)])
@pytest.mark.usefixtures("fewer_permutations")
def test_type_one_error_of_the_tests_on_request(test, replications, cases, seeds):
    scores = simulate.null_scores(np.random.default_rng([2, cases, seeds]), "discrete", replications, cases, seeds)
    assert rate_is_right(simulate.error_rate(scores, test=test), replications)


def test_type_one_error_with_two_seeds():
    for kind in ("beta", "discrete"):
        scores = simulate.null_scores(np.random.default_rng(3), kind, 400, 4, 2)
        assert rate_is_right(simulate.error_rate(scores), 400)


@pytest.mark.usefixtures("fewer_permutations")
def test_type_one_error_with_unequal_numbers_and_unequal_noise():
    """A floor of many seeds against a few of a noisier finalist: where pooling would fail."""
    rng = np.random.default_rng(4)
    mean = np.repeat(rng.uniform(0.3, 0.6, (800, 1, 6)), 2, axis=1)
    sd = np.broadcast_to(np.array([0.06, 0.15])[None, :, None], mean.shape)
    scores = simulate.draw(rng, "beta", mean, sd, 15)
    scores[:, 1, :, 4:] = np.nan
    assert rate_is_right(simulate.error_rate(scores), 800)
    assert simulate.error_rate(scores, test="pooled") > 0.1


@pytest.mark.parametrize("kind", simulate.SKEWED)
@pytest.mark.parametrize(
    ("base", "few"),
    [
        ((30,) * 4, (3,) * 4),
        long((10,) * 6, (2,) * 6),
        ((100,), (10,)),
        long((10,) * 12, (1,) * 11 + (2,)),
        long((12,) * 6, (8,) * 6),
    ],
)
@pytest.mark.usefixtures("fewer_permutations")
def test_luck_with_few_seeds_is_not_called_better_than_many(kind, base, few):
    """Where scores are skewed, few seeds show least noise when they are luckiest: Welch's test errs with .46."""
    replications = 250
    scores = simulate.lopsided(np.random.default_rng([8, len(base)]), kind, replications, base, few)
    found = simulate.estimates(scores)
    claims = [np.sign(each.effect) for each in found if each.p_value <= 0.05]
    slack = 2 * math.sqrt(0.025 * 0.975 / replications)
    assert claims.count(1) / replications <= 0.03 + slack
    assert claims.count(-1) / replications <= 0.03 + slack


@pytest.mark.usefixtures("fewer_permutations")
def test_power_of_few_normal_seeds_against_many():
    """What agreement of the tests costs where nothing is skewed: a gain that Welch's test alone sees with .80."""
    rng, replications = np.random.default_rng(9), 300
    error = 0.08 * math.sqrt((1 / 10 + 1 / 5) / 6)
    scores = 0.5 + 0.08 * rng.standard_normal((replications, 2, 6, 10))
    scores[:, 1] += 2.86 * error
    scores[:, 1, :, 5:] = np.nan
    power = simulate.error_rate(scores)
    alone = simulate.error_rate(scores, test="welch")
    assert alone == pytest.approx(0.8, abs=0.06)
    assert alone - 0.06 <= power <= alone


@pytest.mark.slow
@pytest.mark.parametrize(("level", "at_most"), [long(0.005, 0.009), (0.0031, 0.0075)])
def test_far_tails_where_one_case_holds_the_noise(level, at_most):
    """Levels of many finalists and early looks; Welch's degrees of freedom alone err with .0158 and .0124."""
    rng, replications = np.random.default_rng(10), 6000
    sd = np.array([0.15] + [0.01] * 11)[:, None]
    scores = 0.5 + sd * rng.standard_normal((replications, 2, 12, 3)) * np.array([1.0, 2.0])[None, :, None, None]
    slack = 2 * math.sqrt(at_most * (1 - at_most) / replications)
    assert simulate.error_rate(np.clip(scores, 0, 1), alpha=level) <= at_most + slack


@pytest.mark.parametrize(
    ("best", "worse", "cases", "seeds"), [long(1.0, 0.95, 6, 3), (0.97, 0.92, 6, 2), long(0.98, 0.93, 6, 5)]
)
def test_a_loss_as_large_as_the_margin_is_not_called_equivalent(best, worse, cases, seeds):
    """Scores that are nearly always the same show little noise: too little to show equality by."""
    rng, equivalent = np.random.default_rng(11), 0
    for _ in range(150):
        share = np.array([best, worse])[:, None, None]
        scores = (rng.random((2, cases, seeds)) < share).astype(float)
        index = np.indices(scores.shape).reshape(3, -1)
        table = {"configuration": np.array(["b", "f"])[index[0]], "case": index[1], "seed": index[2]}
        verdict = judge_one(pd.DataFrame(table | {"score": scores.ravel()}), baseline="b", margin=0.05)
        equivalent += verdict.outcome == "equivalent"
    assert equivalent / 150 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 150)


def test_type_one_error_against_a_greedy_baseline():
    rng = np.random.default_rng(5)
    for kind in ("beta", "discrete"):
        mean = np.repeat(rng.uniform(0.2, 0.65, (REPLICATIONS, 1, 6)), 2, axis=1)
        scores = simulate.draw(rng, kind, mean, np.full(mean.shape, 0.12), 4)
        scores[:, 0] = mean[:, 0, :, None]
        assert rate_is_right(simulate.error_rate(scores)), kind


@pytest.mark.parametrize(("cases", "seeds"), [(4, 3), long(6, 5), (12, 10)])
def test_intervals_cover(cases, seeds):
    for kind in ("beta", "beta-unequal"):
        scores = simulate.shifted_scores(np.random.default_rng([6, seeds]), kind, 800, cases, seeds, 0.05)
        assert 0.935 - 2 * math.sqrt(0.05 * 0.95 / 800) <= simulate.coverage(scores, 0.05) <= 0.97


def test_permutation_intervals_cover():
    scores = simulate.shifted_scores(np.random.default_rng(7), "beta", 300, 4, 2, 0.05)
    assert 0.92 <= simulate.coverage(scores, 0.05) <= 0.985
