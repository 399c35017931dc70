"""Other spellings of words and numbers that mean the same: `postmortem`, `1.14.1`, `4182`, `120 minutes`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import regex

from objectives.matchers.words import abbreviations
from objectives.numbers import Quantity
from objectives.text import Token, number_key, stem

_VERSION: Final = regex.compile(r"v(\d+(?:\.\d+)+)")
_THOUSANDS: Final = regex.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_DECIMALS: Final = regex.compile(r"\d{1,2}")


class Reading(NamedTuple):
    """Another spelling of some tokens.

    Attributes:
        key: Its key.
        first, last: The tokens.
        of: Keys of the words for which it stands in an item; () where it says less than they do.
    """

    key: str
    first: int
    last: int
    of: tuple[str, ...]


def other_readings(normal: str, tokens: Sequence[Token], numbers: Sequence[Quantity]) -> tuple[Reading, ...]:
    """Return the other readings of a normalised text with these quantities, in its order.

    * `post-mortem`: `postmortem`;
    * `v1.14.1`: `1.14.1`;
    * `4.182`, as it is written in German or Spanish: 4182; `1,5`: 1.5;
    * `120 minutes`: 2 and `hours`;
    * `pull request`: `pr`.
    """
    return tuple(sorted([*_of_tokens(normal, tokens), *_of_quantities(numbers)], key=lambda found: found.first))


def _of_tokens(normal: str, tokens: Sequence[Token]) -> Iterator[Reading]:
    for index, (key, kind, start, end) in enumerate(tokens):
        if kind in ("symbol", "unspaced"):
            continue
        raw = normal[start:end]
        if kind == "word" and _joined(tokens, index, "-", "word"):
            other = tokens[index + 2].key
            yield Reading(stem(key + other), index, index + 2, (stem(key), stem(other)))
        elif kind == "word" and (found := _abbreviated(tokens, index)) is not None:
            yield found
        elif kind == "compound" and (version := _VERSION.fullmatch(key)):
            bare = version[1] if version[1].count(".") > 1 else number_key(float(version[1]))
            yield Reading(bare, index, index, (key,))
        elif kind in ("number", "compound") and _THOUSANDS.fullmatch(raw):
            yield Reading(number_key(float(raw.replace(".", ""))), index, index, (key,))
        elif kind == "number" and (decimal := decimal_comma(normal, tokens, index)) is not None:
            yield Reading(number_key(decimal), index, index + 2, (key, tokens[index + 2].key))


def _abbreviated(tokens: Sequence[Token], index: int) -> Reading | None:
    """Return the abbreviation of two words: `pr` for `pull request`."""
    if index + 1 >= len(tokens) or tokens[index + 1].kind != "word":
        return None
    words = (stem(tokens[index].key), stem(tokens[index + 1].key))
    short = initials().get(words)
    return None if short is None else Reading(short, index, index + 1, words)


@lru_cache(maxsize=1)
def initials() -> dict[tuple[str, ...], str]:
    """Return abbreviations by the two stems for which they stand."""
    return {words: short for short, words in abbreviations() if len(words) > 1}


def decimal_comma(normal: str, tokens: Sequence[Token], index: int) -> float | None:
    """Return the value of `1,5` where it begins at a token; None where that is a list, or grouped by thousands."""
    if not _joined(tokens, index, ",", "number"):
        return None
    whole, decimals = (normal[tokens[at].start : tokens[at].end] for at in (index, index + 2))
    listed = _joined(tokens, index + 2, ",", "number") or (index > 1 and _joined(tokens, index - 2, ",", "number"))
    if listed or not whole.isdecimal() or not _DECIMALS.fullmatch(decimals):
        return None
    return float(f"{whole}.{decimals}")


def _joined(tokens: Sequence[Token], index: int, sign: str, kind: str) -> bool:
    """Whether a sign and a token of a kind follow a token without a space."""
    if index + 2 >= len(tokens) or tokens[index + 1].key != sign or tokens[index + 2].kind != kind:
        return False
    return tokens[index].end == tokens[index + 1].start and tokens[index + 1].end == tokens[index + 2].start


def _of_quantities(numbers: Sequence[Quantity]) -> Iterator[Reading]:
    for quantity in numbers:
        for value, unit in quantity.same:
            yield Reading(number_key(value), quantity.first, quantity.last, ())
            yield Reading(stem(unit), quantity.first, quantity.last, ())
