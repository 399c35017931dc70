"""English number words. `text2num` reads them; here is which words of a text are a number at all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import regex
from text_to_num import alpha2digit, text2num

from objectives.numbers.reading import Tokens, Value


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DIGIT_WORDS: Final = "zero one two three four five six seven eight nine"
DIGITS: Final = {word: str(digit) for digit, word in enumerate(_DIGIT_WORDS.split())}
"""Digits by their words, as after `point`."""
SMALL: Final = _words(
    f"""{_DIGIT_WORDS} ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty
    forty fifty sixty seventy eighty ninety"""
)
_WHOLE: Final = {word: float(digit) for word, digit in DIGITS.items() if digit > "1"} | {"ten": 10.0}
_LARGE: Final = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9}
_CARDINALS: Final = SMALL | set(_LARGE)
_ORDINALS: Final = _words(
    """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth
    ninetieth hundredth thousandth millionth"""
)
_FIRST: Final = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
_GERMAN: Final = ("erst", "zweit", "dritt", "viert", "fünft", "sechst", "siebt", "neunt", "zehnt")
_ROMANCE: Final = {
    1: _words("premier première premiers premières primera primero"),
    2: _words("deuxième deuxièmes segunda"),
    3: _words("troisième tercera tercero"),
    4: _words("quatrième cuarta cuarto"),
    5: _words("cinquième quinta quinto"),
}
OTHER_ORDINALS: Final = {
    **{begin + end: at + (at > 7) for at, begin in enumerate(_GERMAN, 1) for end in ("e", "er", "es", "en", "em")},
    **{word: value for value, words in _ROMANCE.items() for word in words},
}
"""Ordinals in German, French and Spanish, without those that are words of another kind as well (`segundo`)."""
_HALVED: Final = _words("hundred thousand million billion dozen")
STARTS: Final = SMALL | _ORDINALS | {"a", "an", "half"}
"""Words that a number may begin with."""

VAGUE: Final = _words("couple quarter quarters")
"""Words of `a couple of` and `three quarters of`."""
OTHER_WORDS: Final = {"anderthalb": 1.5, "eineinhalb": 1.5, "zweieinhalb": 2.5, "dreieinhalb": 3.5}
"""Numbers in German that end in a half."""
BEFORE_UNITS: Final = {
    **dict.fromkeys(("un", "una", "une", "ein", "eine", "einen", "einer"), 1.0),
    **{"dos": 2.0, "neuf": 9.0, "once": 11.0},
}
"""Numbers in other languages that are words of another kind, unless a unit follows."""
_PERIODS: Final = _words("second minute hour day week month year")
_SHARES: Final = {"half": 50.0, "third": 100 / 3, "thirds": 100 / 3, "quarter": 25.0, "quarters": 25.0}

_DIGIT_ORDINAL: Final = regex.compile(r"(\d{1,9})(?:st|nd|rd|th|er|re|eme|e)")
_TENTH: Final = regex.compile(r"ieth$")
_READ_ORDINAL: Final = regex.compile(r"(\d+)(?:st|nd|rd|th)")

# "one" is a pronoun after these words, before those, and at the end of a clause after any word but the last ones.
_BEFORE_PRONOUN: Final = _words(
    """the this that these those which what no any every some each another such only new old other first last right
    wrong"""
)
_AFTER_PRONOUN: Final = _ORDINALS | _words(
    """another should can cannot could must may might would will shall has had is was does did needs who that which by
    day night thing side hand and or but to in on at if when then than so as"""
)
_OF_MANY: Final = _words("the these those them us our my your his her their its")
_BEFORE_LONE: Final = _words("just exactly is are was were by to from least most about number over under")

# "second" is an ordinal after these words, or after the next ones if a thing follows; otherwise it is a time.
_DEFINITE: Final = _words("the its their his her our my your whose")
_INDEFINITE: Final = frozenset(("a", "on", "for", ""))
_DELAYS: Final = _words("delay delays timeout timeouts interval intervals pause pauses wait waits window windows limit")
_NO_THING: Final = _DELAYS | _words(
    "later ago or and to of in before after at on for with than per is was are were each earlier longer"
)


def ordinal_word(value: int) -> str:
    """Return an ordinal as texts mostly write it: `third`, `21st`."""
    if 1 <= value <= len(_FIRST):
        return _FIRST[value - 1]
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def ordinal_in_digits(word: str) -> int | None:
    """Return the value of `3rd`."""
    found = _DIGIT_ORDINAL.fullmatch(word)
    return int(found[1]) if found else None


def spelled(tokens: Tokens, start: int) -> Value | None:
    """Return the number in words that begins at a token, or None.

    A pronoun `one`, the time `second` and fractions (`a third of`) are no numbers.
    """
    first = tokens.word(start)
    if first not in STARTS:
        return None
    if first in ("a", "an", "half") or tokens.word(start + 1) == "quarters":
        return _of_period(tokens, start) or _of_scale(tokens, start)
    words, ends = _run(tokens, start)
    for count in range(len(words), 0, -1):
        value = _read(tuple(words[:count]))
        if value is None:
            continue
        ordinal = words[count - 1] in _ORDINALS
        if (count == 1 and _is_none(tokens, start, first)) or (
            ordinal and _is_fraction(tokens, start, ends[count - 1])
        ):
            return None
        year = None if ordinal else _year(value, words[count:], ends[count:])
        return year or Value(value, ends[count - 1], ordinal)
    return None


def _of_period(tokens: Tokens, start: int) -> Value | None:
    """Read `half an hour`, `a quarter of an hour`, `three quarters of an hour`, and `a couple of`."""
    first, second = tokens.word(start), tokens.word(start + 1)
    if (first, second, tokens.word(start + 2)) == ("a", "couple", "of"):
        return Value(2.0, start + 3)
    if first == "half" and second in ("a", "an") and tokens.word(start + 2) in _PERIODS:
        return Value(0.5, start + 2)
    parts = {("a", "quarter"): 0.25, ("three", "quarters"): 0.75}.get((first, second))
    article = tokens.word(start + 2) == "of" and tokens.word(start + 3) in ("a", "an")
    return Value(parts, start + 4) if parts and article and tokens.word(start + 4) in _PERIODS else None


def share(tokens: Tokens, start: int) -> Value | None:
    """Return the percentage of a part of many: `half of the users`, `three quarters of`, `one in three`."""
    first, second = tokens.word(start), tokens.word(start + 1)
    if first == "one" and second == "in":
        number = tokens.digits(start + 2) or _WHOLE.get(tokens.word(start + 2))
        return Value(_rounded(100 / number), start + 3) if number and 2 <= number <= 10 else None
    count = {"a": 1, "one": 1, "two": 2, "three": 3}.get(first)
    part, place = (first, start + 1) if first == "half" else (second, start + 2)
    if part not in _SHARES or (part != "half" and count is None) or tokens.word(place) != "of":
        return None
    if (part == "half" and first != "half") or tokens.word(place + 1) in ("", "a", "an"):
        return None
    return Value(_rounded(_SHARES[part] * (count or 1)), place)


def _rounded(percentage: float) -> float:
    return float(f"{percentage:.3g}")


def _of_scale(tokens: Tokens, start: int) -> Value | None:
    """Read `a hundred and five`, `a dozen`, `half a million`."""
    half = tokens.word(start) == "half"
    if half and tokens.word(start + 1) not in ("a", "an"):
        return None
    scale = start + 1 + half
    word = tokens.word(scale)
    if word not in _HALVED:
        return None
    if word == "dozen":
        return Value(6.0 if half else 12.0, scale + 1)
    words, ends = _run(tokens, scale)
    if half:
        value = _read(("one", word))
        return None if value is None else Value(value / 2, scale + 1)
    for count in range(len(words), 0, -1):
        value = _read(("one", *words[:count]))
        if value is not None:
            return Value(value, ends[count - 1], words[count - 1] in _ORDINALS)
    return None


def _run(tokens: Tokens, start: int) -> tuple[list[str], list[int]]:
    """Return the number words that follow one another, and the token after each."""
    words, ends = [tokens.word(start)], [start + 1]
    while words[-1] not in _ORDINALS:
        index = ends[-1]
        joint = tokens.key(index)
        large = words[-1] in _LARGE
        if joint == "-":
            index += tokens.touches(index) and tokens.touches(index + 1)
        elif joint == "," and large:
            index += _goes_on(tokens, index + 1, words[-1])
        elif joint == "and" and large and tokens.word(index + 1) in _CARDINALS | _ORDINALS:
            words.append("and")
            ends.append(index + 1)
            index += 1
        word = tokens.word(index)
        if word not in _CARDINALS and word not in _ORDINALS:
            break
        words.append(word)
        ends.append(index + 1)
    return words, ends


def _goes_on(tokens: Tokens, index: int, scale: str) -> bool:
    """Whether a number goes on after a comma: `two thousand, three hundred`, but not `two thousand, three failed`."""
    words, _ = _run(tokens, index) if tokens.word(index) in SMALL else ([], [])
    return any(_LARGE.get(word.removesuffix("th"), 99) < _LARGE[scale] for word in words)


@lru_cache(maxsize=1 << 14)
def _read(words: tuple[str, ...]) -> float | None:
    phrase = " ".join(words)
    try:
        if words[-1] in _ORDINALS and not words[-1].endswith("ieth"):
            found = _READ_ORDINAL.fullmatch(alpha2digit(phrase, "en", 0))
            return float(found[1]) if found else None
        return float(text2num(_TENTH.sub("y", phrase), "en"))  # "sixtieth" is unknown to it as an ordinal
    except ValueError:
        return None


def _year(value: float, words: Sequence[str], ends: Sequence[int]) -> Value | None:
    """Read `nineteen ninety-nine`."""
    if value not in (18, 19, 20, 21):
        return None
    for count in (2, 1):
        rest = _read(tuple(words[:count])) if len(words) >= count else None
        if rest is not None and 10 <= rest <= 99 and words[count - 1] not in _ORDINALS:
            return Value(value * 100 + rest, ends[count - 1])
    return None


def _is_none(tokens: Tokens, index: int, word: str) -> bool:
    """Whether a single word is no number here: the pronoun `one`, the time `second`, `at first`."""
    before, after = tokens.word(index - 1), tokens.word(index + 1)
    if word == "one":
        if after == "and" and tokens.word(index + 2) == "a" and tokens.word(index + 3) == "half":
            return False
        if before in _BEFORE_PRONOUN or after in _AFTER_PRONOUN:
            return True
        if after == "of" and tokens.word(index + 2) in _OF_MANY:
            return True
        return not after and tokens.key(index + 1) != "-" and before not in _BEFORE_LONE and index > 0
    if word == "second":
        if tokens.key(index + 1) == "-":
            return tokens.kind(index - 1) == "number" or tokens.key(index - 1) == "-"
        if before in _DEFINITE:
            return False
        starts = index == 0 or (before in _INDEFINITE and tokens.kind(index - 1) != "number")
        return not (starts and (after or index == 0) and after not in _NO_THING and tokens.key(index - 1) != "-")
    return word == "first" and before == "at"


def _is_time(tokens: Tokens, start: int, stop: int) -> bool:
    """Whether `twenty second` is a time: `a twenty second delay`, but `the twenty-second floor`."""
    after = tokens.word(stop)
    if not after or after in _NO_THING:
        return tokens.word(start - 1) not in _DEFINITE or after in _DELAYS
    return tokens.key(stop - 2) != "-" and tokens.word(start - 1) not in _DEFINITE


def _is_fraction(tokens: Tokens, start: int, stop: int) -> bool:
    """Whether an ordinal is a fraction: `one third`, `a third of`."""
    before = tokens.word(start - 1) or (tokens.word(start - 2) if tokens.key(start - 1) == "-" else "")
    return before == "one" or (before == "a" and tokens.word(stop) == "of")
