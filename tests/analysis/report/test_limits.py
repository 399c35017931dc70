"""Limits on all configurations, and the reason for a finalist whom others outscore."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from analysis.report.answer.glance import at_a_glance
from analysis.report.limits import LimitColumn
from analysis.report.page import render_report
from analysis.report.parts import over_limits, why_finalist
from analysis.report.plots.figures import pareto
from analysis.report.tables import Tables
from tests.analysis.report.reading import Page, second_finalist


def limited(data, over: set[str]) -> LimitColumn:
    keys = set(data.observations["configuration"])
    means = {key: 170.0 if key in over else 120.0 for key in keys}
    return LimitColumn("words", 150.0, "150", means, {key: f"{mean:.0f}" for key, mean in means.items()})


def row(key: str, mean: float, n: int) -> dict:
    return {"key": key, "row": {"mean": mean, "n": n}}


def test_a_limit_is_broken_above_it_and_not_by_rounding():
    column = LimitColumn("cut_off", 0.1, "10%", {"a": 0.1 + 1e-12, "b": 0.11, "c": float("nan")}, {"a": "10%"})
    assert [column.over(key) for key in ("a", "b", "c", "unknown")] == [False, True, False, False]
    assert (column.title, column.cell("a"), column.cell("unknown")) == ("cut off ≤ 10%", "10%", "–")


def test_the_reason_counts_limits_confirmations_and_luck(data):
    others = [
        key for key in dict.fromkeys(data.observations["configuration"]) if key not in (data.baseline, data.finalist)
    ]
    over, one, two = others[:3]
    ranking = [
        row(over, 0.9, 6),
        row(one, 0.8, 6),
        row(two, 0.7, 12),
        row(data.finalist, 0.6, 48),
        row(data.baseline, 0.5, 72),
    ]
    here = replace(data, limits=[limited(data, {over})], expected=None)
    assert over_limits(here, over) == ["words"]
    text = why_finalist(here, ranking)
    assert text.startswith(
        "3 configurations have higher means here. 1 is over a limit (words). 2 rest on 6 to 12 texts"
    )
    assert text.endswith("where the best means are partly luck; the finalist's mean is of 48 fresh ones.")
    second, _, _ = second_finalist(data)
    judged = replace(here, verdicts=[*data.verdicts, replace(data.verdict, configuration=second)], limits=[])
    assert (
        why_finalist(judged, [row(second, 0.9, 48), *ranking[3:]])
        == "1 configuration has a higher mean here. 1 was confirmed too, with a weaker verdict."
    )


def test_luck_allowed_for_the_finalist_is_compared_with_them(data):
    known = data.expected.set_index("configuration")["score"]
    text = why_finalist(data, Tables(data).ranking)
    if text:  # the sample's luck decides whether a trial looks better than the finalist
        assert f"{known[data.finalist]:.3f} is expected of it" in text
    top = [row(key, 9.0, 6) for key in known.index if key not in (data.baseline, data.finalist)]
    text = why_finalist(data, [*top, row(data.finalist, 0.6, 48)])
    assert f"{known[data.finalist]:.3f} is expected of it, and at most" in text


@pytest.mark.parametrize("changes", [{"finalist": None}, {"is_comparison": True}])
def test_there_is_no_reason_where_nothing_won_a_search(data, changes):
    assert why_finalist(replace(data, **changes), Tables(data).ranking) == ""
    assert why_finalist(data, [row(data.finalist, 0.9, 48), row(data.baseline, 0.1, 9)]) == ""


def test_ranking_and_front_have_a_column_per_limit_with_marks(data):
    over = next(key for key in data.expected[data.expected["front"]]["configuration"])
    text = render_report(replace(data, limits=[limited(data, {over})]), figures={})
    assert text.count(">words ≤ 150</th>") == 3  # two parts of the ranking, and the front
    marked = re.findall(r'<span class="over">170 over the limit</span>', text)
    assert len(marked) == 2  # its rows in both tables
    assert "over the limit" not in Page(render_report(data, figures={})).words


def test_the_limit_of_tokens_is_a_line_in_the_plot_of_the_front(data):
    axes = pareto(data.expected, baseline=data.baseline, finalist=data.finalist, limit=100.0).axes[0]
    assert [100.0, 100.0] in [list(line.get_xdata()) for line in axes.lines]
    assert "limit: 100 tokens" in axes.get_legend_handles_labels()[1]


def test_a_glance_answers_cases_cost_and_machine_with_links(data):
    page = Page(render_report(replace(data, host_labels={"3f9a1c": "wk-01"}), figures={}))
    answers = {each.question: each for each in at_a_glance(Tables(data))}
    assert list(answers) == ["On which cases?", "What does it cost?", "Which option mattered?", "Which machine?"]
    assert answers["On which cases?"].answer.startswith("finalist higher in ")
    assert "words" in answers["What does it cost?"].answer
    ids = {at["id"] for _, at in page.tags if "id" in at}
    assert {each.link for each in answers.values()} <= ids
    assert "wk-01: 8" not in page.words  # memory_gb is no fact of a fingerprint
    assert "wk-01: ollama 0.32.15 (" in page.words
