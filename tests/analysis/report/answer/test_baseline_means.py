"""The baseline's means by stage."""

from __future__ import annotations

import re
from dataclasses import replace

from analysis.report.answer.baseline_means import apart_text, baseline_means_text
from analysis.report.answer.doubts import doubts
from analysis.report.page import render_note, render_report
from tests.analysis.sample import BASELINE


def test_each_mean_has_its_stage_and_number_of_generations(data):
    own = data.observations[data.observations["configuration"] == BASELINE]
    text = baseline_means_text(data)
    for stage, words in (("floor", "before the search"), ("confirm", "in the confirmation")):
        rows = own[own["stage"] == stage]
        mean = rows.groupby("case")["score"].mean().mean()
        assert f"{mean:.3f} {words} ({len(rows)} generations)" in text
    counts = own["stage"].value_counts()
    spread = 1.959964 * data.noise_sd * (1 / counts["floor"] + 1 / counts["confirm"]) ** 0.5
    assert f"differ by up to {spread:.3f} in 95 of 100 studies" in text


def test_means_that_differ_by_more_than_chance_are_said_to(data):
    rows = data.observations.copy()
    floor = (rows["configuration"] == BASELINE) & (rows["stage"] == "floor")
    assert "which is rare" not in baseline_means_text(data)
    rows.loc[floor, "score"] = 0.0
    apart = replace(data, observations=rows)
    assert "which is rare: see whether the machine changed" in baseline_means_text(apart)
    assert apart_text(data) == ""
    assert apart_text(apart) in doubts(apart)  # beside the verdict
    assert apart_text(apart).startswith("The baseline scored 0.000 before the search (24 generations) and ")


def test_report_and_note_have_the_sentence(data):
    text = baseline_means_text(data)
    assert text in re.sub(r"<[^>]+>", "", render_report(data, figures={})).replace("&#39;", "'")
    assert text in render_note(data).replace("\\", "")


def test_one_stage_needs_no_explanation(data):
    rows = data.observations
    assert not baseline_means_text(replace(data, observations=rows[rows["stage"] == "confirm"]))
    assert not baseline_means_text(replace(data, observations=rows.drop(columns="stage")))


def test_a_comparison_is_called_so(data):
    assert "in the comparison (" in baseline_means_text(replace(data, is_comparison=True))
