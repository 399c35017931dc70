"""Rows that are not in the table are no random sample of the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one
from analysis.verdict.use_now import use_now_for_table


def table(rng, cases, seeds, *, gain=0.0, passes=False, own_seeds=False):
    """Return two arms on equal cases; `own_seeds` gives each row a seed of its own."""
    level = rng.uniform(0.3, 0.6, (1, cases, 1)) + np.array([0.0, gain])[:, None, None]
    noise = 0.12 * rng.standard_normal((2, cases, seeds))
    scores = np.where(rng.random((2, cases, seeds)) < level, 1.0, 0.0) if passes else np.clip(level + noise, 0, 1)
    arm, case, seed = np.indices(scores.shape).reshape(3, -1)
    seeds_shown = np.arange(arm.size) if own_seeds else seed
    names = np.array(["b", "f"])[arm]
    return pd.DataFrame({"configuration": names, "case": case, "seed": seeds_shown, "score": scores.ravel()})


def without_worst(frame, arm="f", share=0.3, *, in_each_case=False):
    own = frame[frame["configuration"] == arm].sort_values(["score", "seed"])
    if in_each_case:
        lost = own[own.groupby("case").cumcount() < share * own.groupby("case")["seed"].transform("size")]
    else:
        lost = own.head(round(share * len(own)))
    return frame.drop(index=lost.index)


@pytest.mark.parametrize(("cases", "seeds"), [(6, 8), (12, 5), (1, 30)])
@pytest.mark.parametrize("how", [{}, {"passes": True}])
@pytest.mark.parametrize("in_each_case", [True, False])
@pytest.mark.usefixtures("fewer_permutations")
def test_an_arm_without_its_worst_rows_is_not_better(cases, seeds, how, in_each_case):
    found = []
    for number in range(25):
        made = table(np.random.default_rng([number, cases]), cases, seeds, **how)
        found.append(judge_one(without_worst(made, in_each_case=in_each_case), baseline="b"))
    assert sum(each.outcome in ("better", "worse") for each in found) <= 1
    if not how:
        assert sum(each.p_value <= 0.05 for each in found) > 5
        assert all("cannot be said" in each.sentence for each in found if each.p_value <= 0.05)


@pytest.mark.usefixtures("fewer_permutations")
def test_gaps_show_also_where_every_row_has_a_seed_of_its_own():
    found = [
        judge_one(without_worst(table(np.random.default_rng(number), 6, 8, own_seeds=True)), baseline="b").outcome
        for number in range(25)
    ]
    assert found.count("better") <= 1


def test_the_missing_rows_are_named_and_the_bound_is_right():
    """Two cases by hand: the configuration lacks one of two rows in the second."""
    rows = [("b", "x", 0, 0.4), ("b", "x", 1, 0.6), ("b", "y", 0, 0.5), ("b", "y", 1, 0.3)]
    rows += [("f", "x", 0, 0.6), ("f", "x", 1, 0.8), ("f", "y", 0, 0.6)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    verdict = judge_one(frame, baseline="b")
    assert (verdict.missing_baseline, verdict.missing_finalist) == (0, 1)
    assert verdict.effect == pytest.approx(0.2)
    assert verdict.effect_with_missing == pytest.approx((0.2 + (0.3 - 0.4)) / 2)
    assert "f has 3 rows, 1 too few for even numbers: y (1 of 2)." in verdict.notes
    with_them = "With the least favourable scores for missing rows the difference would be +0.050 instead of +0.200."
    assert with_them in verdict.notes


@pytest.mark.usefixtures("fewer_permutations")
def test_an_arm_without_its_worst_cases_is_not_better():
    found, assumed = [], []
    for number in range(60):
        made = table(np.random.default_rng([number, 9]), 12, 5)
        means = made.groupby(["configuration", "case"])["score"].mean()
        worst = (means["f"] - means["b"]).nsmallest(4).index
        rest = made[(made["configuration"] == "b") | ~made["case"].isin(worst)]
        found.append(judge_one(rest, baseline="b"))
        assumed.append(judge_one(rest, baseline="b", assume_missing_at_random=True).outcome)
    assert all(each.outcome == "not distinguishable" for each in found)
    assert assumed.count("better") > 6  # it was .26 of tables
    assert {each.withheld for each in found} == {"", "missing rows"}


def test_a_case_without_any_row_of_an_arm_is_named_and_the_bound_is_right():
    """Three cases by hand: the configuration lacks all rows of the second, and the baseline those of the third."""
    rows = [("b", "x", 0, 0.4), ("b", "x", 1, 0.6), ("b", "y", 0, 0.5), ("b", "y", 1, 0.3)]
    rows += [("f", "x", 0, 0.6), ("f", "x", 1, 0.8), ("f", "z", 0, 0.6), ("f", "z", 1, 0.8)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    verdict = judge_one(frame, baseline="b")
    assert (verdict.missing_baseline, verdict.missing_finalist) == (2, 2)
    assert verdict.effect == pytest.approx(0.2)
    assert verdict.effect_with_missing == pytest.approx((0.2 + (0 - 0.4) + (0.7 - 1)) / 3)
    assert "f has 2 rows, 2 too few for even numbers: y (0 of 2)." in verdict.notes
    assert "b has 2 rows, 2 too few for even numbers: z (0 of 2)." in verdict.notes
    failed = pd.concat([frame, frame.iloc[[2, 3]].assign(configuration="f", score=np.nan)])  # these count on their own
    assert judge_one(failed, baseline="b").missing_finalist == 0


def test_few_absent_cases_of_many_leave_a_large_gain_as_it_is():
    made = table(np.random.default_rng(5), 60, 3, gain=0.3)
    verdict = judge_one(made[(made["configuration"] == "b") | (made["case"] != 7)], baseline="b")
    assert (verdict.outcome, verdict.missing_finalist) == ("better", 3)
    assert "run both on all cases: 1 case that only one of them has did not count." in verdict.advice


def test_a_claim_takes_an_assumption_that_somebody_makes():
    lost = without_worst(table(np.random.default_rng(3), 6, 8), in_each_case=True)
    verdict = judge_one(lost, baseline="b")
    assert (verdict.outcome, verdict.withheld) == ("not distinguishable", "missing rows")
    assert "cannot be said, because f lacks 18 of 48 rows." in verdict.sentence
    assert "--assume-missing-at-random" in verdict.advice
    assumed = judge_one(lost, baseline="b", assume_missing_at_random=True)
    assert (assumed.outcome, assumed.withheld) == ("better", "")
    assert "They are taken to be missing at random, as you said." in assumed.notes


def test_a_few_missing_rows_beside_a_large_gain_change_no_verdict():
    made = table(np.random.default_rng(4), 6, 8, gain=0.25)
    verdict = judge_one(without_worst(made, share=0.05), baseline="b")
    assert (verdict.outcome, verdict.missing_finalist) == ("better", 2)
    assert 0 < verdict.effect_with_missing < verdict.effect


def test_an_equality_needs_the_missing_rows_too():
    made = table(np.random.default_rng(5), 6, 30)
    assert judge_one(made, baseline="b", margin=0.06).outcome == "equivalent"
    lost = without_worst(made, share=0.1).sample(frac=1, random_state=1)
    judged = judge_one(lost, baseline="b", margin=0.06)
    assert judged.outcome == "not distinguishable"


@pytest.mark.parametrize("kept", [{"b": 10, "f": 4}, {"b": 4, "f": 10}])
def test_fewer_seeds_in_every_case_are_a_plan(kept):
    made = table(np.random.default_rng(6), 6, 10, gain=0.2)
    verdict = judge_one(made[made["seed"] < made["configuration"].map(kept)], baseline="b")
    assert verdict.outcome == "better"
    assert (verdict.missing_baseline, verdict.missing_finalist) == (0, 0)
    numbers = f"f has {6 * kept['f']} rows and b {6 * kept['b']}: taken as planned, with no row missing."
    assert numbers in verdict.notes


def test_hard_cases_that_both_arms_ran_less_often_are_a_plan():
    made = table(np.random.default_rng(7), 6, 10, gain=0.2)
    verdict = judge_one(made[(made["seed"] < 3) | (made["case"] > 2)], baseline="b")
    assert (verdict.missing_baseline, verdict.missing_finalist, verdict.outcome) == (0, 0, "better")


def test_rows_that_could_turn_a_gain_around_are_no_reason_to_gamble():
    made = table(np.random.default_rng(2), 6, 5, gain=0.03)
    lacking = made[(made["configuration"] == "b") | (made["case"] > 1)]
    whole, part = (judge_one(frame, baseline="b") for frame in (made, lacking))
    assert whole.outcome == part.outcome == "not distinguishable"
    assert part.effect > 0 > part.effect_with_missing
    assert use_now_for_table([whole]).gamble
    assert not use_now_for_table([part]).gamble
    assumed = judge_one(lacking, baseline="b", assume_missing_at_random=True)
    assert assumed.effect_with_missing == assumed.effect
    assert use_now_for_table([assumed]).gamble
