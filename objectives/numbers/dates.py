"""Dates and times of day: where a text has one, and which. Their grammar is small enough to be read directly.

A general reader of dates (`dateparser`, `dateutil`) also guesses: it takes `15` or `may` for a date, needs a day to
complete what a text leaves out, and costs milliseconds where a text is scored in microseconds.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import Final, NamedTuple

import regex

from objectives.numbers.english import ordinal_in_digits, spelled
from objectives.numbers.kanji import kanji_number
from objectives.numbers.reading import Tokens

MONTHS: Final = {
    name.casefold(): month
    for names in (calendar.month_name, calendar.month_abbr)
    for month, name in enumerate(names)
    if name
} | {"sept": 9}
"""English names of months and their short forms."""
_OTHER_MONTHS: Final = {
    name: month
    for names in (
        "januar februar marz april mai juni juli august september oktober november dezember",
        "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for month, name in enumerate(names.split(), start=1)
}
"""German, French and Spanish names, which stand after their day: `9. März`, `9 de marzo`."""
_CAPITAL: Final = frozenset(("may", "march", "mar"))
"""Months that are words as well: they need their capital, or an ordinal beside them."""
_ISO: Final = regex.compile(r"(\d{4})([-/])(\d\d?)\2(\d\d?)")
_DOTTED: Final = regex.compile(r"(\d\d?)\.(\d\d?)\.((?:19|20)\d\d)")
_CLOCK: Final = regex.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
_HOUR: Final = regex.compile(r"(\d\d?)(am|pm)")
_ISO_HOUR: Final = regex.compile(r"t(\d\d)")
_NAMED: Final = {"noon": (12, 0), "midnight": (0, 0), "正午": (12, 0)}


class Day(NamedTuple):
    """A date (year None where the text has none), and the token after it."""

    year: int | None
    month: int
    day: int
    stop: int


class Clock(NamedTuple):
    """A time of day (second None where the text has none), and the token after it."""

    hour: int
    minute: int
    second: int | None
    stop: int


def day_at(tokens: Tokens, index: int) -> Day | None:
    """Return the date that begins at a token, or None."""
    kind = tokens.kind(index)
    if kind == "compound":
        if dotted := _DOTTED.fullmatch(tokens.key(index)):
            return _valid(int(dotted[3]), int(dotted[2]), int(dotted[1]), index + 1)
        found = _ISO.fullmatch(tokens.key(index))
        return _valid(int(found[1]), int(found[3]), int(found[4]), index + 1) if found else None
    if kind == "word" and tokens.word(index) in MONTHS:
        return _month_first(tokens, index)
    if kind == "unspaced" or "年" in (following := tokens.key(index + 1)) or "月" in following:
        return _japanese(tokens, index)
    return _day_first(tokens, index)


def clock_at(tokens: Tokens, index: int) -> Clock | None:
    """Return the time of day that begins at a token, or None."""
    kind = tokens.kind(index)
    for read in _CLOCKS.get(kind, ()):
        if (found := read(tokens, index)) is not None:
            return found
    return None


def _valid(year: int | None, month: int, day: int, stop: int) -> Day | None:
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year or 2000, month)[1]:
        return None
    return Day(year, month, day, stop)


def _day_number(tokens: Tokens, index: int) -> tuple[int, bool, int] | None:
    """Return a day of a month, whether it is an ordinal, and the token after it."""
    if (ordinal := ordinal_in_digits(tokens.word(index))) is not None:
        return (ordinal, True, index + 1) if ordinal <= 31 else None
    number = tokens.digits(index)
    if number is not None:
        whole = number in range(1, 32) and tokens.raw(index).isdecimal()
        return (int(number), False, index + 1) if whole else None
    words = spelled(tokens, index) if tokens.word(index) else None
    if words is not None and words.ordinal and 1 <= words.value <= 31:
        return int(words.value), True, words.stop
    return None


def _named_month(tokens: Tokens, index: int, ordinal: bool) -> int | None:
    month = MONTHS.get(tokens.word(index))
    if month is None or (tokens.word(index) in _CAPITAL and not ordinal and not tokens.raw(index)[:1].isupper()):
        return None
    return month


def _year_at(tokens: Tokens, index: int) -> tuple[int | None, int]:
    """Return a year of four digits, after a comma or a point as well, and the token after it."""
    place = index + (tokens.key(index) in (",", "."))
    raw = tokens.raw(place)
    if tokens.digits(place) is not None and len(raw) == 4 and raw.isdecimal() and raw[:1] in "12":
        return int(raw), place + 1
    return None, index


def _month_first(tokens: Tokens, index: int) -> Day | None:
    """Read `March 9th, 2026`."""
    place = index + 1 + (tokens.key(index + 1) == "." and len(tokens.word(index)) <= 4)
    place += tokens.word(place) == "the"
    day = _day_number(tokens, place)
    if day is None:
        return None
    month = _named_month(tokens, index, day[1])
    if month is None or tokens.key(day[2]) in ("%", ":"):
        return None
    year, stop = _year_at(tokens, day[2])
    return _valid(year, month, day[0], stop)


def _day_first(tokens: Tokens, index: int) -> Day | None:
    """Read `9 March 2026`, `the ninth of March`."""
    if not (tokens.word(index) or tokens.digits(index)):
        return None
    day = _day_number(tokens, index)
    if day is None:
        return None
    place = day[2] + (tokens.word(day[2]) in ("of", "de"))
    month = _named_month(tokens, place, day[1])
    if month is None:
        place += tokens.key(place) == "." and tokens.touches(place)
        month = _OTHER_MONTHS.get(tokens.word(place))
    if month is None:
        return None
    year, stop = _year_at(tokens, place + 1 + (tokens.word(place + 1) == "de"))
    if year is None:
        stop = place + 1
    return _valid(year, month, day[0], stop)


def _whole(tokens: Tokens, index: int) -> tuple[int, int] | None:
    """Return a whole number in digits or kanji, and the token after it."""
    number = tokens.digits(index)
    if number is not None:
        return (int(number), index + 1) if number >= 0 and number == int(number) else None
    if tokens.kind(index) != "unspaced":
        return None
    value = kanji_number(tokens, index)
    return None if value is None or value.value > 9999 else (int(value.value), value.stop)


def _japanese(tokens: Tokens, index: int) -> Day | None:
    """Read 2026年3月9日 and 三月九日."""
    first = _whole(tokens, index)
    year: int | None = None
    if first is not None and tokens.key(first[1]) == "年":
        year, first = first[0], _whole(tokens, first[1] + 1)
    if first is None or tokens.key(first[1]) != "月":
        return None
    day = _whole(tokens, first[1] + 1)
    if day is None or tokens.key(day[1]) != "日" or tokens.follows(day[1], "日間"):
        return None
    return _valid(year, first[0], day[0], day[1] + 1)


def _half_of_day(tokens: Tokens, index: int) -> tuple[str, int]:
    """Return `am` or `pm` with the token after it; "" if there is none."""
    word = tokens.word(index)
    if word in ("am", "pm"):
        return word, index + 1
    if word in ("a", "p") and tokens.key(index + 1) == "." and tokens.word(index + 2) == "m":
        closed = tokens.key(index + 3) == "." and tokens.touches(index + 3)
        return f"{word}m", index + 3 + closed
    return "", index


def _time(hour: int, minute: int, second: int | None, half: str, stop: int) -> Clock | None:
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half == "pm")
    return Clock(hour, minute, second, stop) if hour < 24 and minute < 60 and (second or 0) < 60 else None


def _with_colon(tokens: Tokens, index: int) -> Clock | None:
    """Read `14:05`, `2:05 pm`, `14:05:30`."""
    found = _CLOCK.fullmatch(tokens.key(index))
    if not found:
        return None
    half, stop = _half_of_day(tokens, index + 1)
    return _time(int(found[1]), int(found[2]), int(found[3]) if found[3] else None, half, stop)


def _one_word(tokens: Tokens, index: int) -> Clock | None:
    """Read `2pm`, `noon`, and the time of `2026-03-09T14:05`."""
    word = tokens.key(index)
    if word in _NAMED:
        return Clock(*_NAMED[word], None, index + 1)
    if found := _HOUR.fullmatch(word):
        return _time(int(found[1]), 0, None, found[2], index + 1)
    hour = _ISO_HOUR.fullmatch(word)
    if hour and tokens.touches(index) and tokens.kind(index - 1) == "compound" and tokens.key(index + 1) == ":":
        minute = tokens.raw(index + 2)[:2]
        return _time(int(hour[1]), int(minute), None, "", index + 3) if minute.isdecimal() else None
    return None


def _hour_and_half(tokens: Tokens, index: int) -> Clock | None:
    """Read `2 pm`."""
    hour = tokens.digits(index)
    if hour is None or not tokens.raw(index).isdecimal():
        return None
    half, stop = _half_of_day(tokens, index + 1)
    return _time(int(hour), 0, None, half, stop) if half else None


def _japanese_time(tokens: Tokens, index: int) -> Clock | None:
    """Read 14時5分, 午後2時半 and 正午."""
    if tokens.follows(index, "正午"):
        return Clock(12, 0, None, index + 2)
    half = "am" if tokens.follows(index, "午前") else "pm" if tokens.follows(index, "午後") else ""
    hour = _whole(tokens, index + 2 * bool(half))
    if hour is None or tokens.key(hour[1]) != "時" or tokens.follows(hour[1], "時間"):
        return None
    minute = _whole(tokens, hour[1] + 1)
    if minute is not None and tokens.key(minute[1]) == "分" and not tokens.follows(minute[1], "分間"):
        return _time(hour[0], minute[0], None, half, minute[1] + 1)
    halved = tokens.key(hour[1] + 1) == "半"
    return _time(hour[0], 30 * halved, None, half, hour[1] + 1 + halved)


_Reader = Callable[[Tokens, int], Clock | None]
_CLOCKS: Final[dict[str, tuple[_Reader, ...]]] = {
    "compound": (_with_colon,),
    "word": (_one_word,),
    "number": (_hour_and_half, _japanese_time),
    "unspaced": (_japanese_time,),
}
