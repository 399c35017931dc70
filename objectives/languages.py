"""The language of a text, as far as its script and its function words tell: enough to notice another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import regex

from objectives.text import fold_word, stem

_WORDS: Final = {
    "English": "the a an of to and or but is are was were be been it this that with by from has have had will would "
    "they",
    "German": "der die das den dem des ein eine einen einem einer eines und oder ist sind war waren wurde wurden wird "
    "werden worden hat haben hatte zu zur zum mit von vom für auf im am bei beim bis nach aus als auch er sie es man "
    "sich dass weil um",
    "French": "le la les l un une des du de et ou est sont était a ont avait été être par pour dans sur au aux en se s "
    "ce cette ces qui que qu il elle d c on son sa ses leur avec",
    "Spanish": "el la los las un una unos unas y o es son fue fueron era ha han había por para con de del al se su sus "
    "que lo como en",
}
"""Function words by language; those that negate are left out."""
FUNCTION_WORDS: Final = {
    language: frozenset(stem(fold_word(word)) for word in words.split()) for language, words in _WORDS.items()
}
"""The same as stems."""
_SCRIPTS: Final = {
    "Japanese": regex.compile(r"[\p{Script=Hiragana}\p{Script=Katakana}]"),
    "Chinese": regex.compile(r"\p{Script=Han}"),
    "Korean": regex.compile(r"\p{Script=Hangul}"),
    "Cyrillic": regex.compile(r"\p{Script=Cyrillic}"),
    "Arabic": regex.compile(r"\p{Script=Arabic}"),
}
_LETTER: Final = regex.compile(r"\p{L}")
_WORD: Final = regex.compile(r"\p{L}+")
_IN_SCRIPT: Final = 0.4
"""Share of the letters in a script, from which a text is written in it: names and code stay in Latin letters."""
_IN_KANA: Final = 0.1
_LEAST_LETTERS: Final = 12
_LEAST_WORDS: Final = 3
_AHEAD: Final = 1.5
"""Function words of a language, as a multiple of those of the next one, from which a text is in it."""
_LOOKED_AT: Final = 4000


@lru_cache(maxsize=512)
def language_of(text: str) -> str:
    """Return the language of a text, or its script where no more can be told; "" where a text tells neither."""
    start = text[:_LOOKED_AT]
    letters = len(_LETTER.findall(start))
    shares = {name: len(script.findall(start)) / letters for name, script in _SCRIPTS.items()} if letters else {}
    if shares and shares["Japanese"] >= _IN_KANA:
        return "Japanese"
    foreign = max(shares, key=lambda name: shares[name], default="")
    if foreign and shares[foreign] >= _IN_SCRIPT:
        return foreign if letters >= _LEAST_LETTERS else ""
    return _by_words(start)


def _by_words(text: str) -> str:
    seen = Counter(stem(fold_word(word)) for word in _WORD.findall(text))
    counts = {language: sum(seen[word] for word in words) for language, words in FUNCTION_WORDS.items()}
    (language, most), (_, second) = sorted(counts.items(), key=lambda item: -item[1])[:2]
    return language if most >= _LEAST_WORDS and most >= _AHEAD * second else ""


def language_of_rubric(items: Iterable[str]) -> str:
    """Return the language of a rubric's items together."""
    return language_of("\n".join(items))
