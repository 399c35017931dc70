"""The items of scored texts as a table."""

from __future__ import annotations

from types import SimpleNamespace

from analysis.report.rubric.silent_items import silent_notes
from objectives.case import Case, Item
from sweeps.results.figures.item_table import COLUMNS, item_table

CASE = Case("c1", "A log", (Item("red", "It is red.", 1, any=("red",)), Item("lie", "A lie.", 2, forbidden=True)))


def _study(texts: list[str]) -> SimpleNamespace:
    """A study with these answers, one per seed; each covers the first item where its text has "red" in it."""
    place = {"configuration": "b", "stage": "explore", "host": "h", "case": "c1"}
    details = [{"covered": ["red"] if "red" in text else [], "forbidden": ["lie"], "missed": ["red"]} for text in texts]
    rows = enumerate(zip(texts, details, strict=True))
    return SimpleNamespace(
        cases=[CASE], answers=[place | {"seed": seed, "text": text, "detail": detail} for seed, (text, detail) in rows]
    )


def test_a_row_per_item_and_the_same_text_has_the_same_number():
    table = item_table(_study(["red", "blue", "red"]))
    assert tuple(table.columns) == COLUMNS
    assert table["answer"].tolist() == [0, 0, 1, 1, 0, 0]
    assert table["said"].tolist() == [True, True, False, True, True, True]


def test_30_seeds_at_temperature_0_are_one_text():
    assert silent_notes(item_table(_study(["red"] * 60))) == []
    (note,) = silent_notes(item_table(_study([f"red {seed}" for seed in range(30)])))
    assert "c1: red. " in note
