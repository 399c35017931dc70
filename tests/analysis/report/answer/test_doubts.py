"""Doubts stand beside the verdict: in the page's first box, in the panel and in the note."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis import judge
from analysis.report.answer.doubts import doubts, other_scorings
from analysis.report.page import render_note, render_report
from tests.analysis.report.reading import Page, panel_of
from tests.analysis.sample import BASELINE


def longer(data):
    """The study with texts of the finalist that are twice as long, and with a prompt of its own."""
    rows = data.observations.assign(words=100)
    rows.loc[rows["configuration"] == data.finalist, "words"] = 200
    fresh = rows[rows["stage"] == "confirm"]
    verdicts = judge(fresh, baseline=BASELINE, finalists=[data.finalist])
    return replace(data, observations=rows, verdicts=verdicts)


def test_each_stands_once_and_directly_below_the_verdict(data):
    twice = longer(data)
    found = doubts(twice)
    assert any("are 2.0 times as long (200 words on average, 100 of the baseline)" in each for each in found)
    text = render_report(twice, figures={})
    box = text[text.index('<section class="card verdict') : text.index("</section>")]
    inside, words = Page(box + "</section>").words, Page(text).words
    for each in found:
        plain = each.replace("`", "")
        assert plain in inside
        assert words.count(plain) == 1
        assert each.rstrip(".") in render_note(twice).replace("\\", "")
    assert found[0][:60] in panel_of(twice)


def test_other_ways_to_score_are_counted_by_their_verdict(data):
    told = other_scorings(data)
    assert told == (
        "Of 3 ways to score the same texts, 1 gives another verdict: levels 1-2 only (not distinguishable)."
    )
    agreed = data.robustness.assign(outcome="better")
    assert other_scorings(replace(data, robustness=agreed)) == ""
    assert other_scorings(replace(data, robustness=pd.DataFrame({"scoring": ["equal"]}))) == ""
    assert doubts(replace(data, verdicts=[])) == []


def test_a_first_reader_is_told_what_is_scored_and_what_the_prompts_are(data):
    meaning = "A score is the share of a case's facts that a text covers."
    prompts = {"terse": "Sum up <b>{log}</b>", "note": "Write a note on {log}"}
    known = {**data.configurations, data.finalist: {**data.configurations[data.finalist], "prompt": "note"}}
    text = render_report(replace(data, score_text=meaning, prompts=prompts, configurations=known), figures={})
    words = Page(text).words
    assert words.index(meaning) < words.index("95% interval of the true difference")
    assert "read both prompts" in words
    assert "Prompts terse baselineSum up <b>{log}</b> note finalistWrite a note on {log}" in words
    assert "0: no difference" in words
    assert "read both prompts" not in Page(render_report(replace(data, prompts=prompts), figures={})).words
