"""Items that tell nothing: named with their case, and only where there are enough texts."""

from __future__ import annotations

import pandas as pd

from analysis.report.rubric.silent_items import MOST, silent_notes


def _items(texts: int, said: dict[str, list[bool]], *, forbidden: tuple[str, ...] = ()) -> pd.DataFrame:
    """Items of `texts` different texts; the answers of each item are repeated."""
    return pd.DataFrame(
        {"case": "c1", "answer": f"text {text}", "item": item}
        | {"forbidden": item in forbidden, "said": answers[text % len(answers)]}
        for item, answers in said.items()
        for text in range(texts)
    )


SAID = {
    "none": [False],
    "all": [True],
    "one": [True, False, False],
    "two": [True, False, False],
    "own": [False, True],
    "bad": [False],
}


def test_items_of_all_texts_of_none_and_copies_are_named():
    never, always, copies = silent_notes(_items(30, SAID, forbidden=("bad",)))
    assert never.startswith("No text says these items")
    assert "c1: none. Check" in never
    assert always.startswith("Every text says these items")
    assert "c1: all. They" in always
    assert "c1: two and one. Make" in copies


def test_few_texts_and_items_that_vary_are_no_news():
    assert silent_notes(_items(29, SAID)) == []
    assert silent_notes(_items(60, {"one": [True, False], "two": [True, True, False]})) == []
    assert silent_notes(None) == []


def test_the_same_text_counts_once():
    texts = _items(29, SAID)
    again = texts[texts["answer"] == "text 0"]
    assert silent_notes(pd.concat([texts, *[again] * 30])) == []
    assert len(silent_notes(pd.concat([_items(30, SAID), again]))) == 3


def test_a_long_list_is_cut():
    (note,) = silent_notes(_items(30, {f"i{number}": [False] for number in range(MOST + 3)}))
    assert "c1: i5 and 3 more." in note
