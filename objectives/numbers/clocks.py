"""Times of day and their zones: where a text has one, and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import regex

from objectives.numbers.dates import whole_number
from objectives.numbers.english import SMALL, spelled
from objectives.numbers.reading import Tokens

_CLOCK: Final = regex.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
_HOUR: Final = regex.compile(r"(\d\d?)(am|pm)")
_ISO_HOUR: Final = regex.compile(r"t(\d\d)")
_NAMED: Final = {"noon": (12, 0), "midnight": (0, 0), "正午": (12, 0)}
_ZONES: Final = {
    name: minutes
    for minutes, names in {
        0: "UTC GMT WET WEZ",
        60: "CET MEZ WEST WESZ BST",
        120: "CEST MESZ EET",
        180: "EEST MSK",
        540: "JST KST",
        600: "AEST",
        660: "AEDT",
        -180: "BRT",
        -240: "EDT",
        -300: "EST CDT",
        -360: "MDT",
        -420: "PDT MST",
        -480: "PST",
    }.items()
    for name in names.split()
}
"""Minutes ahead of UTC by the name of a zone. Names of several zones (CST, IST) and of none (ET) are left out."""
_OFFSET: Final = regex.compile(r"([+-])(\d\d?)(?::([0-5]\d))?")
_BEFORE_HOUR: Final = frozenset(("at", "à", "um", "gegen", "vers", "dès", "until", "till", "since", "las", "kurz"))
"""Words after which `14h` is a time of day, and no duration."""
_H_AND_MINUTE: Final = regex.compile(r"(\d\d?)h(\d\d)")
_PARTS: Final = {"half": 30, "quarter": 15, "viertel": 15}


class Clock(NamedTuple):
    """A time of day, and the token after it.

    Attributes:
        hour: The hour, 0 to 23.
        minute: The minute.
        second: The second; None where the text has none.
        stop: The token after it.
        zone: Minutes ahead of UTC; None where the text names no zone.
        either: Whether the time twelve hours later is meant as well: `half past nine`.
    """

    hour: int
    minute: int
    second: int | None
    stop: int
    zone: int | None = None
    either: bool = False


def clock_at(tokens: Tokens, index: int) -> Clock | None:
    """Return the time of day that begins at a token, or None."""
    kind = tokens.kind(index)
    for read in _CLOCKS.get(kind, ()):
        if (found := read(tokens, index)) is not None:
            return _with_zone(tokens, found)
    return None


def _with_zone(tokens: Tokens, clock: Clock) -> Clock:
    """Add a zone right behind a time: `14:00 UTC`, `14:00Z`, `14:00 UTC+2`; `Uhr` is passed."""
    stop = clock.stop + (tokens.word(clock.stop) == "uhr")
    raw = tokens.raw(stop)
    if raw == "Z" and tokens.touches(stop):
        return clock._replace(stop=stop + 1, zone=0)
    if raw not in _ZONES:
        return clock._replace(stop=stop)
    zone, stop = _ZONES[raw], stop + 1
    offset, after = tokens.raw(stop), stop + 1
    if offset in ("+", "-") and tokens.touches(after):
        offset, after = offset + tokens.raw(after), after + 1
    if zone == 0 and tokens.touches(stop) and (found := _OFFSET.fullmatch(offset)):
        zone, stop = int(found[1] + "1") * (int(found[2]) * 60 + int(found[3] or 0)), after
    return clock._replace(stop=stop, zone=zone)


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


def _with_h(tokens: Tokens, index: int) -> Clock | None:
    """Read `14h30`, and `14h` after a word such as `at`: elsewhere it is a duration."""
    if found := _H_AND_MINUTE.fullmatch(tokens.key(index)):
        return _time(int(found[1]), int(found[2]), None, "", index + 1)
    hour = _plain_hour(tokens, index)
    if hour is None or tokens.raw(index - 1).casefold() not in _BEFORE_HOUR:
        return None
    if tokens.word(index + 1) != "h" or not tokens.touches(index + 1):
        return None
    return _time(hour, 0, None, "", index + 2)


def _on_the_hour(tokens: Tokens, index: int) -> Clock | None:
    """Read `14 Uhr`, `14 Uhr 30` and `2 o'clock`."""
    hour = _plain_hour(tokens, index)
    if hour is None:
        return None
    if tokens.word(index + 1) == "o'clock":
        clock = _time(hour, 0, None, "", index + 2)
        return None if clock is None else clock._replace(either=1 <= hour <= 12)
    if tokens.word(index + 1) != "uhr":
        return None
    minute = _plain_hour(tokens, index + 2)
    if minute is not None and tokens.raw(index + 2).isdecimal() and len(tokens.raw(index + 2)) == 2:
        return _time(hour, minute, None, "", index + 3)
    return _time(hour, 0, None, "", index + 2)


def _plain_hour(tokens: Tokens, index: int) -> int | None:
    number = tokens.digits(index)
    return int(number) if number is not None and tokens.raw(index).isdecimal() else None


def _past_or_to(tokens: Tokens, index: int) -> Clock | None:
    """Read `half past nine`, `a quarter to eight`, `ten past 9` and `Viertel nach acht`."""
    word = tokens.word(index)
    if word == "a" and tokens.word(index + 1) == "quarter":
        return _past_or_to(tokens, index + 1)
    minutes, place = _PARTS.get(word), index + 1
    if minutes is None:
        found = spelled(tokens, index) if word in SMALL else None
        if found is None or found.ordinal or found.value not in (5, 10, 20, 25):
            return None
        minutes, place = int(found.value), found.stop
        place += tokens.word(place) == "minutes"
    side = tokens.word(place)
    if side not in ("past", "to", "nach", "vor") or (side == "to" and minutes != 15):  # `five to ten people`
        return None
    hour, stop = _plain_hour(tokens, place + 1), place + 2
    if hour is None and (named := spelled(tokens, place + 1)) is not None and not named.ordinal:
        hour, stop = int(named.value), named.stop
    if hour is None and tokens.kind(place + 1) == "number":
        hour = int(float(tokens.key(place + 1)[1:]))
    if hour is None or not 1 <= hour <= 24 or tokens.key(stop) in ("%", ":", "/"):
        return None
    if side in ("to", "vor"):
        hour, minutes = hour - 1, 60 - minutes
    half, stop = _half_of_day(tokens, stop)
    clock = _time(hour % 12 if half else hour % 24, minutes, None, "", stop)
    if clock is None or half:
        return clock if clock is None else clock._replace(hour=clock.hour + 12 * (half == "pm"))
    return clock._replace(either=hour <= 12)


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
    hour = _plain_hour(tokens, index)
    half, stop = _half_of_day(tokens, index + 1)
    return _time(hour, 0, None, half, stop) if half and hour is not None else None


def _japanese_time(tokens: Tokens, index: int) -> Clock | None:
    """Read 14時5分, 午後2時半 and 正午."""
    if tokens.follows(index, "正午"):
        return Clock(12, 0, None, index + 2)
    half = "am" if tokens.follows(index, "午前") else "pm" if tokens.follows(index, "午後") else ""
    hour = whole_number(tokens, index + 2 * bool(half))
    if hour is None or tokens.key(hour[1]) != "時" or tokens.follows(hour[1], "時間"):
        return None
    minute = whole_number(tokens, hour[1] + 1)
    if minute is not None and tokens.key(minute[1]) == "分" and not tokens.follows(minute[1], "分間"):
        return _time(hour[0], minute[0], None, half, minute[1] + 1)
    halved = tokens.key(hour[1] + 1) == "半"
    return _time(hour[0], 30 * halved, None, half, hour[1] + 1 + halved)


_Reader = Callable[[Tokens, int], Clock | None]
_CLOCKS: Final[dict[str, tuple[_Reader, ...]]] = {
    "compound": (_with_colon,),
    "word": (_one_word, _with_h, _past_or_to),
    "number": (_hour_and_half, _with_h, _on_the_hour, _past_or_to, _japanese_time),
    "unspaced": (_japanese_time,),
}
