"""The best of several: the part that luck adds, and an expected gain that holds for new generations."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from analysis import judge, judge_one
from analysis.comparison.selection_bias import expected_maximum
from analysis.export.export_set import ExportSet
from analysis.export.formats import render
from analysis.pareto import expected
from analysis.report.answer.note import render_note
from analysis.report.answer.panel import terminal_summary
from analysis.report.data import ReportData
from tests.marks import long


def rows(arm, truth, rng, *, cases=6, seeds=8, sd=0.12, stage="confirm", first=1000):
    """Scores of a configuration; its cases differ, for all configurations alike."""
    scores = truth + np.linspace(-0.1, 0.1, cases)[:, None] + rng.normal(0, sd, (cases, seeds))
    index = pd.MultiIndex.from_product([[f"c{i}" for i in range(cases)], range(first, first + seeds)])
    frame = pd.DataFrame({"score": scores.ravel()}, index=index.rename(["case", "seed"])).reset_index()
    frame["score"] = frame["score"].clip(0, 1)
    return frame.assign(configuration=arm, stage=stage, output_tokens=100.0, finish="stop", temperature=0.8)


def test_the_expected_maximum_by_known_values():
    assert expected_maximum([1.0, 1.0]) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-5)
    assert expected_maximum([1.0] * 3) == pytest.approx(1.5 / math.sqrt(math.pi), abs=1e-5)
    assert expected_maximum([0.02] * 5) == pytest.approx(0.02 * 1.16296, abs=1e-6)
    assert expected_maximum([0.3, 0.4]) == pytest.approx(0.5 / math.sqrt(2 * math.pi), abs=1e-5)
    assert expected_maximum([0.3, 0.0]) == pytest.approx(0.3 / math.sqrt(2 * math.pi), abs=1e-4)
    assert expected_maximum([0.3]) == expected_maximum([0.0, 0.0]) == expected_maximum([]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("count", "claim"), [(2, "these-cases"), long(5, "these-cases"), (5, "new-cases")])
def test_what_is_told_is_what_luck_makes_of_equal_configurations(count, claim):
    rng, best, stated = np.random.default_rng(count), [], []
    for _ in range(50):
        arms = [rows("base", 0.5, rng), *(rows(f"f{i}", 0.5, rng) for i in range(count))]
        verdicts = judge(pd.concat(arms), baseline="base", claim=claim)
        best.append(max(verdict.effect for verdict in verdicts))
        stated.append(verdicts[0].optimism)
        assert len({verdict.optimism for verdict in verdicts}) == 1
    assert np.mean(stated) == pytest.approx(np.mean(best), abs=0.005)
    se = 0.12 / math.sqrt(48)
    assert np.mean(stated) == pytest.approx(expected_maximum([se] * count), rel=0.15)


def several(rng, count, holds):
    """Equal configurations beside a baseline, such that something holds of the verdict on the best: all verdicts."""
    while True:
        table = pd.concat([rows("base", 0.5, rng), *(rows(f"f{i}", 0.5, rng) for i in range(count))])
        verdicts = judge(table, baseline="base")
        best = max(verdicts, key=lambda verdict: verdict.effect)
        if holds(best):
            return table, verdicts, best


def test_a_note_says_so_and_the_advice_chases_no_luck():
    def hardly(best):
        return 0.01 < best.effect < best.optimism and best.outcome == "not distinguishable"

    table, verdicts, best = several(np.random.default_rng(3), 5, hardly)
    for verdict in verdicts:
        (caution,) = verdict.cautions
        assert verdict.notes[0] == caution
        assert f"By luck alone the best of 5 equal configurations would come out {best.optimism:.3f} above" in caution
        assert "expect less than shown" in caution
        assert "as large as this one" not in verdict.advice
    assert "hardly more than luck makes among 5 equal configurations" in best.advice
    alone = judge_one(table, baseline="base", finalist=best.configuration)
    assert (alone.optimism, alone.cautions, alone.effect) == (0, (), best.effect)
    assert "luck" not in alone.advice + " ".join(alone.notes)
    assert best.as_dict()["cautions"] == list(best.cautions)


def test_what_is_left_of_a_large_difference_is_what_the_advice_names():
    def left_over(best):
        return best.effect - best.optimism > 0.005 and best.outcome == "not distinguishable"

    table, _, best = several(np.random.default_rng(5), 3, left_over)
    left = f"{best.effect - best.optimism:.{3 if best.effect - best.optimism >= 0.01 else 4}f}"
    assert f"real difference of {left} (this one minus the luck of the best of 3 equal ones)" in best.advice
    wanted = judge(table, baseline="base", min_gain=0.05)
    assert not any("luck" in verdict.advice for verdict in wanted)
    alone = judge_one(table, baseline="base", finalist=best.configuration)
    if alone.outcome == "not distinguishable":
        assert "real difference as large as this one" in alone.advice


def study(rng, spread, *, below=0.0, trials=16, finalists=5):
    """A search over trials whose truths differ by so much, and a confirmation of the best: its report and truth."""
    truths = dict(zip((f"t{i}" for i in range(trials)), 0.5 - below + rng.normal(0, spread, trials), strict=True))
    base = [rows("base", 0.5, rng, seeds=4, stage="floor", first=0), rows("base", 0.5, rng)]
    search = [rows(key, truth, rng, seeds=2, stage="explore", first=100) for key, truth in truths.items()]
    means = pd.concat(search).groupby("configuration")["score"].mean()
    chosen = list(means.nlargest(finalists).index)
    confirmed = [rows(key, truths[key], rng) for key in chosen]
    table = pd.concat([*base, *search, *confirmed], ignore_index=True)
    table["trial"] = [-1 if key == "base" else int(key[1:]) for key in table["configuration"]]
    verdicts = judge(table[table["stage"] == "confirm"], baseline="base", finalists=chosen)
    best = max(verdicts, key=lambda verdict: verdict.effect)
    table_of_means = expected(table, baseline="base", noise_sd=0.12)
    data = ReportData("s", "2026-01-01", table, "base", best.configuration, verdicts, expected=table_of_means)
    return data, truths[best.configuration] - 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "below"), [(0.0, 0.0), long(0.03, 0.0), (0.02, 0.08)])
def test_the_expected_gain_of_the_recommended_one_is_right_on_average(spread, below):
    rng, shown, stated, truth = np.random.default_rng(11), [], [], []
    for _ in range(16):
        data, gain = study(rng, spread, below=below)
        shown.append(data.verdict.effect)
        stated.append(data.expected_gain(data.verdict))
        truth.append(gain)
    assert np.mean(stated) == pytest.approx(np.mean(truth), abs=0.01)
    assert np.mean(shown) > np.mean(truth) + 0.01


def test_recommendation_note_panel_and_export_tell_of_it():
    rng = np.random.default_rng(12)
    data, _ = next(each for each in iter(lambda: study(rng, 0.0), None) if each[0].verdict.effect > 0.02)
    gain = data.expected_gain(data.verdict)
    expect = f"about {gain:+.3f} from new generations, without the luck of the best"
    assert gain < data.verdict.effect - 0.01
    text = re.sub(r"\\", "", render_note(data))
    assert data.verdict.cautions[0] in text
    assert f"| expect | {expect} |" in text
    panel = " ".join(str(line) for line in terminal_summary(data)[0].renderable.renderables)
    assert "! By luck alone the best of 5 equal configurations" in panel
    alone, _ = study(rng, 0.0, finalists=1)
    assert alone.expected_gain(alone.verdict) is None
    assert "| expect |" not in render_note(alone)
    made = {"options": {"temperature": 0.5}, "model": "m", "prompt": "p", "system": "", "user": "{log}", "study": "s"}
    made |= {"configuration": "k", "date": "2026-01-01", "shown_better": True, "outcome": "better"}
    env = render(ExportSet(**made, cautions=data.verdict.cautions), "env")
    assert f"# CAUTION: {data.verdict.cautions[0]}" in env
