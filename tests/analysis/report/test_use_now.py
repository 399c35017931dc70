"""The settings to use now: page, panel and note say the same."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from analysis import judge
from analysis.report.page import render_note, render_report
from tests.analysis.report.reading import (
    drawn_on,
    first_line,
    open_,
    outcome,
    panel_of,
    second_finalist,
    tone_of,
    trial_of,
    words_of,
)
from tests.analysis.sample import BASELINE
from tests.analysis.sample_report import make_data


def test_a_null_study_is_not_dressed_up():
    data = make_data(gain=0.0)
    assert data.verdict.outcome == "not distinguishable"
    words = words_of(data)
    assert "Not distinguishable from the baseline" in words
    assert "Better than" not in words
    for text in (words, render_note(data), panel_of(data)):
        assert "Keep your current settings" in text
        assert "Use the new settings" not in text


def test_a_finalist_that_is_merely_ahead_is_a_gamble(data):
    for given_up in (False, True):
        told = open_(data, 0.0021, given_up=given_up, look=1)
        reason = "the comparison ended early, because a gain had become unlikely"
        assert first_line(told) == "Keep your current settings: " + (
            reason if given_up else "no gain beyond luck was found"
        )
        temperature = data.values(data.finalist)["temperature"]
        for text in (words_of(told), render_note(told).replace("\\", ""), panel_of(told)):
            assert f"If you want to gamble: temperature 0.8 → {temperature}" in text
            assert "That scored 0.002 higher here, which luck alone can explain (p = 0.34)." in text
            assert "--force" not in text
    assert "gamble" not in words_of(data) + render_note(data) + panel_of(data)
    assert "That scored 0.0000021 higher" in render_note(open_(data, 0.0000021))
    for name in ("worse", "equivalent"):
        assert "gamble" not in render_note(outcome(data, name, effect=0.002))
    behind = open_(data, -0.002)
    assert first_line(behind) == "Keep your current settings: no gain was found"
    assert "gamble" not in render_note(behind)


def test_where_arms_are_as_good_there_is_no_reason_to_change(data):
    told = outcome(data, "equivalent", effect=0.012, margin=0.123)
    assert first_line(told) == "Keep your current settings: the finalist is as good, not better"
    assert "| margin | ±0.123: differences within it count as none |" in render_note(told)
    assert "±0.123: differences within it count as none" in panel_of(told)
    assert "| margin |" not in render_note(data)


def test_all_fresh_generations_of_the_baseline_decide_who_is_ahead(data):
    told = replace(open_(data, 0.012, look=1, n_baseline=18), fresh_effects={data.finalist: -0.005})
    assert first_line(told).endswith("; against all fresh generations of the baseline the difference is -0.005")
    assert "gamble" not in render_note(told)
    words = words_of(told)
    assert "the verdict compares with the 18 that it had at look 1" in words
    assert "the verdict compares with the" not in words_of(data)
    assert "the verdict compares with the" not in words_of(
        replace(data, fresh_effects={data.finalist: data.verdict.effect})
    )


def test_a_broken_limit_keeps_the_current_settings_whatever_the_score(data):
    broken = replace(data, broken=["breaks words: 171 on average, limit 150"])
    line = "Keep your current settings: the finalist scores better, but breaks words: 171 on average, limit 150"
    assert first_line(broken) == line
    assert tone_of(render_report(broken, figures={})) == "none"
    ahead = replace(open_(data, 0.01), broken=broken.broken)
    assert first_line(ahead) == "Keep your current settings: the finalist breaks words: 171 on average, limit 150"
    assert "gamble" not in render_note(ahead)
    neither = replace(broken, baseline_broken=["breaks words: 160 on average, limit 150"])
    assert first_line(neither) == (
        "Keep your current settings: neither they nor the finalist keep all limits"
        " (the finalist breaks words: 171 on average, limit 150)"
    )


def test_the_first_line_of_the_panel_is_the_answer(data):
    assert drawn_on(80, data)[1].strip("│ ").startswith("Use the new settings: ")
    for name in ("worse", "equivalent", "not distinguishable"):
        assert drawn_on(80, outcome(data, name))[1].strip("│ ").startswith("Keep your current settings: ")


def test_of_several_finalists_it_is_said_which_one_is_meant(data):
    second, extra, confirm = second_finalist(data)
    verdicts = judge(confirm, baseline=BASELINE, finalists=[second, data.finalist], margin=0.09)
    verdicts[0] = replace(verdicts[0], given_up=True, look=1)
    rows = pd.concat([data.observations, extra.assign(trial=trial_of(data, second))])
    look = f"Trial {trial_of(data, data.finalist)}: Look 1 of 2: go on."
    looks = [f"Trial {trial_of(data, second)}: Look 1 of 2: stop.", look]
    several = replace(data, observations=rows, verdicts=verdicts, looks=looks, last_look=look)
    of, name = f"trial {trial_of(data, data.finalist)}", f"trial {trial_of(data, second)}"
    panel = panel_of(several)
    assert f"Better than the baseline: {of}, of 2 finalists" in panel
    assert f"Better than the baseline: {of}, of 2 finalists" in render_note(several)
    assert f"others {name} {verdicts[0].outcome} (+0.000, given up at look 1)" in panel
    left = replace(several, verdicts=[replace(verdicts[0], given_up=False, overtaken=True), *verdicts[1:]])
    assert f"others {name} {verdicts[0].outcome} (+0.000, left the run-off at look 1)" in panel_of(left)
    assert f"- {of.capitalize()}: Look 1 of 2: go on." in panel  # of the one that counts
    assert f"- {name.capitalize()}" not in panel
    page = words_of(several)
    assert f"Better than the baseline: {of}, of 2 finalists" in page
    others = page[page.index("Other finalists") :][:100]
    assert f"{name.capitalize()} is as good as the baseline" in others
    assert second not in others
    assert "finalists" not in render_note(data)


def test_where_nothing_was_tested_no_numbers_are_made_up(data):
    none = dict.fromkeys(("ci_low", "ci_high", "p_value", "mde"), math.nan)
    told = outcome(data, "not distinguishable", effect=0.129, noise_sd=0.0, **none)
    for text in (render_note(told), panel_of(told)):
        assert "+0.129 (no interval and no p value: there is no noise to test with)" in text.replace("\\", "")
        assert "precision" not in text
        assert "–" not in text
    page = words_of(told)
    assert "no interval and no p value" in page
    assert "Keep your current settings No score varies, so that luck cannot be told from a gain." in page
    assert "– to –" not in page
    assert "smallest gain" not in page
    unseen = outcome(data, "not distinguishable", mde=math.inf)
    assert "with so few seeds no gain of any size could have been found" in render_note(unseen)
