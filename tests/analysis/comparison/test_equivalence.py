"""Equality is shown by enough data, never by what is missing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import judge_one
from analysis.comparison.equivalence import tost
from analysis.comparison.estimate import TEstimate
from analysis.comparison.t_tests import stratified_t
from tests.analysis.comparison.cells import drawn, two_of
from tests.marks import long


def table(scores):
    """From scores of the shape (arm, case, seed)."""
    rows = [
        (arm, f"c{c}", s, each) for arm, of in zip("bf", scores, strict=True) for (c, s), each in np.ndenumerate(of)
    ]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2])
def test_without_repeats_and_a_margin_nothing_is_equal(loss):
    rng = np.random.default_rng(0)
    for _ in range(30):
        scores = np.clip(rng.normal(0.5, 0.1, (2, 8, 1)) + rng.normal(0, 0.1, (2, 8, 1)), 0, 1)
        scores[1] = np.clip(scores[1] - loss, 0, 1)
        verdict = judge_one(table(scores), baseline="b", claim="new-cases")
        assert verdict.outcome != "equivalent"
        assert math.isnan(verdict.p_equivalence)
        assert "nan" not in " ".join([verdict.sentence, verdict.advice, *verdict.notes]).split()
        if verdict.outcome == "not distinguishable":
            assert abs(verdict.effect) < 0.005 or "second seed" in verdict.advice


def test_what_is_not_a_number_proves_nothing():
    estimate = TEstimate(0.0, 0.1, 5.0, "any", 4.0)
    assert math.isnan(estimate.tail_probability(math.nan))
    assert math.isnan(tost(estimate, math.nan))


@pytest.mark.parametrize(("cases", "seeds"), [(6, 3), long(12, 3), long(8, 5)])
@pytest.mark.parametrize("claim", ["these-cases", "new-cases"])
def test_failures_that_have_not_come_up_are_no_equality_whatever_is_claimed(cases, seeds, claim):
    """5% of the texts of one arm score 0, which costs as much as the margin; also where scores vary between cases only.

    A test of the nominal level may say "equivalent" in 5%; it said so in 12 to 35% for new cases. Of 100 tables, 12%
    are more than 5 in 99 of 100 such simulations.
    """
    rng, found = np.random.default_rng(1), 0
    for k in range(100):
        levels = rng.uniform(0.8, 1.0, (1, cases, 1))
        noise = 0.0 if k % 2 else 0.03
        scores = np.clip(levels + noise * rng.normal(size=(2, cases, seeds)), 0, 1)
        scores[1][rng.random((cases, seeds)) < 0.05] = 0.0
        found += judge_one(table(scores), baseline="b", claim=claim, margin=0.044).outcome == "equivalent"
    assert found <= 100 * 0.05


def test_an_equality_on_new_cases_says_what_the_cases_may_have_missed():
    rng = np.random.default_rng(2)
    scores = np.clip(0.5 + rng.normal(0, 0.05, (2, 12, 20)), 0, 1)
    verdict = judge_one(table(scores), baseline="b", claim="new-cases", margin=0.1)
    assert verdict.outcome == "equivalent"
    assert "These 12 cases may have missed a kind of case that up to 22% of new cases belong to." in verdict.notes


def test_the_difference_and_what_was_not_seen_must_stay_within_the_margin_together():
    """60 generations leave 4.9% of failures unseen, which cost .038 of a mean of .77; the arms differ by .03."""
    noise = np.random.default_rng(3).normal(0, 1, (2, 6, 10))
    noise -= noise.mean(axis=2, keepdims=True)
    scores = 0.75 + 0.085 * noise / noise.std()
    scores[1] += 0.03
    apart = judge_one(table(scores.clip(0, 1)), baseline="b", margin=0.06)
    assert (apart.outcome, math.isnan(apart.p_equivalence)) == ("not distinguishable", True)
    assert "failures too rare to have come up could cost 0.038 more" in apart.notes[-1]
    assert judge_one(table(scores.clip(0, 1)), baseline="b", margin=0.075).outcome == "equivalent"


@pytest.mark.usefixtures("fewer_permutations")
def test_two_seeds_are_equal_by_the_interval_of_two_one_sided_tests():
    """Of 2 seeds, which are permuted, equality takes a 90% interval within the margin; a 95% one would be too much."""
    rng, found = np.random.default_rng(4), 0
    for _ in range(25):
        scores = 0.07 + rng.uniform(-0.035, 0.035, (2, 12, 2))
        first = judge_one(table(scores), baseline="b", margin=0.9)
        if first.p_value <= 0.05:
            continue
        two = judge_one(table(scores), baseline="b", alpha=0.1, margin=0.9)
        narrow, wide = max(-two.ci_low, two.ci_high), max(-first.ci_low, first.ci_high)
        for margin, within in ((narrow - 1e-6, False), ((narrow + wide) / 2, True)):
            verdict = judge_one(table(scores), baseline="b", margin=margin)
            assert verdict.test == "permutation within cases"
            equal = verdict.outcome == "equivalent"  # a t test of the margin, which is as strict here, must agree
            assert within or not equal
            found += equal
    assert found > 4


@pytest.mark.parametrize(("cases", "seeds"), [long(1, 30), (2, 30), long(4, 30), long(4, 20)])
@pytest.mark.parametrize("margin", [None, 0.05, 0.1])
def test_a_loss_of_ten_points_is_not_equal(cases, seeds, margin):
    """Pass or fail: a margin that grew with the noise called it equal in .40 to .82 of tables.

    That is 36 of 90, with a standard error of 4.6; the bound is two standard errors of .05 above it, 8.6.
    """
    rng, replications, equal = np.random.default_rng([5, cases, seeds]), 30, 0
    for best in (0.6, 0.9, 0.3):
        for _ in range(replications):
            scores = (rng.random((2, cases, seeds)) < np.array([best, best - 0.1])[:, None, None]).astype(float)
            equal += judge_one(table(scores), baseline="b", margin=margin).outcome == "equivalent"
    total = 3 * replications
    assert equal <= total * 0.05 + 2 * math.sqrt(0.05 * 0.95 * total) * (margin == 0.1)
    assert equal == 0 or margin is not None


def test_tost_is_two_one_sided_tests():
    cells = drawn(14, 1, 12, 12)
    x, y = cells["b", "k0"], cells["a", "k0"]
    upper = stats.ttest_ind(x - 0.2, y, alternative="less").pvalue
    lower = stats.ttest_ind(x + 0.2, y, alternative="greater").pvalue
    assert tost(stratified_t(two_of(cells), pooled=True), 0.2) == pytest.approx(max(upper, lower))
