"""Items gained and lost: counted by hand, tested by Fisher's test, shown with one text of each arm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from analysis.report.page import render_report
from analysis.report.rubric.items import item_changes
from tests.analysis.report.reading import Page

EVIL = "<script>alert(1)</script>"


def rows(case: str, item: str, base: list[float], final: list[float], *, level: int = 1, forbidden: bool = False):
    return [
        {"configuration": key, "case": case, "seed": seed, "item": item, "level": level, "text": f"Text of {item}."}
        | {"forbidden": forbidden, "said": probability >= 0.5, "probability": probability}
        for key, own in (("b", base), ("f", final))
        for seed, probability in enumerate(own)
    ]


def test_items_are_gained_or_lost_by_the_texts_that_say_them():
    table = pd.DataFrame(
        rows("c1", "won", [0.0, 0.2, 0.1], [0.9, 0.6, 0.9], level=2)
        + rows("c1", "same", [0.4, 0.4, 0.4], [0.4, 0.45, 0.4])
        + rows("c1", "unseen", [0.0, 0.0, 0.0], [0.4, 0.4, 0.4])
        + rows("c1", "gone", [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], level=5)
        + rows("c2", "bad", [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], forbidden=True)
        + rows("c3", "alone", [1.0], [])
    )
    found = item_changes(table, "b", "f")
    assert [case.case for case in found.cases] == ["c1", "c2"]  # c3 has no text of the finalist
    first, second = found.cases
    assert [(each.item, each.level, each.said, each.n) for each in first.gained] == [("won", 2, (0, 3), (3, 3))]
    assert first.gained[0].expected == pytest.approx((0.1, 0.8))
    assert [(each.item, each.change) for each in first.lost] == [("gone", pytest.approx(-2 / 3))]
    assert first.gained[0].saying == (None, ("f", "c1", 0))
    assert [each.item for each in first.hidden] == ["unseen"]  # likelier, yet no text says it
    assert first.alike == 1
    assert [each.item for each in second.gained] == ["bad"]  # fewer of what must not appear
    assert found.text == "4 items and 1 that must not appear: 2 gained, 1 lost; no single change is beyond luck"


def test_the_text_shown_is_the_most_typical_one():
    """Means of the finalist are .5 and .6; seed 1 has (.5, .8), nearer than (0, 1) and (1, 0)."""
    table = pd.DataFrame(rows("c", "x", [0, 0, 0], [0, 0.5, 1]) + rows("c", "y", [0, 0, 0], [1, 0.8, 0]))
    (case,) = item_changes(table, "b", "f").cases
    assert case.texts == (("b", "c", 0), ("f", "c", 1))


def test_a_change_is_beyond_luck_after_allowing_for_all_items():
    """0 of 6 against 6 of 6 has p = 2/924 = .0022; with 24 items of such p Holm's bound .05/24 = .0021 is missed."""
    one = pd.DataFrame(rows("c", "x", [0] * 6, [1] * 6))
    assert [each.shown for each in item_changes(one, "b", "f").cases[0].gained] == [True]
    assert item_changes(one, "b", "f").text == "1 item: 1 gained, 0 lost; 1 of these changes is beyond luck"
    many = pd.concat([one, pd.DataFrame([row for i in range(23) for row in rows("c", f"i{i}", [0] * 6, [0] * 6)])])
    assert [each.shown for each in item_changes(many, "b", "f").cases[0].gained] == [False]


@dataclass
class Piece:
    text: str
    items: tuple[str, ...] = ()
    forbidden: bool = False


def test_the_page_shows_both_texts_of_each_case_side_by_side(data):
    arms = {"b": data.baseline, "f": data.finalist}
    table = pd.DataFrame(
        rows("disk-full", EVIL, [0, 0], [1, 1])
        + rows("disk-full", "gb", [0, 0], [1, 1], forbidden=True)
        + rows("flaky-ci", "y", [0, 0], [0, 0.3])
    )
    table = table.assign(configuration=table["configuration"].map(arms))
    marked = {
        (data.baseline, "disk-full", 0): [Piece(f"Nothing {EVIL} here.")],
        (data.finalist, "disk-full", 0): [Piece("It said: "), Piece(EVIL, (EVIL,)), Piece(" 41 GB", ("gb",), True)],
    }
    text = render_report(replace(data, items=table, marked=marked), figures={})
    page = Page(text)
    assert page.open == []
    assert not [tag for tag, _ in page.tags if tag == "script"]
    part = page.words[page.words.index("Items gained and lost 2 items") :]
    assert part.index("disk-full +1 gained −1 lost 0 alike") < part.index("flaky-ci +0 gained −0 lost 1 alike")
    assert f"1 Text of {EVIL}. in 0/2 → 2/2 texts {EVIL} 1" in part  # with the words that count
    assert "must not appear: Text of gb. in 0/2 → 2/2 texts 41 GB" in part
    assert "became likelier or less likely: Text of y (0% → 15%)." in part
    assert f"It covers no item. The finalist seed 0 It said: {EVIL} 41 GB[1] Text of {EVIL}. {EVIL}" in part
    assert part.index("The baseline seed 0 Nothing") < part.index("The finalist seed 0 It said:")
    assert [tag for tag, at in page.tags if tag == "mark"] == ["mark", "mark"]


def test_without_a_rubric_there_is_no_such_part(data, page):
    assert "Items gained and lost" not in page.words
    empty = pd.DataFrame(columns=["configuration", "case", "seed", "item"])
    assert item_changes(empty, "b", "f").cases == ()
    assert "Items gained and lost" not in Page(render_report(replace(data, items=empty), figures={})).words
