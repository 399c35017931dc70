"""Content words of a sentence, and the similarity of two sentences."""

from __future__ import annotations

from itertools import pairwise

from objectives.text import normalise, stem, tokenise

_WORDS = """
a an the of to in on at for and or but nor if so than then as by with from into onto over under about up down out off
is are was were be been being am do does did done has have had having will would shall should can could may might must
it its this that these those there here he she they we you i me my our your his her their him them us who whom whose
which what when where why how not no yes all any some each every both few more most such only own same too very just
also still yet again once ever never now let get gets got go goes
"""
_FUNCTION_WORDS = frozenset(_WORDS.split())


def content_keys(text: str) -> list[str]:
    """Return comparison keys of a text's content words, in order and with repetitions.

    Words are stemmed, numbers compared by value, function words left out. Scripts without spaces give character pairs,
    since single characters are too common.
    """
    keys: list[str] = []
    tokens = tokenise(normalise(text))
    for left, right in pairwise(tokens):
        if left.kind == right.kind == "unspaced" and left.end == right.start:
            keys.append(left.key + right.key)
    for token in tokens:
        if token.kind in ("symbol", "unspaced") or token.key in _FUNCTION_WORDS:
            continue
        keys.append(stem(token.key))
    return keys


def numbers_in(text: str) -> frozenset[str]:
    """Return the keys of the numbers, versions, times and dates in a text."""
    return frozenset(token.key for token in tokenise(normalise(text)) if token.kind in ("number", "compound"))


def similarity(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the Jaccard similarity: shared keys over all keys, in [0, 1]; 0 for two empty sets."""
    union = first | second
    return len(first & second) / len(union) if union else 0.0
