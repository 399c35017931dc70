"""The shipped cases keep their promises: form, balance, and that the rubrics tell good summaries from others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from objectives import CoverageObjective
from objectives.case import LEVELS, Case
from objectives.case_files import load_cases
from objectives.rubrics import check_cases, estimate_tokens

SUMMARIES = Path(__file__).parent / "reference_summaries"
ENGLISH = load_cases("engineering-chats")
JAPANESE = load_cases("japanese-sample")
ALL = [*ENGLISH, *JAPANESE]
by_name = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)


def test_there_are_enough_of_both_kinds() -> None:
    names = [case.name for case in ENGLISH]
    assert len(names) >= 6
    assert sum(name.startswith("assistant-") for name in names) >= 2
    assert len(JAPANESE) == 2


@by_name
def test_form(case: Case) -> None:
    assert 8 <= len(case.items) <= 14
    assert {item.level for item in case.items if not item.forbidden} == set(LEVELS)
    counts = Counter(item.level for item in case.items if not item.forbidden)
    assert max(counts.values()) <= 4
    assert case.title
    assert case.meta["language"] in ("en", "ja")
    if case.meta["language"] == "en":
        assert 250 <= len(case.log.split()) <= 450
        assert estimate_tokens(case.log) < 650


def test_check_has_nothing_to_say() -> None:
    for name in ("engineering-chats", "japanese-sample"):
        report = check_cases(name, num_ctx=[2048])
        assert [finding for finding in report.findings if finding.state != "ok"] == []
        assert len(report.findings) == len(load_cases(name))


@by_name
def test_a_good_summary_scores_high_and_says_nothing_false(case: Case) -> None:
    text = (SUMMARIES / f"{case.name}.txt").read_text(encoding="utf-8")
    score = CoverageObjective().score(case, text)
    covered, total = score.lv12
    assert covered >= total - 1
    assert 0.7 <= score.score < 1
    assert score.forbidden == ()


@by_name
def test_a_summary_of_another_case_scores_nothing(case: Case) -> None:
    objective = CoverageObjective()
    others = [other for other in ALL if other is not case]
    for other in others:
        text = (SUMMARIES / f"{other.name}.txt").read_text(encoding="utf-8")
        assert objective.score(case, text).score <= 0.15, other.name


FALSE_CLAIMS = {
    "app-release-plan": "The team agreed that offline maps will ship in 8.4.",
    "assistant-duplicate-notes": "The script deletes the duplicates and keeps the oldest copy.",
    "billing-batch-delay": "インスタンスを小さくしたことが原因で、請求が遅れた。",
    "database-upgrade": "They decided to use logical replication for the upgrade.",
    "webhook-backlog": "The delays were caused by release 5.31, which was rolled back.",
}


@by_name
def test_forbidden_items_catch_the_false_claim_and_only_that(case: Case) -> None:
    claim = FALSE_CLAIMS.get(case.name)
    assert any(item.forbidden for item in case.items) == (claim is not None)
    if claim is not None:
        assert len(CoverageObjective().score(case, claim).forbidden) == 1
        assert CoverageObjective().score(case, case.log).forbidden == ()
