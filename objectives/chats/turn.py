"""Turns of a conversation: who said what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import regex

STAMP = r"\[?\(?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d{1,3})?(?:\s?[AaPp]\.?[Mm]\.?)?\)?\]?"
"""A time of day, or the time since the beginning, in brackets or without."""

_UNSEEN = regex.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_BLANKS = regex.compile("[\u00a0\u2007\u202f]")


@dataclass(frozen=True)
class Turn:
    """One message, or one stretch of speech.

    Attributes:
        speaker: The name, "" if it is not known.
        text: The words; may have several lines.
    """

    speaker: str
    text: str


def visible(text: str) -> str:
    """Return a text without marks of direction and with plain blanks."""
    return _BLANKS.sub(" ", _UNSEEN.sub("", text))


def joined(turns: Iterable[Turn], between: str = "\n") -> Iterator[Turn]:
    """Yield turns, consecutive ones of one speaker as one."""
    last: Turn | None = None
    for turn in turns:
        if last is not None and last.speaker == turn.speaker:
            last = Turn(last.speaker, f"{last.text}{between}{turn.text}")
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last
