"""Japanese numerals. `kanjize` reads them; here is which characters of a text are a number at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import regex
from kanjize import kanji2number

from objectives.numbers.reading import Tokens, Value

_DIGITS: Final = "〇零一二三四五六七八九"
_POWERS: Final = {"十": 1e1, "百": 1e2, "千": 1e3, "万": 1e4, "億": 1e8, "兆": 1e12}
_TWO: Final = str.maketrans("两兩", "二二")
"""The Chinese two before a counter."""
STARTS: Final = frozenset(_DIGITS) | frozenset(_POWERS) | frozenset("两兩")
"""Characters that a number may begin with."""

# A single character, or one that begins a word, is a number only before a counter: 五分, but 一部, 千葉, 万一.
_COUNTER: Final = regex.compile(
    r"分間?(?!の[一二三四五六七八九\d])|分[钟鐘]|秒|時間|[个個]?小[时時]|天|周|个|時(?![々に期])|日|月|年|週|[かヶカヵケ箇][月所]|円|ドル|人|名|件|台|個|回|本|枚|社|度|倍|割|行|章|位|号|級|歳|点"
    r"|番目|つ(?!か)|パーセント|%|ミリ秒|メートル|キロ|バイト|グラム|ユーロ|ポンド"
)
_NO_NUMBER: Final = regex.compile(
    r"十分(?![間後前以遅])|一番(?!目)|一時(?!間)|一時的|万一|千万(?!円|人|件|ドル|行|台)|一一|一日中|一人一人|二人三脚|百科|八百屋|百貨|十字|一本化|一度(?=に)"
)
_AFTER: Final = frozenset("数何幾")
"""Characters after which a power is no value: 数千."""


def kanji_number(tokens: Tokens, start: int) -> Value | None:
    """Return the Japanese number that begins at a token, or None: 十五, 五千万, 3万5千, 1.5億, 二〇二六."""
    stop = start
    while stop < tokens.count and (stop == start or tokens.touches(stop)) and _is_numeral(tokens, stop):
        stop += 1
    written = tokens.normal[tokens.tokens[start].start : tokens.tokens[stop - 1].end] if stop > start else ""
    if not any(character in STARTS for character in written) or tokens.key(start - 1) in _AFTER:
        return None
    at = tokens.tokens[start].start
    if _NO_NUMBER.match(tokens.normal, at):
        return None
    if len(written) == 1 and not _COUNTER.match(tokens.normal, at + 1):
        return None
    value = _read(written)
    return None if value is None else Value(value, stop)


def _is_numeral(tokens: Tokens, index: int) -> bool:
    return tokens.key(index) in STARTS or (tokens.digits(index) is not None and tokens.raw(index)[:1] not in "+-")


@lru_cache(maxsize=1 << 14)
def _read(written: str) -> float | None:
    plain = written.replace(",", "").translate(_TWO)
    try:
        if "." in plain and plain[-1] in _POWERS:
            return float(plain[:-1]) * _POWERS[plain[-1]]
        return float(kanji2number(plain))
    except (ValueError, KeyError, IndexError):
        return None
