"""The quantities of a text: numbers with their units, ordinals, dates and times, each with keys for comparison.

A text *says* a set of keys; a pattern *wants* a set; they agree if the sets meet.

| written | says | wants |
|---|---|---|
| `15 ms` | `15|ms`, `15|` | `15|ms` |
| `15`, `fifteen`, 十五 | `15|` | `15|` |
| `50m` | `50|m`, `5e7|`, `50|` | `50|m`, `5e7|` |
| `9 March 2026` | the date, and the day of any year | the date, or the day without a year |
| `14:05:30` | the time, and `14:05` | the time |
| `16:00 CEST` | that time in a zone, and 14:00 UTC | 14:00 UTC, or 16:00 without a zone |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import regex

from objectives.numbers import english, kanji
from objectives.numbers.clocks import Clock, clock_at
from objectives.numbers.conversions import in_base_units, in_other_units
from objectives.numbers.dates import MONTHS, QUARTERS, WEEKDAYS, Day, day_at, quarter_at, weekday_at
from objectives.numbers.reading import Tokens, Value
from objectives.numbers.units import CURRENCIES, JAPANESE_UNITS, LETTERS, SCALES, SHORTENED, UNITS
from objectives.text import Token, number_key, number_value

_WORDS: Final = (
    english.STARTS
    | set(MONTHS)
    | {"noon", "midnight", "quarter", "viertel"}
    | set(QUARTERS)
    | set(WEEKDAYS)
    | english.VAGUE
    | set(english.OTHER_WORDS)
    | set(english.BEFORE_UNITS)
    | set(english.OTHER_ORDINALS)
)
_ARTICLES: Final = frozenset(
    ("der", "die", "das", "den", "dem", "des", "im", "am", "beim", "zum", "zur", "vom", "jede", "jeder", "jedes")
)
"""German words after which `4.` is an ordinal, where a noun follows."""
_THOUSANDS: Final = regex.compile(r"[1-9]\d{0,2}\.\d{3}")
UTC, ZONED = "utc ", " zoned"
"""Marks in the keys of times with a zone: the time in UTC, and the time there."""
_CHARACTERS: Final = kanji.STARTS | set("午正星礼週周月火水木金土日")


class Quantity(NamedTuple):
    """A quantity in a text.

    Attributes:
        first, last: Its first and its last token, sign of a currency and unit included.
        number: First token of the number itself and the token after it.
        says: Keys that a text with it has.
        wants: Keys of which a pattern with it needs one.
        value: The number; None for a date or a time.
        same: The same quantity in other units: pairs of a number and a unit.
    """

    first: int
    last: int
    number: tuple[int, int]
    says: frozenset[str]
    wants: frozenset[str]
    value: float | None
    same: tuple[tuple[float, str], ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day."""
        return any(key.startswith("time:") for key in self.wants)

    @property
    def is_in_may(self) -> bool:
        """Whether it is a date in May, whose name is a verb as well."""
        return any(key.startswith("date:05") for key in self.wants)

    @property
    def has_unit(self) -> bool:
        """Whether it is a number with a unit."""
        return self.value is not None and any("|" in key and key[-1] != "|" for key in self.wants)


def quantities(normal: str, tokens: Sequence[Token]) -> list[Quantity]:
    """Return the quantities of a normalised text in their order; they do not overlap."""
    view = Tokens(normal, tokens)
    found: list[Quantity] = []
    index = 0
    while index < view.count:
        quantity = _at(view, index) if _may_begin(tokens[index]) else None
        if quantity is None:
            index += 1
        else:
            found.append(quantity)
            index = quantity.last + 1
    return found


def _may_begin(token: Token) -> bool:
    key, kind = token.key, token.kind
    if kind == "word":
        return (
            key in _WORDS
            or key[0].isdigit()
            or (key[0] == "q" and len(key) == 2)
            or (key[0] == "t" and key[1:].isdigit())
        )
    return kind in ("number", "compound") or key in _CHARACTERS or key in CURRENCIES


def _at(view: Tokens, index: int) -> Quantity | None:
    if (day := day_at(view, index)) is not None:
        return _date(index, day)
    if (quarter := quarter_at(view, index)) is not None:
        keys = frozenset((f"quarter:{quarter[0]}",))
        return Quantity(index, quarter[1] - 1, (index, quarter[1]), keys, keys, None)
    if (weekday := weekday_at(view, index)) is not None:
        keys = frozenset((f"weekday:{weekday[0]}",))
        return Quantity(index, weekday[1] - 1, (index, weekday[1]), keys, keys, None)
    if (clock := clock_at(view, index)) is not None:
        return _clock(index, clock)
    if (ordinal := english.ordinal_in_digits(view.word(index))) is not None:
        return _ordinal(index, Value(ordinal, index + 1, ordinal=True))
    if (other := _other_ordinal(view, index)) is not None:
        return _ordinal(index, other)
    if (share := english.share(view, index)) is not None:
        keys = frozenset((f"{number_key(share.value)}|%",))
        return Quantity(index, share.stop - 1, (index, share.stop), keys, keys, share.value)
    currency = view.key(index) if view.key(index) in CURRENCIES else ""
    if currency and not (view.touches(index + 1) and view.digits(index + 1) is not None):
        return None
    start = index + bool(currency)
    value = _number(view, start)
    if value is None:
        return None
    return _ordinal(index, value) if value.ordinal else _with_unit(view, index, start, value, currency)


def _other_ordinal(view: Tokens, index: int) -> Value | None:
    """Read `dritte` and `première`, and the German `die 4. Pumpe`."""
    value = english.OTHER_ORDINALS.get(view.word(index))
    if value is not None:
        return Value(value, index + 1, ordinal=True)
    number = view.digits(index)
    dotted = number is not None and view.raw(index).isdecimal() and view.key(index + 1) == "."
    if not (dotted and view.touches(index + 1) and view.word(index - 1) in _ARTICLES):
        return None
    return Value(number or 0, index + 2, ordinal=True) if view.raw(index + 2)[:1].isupper() else None


def _date(first: int, day: Day) -> Quantity:
    says: set[str] = set()
    wants: set[str] = set()
    for month, number in ((day.month, day.day), (day.day, day.month)) if day.either else ((day.month, day.day),):
        short = f"date:{month:02}-{number:02}"
        bare, any_year = f"{short} without year", f"{short} of any year"
        own = bare if day.year is None else f"{short} of {day.year}"
        says |= {own, any_year}
        wants |= {any_year} if day.year is None else {own, bare}
    return Quantity(first, day.stop - 1, (first, day.stop), frozenset(says), frozenset(wants), None)


def _clock(first: int, clock: Clock) -> Quantity:
    """A time without a zone may be meant in any; of two zones each is the same moment."""
    says: set[str] = set()
    wants: set[str] = set()
    for hour in (clock.hour, (clock.hour + 12) % 24) if clock.either else (clock.hour,):
        short = f"{hour:02}:{clock.minute:02}"
        second = f":{clock.second:02}" if clock.second else ""
        if clock.zone is None:
            says |= {f"time:{short}{second}", f"time:{short}"}
            wants |= {f"time:{short}{second}", f"time:{short}{second}{ZONED}"}
        else:
            there = (hour * 60 + clock.minute - clock.zone) % (24 * 60)
            utc = f"time:{UTC}{there // 60:02}:{there % 60:02}"
            says |= {f"time:{short}{second}{ZONED}", f"time:{short}{ZONED}", utc + second, utc}
            wants |= {f"time:{short}{second}", utc + second}
    return Quantity(first, clock.stop - 1, (first, clock.stop), frozenset(says), frozenset(wants), None)


def _ordinal(first: int, value: Value) -> Quantity:
    keys = frozenset((f"ordinal:{number_key(value.value)}",))
    return Quantity(first, value.stop - 1, (first, value.stop), keys, keys, value.value)


def _number(view: Tokens, start: int) -> Value | None:
    """Return the number at a token, scale words included."""
    value = kanji.kanji_number(view, start) if _japanese(view, start) else None
    if value is None:
        digits = view.digits(start)
        value = Value(digits, start + 1) if digits is not None else english.spelled(view, start) or _word(view, start)
        value = _with_comma(view, start) or value
    if value is None or value.ordinal:
        return value
    return _scaled(view, _with_fraction(view, value))


def _word(view: Tokens, start: int) -> Value | None:
    """Read a number in a word of another language than English, of which the tokens know the small ones."""
    if (other := english.OTHER_WORDS.get(view.word(start))) is not None:
        return Value(other, start + 1)
    if view.word(start) in english.BEFORE_UNITS and len(view.key(start + 1)) > 2 and view.key(start + 1) in UNITS:
        return Value(english.BEFORE_UNITS[view.word(start)], start + 1)
    value = number_value(view.tokens[start].key) if start < view.count and view.kind(start) == "number" else None
    return None if value is None or view.word(start) in english.STARTS else Value(value, start + 1)


def _with_comma(view: Tokens, start: int) -> Value | None:
    """Read `1,5`: with one or two digits behind it and no further one, a comma is a decimal one."""
    if view.key(start + 1) != "," or not (view.touches(start + 1) and view.touches(start + 2)):
        return None
    whole, decimals, stop = view.raw(start), view.raw(start + 2), start + 3
    if not (whole.isdecimal() and decimals.isdecimal() and len(decimals) <= 2) or view.key(stop) == ",":
        return None
    listed = view.key(start - 1) == "," and view.touches(start)
    return None if listed else Value(float(f"{whole}.{decimals}"), stop)


def _japanese(view: Tokens, start: int) -> bool:
    return view.kind(start) == "unspaced" or (view.touches(start + 1) and view.key(start + 1) in kanji.STARTS)


def _with_fraction(view: Tokens, value: Value) -> Value:
    """Add `point five` and `and a half`."""
    stop = value.stop
    if [view.word(stop + step) for step in range(3)] == ["and", "a", "half"]:
        return Value(value.value + 0.5, stop + 3)
    if view.word(stop) == "point":
        digits = ""
        place = stop + 1
        while (digit := english.DIGITS.get(view.word(place))) is not None:
            digits += digit
            place += 1
        if digits:
            return Value(float(f"{value.value:.0f}.{digits}"), place)
    return value


def _scaled(view: Tokens, value: Value) -> Value:
    number, stop = value.value, value.stop
    while True:
        place = stop + (view.key(stop) == "-" and view.touches(stop) and view.touches(stop + 1))
        factor = SCALES.get(view.key(place))
        if factor is None:
            return Value(number, stop)
        number, stop = number * factor, place + 1
        stop += view.key(place) in SHORTENED and view.key(stop) == "." and view.touches(stop)


def _with_unit(view: Tokens, first: int, start: int, value: Value, currency: str) -> Quantity:
    number, stop = value.value, value.stop
    letter = view.key(stop) if view.touches(stop) else ""
    factor = LETTERS.get(letter, 1.0)
    if factor > 1 and (currency or view.raw(stop) == "M"):
        number, stop, factor = number * factor, stop + 1, 1.0
    bare = f"{number_key(number)}|"
    unit, end = (currency, stop) if currency else _unit(view, stop)
    if unit == "割":
        unit, tenths = "%", f"{number_key(number * 10)}|"
        own = f"{tenths}%"
    else:
        own = bare + unit
    wants = {own} if factor == 1 else {own, f"{number_key(number * factor)}|"}
    wants |= {f"{number_key(amount)}|{base}" for base, amount in in_base_units(number, unit)}
    says = wants | {bare}
    if (thousands := _by_thousands(view, start, value)) is not None:
        says |= {f"{number_key(thousands)}|", f"{number_key(thousands)}|{unit}"}
        # A pattern `12.000` means twelve thousand; nobody writes the decimals of a whole number into a pattern.
        wants = (set() if number == int(number) else wants) | {f"{number_key(thousands)}|{unit}"}
    same = tuple(in_other_units(number, unit))
    return Quantity(first, end - 1, (start, stop), frozenset(says), frozenset(wants), number, same)


def _by_thousands(view: Tokens, start: int, value: Value) -> float | None:
    """Return the other value of `4.182`, as it is written in German or Spanish."""
    raw = view.raw(start)
    return float(raw.replace(".", "")) if value.stop == start + 1 and _THOUSANDS.fullmatch(raw) else None


def _unit(view: Tokens, stop: int) -> tuple[str, int]:
    """Return the unit after a number and the token after it; "" if there is none."""
    place = stop + (view.key(stop) == "-" and view.touches(stop) and view.touches(stop + 1))
    if view.kind(place) == "unspaced":
        return _japanese_unit(view, place) if place == stop else ("", stop)
    if (view.word(place), view.word(place + 1)) in (("per", "cent"), ("pour", "cent"), ("por", "ciento")):
        return "%", place + 2
    if view.key(place) in CURRENCIES and not view.touches(place) and view.touches(place + 1):
        return "", stop  # the sign of the next number
    unit = UNITS.get(view.key(place))
    return (unit, place + 1) if unit else ("", stop)


def _japanese_unit(view: Tokens, place: int) -> tuple[str, int]:
    if view.follows(place, "割"):
        return ("", place) if view.follows(place, "割り") else ("割", place + 1)
    for spelling in JAPANESE_UNITS:
        if view.follows(place, spelling):
            stop = place + len(spelling)
            part = UNITS[spelling] == "min" and view.follows(stop, "の") and _number(view, stop + 1) is not None
            return ("", place) if part else (UNITS[spelling], stop)
    return "", place
