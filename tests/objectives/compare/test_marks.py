"""Marked texts: the pieces are the whole text, and only what covers an item is marked."""

from __future__ import annotations

from objectives.case import Case, Item
from objectives.compare.marks import marked_pieces
from objectives.matchers.base import Match

CASE = Case("c", "log", (Item("a", "A.", 1), Item("b", "B.", 2), Item("bad", "Bad.", 1, forbidden=True)))


def match(item: str, span: str | None, *, covered: bool = True) -> Match:
    return Match(item, covered, 0.9, 0.9, 0.5, "why", span, (), "lexical")


def test_pieces_are_the_whole_text_and_overlaps_are_merged():
    text = "Rotation was off since May, so 41 GB filled the disk."
    matches = [match("a", "Rotation was off"), match("b", "off since May … the disk"), match("bad", "41 GB")]
    pieces = marked_pieces(CASE, text, matches)
    assert "".join(piece.text for piece in pieces) == text
    assert [(piece.text, piece.items, piece.forbidden) for piece in pieces if piece.items] == [
        ("Rotation was off since May", ("a", "b"), False),
        ("41 GB", ("bad",), True),
        ("the disk", ("b",), False),
    ]


def test_what_is_not_covered_or_not_asked_for_is_plain():
    matches = [match("a", "one", covered=False), match("b", "two"), match("b", None)]
    assert [piece.items for piece in marked_pieces(CASE, "one two", matches)] == [(), ("b",)]
    assert [piece.items for piece in marked_pieces(CASE, "one two", matches, only=set())] == [()]
    # A stored score says what is covered; its threshold can be lower than that of these matches.
    assert [piece.items for piece in marked_pieces(CASE, "one two", matches, only={"a"})] == [("a",), ()]
    assert marked_pieces(CASE, "", matches) == ()
