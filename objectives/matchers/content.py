"""The telling words of an item and the comparable words of a text, numbers and dates as quantities."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from objectives.languages import FUNCTION_WORDS
from objectives.markup import plain
from objectives.matchers.readings import Reading, other_readings
from objectives.matchers.words import Word, is_function_word, item_words, rarity, text_words
from objectives.numbers import Quantity, quantities
from objectives.numbers.dates import WEEKDAY_NAMES
from objectives.numbers.english import ordinal_in_digits, ordinal_word
from objectives.numbers.quantities import UTC, ZONED
from objectives.text import Token, normalise, number_key, stem, tokenise

_NAME_RARITY: Final = 11.5
_PARTICLES: Final = {"Chinese": frozenset("的了把被在将")}
"""Characters by language, which with the one beside them say nothing."""
_CLOCK: Final = re.compile(rf"({UTC})?\d\d:\d\d(:\d\d)?")


class Content(NamedTuple):
    """A telling word of an item: its key, as it is written, and whether it is a name or a number."""

    key: str
    word: str
    name: bool
    number: bool


def item_content(text: str, language: str = "") -> list[Content]:
    """Return the telling words of an item: all but function words (all words, if it has no others), each once.

    Args:
        text: The item.
        language: The rubric's language, whose function words count as such too.
    """
    normal = normalise(plain(text))
    tokens = tokenise(normal)
    words = _with_quantities(item_words(tokens), quantities(normal, tokens), normal, tokens, item=True)
    own = FUNCTION_WORDS.get(language, frozenset())
    particles = _PARTICLES.get(language, frozenset())
    telling = [
        word
        for word in words
        if not is_function_word(word.key) and word.key not in own and particles.isdisjoint(word.key)
    ] or words
    content: dict[str, Content] = {}
    for word in telling:
        content.setdefault(word.key, Content(word.key, _shown(normal, tokens, word), *_kind(normal, tokens, word)))
    return list(content.values())


def aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Return other spellings of an item's words, each with the keys of the words that it stands for."""
    normal = normalise(plain(text))
    tokens = tokenise(normal)
    numbers = quantities(normal, tokens)
    found = {each.key: each.of for each in other_readings(normal, tokens, numbers) if each.of}
    for quantity in numbers:
        own = _spelled(quantity)
        glued = tokens[quantity.first].kind == "word" and tokens[quantity.first].key[:1].isdigit()
        if glued and quantity.value is not None:
            found[number_key(quantity.value)] = own
        if quantity.is_time:
            found |= {rest: own for key in quantity.wants if (rest := key.partition(":")[2]) not in own}
    return found


def _shown(normal: str, tokens: Sequence[Token], word: Word) -> str:
    return normal[tokens[word.first].start : tokens[word.last].end]


def _kind(normal: str, tokens: Sequence[Token], word: Word) -> tuple[bool, bool]:
    """Return whether a word is a name (capitalised, but not just as the first word), and whether it is a number."""
    token = tokens[word.first]
    is_number = token.kind in ("number", "compound") or ordinal_in_digits(normal[token.start : token.end].casefold())
    if word.key[:1] == "#" or is_number or _CLOCK.fullmatch(word.key):
        return False, True
    capital = token.kind == "word" and normal[token.start].isupper()
    return capital and (word.first > 0 or rarity(word.key) >= _NAME_RARITY), False


def words_of_text(text: str) -> tuple[str, Sequence[Token], list[Word]]:
    """Return a text in normalised form without its markup, its tokens and its comparable words."""
    normal = normalise(plain(text))
    tokens = tokenise(normal)
    numbers = quantities(normal, tokens)
    words = _with_quantities(text_words(tokens), numbers, normal, tokens, item=False)
    return normal, tokens, _with_readings(words, other_readings(normal, tokens, numbers))


def _with_readings(words: list[Word], readings: Sequence[Reading]) -> list[Word]:
    """Add other readings of a text's words, each at the place of its first token."""
    if not readings:
        return words
    places = {word.first: word.position for word in reversed(words)}
    added = [
        Word(reading.key, places[reading.first], reading.first, reading.last)
        for reading in readings
        if reading.first in places
    ]
    return sorted([*words, *added], key=lambda word: word.position)


def _with_quantities(
    words: list[Word], numbers: Sequence[Quantity], normal: str, tokens: Sequence[Token], *, item: bool
) -> list[Word]:
    """Add the values of quantities: of `twenty-five`, of `2026-03-09`, of `2 pm`. In an item they replace the words."""
    left = [(quantity, _spelled(quantity) if item else _said(quantity)) for quantity in numbers]
    left = [(quantity, keys) for quantity, keys in left if keys and not _is_plain(quantity, keys, tokens)]
    if item:  # `23 million` stays two words, which a text may have apart
        left = [
            (quantity, keys)
            for quantity, keys in left
            if quantity.value is None or not _has_digits(quantity, normal, tokens)
        ]
    if not left:
        return words
    found: list[Word] = []
    at = 0
    for word in words:
        while at < len(left) and left[at][0].number[1] <= word.first:
            at += 1
        start, stop = left[at][0].number if at < len(left) else (len(tokens), len(tokens))
        inside = start <= word.first < stop
        if not (inside and (item or _is_zoned(left[at][0]))):
            found.append(word)
        if inside and left[at][1]:
            quantity, keys = left[at]
            found.extend(Word(key, word.position, quantity.number[0], quantity.number[1] - 1) for key in keys)
            left[at] = (quantity, ())
    return found


def _is_plain(quantity: Quantity, keys: tuple[str, ...], tokens: Sequence[Token]) -> bool:
    start, stop = quantity.number
    glued = tokens[start].kind == "word" and tokens[start].key[:1].isdigit()  # `2nd` has several keys
    return stop == start + 1 and not glued and keys == (tokens[start].key,)


def _has_digits(quantity: Quantity, normal: str, tokens: Sequence[Token]) -> bool:
    start, stop = quantity.number
    return any(tokens[at].kind == "number" and normal[tokens[at].start].isdecimal() for at in range(start, stop))


def _is_zoned(quantity: Quantity) -> bool:
    """Whether a time has a zone: then the same hour of another zone is another time."""
    return any(key.endswith(ZONED) for key in quantity.says)


def _said(quantity: Quantity) -> tuple[str, ...]:
    """Return the words that a text with a quantity has."""
    if quantity.is_time:
        return tuple(sorted(key.partition(":")[2] for key in quantity.says))
    days = sorted({key[:10] for key in quantity.wants if key.startswith("date:")})
    if len(days) > 1:  # `3/5`, which is either of two days
        return tuple(
            dict.fromkeys(word for day in days for word in _spelled(quantity._replace(wants=frozenset((day,)))))
        )
    return _spelled(quantity)


def _spelled(quantity: Quantity) -> tuple[str, ...]:
    """Return the words that a quantity stands for."""
    key = next((key for key in sorted(quantity.wants) if key.startswith(f"time:{UTC}")), min(quantity.wants))
    sort, _, rest = key.partition(":")
    if sort == "time":
        return (rest,)
    if sort == "date":
        month, day = int(rest[:2]), int(rest[3:5])
        return (stem(calendar.month_name[month].casefold()), number_key(float(day)))
    if sort == "weekday":
        return (stem(WEEKDAY_NAMES[int(rest) - 1].casefold()),)
    if sort == "quarter":
        return (f"q{rest}",)
    if sort == "ordinal":
        return (stem(ordinal_word(int(quantity.value or 0))),)
    return () if quantity.value in (None, 1.0) else (number_key(quantity.value),)
