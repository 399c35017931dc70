"""Words as the lexical matcher compares them: stems, their rarity, and other stems that count for them.

Rarity comes from `objectives/data/lexicon.json` (see the README there): minus the natural log of a stem's share of
running words. Stems that the table lacks are taken as rare, so a text in another language than English is weighted by
its rubric alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

import regex

from objectives.text import Token, number_key, stem

NEGATION: Final = "<not>"
"""The common key of all negating words: `not`, `never`, `didn't` ..."""
_NEGATING = (
    "not no never none nobody nothing neither nor without cannot unable"
    " nicht kein keine keinen keinem keiner keines nie niemals niemand nichts ohne"
    " pas jamais aucun aucune sans rien nunca jamas nadie ningun ninguna"
)
NEGATORS: Final = frozenset(_NEGATING.split())
"""Words that negate, apart from contractions such as `didn't`."""
_FUNCTION = """
a an the of to in on at for and or but is are was were be been being it its this that these those he she they his her
their him them we you i as by with from has have had do does did will would can could who which there than then so if
into about also
"""
_FUNCTION_WORDS: Final = frozenset(stem(word) for word in _FUNCTION.split())
ELIDED: Final = regex.compile(r"(?:[cdjlmnst]|qu)'(\p{L}{2,}.*)")
"""A French word after a short one without its vowel: `l'alarme`."""
_GLUED: Final = regex.compile(r"(\d{1,15})(\p{L}{2,})")
_ALPHABETIC_UNSPACED: Final = regex.compile(r"[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]")
_HIRAGANA: Final = regex.compile(r"\p{Script=Hiragana}")
_KATAKANA: Final = regex.compile(r"[\p{Script=Katakana}ー]")

_ENDINGS: Final = frozenset(
    [
        "",
        "al",
        "ial",
        "er",
        "or",
        "ion",
        "ation",
        "ition",
        "at",
        "it",
        "ist",
        "ism",
        "ment",
        "ness",
        "ful",
        "less",
        "abl",
        "ibl",
        "ant",
        "ent",
        "anc",
        "enc",
        "iv",
        "ativ",
        "ous",
        "ious",
        "ic",
        "ical",
        "ish",
        "ship",
        "hood",
        "y",
        "s",
        "es",
        "ed",
        "d",
        "ing",
        "th",
        "en",
        "n",
        "an",
        "ian",
        "ean",
        "ese",
        "ess",
        "ar",
        "ari",
        "ori",
        "ize",
        "is",
        "ifi",
        "ific",
        "at",
        "ator",
        "atori",
        "e",
        "de",
        "se",
        "ce",
        "ur",
        "ward",
    ]
)
"""What stems of one family may have after the letters that they share."""
_UNLIKE_FORMS: Final = (
    ("universit", "univers"),
    ("international", "intern"),
    ("importan", "import"),
    ("organi", "organ"),
    ("generali", "generous"),
    ("authori", "author"),
    ("experiment", "experienc"),
    ("sensation", "sens"),
    ("policie", "police"),
    ("policy", "police"),
    ("relativ", "relation"),
    ("passenger", "passag"),
)
"""Beginnings of words that share a stem, the longer one first, and no meaning."""

WORD_STEP: Final = 2
"""Length of a word in positions; a character of an unspaced script is one."""
_RAREST: Final = 12.0
_LEAST_MISSPELT: Final = 5
"""Letters of a word that may be misspelt; a shorter one is soon another word."""
_NEGATION_RARITY: Final = 9.0
_LEAST_SHARED: Final = 0.5
_SYNONYM: Final = 0.8
_ABBREVIATION: Final = 0.95
_SYNONYM_ENOUGH: Final = 0.4
_FAMILY_SHARED: Final = 0.55


class Word(NamedTuple):
    """A comparable word of a text: its key, its position (a word is `WORD_STEP` long), its first and its last token."""

    key: str
    position: int
    first: int
    last: int


_new = tuple.__new__  # half the time of calling the class; called for every word of every text


@lru_cache(maxsize=1)
def _antonyms() -> Mapping[str, frozenset[str]]:
    table = json.loads(resources.files("objectives").joinpath("data/lexicon.json").read_text("utf-8"))
    found: dict[str, set[str]] = {}
    for pair in table["antonyms"].split():
        one, other = pair.split(":")
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {key: frozenset(others) for key, others in found.items()}


def antonyms(key: str) -> frozenset[str]:
    """Return the antonyms of a stem."""
    return _antonyms().get(key, frozenset())


@lru_cache(maxsize=1)
def _lexicon() -> tuple[Mapping[str, float], Mapping[str, Mapping[str, float]]]:
    table = json.loads(resources.files("objectives").joinpath("data/lexicon.json").read_text("utf-8"))
    rarity = {key: float(level) for level, keys in table["rarity"].items() for key in keys.split()}
    related: dict[str, dict[str, float]] = {}
    for sense, pairs in table["synonyms"].items():
        strength = _SYNONYM / (1 + int(sense)) ** 0.5
        for pair in pairs.split():
            one, other = pair.split(":")
            for a, b in ((one, other), (other, one)):
                related.setdefault(a, {})[b] = strength
    for short, long in abbreviations():
        if len(long) == 1:
            for a, b in ((short, long[0]), (long[0], short)):
                related.setdefault(a, {})[b] = _ABBREVIATION
    return rarity, related


@lru_cache(maxsize=1)
def abbreviations() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return abbreviations as stems, each with the stems of the words for which it stands."""
    lines = resources.files("objectives").joinpath("data/abbreviations.txt").read_text("utf-8").splitlines()
    pairs = [line.split(" = ") for line in lines if line and not line.startswith("#")]
    return tuple((stem(short), tuple(map(stem, long.split()))) for short, long in pairs)


def rarity(key: str) -> float:
    """Return the rarity of a word in general English, from about 3 (the) to 12 (rare or unknown)."""
    if key == NEGATION:
        return _NEGATION_RARITY
    if _HIRAGANA.match(key):
        return 6.0
    return _lexicon()[0].get(key, _RAREST)


def is_misspelt(wanted: str, said: str) -> bool:
    """Return whether a word that nobody knows is another one but for one letter, or for two that changed places."""
    if stem(said) in _lexicon()[0] or min(len(wanted), len(said)) < _LEAST_MISSPELT:
        return False
    one, other = sorted((wanted, said), key=len)
    start = shared_beginning(one, other)
    rest, longer = one[start:], other[start:]
    if len(one) != len(other):
        return rest == longer[1:]
    return rest[1:] == longer[1:] or (rest[1::-1] == longer[:2] and rest[2:] == longer[2:])


def is_function_word(key: str) -> bool:
    """Return whether a word is a function word, such as `the`."""
    return key in _FUNCTION_WORDS


def likeness(wanted: str, found: str) -> float:
    """Return how well one stem stands for another: 1 the same, to .95 a derivation, to .8 a synonym, 0 unrelated.

    A derivation begins with the same letters; its score is the share of both words' letters in that beginning, if this
    is at least one half. Numbers, words with digits and short words have no derivations.
    """
    if wanted == found:
        return 1.0
    best = _lexicon()[1].get(wanted, {}).get(found, 0.0)
    if len(wanted) > 3 and len(found) > 3 and wanted[:3] == found[:3] and wanted.isalpha() and found.isalpha():
        shared = shared_beginning(wanted, found)
        share = 2 * shared / (len(wanted) + len(found))
        if share >= _LEAST_SHARED:
            best = max(best, min(share, 0.95))
    return best


def shared_beginning(one: str, other: str) -> int:
    """Return the number of letters that two words have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def related(one: str, other: str) -> bool:
    """Return whether two stems are one family or synonyms: what follows their common letters are endings."""
    if one == other or _lexicon()[1].get(one, {}).get(other, 0.0) >= _SYNONYM_ENOUGH:
        return True
    shared = shared_beginning(one, other)
    enough = 2 * shared >= _FAMILY_SHARED * (len(one) + len(other))
    return shared > 2 and enough and one[shared:] in _ENDINGS and other[shared:] in _ENDINGS


def unlike_forms(one: str, other: str) -> bool:
    """Return whether two words share a stem, but no meaning: `university` and `universe`."""
    return one != other and any(
        (one.startswith(a) and other.startswith(b) and not other.startswith(a))
        or (other.startswith(a) and one.startswith(b) and not one.startswith(a))
        for a, b in _UNLIKE_FORMS
    )


def synonyms(key: str) -> Mapping[str, float]:
    """Return the synonyms of a stem with their strength."""
    return _lexicon()[1].get(key, {})


@lru_cache(maxsize=1 << 16)
def _keys(key: str, kind: str) -> tuple[str, ...]:
    if kind != "word":
        return (key,)
    if key in NEGATORS:
        return (NEGATION,)
    if key.endswith("n't"):
        return stem(key[:-3]), NEGATION
    if elided := ELIDED.fullmatch(key):
        return (stem(elided[1]),)
    glued = _GLUED.fullmatch(key)
    if glued:
        return key, number_key(float(glued[1])), stem(glued[2])
    return (stem(key),)


def text_words(tokens: Sequence[Token]) -> list[Word]:
    """Return the comparable words of a text. Text appended after white space does not change the words before it."""
    words: list[Word] = []
    append = words.append
    position = 0
    index = 0
    while index < len(tokens):
        key, kind, _, _ = tokens[index]
        if kind == "unspaced":
            stop = _end_of_run(tokens, index)
            words.extend(_grams(tokens, index, stop, position))
            position += stop - index
            index = stop
            continue
        if kind != "symbol":
            for part in _keys(key, kind):
                append(_new(Word, (part, position, index, index)))
            position += WORD_STEP
        index += 1
    return words


def item_words(tokens: Sequence[Token]) -> list[Word]:
    """As `text_words`, with only one reading of each place (`23million`, or a bigram and its characters)."""
    kept: list[Word] = []
    for word in text_words(tokens):
        if (
            kept
            and word.first >= kept[-1].first
            and word.last <= kept[-1].last
            and tokens[word.first].kind == "unspaced"
        ):
            continue
        if kept and word.first == kept[-1].first and kept[-1].key == tokens[word.first].key and word.key != NEGATION:
            kept.pop()
        kept.append(word)
    return kept


def _end_of_run(tokens: Sequence[Token], start: int) -> int:
    """Return the first token after the run of adjacent characters of one script that begins at `start`."""
    script = _script(tokens[start].key)
    stop = start + 1
    while (
        stop < len(tokens)
        and tokens[stop].kind == "unspaced"
        and tokens[stop].start == tokens[stop - 1].end
        and _script(tokens[stop].key) == script
    ):
        stop += 1
    return stop


@lru_cache(maxsize=1 << 14)
def _script(character: str) -> str:
    for name, pattern in (("hiragana", _HIRAGANA), ("katakana", _KATAKANA), ("alphabetic", _ALPHABETIC_UNSPACED)):
        if pattern.match(character):
            return name
    return "han"


def _grams(tokens: Sequence[Token], start: int, stop: int, position: int) -> list[Word]:
    """Return character bigrams of a run (trigrams in alphabetic scripts), and each character by itself."""
    size = 3 if _script(tokens[start].key) == "alphabetic" else 2
    words = []
    for index in range(start, stop):
        last = index + size - 1
        if last < stop:
            gram = "".join(token.key for token in tokens[index : last + 1])
            words.append(Word(gram, position + index - start, index, last))
        words.append(Word(tokens[index].key, position + index - start, index, index))
    return words
