"""Generations without a score are no sample of the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import SequentialDesign, TableError, judge_one


def table(rng, gain=0.0, *, cases=8, seeds=10, sd=0.12):
    rows = [
        (arm, f"c{c}", s, rng.normal(0.5 + gain * (arm == "f"), sd))
        for arm in "bf"
        for c in range(cases)
        for s in range(seeds)
    ]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    return frame.assign(score=frame["score"].clip(0, 1), finish="stop")


def fail(frame, arm, rows):
    """Lose rows of an arm: `rows` says of its scores which."""
    own = frame["configuration"] == arm
    lost = own & rows(frame["score"].where(own))
    return frame.assign(finish=frame["finish"].mask(lost, "error"), score=frame["score"].mask(lost))


def test_where_many_rows_have_no_score_their_reason_comes_before_more_seeds():
    rng = np.random.default_rng(5)
    half = fail(table(rng, gain=0.01), "f", lambda score: rng.random(len(score)) < 0.5)
    verdict = judge_one(half, baseline="b")
    lost = int((half["finish"] == "error").sum())
    assert verdict.outcome == "not distinguishable"
    assert verdict.advice == (
        f"Before you generate more, find out why {lost} of 80 generations of f have no score. Where the host was at"
        " fault, generate them again; where the settings were (a time limit, a text without an end), score them 0."
    )
    few = fail(table(rng, gain=0.01), "f", lambda score: score == score.max())
    assert "find out why" not in judge_one(few, baseline="b").advice
    one_each = half.drop(half[(half["configuration"] == "f") & (half["seed"] > 0)].index)
    one_each = one_each.assign(finish="stop", score=0.5 + 0.01 * one_each["seed"])
    two_each = pd.concat(
        [one_each, one_each[one_each["configuration"] == "f"].assign(seed=9, score=None, finish="error")]
    )
    with pytest.raises(TableError, match=r"'f' has no case with two seeds \(8 of its rows have no score\)"):
        judge_one(two_each, baseline="b", claim="these-cases", test="welch")


@pytest.mark.slow
def test_an_arm_that_loses_its_worst_texts_is_not_better():
    rng = np.random.default_rng(0)
    for _ in range(40):
        lost = fail(table(rng), "f", lambda score: score < score.quantile(0.3))
        verdict = judge_one(lost, baseline="b")
        assert verdict.outcome != "better"
        assert verdict.effect_with_failures < 0
        if verdict.p_value <= 0.05:
            assert "Whether f is better than b on these 8 cases cannot be said" in verdict.sentence
            assert "24 of 80 generations of f have no score" in verdict.sentence
            assert f"would be {verdict.effect_with_failures:+.3f}." in verdict.sentence
            assert "Find out why they have no score" in verdict.advice


def test_the_effect_with_failures_by_hand():
    rows = [("b", "x", 0.4), ("b", "x", 0.6), ("b", "y", 0.5), ("b", "y", 0.3), ("f", "x", 0.8), ("f", "x", None)]
    rows += [("f", "y", 0.6), ("f", "y", 0.8), ("b", "z", 0.5), ("b", "z", 0.7), ("f", "z", None), ("f", "z", None)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "score"])
    frame["seed"] = frame.groupby(["configuration", "case"]).cumcount()
    verdict = judge_one(frame, baseline="b")
    assert verdict.effect == pytest.approx(((0.8 - 0.5) + (0.7 - 0.4)) / 2)
    # x: .4 against .5, y: .7 against .4, z, where the configuration has no score at all: 0 against .6
    assert verdict.effect_with_failures == pytest.approx((-0.1 + 0.3 - 0.6) / 3)
    assert (verdict.failed_baseline, verdict.failed_finalist) == (0, 3)
    assert "With 0 for rows without a score the difference would be -0.133 instead of +0.300." in verdict.notes


def test_a_loss_and_an_equality_need_the_failures_too():
    rng = np.random.default_rng(1)
    worse = fail(table(rng, -0.1), "b", lambda score: score < score.quantile(0.4))
    assert judge_one(worse, baseline="b").p_value < 0.05
    verdict = judge_one(worse, baseline="b")
    assert (verdict.outcome, "Whether f is worse" in verdict.sentence) == ("not distinguishable", True)
    same = table(rng, seeds=30, sd=0.05)
    assert judge_one(same, baseline="b", margin=0.05).outcome == "equivalent"
    lost = fail(same, "f", lambda score: score.index % 5 == 0)
    judged = judge_one(lost, baseline="b", margin=0.05)
    assert (judged.outcome, judged.p_equivalence < 0.01) == ("not distinguishable", True)


def test_a_few_failures_beside_a_large_gain_change_no_verdict():
    lost = fail(table(np.random.default_rng(2), 0.2), "f", lambda score: score == score.min())
    verdict = judge_one(lost, baseline="b")
    assert verdict.outcome == "better"
    assert 0 < verdict.effect_with_failures < verdict.effect
    whole = judge_one(table(np.random.default_rng(2), 0.2), baseline="b")
    assert whole.effect_with_failures == pytest.approx(whole.effect)
    assert not any("without a score" in note for note in whole.notes)


def test_a_look_goes_on_where_failures_forbid_the_claim():
    """A host fault takes a quarter of the finalist's first half: no row of the second half, which the end has."""
    design, ended, found = SequentialDesign(2, futility=0), 0, 0
    rng = np.random.default_rng(4)
    for _ in range(20):
        whole = table(rng, 0.1, cases=6, seeds=12)
        fault = pd.Series(rng.random(len(whole)) < 0.25, index=whole.index) & (whole["seed"] < 6)
        lost = fail(whole, "f", lambda score, fault=fault: fault)
        half = lost[lost["seed"] < 6]
        decision = design.decide(1, half, "b", "f")
        verdict = judge_one(half, baseline="b", design=design, look=1)
        assert (decision.stop == "efficacy") == (verdict.outcome in ("better", "worse"))
        if decision.p_value <= decision.bound and decision.stop is None:
            counted = (
                f"but the difference is {verdict.effect_with_failures:+.3f} with 0 for rows without a score; go on."
            )
            assert decision.sentence.endswith(counted)
            ended += 1
            found += judge_one(lost, baseline="b", design=design).outcome == "better"
    assert ended >= 3
    assert found >= 1
    last = design.decide(2, fail(table(rng, 0.1), "f", lambda score: score < score.quantile(0.4)), "b", "f")
    assert (last.stop, last.p_value < last.bound) == (None, True)
    assert "of the last look, 0.049, but the difference is -0." in last.sentence
