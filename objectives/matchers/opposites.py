"""Words that say the opposite of each other: pairs of the lexicon (WordNet), of direction and change, and prefixes."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Final

from objectives.matchers.words import antonyms
from objectives.text import stem


@lru_cache(maxsize=1)
def _lines() -> tuple[str, ...]:
    text = resources.files("objectives").joinpath("data/opposites.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


PREFIXES: Final = ("un", "in", "im", "ir", "il", "dis", "non", "mis", "de")
"""Prefixes that turn a word into its opposite."""
ONLY_AFTER_VERB: Final = frozenset(("on", "off", "in", "out", "up", "down"))
"""Directions, which say something only beside the verb that they go with."""


@lru_cache(maxsize=1)
def _pairs() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _lines():
        if "／" in line:
            continue
        one, other = ({stem(word) for word in side.split()} for side in line.split("/"))
        for a in one:
            found.setdefault(a, set()).update(other - one)
        for b in other:
            found.setdefault(b, set()).update(one - other)
    return {key: frozenset(others) for key, others in found.items()}


@lru_cache(maxsize=1 << 14)
def opposite(one: str, other: str) -> bool:
    """Return whether two stems say the opposite of each other."""
    if other in _pairs().get(one, ()) or other in antonyms(one):
        return True
    short, long = sorted((one, other), key=len)
    return len(short) > 3 and any(long == prefix + short for prefix in PREFIXES)


def has_opposites(key: str) -> bool:
    """Return whether a function word has an opposite that is listed here: `before`, `with`, `off`."""
    return key in _pairs()


_TURNED: Final = "from/to before/after above/below over/under into/from inside/outside with/without onto/off"
TURNED: Final = tuple(frozenset(pair.split("/")) for pair in _TURNED.split())
"""Prepositions that change places where giver and receiver, or earlier and later, do."""


@lru_cache(maxsize=1)
def japanese() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Return Japanese opposites as they stand in a text: pairs of sides."""
    sides = [[tuple(side.split("・")) for side in line.split("／")] for line in _lines() if "／" in line]
    return tuple((one, other) for one, other in sides)
