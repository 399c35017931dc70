"""The numbers behind the answer, in page, panel and note."""

from __future__ import annotations

from dataclasses import replace

from analysis import judge
from analysis.report.answer.facts import baseline_text
from analysis.report.page import render_note
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
    assert "no gain could have been found: it takes one of 3.15, and scores end at 1" in render_note(told)
    page = words_of(told)
    assert "so no gain could have been found" in page
    assert "smallest real gain that would have been found 8 times in 10" not in page
    assert "smallest real gain that would have been found 8 times in 10" in words_of(data)


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
