"""Effects corrected by labels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.labels.correction import FEWEST, Correction, corrected_effect, planned_error, planned_labels
from analysis.labels.draws import draw
from analysis.labels.sentences import correction_text, planned_text
from benchmarks.verdicts.label_coverage import ARMS, corrected, coverage, draw_questions, matcher_effect

ASKED = {"baseline": ARMS[0], "finalist": ARMS[1]}


def made(**changes: object) -> Correction:
    one = Correction(
        effect=0.1, ci_low=0.02, ci_high=0.18, level=0.95, standard_error=0.04, label_error=0.03, dof=50.0,
        measured=0.12, power=0.8, error_baseline=-0.01, error_finalist=0.03, labels=60, n_baseline=30, n_finalist=30,
        needed=40,
    )  # fmt: skip
    return replace(one, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_interval_holds_the_truth_where_the_matcher_favours_an_arm_by_5_points() -> None:
    found = coverage(500, np.random.default_rng(12))
    assert 0.93 <= found["corrected"] <= 0.97  # two standard errors
    assert found["matcher"] < 0.85
    assert abs(found["bias"]) < 0.0155  # three standard errors


@pytest.mark.slow
def test_expected_scores_and_gains_are_corrected_as_well() -> None:
    found = coverage(200, np.random.default_rng(11), expected=True, gain=0.1)
    assert 0.91 <= found["corrected"] <= 0.985
    assert abs(found["bias"]) < 0.025


def test_labels_of_all_questions_give_the_true_difference_of_the_texts() -> None:
    questions = draw_questions(np.random.default_rng(5), seeds=3, gain=0.2)
    sign = questions["configuration"].map({ARMS[0]: -1.0, ARMS[1]: 1.0})
    truth = float((sign * questions["weight"] * questions["truth"]).sum())
    effect, error, dof = matcher_effect(questions, new_cases=False)
    # Each question in proportion to its share, as an endless run of draws has them.
    share = 1 / questions.groupby("configuration")["question"].transform("size")
    labels = questions.assign(share=share, answer=questions["truth"])
    found = corrected_effect(questions, labels, **ASKED, effect=effect, standard_error=error, dof=dof)
    assert found.effect == pytest.approx(truth, abs=1e-12)
    by_arm = questions.assign(over=questions["weight"] * (questions["credit"] - questions["truth"]))
    over = by_arm.groupby("configuration")["over"].sum()
    assert found.error_finalist == pytest.approx(over[ARMS[1]])
    assert found.error_baseline == pytest.approx(over[ARMS[0]])


def test_a_matcher_that_is_right_is_believed() -> None:
    questions = draw_questions(np.random.default_rng(6), favour=0.0, error=0.0, gain=0.2)
    effect, error, dof = matcher_effect(questions, new_cases=False)
    labels = draw(questions, 60, np.random.default_rng(7)).rename(columns={"truth": "answer"})
    found = corrected_effect(questions, labels, **ASKED, effect=effect, standard_error=error, dof=dof)
    assert found.power > 0.75
    assert found.effect == pytest.approx(effect, abs=0.05)
    assert found.standard_error > error  # 60 labels without an error do not show that there is none


def test_labels_about_other_questions_are_refused() -> None:
    questions = draw_questions(np.random.default_rng(5), seeds=2)
    labels = pd.DataFrame({"configuration": ["new"], "question": [-1], "share": [0.1], "answer": [1.0]})
    with pytest.raises(ValueError, match="labels of new: no question '-1'"):
        corrected_effect(questions, labels, **ASKED, effect=0.1, standard_error=0.1, dof=9)


def test_too_few_labels_correct_nothing_and_say_how_many_it_takes() -> None:
    found, _ = corrected(np.random.default_rng(3), labels=2 * FEWEST - 2, gain=0.4, favour=0.0)
    assert not found.is_made
    assert math.isnan(found.ci_low)
    assert found.as_dict()["effect"] is None
    assert found.needed is not None
    said = correction_text(found, outcome="better", name="the finalist", baseline="the baseline")
    assert said.startswith(f"Too few labels to correct the difference: {found.labels} (9 of the finalist and 9 of the")
    assert f"about {found.needed} in all" in said


def test_without_a_test_of_the_difference_labels_correct_nothing() -> None:
    questions = draw_questions(np.random.default_rng(5), seeds=2)
    labels = draw(questions, 60, np.random.default_rng(7)).rename(columns={"truth": "answer"})
    found = corrected_effect(questions, labels, **ASKED, effect=0.1, standard_error=math.nan, dof=math.nan)
    assert not found.is_made
    assert not found.enough
    said = "Labels cannot correct the difference: there was no test, so nothing is known of its noise."
    assert correction_text(found, outcome="not distinguishable", name="a", baseline="b") == said
    assert planned_text(60, math.nan, 0.1, None) == said


def test_as_many_labels_as_it_says_it_takes_keep_0_out() -> None:
    first, _ = corrected(np.random.default_rng([1, 4]), labels=40, gain=0.2, favour=0.0, shown=True)
    assert first.is_open
    assert first.needed is not None
    assert first.needed > 40
    share = sum(
        not corrected(np.random.default_rng([2, i]), labels=2 * first.needed, gain=0.2, favour=0.0)[0].is_open
        for i in range(40)
    )
    assert share >= 20


def test_the_plan_is_what_labels_then_do() -> None:
    questions = draw_questions(np.random.default_rng(1))
    planned = planned_error(questions, 60)
    found = [corrected(np.random.default_rng([9, i]))[0].label_error for i in range(40)]
    assert np.mean(found) == pytest.approx(planned, rel=0.25)
    needed = planned_labels(questions, 0.2, 0.02)
    assert needed is not None
    assert planned_error(questions, needed) ** 2 + 0.02**2 <= 0.1**2
    assert planned_labels(questions, 0.03, 0.02) is None  # its own interval contains 0


@pytest.mark.parametrize(
    ("changes", "outcome", "said"),
    [
        ({}, "better", "The matcher's error does not explain the verdict 'better'."),
        ({"ci_low": -0.02, "needed": 140}, "better", "60 labels are too few: it takes about 140 to tell."),
        ({"ci_low": -0.02, "needed": None}, "better", "No number of labels would be enough to tell"),
        ({"effect": -0.01, "ci_low": -0.1, "needed": None}, "better", "By the labels so far there is none"),
        ({"effect": -0.1, "ci_low": -0.2, "ci_high": -0.02}, "better", "the labels show the opposite"),
        ({}, "not distinguishable", "The labels change no verdict, and show no difference by themselves."),
        ({"needed": 200}, "equivalent", "60 labels are too few: it takes about 200 to hardly widen the interval."),
    ],
)
def test_sentences(changes: dict[str, object], outcome: str, said: str) -> None:
    text = correction_text(made(**changes), outcome=outcome, name="the finalist", baseline="the baseline")
    assert said in text
    assert "By the labels the matcher scores the finalist 0.030 too high and the baseline 0.010 too low." in text
    open_or_against = changes.get("ci_low", 0.02) != 0.02 and outcome == "better"
    assert ("Warning" in text) is open_or_against


def test_the_plan_in_words() -> None:
    assert planned_text(60, 0.05, 0.08, 150) == (
        "60 labels correct the difference of +0.080 to within about ±0.100. They are probably too few to tell it from"
        " 0: it would take about 150."
    )
    assert planned_text(60, 0.02, 0.08, 30).endswith("±0.040.")
    assert "its own interval contains 0" in planned_text(60, 0.05, 0.02, None)
