"""Authored patterns: an item's `any`, `all` and `regex` decide, and the matcher is not asked.

Plain patterns (`any`, `all`) are compared token by token. Case, Unicode form, white space and hyphens between words
make no difference. A word matches whole words only, and numbers match by value:

* `14` is found in `14 nodes`, not in `140`, `1.14`, `v1.14`, `14:30` or `-14`;
* `4,182,907` = `4182907` = `4.182907e6`, `3k` = `3 thousand` = `3000`, `two` = `2`;
* a number with a unit needs that unit, in any spelling: `1.5 GB` = `1.5GB`, `90s` = `90 seconds`, `50%` = `50 percent`,
  `$5` = `5 dollars`; a number without a unit is found with any unit. Units are not converted.

In scripts without spaces a pattern is found anywhere. A regular expression is searched in the normalised text,
ignoring case; after `TIMEOUT_SECONDS` the search ends with an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import regex

from objectives.case import Item
from objectives.matchers.base import Match, ObjectiveError
from objectives.text import Token, normalise, number_key, number_value, tokenise

TIMEOUT_SECONDS: Final = 0.5
"""Seconds that a regular expression may take on one text."""

_UNITS: Final = {
    spelling: f"unit:{unit}"
    for unit, spellings in {
        "%": "% percent pct",
        "ms": "ms msec millisecond milliseconds",
        "s": "s sec secs second seconds",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "day": "d day days",
        "week": "wk wks week weeks",
        "month": "month months",
        "year": "yr yrs year years",
        "byte": "b byte bytes",
        "kb": "kb kilobyte kilobytes",
        "mb": "mb megabyte megabytes",
        "gb": "gb gigabyte gigabytes",
        "tb": "tb terabyte terabytes",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "m": "m metre metres meter meters",
        "km": "km kilometre kilometres kilometer kilometers",
        "mi": "mi mile miles",
        "g": "g gram grams",
        "kg": "kg kilogram kilograms",
        "lb": "lb lbs",
        "$": "$ usd dollar dollars",
        "€": "€ eur euro euros",
        "£": "£ gbp pound pounds",
        "¥": "¥ jpy yen 円",
    }.items()
    for spelling in spellings.split()
}
_SCALES: Final = {"k": 1e3, "thousand": 1e3, "million": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "万": 1e4, "億": 1e8}
_CURRENCIES: Final = frozenset("$€£¥")


class _Keys(list[str]):
    """Comparison keys of a text, with the first and the last token of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.first: list[int] = []
        self.last: list[int] = []

    def put(self, key: str, token: int) -> None:
        self.append(key)
        self.first.append(token)
        self.last.append(token)


def _comparison_keys(tokens: Sequence[Token]) -> _Keys:
    keys = _Keys()
    currency, sign = "", 0
    after_number = False
    for index, (key, kind, _, end) in enumerate(tokens):
        if kind == "symbol" and key == "-" and 0 < index < len(tokens) - 1 and _joins(tokens, index):
            continue
        if key in _CURRENCIES and not after_number and _starts(tokens, index + 1, end, "number"):
            currency, sign = key, index
            continue
        if after_number and key in _SCALES:
            keys[-1] = number_key((number_value(keys[-1]) or 0.0) * _SCALES[key])
            keys.last[-1] = index
            if currency:
                keys.put(f"unit:{currency}", index)
                currency, after_number = "", False
            continue
        if after_number and currency:
            keys.put(f"unit:{currency}", keys.last[-1])
            currency, after_number = "", False
        if after_number and key in _UNITS:
            keys.put(_UNITS[key], index)
            after_number = False
            continue
        keys.put(key, index)
        after_number = kind == "number"
        if after_number and currency:
            keys.first[-1] = sign
    if currency:
        keys.put(f"unit:{currency}", len(tokens) - 1)
    return keys


def _joins(tokens: Sequence[Token], index: int) -> bool:
    joined = {"word", "number"}
    return tokens[index - 1].kind in joined and tokens[index + 1].kind in joined


def _starts(tokens: Sequence[Token], index: int, offset: int, kind: str) -> bool:
    return index < len(tokens) and tokens[index].kind == kind and tokens[index].start == offset


@lru_cache(maxsize=4096)
def _pattern_keys(pattern: str) -> tuple[str, ...]:
    return tuple(_comparison_keys(tokenise(normalise(pattern))))


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern of `Item.regex`.

    Raises:
        ObjectiveError: It is not a regular expression.
    """
    try:
        return regex.compile(pattern, regex.IGNORECASE)
    except regex.error as error:
        raise ObjectiveError(f"regex {pattern!r} is invalid: {error}. Write it in the syntax of Python's re.") from None


class PatternText:
    """A text prepared for patterns; it is cut into tokens when the first plain pattern needs them."""

    def __init__(self, text: str) -> None:
        self.text = normalise(text)
        self._keys: _Keys | None = None
        self._tokens: Sequence[Token] = ()
        self._places: dict[str, list[int]] = {}

    def find(self, pattern: str) -> str | None:
        """Return the first match of a plain pattern, or None. An empty pattern matches nothing."""
        if self._keys is None:
            self._tokens = tokenise(self.text)
            self._keys = _comparison_keys(self._tokens)
            for place, key in enumerate(self._keys):
                self._places.setdefault(key, []).append(place)
        wanted = _pattern_keys(pattern)
        if not wanted or any(key not in self._places for key in wanted):
            return None
        anchor = min(range(len(wanted)), key=lambda index: len(self._places[wanted[index]]))
        for place in self._places[wanted[anchor]]:
            first = place - anchor
            if first >= 0 and tuple(self._keys[first : first + len(wanted)]) == wanted:
                start = self._tokens[self._keys.first[first]].start
                return self.text[start : self._tokens[self._keys.last[first + len(wanted) - 1]].end]
        return None

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
