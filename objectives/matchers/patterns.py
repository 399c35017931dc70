"""Authored patterns: an item's `any`, `all` and `regex` decide, and the matcher is not asked.

Plain patterns (`any`, `all`) are compared token by token. Case, Unicode form, white space and hyphens between words
make no difference. A word matches whole words only, and numbers match by value, in digits and in words, in English and
Japanese (`objectives.numbers`):

* `14` is found in `14 nodes` and `fourteen nodes`, not in `140`, `1.14`, `v1.14`, `14:30` or `-14`;
* `4,182,907` = `4182907` = `4.182907e6`, `3k` = `3 thousand` = `3000`, `25` = `twenty-five` = 二十五;
* a number with a unit needs that unit, in any spelling: `1.5 GB` = `1.5GB`, `90s` = `90 seconds`, `$5` = `5 dollars`,
  `50%` = `50 per cent`; a number without a unit is found with any unit. Units of time, length, mass and memory are
  converted: `2 hours` = `120 minutes`, `1.5 GB` = `1500 MB`;
* `1,5 GB` = `1.5 GB`, and `4.182` is 4182 as well;
* `3rd` = `third`, but not the 3; `2026-03-09` = `March 9th` where one has no year; `14:05` = `2:05 pm`.

In scripts without spaces a pattern is found anywhere, but not within a number. A regular expression is searched in the
normalised text, ignoring case; after `TIMEOUT_SECONDS` the search ends with an error. Both are searched in the text
as it is written, then in the text without its markup (`objectives.markup`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import regex

from objectives.case import Item
from objectives.markup import plain
from objectives.matchers.base import Match, ObjectiveError
from objectives.matchers.words import ELIDED
from objectives.numbers import Quantity, quantities
from objectives.regexes import compile_pattern
from objectives.text import Token, normalise, tokenise

VERSION: Final = 4
"""Increased whenever patterns are found elsewhere than before, so that scores of different versions differ."""

TIMEOUT_SECONDS: Final = 0.5
"""Seconds that a regular expression may take on one text."""


class _Line(NamedTuple):
    """What stands at each place of a text (sets of keys), with the first and the last token of each place."""

    keys: list[frozenset[str]]
    first: list[int]
    last: list[int]


class _Pattern(NamedTuple):
    """A plain pattern: word by word, and with its quantities read (empty if it has none).

    `unit`: whether one of them has a unit; `may`: whether one is a day in May;
    `thousands`: whether one is `12.000`. `others`: further spellings, with words
    that hyphens join as one (`postmortem`), and `12 000` as 12000.
    """

    words: tuple[frozenset[str], ...]
    read: tuple[frozenset[str], ...]
    unit: bool
    may: bool
    thousands: bool
    others: tuple[tuple[frozenset[str], ...], ...]

    @property
    def variants(self) -> tuple[tuple[frozenset[str], ...], ...]:
        """Its spellings without those of other patterns."""
        return (self.words, self.read) if self.read else (self.words,)


_THOUSANDS: Final = regex.compile(r"(?<![\d.,])[1-9]\d{0,2}\.000(?![\d.])")
_SPACED_THOUSANDS: Final = regex.compile(r"(?<=(?<![\d.,])\d{1,3}(?: \d{3})*) (?=\d{3}(?![\d.,]))")
_VERSION: Final = regex.compile(r"v\d+(?:\.\d+){2,}")


@lru_cache(maxsize=1 << 14)
def _spelled(token_key: str, pattern: bool) -> frozenset[str]:
    """Return a word's keys: `v1.14.1` is `1.14.1` as well; a text with `l'alarme` has `alarme`."""
    if _VERSION.fullmatch(token_key):
        return frozenset((token_key, token_key[1:]))
    elided = None if pattern else ELIDED.fullmatch(token_key)
    return frozenset((token_key,)) if elided is None else frozenset((token_key, elided[1]))


def _line(tokens: Sequence[Token], found: Sequence[Quantity], *, pattern: bool, glued: bool = False) -> _Line:
    """Return a text place by place; each quantity of `found` is one place, with what it says or wants.

    With `glued`, words that hyphens join are one place as well: `post-mortem` says `postmortem`.
    """
    line = _Line([], [], [])
    begins = {quantity.first: quantity for quantity in found}
    index = 0
    while index < len(tokens):
        quantity = begins.get(index)
        stop = index + 1 if quantity is None else quantity.last + 1
        if glued and (end := _end_of_compound(tokens, index)) > stop:
            line.keys.append(frozenset(("".join(token.key for token in tokens[index:end:2]),)))
            line.first.append(index)
            line.last.append((stop := end) - 1)
        elif quantity is not None or not (tokens[index].key == "-" and _joins(tokens, index)):
            spelled = _spelled(tokens[index].key, pattern)
            keys = spelled if quantity is None else quantity.wants if pattern else quantity.says
            line.keys.append(keys)
            line.first.append(index)
            line.last.append(stop - 1)
        index = stop
    return line


def _joins(tokens: Sequence[Token], index: int) -> bool:
    if tokens[index].kind != "symbol" or not 0 < index < len(tokens) - 1:
        return False
    joined = {"word", "number"}
    return tokens[index - 1].kind in joined and tokens[index + 1].kind in joined


def _end_of_compound(tokens: Sequence[Token], index: int) -> int:
    """Return the token after words that hyphens join, or after the one word."""
    stop = index + 1
    while tokens[index].kind == "word" and stop + 1 < len(tokens) and tokens[stop].key == "-":
        if tokens[stop + 1].kind != "word" or tokens[stop - 1].end != tokens[stop + 1].start - 1:
            break
        stop += 2
    return stop


@lru_cache(maxsize=4096)
def _read_pattern(pattern: str) -> _Pattern:
    normal = normalise(pattern)
    tokens = tokenise(normal)
    found = quantities(normal, tokens)
    words = tuple(_line(tokens, (), pattern=True).keys)
    read = tuple(_line(tokens, found, pattern=True).keys) if found else ()
    glued = tuple(_line(tokens, (), pattern=True, glued=True).keys)
    others = () if glued == words else (glued,)
    if (joined := _SPACED_THOUSANDS.sub("", normal)) != normal:
        others = (*others, *_read_pattern(joined).variants)
    return _Pattern(
        words,
        read,
        any(q.has_unit for q in found),
        any(q.is_in_may for q in found),
        bool(_THOUSANDS.search(normal)),
        others,
    )


class _Searched:
    """A line with the places of its keys."""

    def __init__(self, line: _Line) -> None:
        self.line = line
        self._places: dict[str, list[int]] = {}
        for place, keys in enumerate(line.keys):
            for key in keys:
                self._places.setdefault(key, []).append(place)

    def find(self, wanted: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
        """Yield the first and the last token of every match, in the order of the text."""
        places = [[place for key in keys for place in self._places.get(key, ())] for keys in wanted]
        if not places or not all(places):
            return
        anchor = min(range(len(wanted)), key=lambda index: len(places[index]))
        line = self.line
        for place in sorted(set(places[anchor])):
            first = place - anchor
            stop = first + len(wanted)
            if first < 0 or stop > len(line.keys):
                continue
            if all(not said.isdisjoint(keys) for said, keys in zip(line.keys[first:stop], wanted, strict=True)):
                yield line.first[first], line.last[stop - 1]


def _cuts(found: Sequence[Quantity], first: int, last: int, unit: bool) -> bool:
    """Whether a stretch of tokens ends or begins within a number or its unit: `five` in `twenty-five`.

    With a unit it may also not begin within a time: `5分` in `14時5分`.
    """
    for quantity in found:
        start, stop = quantity.number
        if quantity.value is None:
            if unit and start < first < stop and quantity.is_time:
                return True
        elif start < first < stop or start <= last < stop - 1 or stop <= last < quantity.last:
            return True
    return False


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern of `Item.regex`.

    Raises:
        ObjectiveError: It is not a regular expression, or too large.
    """
    try:
        return compile_pattern(pattern, regex.IGNORECASE)
    except ValueError as error:
        raise ObjectiveError(f"regex {pattern!r} is invalid: {error}. Write it in the syntax of Python's re.") from None


class PatternText:
    """A text prepared for patterns; it is cut into tokens when the first plain pattern needs them.

    What is not found in the text as it is written is looked for in the text without its markup (`**2** hours`).
    """

    def __init__(self, text: str, *, marked: bool = True) -> None:
        self.text = normalise(text)
        without = plain(text) if marked else text
        self._without_markup = None if without == text else PatternText(without, marked=False)

    @cached_property
    def _tokens(self) -> Sequence[Token]:
        return tokenise(self.text)

    @cached_property
    def _quantities(self) -> list[Quantity]:
        return quantities(self.text, self._tokens)

    @cached_property
    def _words(self) -> _Searched:
        return _Searched(_line(self._tokens, (), pattern=False))

    @cached_property
    def _glued(self) -> _Searched | None:
        line = _line(self._tokens, (), pattern=False, glued=True)
        return _Searched(line) if len(line.keys) < len(self._words.line.keys) else None

    @cached_property
    def _read(self) -> _Searched:
        return _Searched(_line(self._tokens, self._quantities, pattern=False))

    def find(self, pattern: str) -> str | None:
        """Return the first match of a plain pattern, or None. An empty pattern matches nothing."""
        found = self._find(pattern)
        return self._without_markup.find(pattern) if found is None and self._without_markup else found

    def _find(self, pattern: str) -> str | None:
        wanted = _read_pattern(pattern)
        for first, last in self._words.find(wanted.words):
            if not wanted.read or self._keeps(wanted, first, last):
                return self._shown(first, last)
        for line, keys in self._further(wanted):
            for first, last in line.find(keys):
                return self._shown(first, last)
        return None

    def _further(self, wanted: _Pattern) -> Iterator[tuple[_Searched, Sequence[frozenset[str]]]]:
        """Yield the other ways to read text and pattern."""
        if wanted.read:
            yield self._read, wanted.read
        for keys in wanted.others:
            yield self._words, keys
            yield self._read, keys
        if self._glued is not None and not wanted.read:
            yield self._glued, wanted.words

    def _keeps(self, wanted: _Pattern, first: int, last: int) -> bool:
        """Whether a match word by word also means the same quantity: not `May 5` in `it may 5 times`."""
        shown = self._shown(first, last)
        if (wanted.may and "may" in shown) or (wanted.thousands and not _THOUSANDS.search(shown)):
            return False
        return not _cuts(self._quantities, first, last, wanted.unit)

    def _shown(self, first: int, last: int) -> str:
        return self.text[self._tokens[first].start : self._tokens[last].end]

    def search(self, pattern: str, item: str) -> str | None:
        """Return the first match of a regular expression, or None.

        Raises:
            ObjectiveError: The pattern cannot be read, or takes longer than `TIMEOUT_SECONDS`.
        """
        try:
            found = compile_regex(pattern).search(self.text, timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            raise ObjectiveError(
                f"item {item!r}: regex {pattern!r} took longer than {TIMEOUT_SECONDS} s on a text of "
                f"{len(self.text)} characters. Write it without nested repeats such as (a+)+, "
                "or list the spellings under any."
            ) from None
        if found is None and self._without_markup:
            return self._without_markup.search(pattern, item)
        return found[0] if found else None


def match_patterns(item: Item, text: PatternText) -> Match:
    """Decide an item by its authored patterns.

    The item is covered if one of `any` or `regex` is found, and all of `all`; an empty list is ignored.

    Raises:
        ObjectiveError: A regular expression cannot be read or takes too long.
    """
    one_of = [(pattern, text.find(pattern)) for pattern in item.any]
    one_of += [(f"/{pattern}/", text.search(pattern, item.id)) for pattern in item.regex]
    every = [(pattern, text.find(pattern)) for pattern in item.all]
    hit = next(((pattern, span) for pattern, span in one_of if span is not None), None)
    lacking = [pattern for pattern, span in every if span is None]
    if one_of and hit is None:
        lacking += [pattern for pattern, _ in one_of]
    covered = not lacking
    spans = ([hit[1]] if hit else []) + [span for _, span in every if span is not None]
    if covered:
        why = "found " + ", ".join(repr(pattern) for pattern in ([hit[0]] if hit else []) + [p for p, _ in every])
    elif one_of and hit is None:
        why = "found none of " + ", ".join(repr(pattern) for pattern, _ in one_of)
    else:
        why = "not found: " + ", ".join(map(repr, lacking))
    found_share = (len(spans)) / ((1 if one_of else 0) + len(every))
    return Match(
        item=item.id,
        covered=covered,
        probability=float(covered),
        score=found_share,
        threshold=1.0,
        why=why,
        span=" … ".join(dict.fromkeys(spans)) if spans else None,
        missing=tuple(lacking),
        matcher="patterns",
    )
