"""Which words of a sentence stand for which words of an item."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from objectives.matchers.opposites import opposite
from objectives.matchers.readings import initials
from objectives.matchers.sentences import Sentence, Term
from objectives.matchers.words import related, unlike_forms
from objectives.numbers import Quantity

_LOOSE: Final = 2
"""Words that a near copy may have between those of the item, besides one for every four of the item."""
_MARGIN: Final = 2
"""Words before and after a near copy that may belong to it."""
_SHORTEST_PART: Final = 3
"""Letters that a part of a compound, and what is left of it, has at least."""


class Pair(NamedTuple):
    """An item and a sentence, with the places of the sentence's terms for each term of the item."""

    item: Sequence[Term]
    said: Sequence[Term]
    places: list[list[int]]

    @property
    def support(self) -> float:
        """Share of the item's weight that the sentence has."""
        total = sum(term.weight for term in self.item)
        found = sum(term.weight for term, places in zip(self.item, self.places, strict=True) if places)
        return found / total if total else 0.0


def pair_of(wanted: Sentence, said: Sentence, *, compounds: bool = False) -> Pair:
    """Find the words of an item in a sentence.

    Args:
        wanted: The item.
        said: The sentence.
        compounds: Whether a word may stand for a part of a compound, as in German: `Neustart` for `Serverneustart`.
    """
    item, terms = wanted.content, said.content
    places = [places_of(term, terms) for term in item]
    if compounds:
        for at, term in enumerate(item):
            if not places[at] and term.quantity is None and len(term.raw) > _SHORTEST_PART:
                places[at] = [to for to, other in enumerate(terms) if is_part(term.raw, other.raw)]
    for at, (one, other) in enumerate(pairwise(item)):
        if not (places[at] or places[at + 1]):
            wholes = (one.raw + other.raw, initials().get((one.key, other.key)))
            places[at] = places[at + 1] = [to for to, term in enumerate(terms) if term.raw in wholes]
    return Pair(item, terms, places)


def places_of(term: Term, terms: Sequence[Term]) -> list[int]:
    """Return the places of a term in a sentence: where it stands itself, otherwise where another stands for it."""
    if term.quantity is not None:
        return [at for at, other in enumerate(terms) if other.quantity and meets(term.quantity, other.quantity)]
    same = [at for at, other in enumerate(terms) if term.key == other.key and not unlike_forms(term.raw, other.raw)]
    if same:
        return same
    like = [at for at, other in enumerate(terms) if other.quantity is None and is_like(term.key, other.key)]
    if like:
        return like
    if term.raw in initials().values():
        pairs = enumerate(pairwise(terms))
        spelled_out = [at for at, two in pairs if initials().get((two[0].key, two[1].key)) == term.raw]
        if spelled_out:
            return spelled_out
    starts = [at for at, other in enumerate(terms[:-1]) if term.raw.startswith(other.raw)]
    return [at for at in starts if terms[at].raw + terms[at + 1].raw == term.raw]


def meets(wanted: Quantity, said: Quantity) -> bool:
    """Whether a quantity is said, perhaps without its unit."""
    return not wanted.wants.isdisjoint(said.says) or (
        not said.has_unit and wanted.value is not None and wanted.value == said.value
    )


def near_copy(pair: Pair) -> Pair | None:
    """Return the stretch of a sentence that repeats the item but for one place; None if there is none."""
    lacking = [index for index, places in enumerate(pair.places) if not places]
    size = len(pair.item)
    if len(lacking) > min(2, size - 1) or (lacking and lacking[-1] - lacking[0] >= len(lacking)):
        return None
    events = sorted((place, index) for index, places in enumerate(pair.places) for place in places)
    low, high = _shortest(events, size - len(lacking))
    if high - low + 1 > size - len(lacking) + _LOOSE + size // 4:
        return None
    start, stop = max(0, low - _MARGIN), min(len(pair.said), high + 1 + _MARGIN)
    places = [[at - start for at in places if start <= at < stop] for places in pair.places]
    return Pair(pair.item, pair.said[start:stop], places)


def _shortest(events: Sequence[tuple[int, int]], needed: int) -> tuple[int, int]:
    """Return the shortest stretch that has every term found."""
    best = (0, len(events) * 1000)
    counts: dict[int, int] = {}
    left = 0
    for place, index in events:
        counts[index] = counts.get(index, 0) + 1
        while len(counts) == needed:
            first, other = events[left]
            if place - first < best[1] - best[0]:
                best = (first, place)
            counts[other] -= 1
            if not counts[other]:
                del counts[other]
            left += 1
    return best


@lru_cache(maxsize=1 << 15)
def is_like(one: str, other: str) -> bool:
    """Whether two stems are of one family, and no opposites."""
    return one != other and related(one, other) and not opposite(one, other)


def is_part(one: str, other: str) -> bool:
    """Whether a word is an initial of another or a part of it: `J.` for `John`, `Karte` for `Netzwerkkarte`."""
    short, long = sorted((one, other), key=len)
    if len(short) == 1 or not short.isalpha():
        return short.isalpha() and long.startswith(short)
    begins = long.startswith(short[:-1]) and len(long) >= len(short) + _SHORTEST_PART
    return len(short) > _SHORTEST_PART and (begins or long.endswith(short))
