"""Dates: where a text has one, and which. Their grammar is small enough to be read directly.

A general reader of dates (`dateparser`, `dateutil`) also guesses: it takes `15` or `may` for a date, needs a day to
complete what a text leaves out, and costs milliseconds where a text is scored in microseconds.
"""

from __future__ import annotations

import calendar
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
_DAY_AND_MONTH: Final = regex.compile(r"(\d\d?)\.(\d\d?)")
_BEFORE_DAY: Final = frozenset(("am", "vom", "zum", "bis", "ab", "seit", "den"))
_BEFORE_SLASH: Final = frozenset(("on", "by", "due", "until", "since", "el", "le", "am", "vom"))
"""Words after which `03.03.` and `3/5` are days."""
_DOTTED: Final = regex.compile(r"(\d\d?)\.(\d\d?)\.((?:19|20)\d\d)")


WEEKDAYS: Final = {
    word: number
    for number, words in enumerate(
        ("monday mondays mon montag lundi lunes", "tuesday tuesdays tue tues dienstag mardi martes",
         "wednesday wednesdays wed mittwoch mercredi miercoles", "thursday thursdays thu thurs donnerstag jeudi jueves",
         "friday fridays fri freitag vendredi viernes", "saturday saturdays samstag sonnabend samedi sabado",
         "sunday sundays sonntag dimanche domingo"),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
"""Days of the week in four languages. Short forms need their capital; `Sat` and `Sun` are words of another kind."""
_LEAST_FULL: Final = 5
_JAPANESE_DAYS, _CHINESE_DAYS = "月火水木金土日", "一二三四五六日天"
WEEKDAY_NAMES: Final = tuple(calendar.day_name)
_QUARTER: Final = regex.compile(r"q([1-4])")
QUARTERS: Final = {
    word: number
    for number, words in enumerate(
        ("first erste erstes ersten premier primer", "second zweite zweites zweiten deuxieme segundo",
         "third dritte drittes dritten troisieme tercer", "fourth vierte viertes vierten quatrieme cuarto"),
        start=1,
    )
    for word in words.split()
}  # fmt: skip


class Day(NamedTuple):
    """A date, and the token after it.

    Attributes:
        year: The year; None where the text has none.
        month: The month.
        day: The day.
        stop: The token after it.
        either: Whether month and day may be meant the other way round: `3/5`.
    """

    year: int | None
    month: int
    day: int
    stop: int
    either: bool = False


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
    return _day_first(tokens, index) or _day_and_month(tokens, index)


def weekday_at(tokens: Tokens, index: int) -> tuple[int, int] | None:
    """Return the day of the week that begins at a token (Monday is 1), and the token after it."""
    if tokens.kind(index) == "unspaced":
        return _unspaced_weekday(tokens, index)
    word = tokens.word(index)
    number = WEEKDAYS.get(word)
    if number is None or (len(word) < _LEAST_FULL and not tokens.raw(index)[:1].isupper()):
        return None
    return number, index + 1


def _unspaced_weekday(tokens: Tokens, index: int) -> tuple[int, int] | None:
    """Read 月曜日, 月曜, 星期一 and 周一."""
    day = _JAPANESE_DAYS.find(tokens.key(index)) + 1
    if day and tokens.follows(index + 1, "曜"):
        return day, index + 2 + tokens.follows(index + 2, "日")
    for begin in ("星期", "礼拜", "周", "週"):
        if tokens.follows(index, begin):
            place = index + len(begin)
            name = tokens.key(place)
            if name and name in _CHINESE_DAYS:
                return min(_CHINESE_DAYS.index(name) + 1, 7), place + 1
    return None


def _either_way(one: int, other: int, year: int | None, stop: int) -> Day | None:
    """A date whose parts may be day and month, or month and day."""
    day, month = _valid(year, other, one, stop), _valid(year, one, other, stop)
    return day._replace(either=one != other) if day and month else day or month


def _day_and_month(tokens: Tokens, index: int) -> Day | None:
    """Read `am 03.03.`, `12/05/2026`, and `3/5` after a word such as `on` or a script without spaces."""
    if tokens.digits(index) is None:
        return None
    before = tokens.word(index - 1)
    found = _DAY_AND_MONTH.fullmatch(tokens.raw(index)) if before in _BEFORE_DAY else None
    if found:
        dot = tokens.key(index + 1) == "." and tokens.touches(index + 1)
        unit = tokens.word(index + 1) if not dot else ""
        whole = len(found[1]) + len(found[2]) == 4 or dot
        return None if unit == "uhr" or not whole else _valid(None, int(found[2]), int(found[1]), index + 1 + dot)
    slash = tokens.key(index + 1) == "/" and tokens.touches(index + 1) and tokens.touches(index + 2)
    one, other = tokens.raw(index), tokens.raw(index + 2)
    if not (slash and one.isdecimal() and other.isdecimal()) or tokens.key(index + 3) == "%":
        return None
    if tokens.key(index + 3) == "/":
        year = tokens.raw(index + 4)
        whole = len(year) == 4 and year.isdecimal() and tokens.touches(index + 4)
        return _either_way(int(one), int(other), int(year), index + 5) if whole else None
    if tokens.kind(index - 1) == "unspaced" and tokens.touches(index):
        return _valid(None, int(one), int(other), index + 3)
    if before not in _BEFORE_SLASH or tokens.word(index + 3) == "of":
        return None
    return _either_way(int(one), int(other), None, index + 3)


def quarter_at(tokens: Tokens, index: int) -> tuple[int, int] | None:
    """Return the quarter of a year that begins at a token, as `Q3` and `third quarter`, and the token after it."""
    word = tokens.word(index)
    if found := _QUARTER.fullmatch(word):
        return int(found[1]), index + 1
    number = QUARTERS.get(word)
    if number is None:
        ordinal = ordinal_in_digits(word)
        number = ordinal if ordinal in (1, 2, 3, 4) else None
    place = index + 1
    if number is None and tokens.raw(index) in ("1", "2", "3", "4") and tokens.key(index + 1) == ".":
        number, place = int(tokens.raw(index)), index + 2
    return (number, place + 1) if number and tokens.word(place) in ("quarter", "quartal", "trimestre") else None


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


def whole_number(tokens: Tokens, index: int) -> tuple[int, int] | None:
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
    first = whole_number(tokens, index)
    year: int | None = None
    if first is not None and tokens.key(first[1]) == "年":
        year, first = first[0], whole_number(tokens, first[1] + 1)
    if first is None or tokens.key(first[1]) != "月":
        return None
    day = whole_number(tokens, first[1] + 1)
    if day is None or tokens.key(day[1]) != "日" or tokens.follows(day[1], "日間"):
        return None
    return _valid(year, first[0], day[0], day[1] + 1)
