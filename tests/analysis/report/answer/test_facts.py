"""The numbers behind the answer, in page, panel and note."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from analysis import judge
from analysis.report.answer.facts import baseline_text
from analysis.report.page import render_note
from analysis.verdict.recommendation import Recommendation
from tests.analysis.report.reading import (
    drawn_on,
    panel_of,
    words_of,
)
from tests.analysis.sample import BASELINE
from tests.analysis.sample_report import make_data


def test_a_failed_aa_check_is_told_everywhere(data):
    failed = replace(data, aa=replace(data.aa, passed=False, sentence="The halves differ (+0.2, p = 0.001)."))
    assert "The baseline against itself: differs." in words_of(failed)
    assert "The halves differ" in render_note(failed).replace("\\", "")
    assert "The halves differ" in "\n".join(drawn_on(80, failed))


def test_arms_of_unequal_size_are_told_both():
    whole = make_data()
    rows = whole.observations
    rest = (rows["configuration"] == BASELINE) & (rows["stage"] == "confirm") & (rows["seed"] > 5001)
    fewer = rows[~rest]
    verdicts = judge(fewer[fewer["stage"] == "confirm"], baseline=BASELINE, finalists=[whole.finalist])
    assert (verdicts[0].n_finalist, verdicts[0].n_baseline) == (48, 12)
    data = replace(whole, observations=fewer, verdicts=verdicts)
    both = "48 fresh generations against 12 of the baseline"
    assert f"{both}, on these 6 cases" in panel_of(data)
    assert both in render_note(data)
    assert both in words_of(data).replace("48fresh", "48 fresh")
    assert "generations each" not in words_of(data) + render_note(data)
    assert "48 fresh generations each, on these 6 cases" in panel_of(whole)


def test_a_gain_that_could_not_be_seen_is_told_as_such(data):
    far = replace(data.verdict, mde=3.154)
    told = replace(data, verdicts=[far])
    found = "not even the largest possible gain would have been found 8 times in 10: that takes one of 3.15, and scores"
    assert f"{found} end at 1" in render_note(told)
    page = words_of(told)
    assert "8 times in 10; scores end at 1, so that no gain is as large" in page
    assert "smallest real gain that would have been found 8 times in 10" not in page
    assert "smallest real gain that would have been found 8 times in 10" in words_of(data)


def test_a_gamble_without_a_gain_by_the_scores_alone_says_so(data):
    lucky = replace(data.verdict, optimism=0.03, outcome="not distinguishable", p_value=0.5, effect=0.008)
    keys = [lucky.configuration, data.baseline]
    for score, words in (
        (0.38, "no gain by the scores alone, without the luck of the best (-0.020): only the search"),
        (0.42, "about +0.008 from new generations, without the luck of the best"),
    ):
        expected = pd.DataFrame({"configuration": keys, "score": [score, 0.4], "mean": [0.43, 0.4]})
        told = replace(
            data,
            verdicts=[lucky],
            expected=expected,
            fresh_effects={lucky.configuration: 0.008},
            recommendations={lucky.configuration: Recommendation(0.8, True)},
            broken=[],
        )
        assert told.use_now.gamble
        assert words in re.sub(r"\\", "", render_note(told))


def test_what_was_given_up_says_what_the_end_could_have_seen(data):
    told = replace(data, verdicts=[replace(data.verdict, mde=0.0612, given_up=True, look=1)])
    found = "a real gain of 0.061 or more would have been found 8 times in 10, had it not been given up at look 1; one"
    assert found in render_note(told)
    assert "smallest real gain that would have been found 8 times in 10, had the comparison gone on" in words_of(told)
    assert "of this size or more would have been found 8 times in 10, had the comparison gone on" in words_of(told)
    assert "had the comparison gone on" not in words_of(data)
    left = replace(data, verdicts=[replace(data.verdict, mde=0.0612, overtaken=True, look=1)])
    assert "found 8 times in 10, had it not left at look 1; one" in render_note(left)


def test_sources_of_the_baseline_are_written_as_by_a_check(data):
    sources = {"temperature": "file", "top_k": "model", "top_p": "server default (0.33.0)"}
    values = data.values(data.baseline)
    assert baseline_text(replace(data, baseline_sources=sources)) == (
        f"from the model: top_k {values['top_k']}; server default (0.33.0): top_p {values['top_p']}"
    )
    assert baseline_text(replace(data, baseline_sources={"top_k": "ours"})) == ""
