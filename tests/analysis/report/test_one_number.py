"""One quantity of one stage has one number, wherever the page shows it: in words, tables, figures, panel and note."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from analysis.report.answer.glance import at_a_glance
from analysis.report.page import render_note
from analysis.report.parts import pareto_rows
from analysis.report.tables import Tables
from tests.analysis.report.reading import panel_of
from tests.analysis.sample import BASELINE


@pytest.fixture(scope="module")
def tables(data) -> Tables:
    return Tables(data)


@pytest.fixture(scope="module")
def figures(page):
    """The traces and shapes of each interactive figure; a configuration is named by its key."""
    content = json.loads(page.scripts[0])
    assert content["keys"]
    return content


def heights_of(figures, name: str, key: str, only: str = "") -> list[float]:
    """Heights of a configuration's points in a figure, in traces whose name has `only`."""
    place = figures["keys"].index(key)
    return [
        y
        for trace in figures["figures"][name]["data"]
        if only in str(trace.get("name", ""))
        for y, of in zip(trace["y"], trace.get("customdata") or [], strict=False)
        if of == place
    ]


def test_the_baselines_mean_is_the_verdicts(data, tables, figures):
    ranked = {row["key"]: row["row"] for row in tables.ranking}
    front = [row["mean"] for row in pareto_rows(data) if row["configuration"] == BASELINE]
    known = data.expected.set_index("configuration")["mean"][BASELINE]
    lines = [
        shape["y0"]
        for name in ("noise_band", "history")
        for shape in figures["figures"][name]["layout"]["shapes"]
        if shape["type"] == "line"
    ]
    squares = heights_of(figures, "sensitivity", BASELINE, "baseline")
    assert len(lines) == 2
    assert squares
    cases = np.mean([row["scores"][0] for row in tables.case_rows])
    found = [ranked[BASELINE]["mean"], known, cases, *front, *lines, *squares]
    assert found == pytest.approx([data.verdict.baseline_mean] * len(found), abs=1e-5)
    assert ranked[BASELINE]["n"] == data.verdict.n_baseline


def test_the_finalists_fresh_mean_is_the_verdicts(data, tables, figures):
    ranked = {row["key"]: row["row"] for row in tables.ranking}
    drawn = heights_of(figures, "noise_band", data.finalist, "fresh generation")
    drawn += heights_of(figures, "sensitivity", data.finalist, "finalist")
    cases = np.mean([row["scores"][1] for row in tables.case_rows])
    known = data.expected.set_index("configuration")["mean"][data.finalist]
    found = [ranked[data.finalist]["mean"], known, cases, *drawn]
    assert len(drawn) >= 2
    assert found == pytest.approx([data.verdict.finalist_mean] * len(found), abs=1e-5)
    assert ranked[data.finalist]["n"] == data.verdict.n_finalist


def test_words_page_panel_and_note_say_one_mean_of_each_unless_they_name_the_stage(data, page):
    for text in (page.words, panel_of(data), render_note(data).replace("\\", "")):
        plain = re.sub(r"The baseline scored [^:]+:", "", text)  # the sentence that names stages and numbers
        base = set(re.findall(r"(?:baseline\)?|against) (0\.\d{3})", plain))
        assert base == {f"{data.verdict.baseline_mean:.3f}"}
        assert set(re.findall(r"(?:it scores|\(finalist\)) (0\.\d{3})", plain)) == {f"{data.verdict.finalist_mean:.3f}"}


def test_tokens_and_endings_have_one_source(data, tables):
    ranked = {row["key"]: row["row"] for row in tables.ranking}
    endings = dict(zip(tables.arms, tables.ending_rows, strict=False))
    front = {row["configuration"]: row["tokens"] for row in pareto_rows(data)}
    for key, cost in zip(tables.arms, tables.costs["arms"], strict=True):
        assert ranked[key]["output_tokens"] == pytest.approx(cost.answer_tokens)
        assert ranked[key]["words"] == pytest.approx(cost.words)
        assert front.get(key, cost.answer_tokens) == pytest.approx(cost.answer_tokens)
        assert ranked[key]["cut"] == pytest.approx(endings[key]["length"] / endings[key]["n"])
        assert endings[key]["n"] == ranked[key]["n"] == cost.n


def test_counts_are_the_same_in_titles_and_tables(data, page, tables, figures):
    front = int(data.expected["front"].sum())
    said = re.findall(r"(\d+) of \d+ configurations are beaten by no other on both score and \w+", page.words)
    assert set(said) == {str(front)}
    assert len(pareto_rows(data)) == front
    best = figures["figures"]["pareto"]["data"][2]
    assert best["name"] == "beaten by none"
    assert len(best["x"]) == front
    higher = sum(row["effect"] > 0 for row in tables.case_rows)
    assert f"above the baseline's in {higher} of 6 cases" in page.words
    assert f"finalist higher in {higher} of 6 cases" in at_a_glance(tables)[0].answer
    for case in tables.item_changes.cases:
        assert all(abs(change.change) > 0 for change in (*case.gained, *case.lost))
