"""Text as the matchers see it: normalised, cut into tokens, stemmed, numbers as numbers.

1. `normalise`: Unicode NFKC, one spelling of apostrophes, dashes and quotes, no thin or no-break space inside numbers,
   no invisible characters. Upper case is kept, so that a stretch of text can be shown.
2. `tokenise`: a token is a word, a number, a compound, one character of an unspaced script, or one symbol. A word has
   letters, marks, digits and `_`, case-folded and without Latin and Arabic diacritics. Compounds are for example
   `1.14.2`, `v1.14`, `14:30` and `2024-05-01`. Unspaced scripts are Han, kana, Thai, Lao, Khmer and Burmese.
3. Numbers are compared by value: `4,182,907` = `4182907` = `4.182907e6`, and `two` to `twelve` are numbers, as are
   `zwei`, `deux` and `tres`.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import regex
import snowballstemmer

UNSPACED: Final = (
    r"\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー々〆"
    r"\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}"
)
"""Character class (without brackets) of the scripts that are written without spaces between words."""

_GLUED_UNITS = (
    "ms|msec|sec|secs|s|min|mins|h|hrs?|d|kb|mb|gb|tb|kib|mib|gib|b|mm|cm|m|km|mi|g|kg|lbs?|°c|°f|khz|mhz|ghz|hz|kw|w|v|"
    "rps|qps|x|k|mn|bn|usd|eur|gbp|jpy|pct"
)
_GLUED_UNITS = "|".join(
    "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in unit) for unit in _GLUED_UNITS.split("|")
)


def _token_pattern(letter: str, wordlike: str, spaced: str, unspaced: str) -> str:
    """Return the tokens as a regular expression, from classes of letters and of characters of words."""
    return (
        r"(?P<compound>[vV]\d+(?:\.\d+)+"
        r"|\d+(?:(?:\.\d+){2,}|(?::\d\d)+(?!\d)|(?P<dash>[-/])\d\d?(?P=dash)\d\d?(?!\d)))"
        rf"|(?P<number>(?:(?<!{wordlike})(?<![)\].-])[-+])?(?<!{wordlike}\.)"
        rf"(?:\d{{1,3}}(?:[,_']\d{{3}})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d{{1,2}})?"
        rf"(?=(?:{_GLUED_UNITS})?(?!{spaced})))"
        rf"{unspaced}"
        rf"|(?P<word>{spaced}+(?:'{letter}+)*)"
        r"|(?P<symbol>[^\s\x1c-\x1f])"
    )


_TOKEN = regex.compile(
    _token_pattern(
        letter=rf"[[\p{{L}}\p{{M}}]--[{UNSPACED}]]",
        wordlike=r"[\p{L}\p{M}\p{N}_]",
        spaced=rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{UNSPACED}]]",
        unspaced=rf"|(?P<unspaced>[{UNSPACED}])",
    ),
    regex.VERSION1,
)
# The same in the standard library's dialect, three times as fast, for text of Latin letters, punctuation and currency
# signs only.
_LATIN_TOKEN = re.compile(_token_pattern(letter=r"[^\W\d_]", wordlike=r"\w", spaced=r"\w", unspaced=""))
_NOT_LATIN = re.compile("[\u0250-\u1fff\u2060-\u209f\u20d0-\U0010ffff]")
_THIN_SPACES = regex.compile(r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_FOLDS: Final = str.maketrans("‘’ʼ`‐‑‒–—−“”", "''''------" + '""')
_INVISIBLE: Final = dict.fromkeys(
    [0x00AD, 0x034F, 0x180E, 0x20E3, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070),
     *range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080)]
)  # fmt: skip
"""Soft hyphens, marks without width or of direction, and selectors of a form: a word is the same without them."""
_FIRST_FOLDS: Final = {**_FOLDS, **_INVISIBLE}
_COUNTS = "two three four five six seven eight nine ten eleven twelve"
_OTHER_COUNTS: Final = {
    "zwei": 2, "drei": 3, "vier": 4, "funf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10, "zwolf": 12,
    "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "huit": 8, "onze": 11, "douze": 12,
    "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "doce": 12,
}  # fmt: skip
"""German, French and Spanish, without those that are words of another kind as well (`once`, `neuf`, `dos`)."""
_NUMBER_WORDS: Final = {
    **{word: float(value) for value, word in enumerate(_COUNTS.split(), start=2)},
    **{word: float(value) for word, value in _OTHER_COUNTS.items()},
}
_NO_SEPARATORS: Final = str.maketrans("", "", ",_'")


class Token(NamedTuple):
    """One token: `key` is its form for comparison, `kind` the rule that made it, `start` and `end` its place."""

    key: str
    kind: str
    start: int
    end: int


def normalise(text: str) -> str:
    """Apply rule 1 of the module: NFKC, one spelling of apostrophes, dashes and quotes, nothing invisible."""
    if text.isascii():
        return text.replace("`", "'") if "`" in text else text
    text = _THIN_SPACES.sub("", text.translate(_FIRST_FOLDS))
    return unicodedata.normalize("NFKC", text).translate(_FOLDS)


@lru_cache(maxsize=1 << 16)
def fold_word(word: str) -> str:
    """Case-fold a word, drop a possessive `'s` and remove the diacritics of Latin, Arabic and Hebrew letters."""
    folded = word.casefold().removesuffix("'s")
    if folded.isascii():
        return folded
    if regex.match(r"[\p{Script=Latin}\p{Script=Arabic}\p{Script=Hebrew}]", folded):
        decomposed = unicodedata.normalize("NFD", folded.replace("\u0640", ""))
        folded = unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c) != "Mn"))
    return folded


def number_key(value: float) -> str:
    """Return one spelling per value, marked with `#`: integers without a point, others with at most 12 digits."""
    if abs(value) < 1e15 and value == int(value):
        return f"#{int(value)}"
    return f"#{value:.12g}"


@lru_cache(maxsize=1 << 14)
def parse_number(spelling: str) -> float:
    """Return the value of a number token: thousands separators (`,` `_` `'`) are dropped, exponents are read."""
    return float(spelling.translate(_NO_SEPARATORS))


def number_value(key: str) -> float | None:
    """Return the value of a `number_key`, or None for any other key."""
    return float(key[1:]) if key[:1] == "#" and len(key) > 1 else None


@lru_cache(maxsize=1 << 16)
def _key(raw: str, kind: str) -> tuple[str, str]:
    if kind == "number":
        try:
            return number_key(parse_number(raw)), kind
        except ValueError:  # a digit from a newer Unicode than this Python knows
            return raw, "symbol"
    if kind == "word":
        folded = fold_word(raw)
        value = _NUMBER_WORDS.get(folded)
        return (folded, kind) if value is None else (number_key(value), "number")
    return raw.casefold(), kind


_new = tuple.__new__  # half the time of calling the class; called for every token of every text


def tokens_of(text: str) -> Iterator[Token]:
    """Yield the tokens of a *normalised* text by rules 2 and 3, one at a time. Time grows linearly with the text.

    Text appended after white space does not change the tokens before it.
    """
    pattern = _TOKEN if _NOT_LATIN.search(text) else _LATIN_TOKEN
    for found in pattern.finditer(text):
        key, kind = _key(found[0], found.lastgroup or "symbol")
        start, end = found.span()
        yield _new(Token, (key, kind, start, end))


@lru_cache(maxsize=2)  # patterns, matcher and side metrics use the same text in turn
def tokenise(text: str) -> Sequence[Token]:
    """Return the tokens of a text; see `tokens_of`. For a long text they take some hundred times its size."""
    return tuple(tokens_of(text))


_STEMMER = snowballstemmer.stemmer("english")
_STEMS_ONE = threading.Lock()
"""The stemmer keeps the word in itself: two threads would get each other's stems."""


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the Snowball English stem of a folded word; words with digits or of other scripts stay unchanged."""
    if not word.isascii() or not word.isalpha():
        return word
    with _STEMS_ONE:
        return str(_STEMMER.stemWord(word))
