"""Noise that few seeds do not show proves neither a gain nor equality."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from analysis import judge_one
from analysis.comparison.equivalence import _unseen
from analysis.comparison.pair import pair
from analysis.observations.table import summarize


def passing(shares, seeds, temperature=None):
    """Return a table of 1 and 0: per arm and case the number of passes, and seeds as given per arm.

    Those that do not pass are other seeds in each case.
    """
    rows = [
        (arm, f"k{case}", seed, float((seed + 3 * case) % seeds[arm] < passes))
        for arm, cases in shares.items()
        for case, passes in enumerate(cases)
        for seed in range(seeds[arm])
    ]
    made = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    return made if temperature is None else made.assign(temperature=temperature)


def test_three_lucky_seeds_are_not_better_than_thirty():
    lucky = passing({"base": [28, 29, 27, 30], "new": [3, 3, 3, 3]}, {"base": 30, "new": 3})
    verdict = judge_one(lucky, baseline="base")
    assert verdict.outcome == "not distinguishable"
    assert verdict.p_value > 0.3
    assert verdict.ci_low < 0 < verdict.ci_high
    assert (verdict.n_finalist, verdict.n_baseline) == (12, 120)
    assert not any("greedy" in note for note in verdict.notes)
    assert judge_one(lucky, baseline="base", test="welch").outcome == "better"  # what is said no to
    assert judge_one(lucky.assign(temperature=0.8), baseline="base").p_value == verdict.p_value


@pytest.mark.parametrize("claim", ["these-cases", "new-cases"])
def test_scores_that_are_all_alike_prove_nothing_but_for_greedy_arms(claim):
    same = {"base": [3] * 6, "new": [3] * 6}
    lucky = judge_one(passing(same, {"base": 3, "new": 3}), baseline="base", claim=claim, margin=0.02)
    assert lucky.outcome == "not distinguishable"
    assert math.isnan(lucky.p_value)
    assert math.isnan(lucky.mde)
    assert "their noise is unknown" in lucky.notes[-1]
    greedy = judge_one(passing(same, {"base": 3, "new": 3}, temperature=0), baseline="base", claim=claim)
    assert (greedy.outcome, greedy.claim) == ("equivalent", "these-cases")
    assert greedy.sentence == (
        "new is as good as base on these 6 cases: both are greedy, they score 1.000, and the same in every case."
    )
    assert any("Equal scores cannot say" in note for note in greedy.notes) is (claim == "new-cases")


def test_equality_is_not_shown_by_noise_that_is_not_seen():
    nearly = {"base": [10] * 5 + [9], "new": [10] * 6}
    verdict = judge_one(passing(nearly, {"base": 10, "new": 10}), baseline="base", margin=0.05)
    assert verdict.outcome == "not distinguishable"
    assert math.isnan(verdict.p_equivalence)
    assert "in most cases no score of base and new varies" in verdict.notes[-1]
    varied = {"base": [9, 8, 9, 9, 10, 9], "new": [9, 9, 8, 9, 9, 10]}
    shown = judge_one(passing(varied, {"base": 10, "new": 10}), baseline="base", margin=0.2)
    assert shown.outcome == "equivalent"


@pytest.mark.parametrize(("cases", "seen"), [(1, False), (2, False), (3, True)])
def test_two_seeds_cannot_reach_significance_on_two_cases(cases, seen):
    rows = [
        (arm, f"k{case}", seed, level + 0.01 * seed)
        for arm, level in (("base", 0.2), ("new", 0.7))
        for case in range(cases)
        for seed in range(2)
    ]
    verdict = judge_one(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]), baseline="base")
    assert (verdict.outcome == "better") is seen
    assert math.isfinite(verdict.mde) is seen
    if not seen:
        assert verdict.p_value == pytest.approx(2 / 6**cases)
        assert "no difference of any size could be significant: add a seed" in verdict.sentence
        assert "takes about 3 seeds per case" in verdict.advice
        assert json.loads(json.dumps(verdict.as_dict(), allow_nan=False))["mde"] is None


def test_equality_is_not_shown_where_failures_may_not_have_come_up():
    rng = np.random.default_rng(1)
    rows = [
        (arm, f"k{case}", seed, 0.9 + 0.02 * rng.uniform(-1, 1))
        for arm in ("base", "new")
        for case in range(6)
        for seed in range(40)
    ]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    few = judge_one(data[data["seed"] < 5], baseline="base", margin=0.04)
    assert (few.outcome, few.as_dict()["p_equivalence"]) == ("not distinguishable", None)
    assert "failures too rare to have come up could cost 0.086 more, and the margin is 0.040" in few.notes[-1]
    assert judge_one(data, baseline="base", margin=0.04).outcome == "equivalent"  # 240 without a failure
    better = data.assign(score=data["score"] + 0.03 * (data["configuration"] == "new"))
    assert not any("Equality" in note for note in judge_one(better, baseline="base", margin=0.04).notes)


def test_equality_is_not_shown_by_a_permutation_that_can_show_nothing():
    cells = {"base": ([0.50, 0.51], [0.40, 0.42]), "new": ([0.505, 0.515], [0.41, 0.43])}
    rows = [
        (arm, f"k{case}", seed, score)
        for arm, cases in cells.items()
        for case, scores in enumerate(cases)
        for seed, score in enumerate(scores)
    ]
    data = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    verdict = judge_one(data, baseline="base", margin=0.9)
    assert (verdict.ci_low, verdict.ci_high) == (-1.0, 1.0)
    assert verdict.outcome == "not distinguishable"


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
def test_a_few_failures_that_came_up_do_not_show_that_the_others_are_rare():
    """One text in ten breaks, a true loss of the margin: .08 of such tables were equal by luck."""
    equal = 0
    for number in range(300):
        rng = np.random.default_rng([number, 61])
        scores = rng.normal(0.6, 0.05, (2, 6, 10)).clip(0, 1)
        scores[1][rng.random((6, 10)) < 0.1] = 0.0
        arm, case, seed = np.indices(scores.shape).reshape(3, -1)
        columns = {"configuration": np.array(["b", "f"])[arm], "case": case, "seed": seed, "score": scores.ravel()}
        equal += judge_one(pd.DataFrame(columns), baseline="b", margin=0.06).outcome == "equivalent"
    assert equal <= 300 * 0.05


def test_the_cost_of_failures_has_the_upper_end_of_their_share():
    """By hand: 2 of 60 texts broke; the one-sided interval of Clopper and Pearson ends where 2 or fewer have .05."""
    rows = [(arm, case, seed, 0.6 + 0.02 * (seed % 3 - 1)) for arm in "bf" for case in range(6) for seed in range(10)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    frame.loc[(frame["configuration"] == "f") & (frame["seed"] == 0) & (frame["case"] < 2), "score"] = 0.0
    cells = summarize(frame)
    two = pair(cells, 0, 1)
    mean = float(two.weights @ two.finalist.mean)
    upper = optimize.brentq(lambda share: stats.binom.cdf(2, 60, share) - 0.05, 0.01, 0.5)
    assert _unseen(two, [two.finalist]) == pytest.approx((upper - 2 / 60) * mean)


def test_texts_that_vary_at_temperature_0_are_not_greedy():
    """A server that is not repeatable gives other texts at temperature 0; equal scores are no proof then."""
    rows = [(arm, f"k{case}", seed, 0.5 + 0.02 * case) for arm in "bf" for case in range(6) for seed in range(3)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]).assign(temperature=0)
    assert judge_one(frame, baseline="b").outcome == "equivalent"
    same = frame.assign(text_sha256=frame["configuration"] + frame["case"])
    assert judge_one(same, baseline="b").outcome == "equivalent"
    other = same.assign(text_sha256=[f"text {number}" for number in range(len(frame))])
    verdict = judge_one(other, baseline="b")
    assert verdict.outcome == "not distinguishable"
    assert not any("greedy" in note for note in verdict.notes)
    one_arm = same.assign(text_sha256=np.where(same["configuration"] == "f", other["text_sha256"], same["text_sha256"]))
    assert judge_one(one_arm, baseline="b").outcome == "not distinguishable"
