"""Texts that say otherwise in nearly an item's words: minimal pairs, and what must stay covered."""

from __future__ import annotations

from pathlib import Path

import pytest

from objectives import load_cases
from objectives.case import Item
from objectives.matchers.contradiction import contradiction
from objectives.matchers.lexical import LexicalMatcher
from objectives.text import normalise

DATA = Path(__file__).parents[2] / "data" / "matchers"
SUMMARIES = Path(__file__).parents[1] / "reference_summaries"
MATCHER = LexicalMatcher()


def covered(item: str, text: str) -> bool:
    return MATCHER.match([Item("i", item, 1)], text)[0].covered


def kind(item: str, text: str) -> str:
    return contradiction(item, normalise(text))


@pytest.mark.parametrize(("language", "pairs"), [("en", 200), ("ja", 60)])
def test_minimal_pairs(language: str, pairs: int) -> None:
    """Of the wrong sentences at most 5% are covered (version 0.1.0: 84% and 85%), of the right ones all, as before."""
    rows = [line.split("\t") for line in (DATA / f"minimal_pairs_{language}.tsv").read_text("utf-8").splitlines()]
    assert len({(item, wrong) for _, item, _, wrong in rows}) == pairs
    assert [item for _, item, right, _ in rows if not covered(item, right)] == []
    assert len([item for _, item, _, wrong in rows if covered(item, wrong)]) <= 0.05 * pairs


@pytest.mark.parametrize(
    ("item", "text", "expected"),
    [
        ("Restart the pump.", "Do not restart the pump.", "negation"),
        ("Latency improved.", "Latency worsened.", "opposite"),
        ("Latency improved.", "Latency did not worsen.", ""),
        ("Fifteen nodes failed.", "Fifty nodes failed.", "number"),
        ("The wait is 15 ms.", "The wait is 15 s.", "number"),
        ("Drain tank A.", "Drain tank B.", "label"),
        ("Ana paid Ben.", "Ben paid Ana.", "role"),
        ("Ana paid Ben.", "Ben was paid by Ana.", ""),
        ("Ana will call the customer.", "Olga will call the customer.", "name"),
        ("Ana writes the post-mortem.", "Ben will write the post-mortem.", "name"),
        ("Ana writes the post-mortem.", "The post-mortem is written by Ben.", "name"),
        ("Ana writes the post-mortem.", "The post-mortem will be written by Ana.", ""),
        ("No data were lost.", "There was no data loss.", ""),
        ("4,182 orders failed.", "Failed orders: 4,182", ""),
        ("4,182 orders failed.", "Failed orders: 4,128", "number"),
        ("The certificate expired.", "The certifcate expired.", ""),
        ("The certificate expired.", "The certificaet expired.", ""),
        ("The outage lasted 2 hours.", "The outage lasted 120 minutes.", ""),
        ("The outage lasted 2 hours.", "The outage lasted 130 minutes.", "number"),
        ("The contract is signed.", "The contact is signed.", "name"),
        ("Sound was missing from the video.", "Soul was missing from the video.", "name"),
        ("佐藤さんが報告書を書く。", "田中さんが報告書を書く。", "name"),
        ("ポンプを再起動する。", "ポンプを再起動しない。", "negation"),
        ("서버 디스크가 가득 찼다", "어제 서버 디스크가 가득 찼다고 했다", ""),
        ("The pump was repaired.", "Nothing about it.", ""),
    ],
)
def test_kinds(item: str, text: str, expected: str) -> None:
    assert kind(item, text) == expected


def test_one_sentence_that_states_the_item_is_enough() -> None:
    assert kind("Drain tank A.", "Do not drain tank B. Drain tank A at noon.") == ""
    assert kind("Drain tank A.", "Drain tank B. The weather was fine.") == "label"


def test_the_match_says_so() -> None:
    (match,) = MATCHER.match([Item("i", "Latency improved after the change.", 1)], "Latency worsened after the change.")
    assert not match.covered
    assert match.why.endswith("but the text says otherwise (opposite)")


def test_good_summaries_contradict_no_item() -> None:
    cases = [case for name in ("engineering-chats", "japanese-sample") for case in load_cases(name)]
    found = [
        (case.name, item.id)
        for case in cases
        for item in case.items
        if not item.forbidden
        and "otherwise" in MATCHER.match([item], (SUMMARIES / f"{case.name}.txt").read_text("utf-8"))[0].why
    ]
    assert found == []
