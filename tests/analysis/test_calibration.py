"""How often do verdicts claim what is not there? Seeded simulations through the product's own path.

`benchmarks/calibration.py` does the same with more replications; the tolerance here is two standard errors of the rate.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.analysis import simulate

REPLICATIONS = 1000
SLACK = 2 * math.sqrt(0.05 * 0.95 / REPLICATIONS)


def rate_is_right(rate, replications=REPLICATIONS):
    slack = 2 * math.sqrt(0.05 * 0.95 / replications)
    return 0.03 - slack <= rate <= 0.06 + slack


@pytest.mark.parametrize(("cases", "seeds"), simulate.SIZES)
def test_type_one_error_on_these_cases(cases, seeds):
    rates = []
    for kind in ("beta", "beta-unequal", "discrete-unequal"):
        rng = np.random.default_rng([cases, seeds])
        rates.append(simulate.error_rate(simulate.null_scores(rng, kind, REPLICATIONS, cases, seeds)))
        assert rate_is_right(rates[-1]), kind
    assert 0.03 <= np.mean(rates) <= 0.06


@pytest.mark.parametrize(("cases", "seeds"), [size for size in simulate.SIZES if size[0] >= 6])
def test_type_one_error_on_new_cases(cases, seeds):
    for kind in ("beta-unequal", "discrete"):
        rng = np.random.default_rng([cases, seeds])
        scores = simulate.null_scores(rng, kind, REPLICATIONS, cases, seeds, interaction=0.05)
        assert rate_is_right(simulate.error_rate(scores, claim="new-cases")), kind


def test_a_test_for_these_cases_is_not_one_for_new_cases():
    """Why the claim matters: with an interaction, 10 seeds on 6 cases err far too often about new ones."""
    scores = simulate.null_scores(np.random.default_rng(1), "beta", 600, 6, 10, interaction=0.05)
    assert simulate.error_rate(scores) > 0.12


@pytest.mark.parametrize("test", ["pooled", "permutation"])
def test_type_one_error_of_the_tests_on_request(test):
    replications = 1500 if test == "pooled" else 300
    for cases, seeds in ((4, 3), (6, 3)):
        scores = simulate.null_scores(np.random.default_rng([2, cases]), "discrete", replications, cases, seeds)
        assert rate_is_right(simulate.error_rate(scores, test=test), replications)


def test_type_one_error_with_two_seeds():
    for kind in ("beta", "discrete"):
        scores = simulate.null_scores(np.random.default_rng(3), kind, 400, 4, 2)
        assert rate_is_right(simulate.error_rate(scores), 400)


def test_type_one_error_with_unequal_numbers_and_unequal_noise():
    """A floor of many seeds against a few of a noisier finalist: where pooling would fail."""
    rng = np.random.default_rng(4)
    mean = np.repeat(rng.uniform(0.3, 0.6, (800, 1, 6)), 2, axis=1)
    sd = np.broadcast_to(np.array([0.06, 0.15])[None, :, None], mean.shape)
    scores = simulate.draw(rng, "beta", mean, sd, 15)
    scores[:, 1, :, 4:] = np.nan
    assert rate_is_right(simulate.error_rate(scores), 800)
    assert simulate.error_rate(scores, test="pooled") > 0.1


def test_type_one_error_against_a_greedy_baseline():
    rng = np.random.default_rng(5)
    for kind in ("beta", "discrete"):
        mean = np.repeat(rng.uniform(0.2, 0.65, (REPLICATIONS, 1, 6)), 2, axis=1)
        scores = simulate.draw(rng, kind, mean, np.full(mean.shape, 0.12), 4)
        scores[:, 0] = mean[:, 0, :, None]
        assert rate_is_right(simulate.error_rate(scores)), kind


@pytest.mark.parametrize(("cases", "seeds"), [(4, 3), (6, 5), (12, 10)])
def test_intervals_cover(cases, seeds):
    for kind in ("beta", "beta-unequal"):
        scores = simulate.shifted_scores(np.random.default_rng([6, seeds]), kind, 800, cases, seeds, 0.05)
        assert 0.935 - 2 * math.sqrt(0.05 * 0.95 / 800) <= simulate.coverage(scores, 0.05) <= 0.97


def test_permutation_intervals_cover():
    scores = simulate.shifted_scores(np.random.default_rng(7), "beta", 300, 4, 2, 0.05)
    assert 0.92 <= simulate.coverage(scores, 0.05) <= 0.985
