"""The configurations that a page shows one by one."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from analysis.pareto import undominated
from analysis.report import shown
from analysis.report.data import ReportData
from analysis.report.page import render_report
from analysis.report.tables import Tables


def test_up_to_the_most_all_are_shown_and_nothing_is_said() -> None:
    keys = [f"c{number}" for number in range(300)]
    assert shown.shown_of(keys, ["c5"]) == keys
    assert shown.shown_text(300, 300) == ""


def test_a_choice_has_the_best_the_arms_and_an_even_sample() -> None:
    keys = [f"c{number}" for number in range(9000)]
    found = shown.shown_of(keys, ["c8999", "c0", None, "unknown"])
    assert len(found) == 300
    assert found[:200] == keys[:200]
    assert found[-1] == "c8999"
    places = [int(key[1:]) for key in found[200:-1]]
    steps = {b - a for a, b in pairwise(places)}
    assert steps <= {88, 89}  # 8,799 others in 99 parts
    assert shown.shown_text(300, 9000).startswith("300 of 9,000 configurations are shown: the 200 best")


@pytest.mark.usefixtures("small_choice")
def test_arms_are_shown_even_where_they_are_more_than_the_room() -> None:
    assert shown.shown_of(list("abcdefghi"), "efghi") == list("abcefghi")


def test_the_front_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    gain, cost = rng.integers(0, 12, (2, 150)).astype(float)
    losses = np.column_stack([-gain, cost])
    beaten = [any((o <= p).all() and (o < p).any() for o in losses) for p in losses]
    assert undominated(gain, cost[:, None]).tolist() == [not each for each in beaten]


@pytest.fixture
def small_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "MOST", 6)
    monkeypatch.setattr(shown, "BEST", 3)


@pytest.mark.usefixtures("small_choice")
def test_a_page_of_many_says_what_it_shows_and_counts_all() -> None:
    rng = np.random.default_rng(1)
    rows = [
        {"configuration": f"t{trial}", "trial": trial, "stage": "explore", "case": f"k{case}", "seed": case,
         "score": 0.3 + 0.02 * trial + 0.01 * rng.random(), "finish": "stop", "temperature": 0.1 * trial + 0.1}
        for trial in range(12)
        for case in range(3)
    ]  # fmt: skip
    base = [
        {"configuration": "base", "trial": -1, "stage": "floor", "case": f"k{case}", "seed": seed,
         "score": 0.4 + 0.01 * rng.random(), "finish": "stop", "temperature": 0.0}
        for case in range(3)
        for seed in range(3)
    ]  # fmt: skip
    data = ReportData("many", "2026-01-01T00:00:00Z", pd.DataFrame([*base, *rows]), baseline="base")
    tables = Tables(data)
    assert tables.shown[:3] == ["t11", "t10", "t9"]
    assert "base" in tables.shown
    assert len(tables.shown) == 6
    ranks = {row["key"]: row["rank"] for row in tables.ranking}
    assert [ranks[key] for key in tables.shown] == [1 + list(tables.means.index).index(key) for key in tables.shown]
    page = render_report(data)
    assert "6 of 13 configurations are shown" in page
    assert set(re.findall(r'data-configuration="([^"]+)"', page)) == set(tables.shown)
    assert "of 12 trials have a higher mean" in page  # titles are about all


def test_many_dots_are_sampled_with_both_ends() -> None:
    assert shown.dots_of(1000, 5000, 24) == list(range(1000))
    places = shown.dots_of(1000, 5001, 24)
    assert (len(places), places[0], places[-1]) == (100, 0, 999)
    assert {b - a for a, b in pairwise(places)} == {10, 11}
    assert shown.dots_of(7, 5001, 24) == list(range(7))
    assert (shown.dots_text(5000), "5,001" in shown.dots_text(5001)) == ("", True)


def test_a_trial_that_lost_some_of_its_cases_says_how_many_it_has(data: ReportData) -> None:
    rows = data.observations
    searched = rows[(rows["stage"] == "explore") & ~rows["configuration"].isin([data.baseline, data.finalist])]
    key, cases = searched["configuration"].iloc[0], sorted(searched["case"].unique())
    assert not any(row["cases"] for row in Tables(data).ranking)
    gone = (rows["configuration"] == key) & rows["case"].isin(cases[1:])
    pruned = replace(data, observations=rows[~gone])
    notes = {row["key"]: row["cases"] for row in Tables(pruned).ranking if row["cases"]}
    assert notes == {key: f"1 of {len(cases)} cases"}
    assert f"(1 of {len(cases)} cases)" in render_report(pruned)
