"""Texts with the stretches that cover items marked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from objectives.case import Case
from objectives.markup import plain
from objectives.matchers.base import Match
from objectives.text import normalise


@dataclass(frozen=True)
class Piece:
    """A stretch of a text.

    Attributes:
        text: The stretch.
        items: Ids of the items that it covers; () for plain text.
        forbidden: Whether one of them must not appear.
    """

    text: str
    items: tuple[str, ...] = ()
    forbidden: bool = False


def marked_pieces(
    case: Case, text: str, matches: Iterable[Match], *, only: Collection[str] | None = None
) -> tuple[Piece, ...]:
    """Cut a text into plain and covering stretches; overlapping stretches are merged.

    Args:
        case: The case, which says what must not appear.
        text: The text as it was scored.
        matches: The matcher's answers for it.
        only: Ids of the items to mark, by the stored score; None for all that the matches cover.

    Returns:
        The pieces of the normalised text, in order; together they are all of it. Where markup parts the words of a
        stretch, it is the text without its markup.
    """
    forbidden = {item.id for item in case.items if item.forbidden}
    parts = [
        (part, match.item)
        for match in matches
        if (match.covered if only is None else match.item in only)
        for part in (match.span or "").split(" … ")
        if part
    ]
    written, without = normalise(text), normalise(plain(text))
    text = max(written, without, key=lambda form: sum(part in form for part, _ in parts))
    spans = [
        (start, start + len(part), item, item in forbidden) for part, item in parts if (start := text.find(part)) >= 0
    ]
    pieces: list[Piece] = []
    at = 0
    for start, end, names, bad in _merged(spans):
        pieces += [Piece(text[at:start]), Piece(text[start:end], tuple(names), bad)]
        at = end
    return tuple(piece for piece in [*pieces, Piece(text[at:])] if piece.text)


def _merged(spans: list[tuple[int, int, str, bool]]) -> list[tuple[int, int, list[str], bool]]:
    merged: list[tuple[int, int, list[str], bool]] = []
    for start, end, name, bad in sorted(spans):
        if merged and start < merged[-1][1]:
            first, last, names, was_bad = merged[-1]
            merged[-1] = (first, max(last, end), names if name in names else [*names, name], was_bad or bad)
        else:
            merged.append((start, end, [name], bad))
    return merged
