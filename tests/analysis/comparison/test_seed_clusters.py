"""Scores of one seed that go up and down together over the cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import judge_one
from analysis.comparison import seed_clusters
from analysis.comparison.compare import compare
from analysis.comparison.pair import pair
from analysis.observations.table import summarize
from tests.marks import long


def table(rng, cases, seeds, shock, *, noise=0.1, gain=0.0):
    """Return two arms of which each seed lifts or lowers all cases of an arm by a shock of its own."""
    scores = rng.uniform(0.35, 0.65, (cases, 1)) + noise * rng.standard_normal((2, cases, seeds))
    scores = scores + shock * rng.standard_normal((2, 1, seeds)) + np.array([0, gain])[:, None, None]
    arm, case, seed = np.indices(scores.shape).reshape(3, -1)
    return pd.DataFrame(
        {"configuration": np.array(["a", "b"])[arm], "case": case, "seed": seed, "score": scores.ravel().clip(0, 1)}
    )


def has_note(verdict):
    return any("go up and down together over the cases" in note for note in verdict.notes)


@pytest.mark.parametrize("claim", ["these-cases", "new-cases"])
@pytest.mark.parametrize(("cases", "seeds", "shock"), [long(6, 10, 0.06), long(12, 5, 0.06), (6, 5, 0.1)])
def test_seeds_that_go_together_are_the_units(cases, seeds, shock, claim):
    """Taken for independent, generations make .18 to .38 of equal arms different and many others equivalent."""
    tables = [table(np.random.default_rng([each, 1]), cases, seeds, shock) for each in range(120)]
    found = [judge_one(each, baseline="a", claim=claim, margin=0.045) for each in tables]
    assert np.mean([has_note(each) for each in found]) > 0.7
    assert np.mean([each.outcome in ("better", "worse") for each in found]) <= 0.12
    assert np.mean([each.outcome == "equivalent" for each in found]) <= 0.08


def test_that_is_the_t_test_of_the_means_of_seeds():
    made = table(np.random.default_rng(2), 6, 8, 0.1, gain=0.1)
    verdict = judge_one(made, baseline="a")
    assert has_note(verdict)
    means = made.groupby(["configuration", "seed"])["score"].mean()
    expected = stats.ttest_ind(means["b"], means["a"], equal_var=False)
    assert verdict.p_value == pytest.approx(expected.pvalue)
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert verdict.test == "stratified Welch t, seeds as units"


@pytest.mark.slow
def test_where_seeds_are_independent_nothing_changes(monkeypatch):
    tables = [table(np.random.default_rng([each, 3]), 6, 4, 0.0) for each in range(150)]
    allowed = [judge_one(each, baseline="a") for each in tables]
    monkeypatch.setattr(seed_clusters, "SHARED", -1.0)
    usual = [judge_one(each, baseline="a") for each in tables]
    alarms = [has_note(each) for each in allowed]
    assert np.mean(alarms) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 150)
    assert all(one == other for one, other, alarm in zip(allowed, usual, alarms, strict=True) if not alarm)
    assert all(one.p_value >= other.p_value for one, other in zip(allowed, usual, strict=True))


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
def test_false_alarms_with_holes_unequal_noise_and_failures():
    alarms = []
    for each in range(150):
        rng = np.random.default_rng([each, 4])
        made = table(rng, 6, 5, 0.0)
        made["score"] += 0.2 * (made.configuration == "b") * rng.standard_normal(len(made))
        made.loc[rng.random(len(made)) < 0.05, "score"] = 0.0
        made["score"] = made["score"].clip(0, 1)
        alarms.append(has_note(judge_one(made[rng.random(len(made)) > 0.2], baseline="a")))
    assert np.mean(alarms) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 150)


def test_a_permutation_and_seeds_must_agree():
    made = table(np.random.default_rng(7), 12, 2, 0.15, noise=0.03, gain=0.1)
    found = compare(pair(summarize(made), 0, 1)).estimate
    assert found.test == "permutation within cases, seeds as units"
    means = made.groupby(["configuration", "seed"])["score"].mean()
    assert found.p_value >= stats.ttest_ind(means["b"], means["a"], equal_var=False).pvalue - 1e-9
    for level in (0.5, 0.8, 0.95):
        low, high = found.interval(level)
        assert (low > 0 or high < 0) is (found.p_value <= 1 - level)


def test_seeds_that_stand_on_several_hosts_are_one_each():
    made = table(np.random.default_rng(8), 6, 8, 0.1)
    copies = pd.concat([made.assign(host="x"), made.assign(host="y")])
    once, twice = (judge_one(each, baseline="a") for each in (made, copies))
    assert has_note(twice)
    assert twice.p_value == pytest.approx(once.p_value)
    other = pd.concat(
        [made.assign(host="x"), table(np.random.default_rng(9), 6, 8, 0.1).assign(host="y", seed=made.seed + 8)]
    )
    both = judge_one(other, baseline="a")  # each host with seeds of its own
    assert has_note(both)
    assert both.standard_error == pytest.approx(once.standard_error / np.sqrt(2), rel=0.3)


def test_seeds_of_one_case_each_and_a_single_case_tell_nothing():
    made = table(np.random.default_rng(10), 6, 5, 0.3)
    assert has_note(judge_one(made, baseline="a"))
    assert not has_note(judge_one(made.assign(seed=range(len(made))), baseline="a"))
    assert not has_note(judge_one(made[made.case == 0], baseline="a"))


def test_the_order_of_the_rows_changes_no_digit():
    made = table(np.random.default_rng(11), 6, 7, 0.1)
    made = made[np.random.default_rng(12).random(len(made)) > 0.1]
    assert has_note(judge_one(made, baseline="a"))
    assert judge_one(made, baseline="a") == judge_one(made.sample(frac=1, random_state=1), baseline="a")


def test_against_a_greedy_baseline_the_other_arm_tells_it():
    made = table(np.random.default_rng(13), 6, 8, 0.1)
    made["temperature"] = np.where(made.configuration == "a", 0.0, 0.8)
    made.loc[made.configuration == "a", "score"] = 0.5
    verdict = judge_one(made, baseline="a")
    means = made[made.configuration == "b"].groupby("seed")["score"].mean()
    assert has_note(verdict)
    assert verdict.p_value == pytest.approx(stats.ttest_1samp(means, 0.5).pvalue)
