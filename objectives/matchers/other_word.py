"""Whether another word stands in the place of a word of the item."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import regex

from objectives.matchers.pairing import is_like, is_part, meets, places_of
from objectives.matchers.sentences import Sentence, Term, first_names
from objectives.matchers.words import is_misspelt, shared_beginning

_CONTEXT: Final = 3
"""Words around a place that must be the same, where there are so many."""
_LOOKS_LIKE: Final = 3
"""Letters that two words have in common at their beginning, where one may be mistaken for the other."""
_ARTICLES: Final = frozenset(("the", "a", "an"))
_AUXILIARIES: Final = regex.compile(
    "will|would|shall|should|must|can|could|may|might|is|are|was|were|be|been|being|has|have|had|do|does|did"
)
"""Words of a tense: `Ben will write it` says of another what `Ana writes it` says."""


def other_word(wanted: Sentence, said: Sentence) -> bool:
    """Whether another word stands in the place of a word of the item: the words around it are the same."""
    if _replaced(wanted.terms, said.terms, persons=False):
        return True
    if not any(_is_person((term,)) for term in wanted.terms):
        return False
    timeless = (tuple(term for term in each.terms if not _AUXILIARIES.fullmatch(term.raw)) for each in (wanted, said))
    return _replaced(*timeless, persons=True)


def _replaced(item: Sequence[Term], terms: Sequence[Term], *, persons: bool) -> bool:
    known = {term.key for term in item}
    lacking = [term.content and term.quantity is None and not places_of(term, terms) for term in item]
    for start in range(len(item)):
        for length in (1, 2):
            stop = start + length
            lost = item[start:stop]
            if len(lost) < length or not all(lacking[start:stop]):
                break
            if persons and not _is_person(lost):
                break
            # Persons alone: in news, another name is often another name of the same one.
            places = (at for at in range(len(terms)) if not persons or _is_person(terms[at : at + 1]))
            if any(_stands_for(item, start, stop, terms, at, known) for at in places):
                return True
    return False


def _is_person(terms: Sequence[Term]) -> bool:
    return all(term.name for term in terms) and terms[0].raw in first_names()


def _stands_for(
    item: Sequence[Term], start: int, stop: int, terms: Sequence[Term], at: int, known: Collection[str]
) -> bool:
    """Whether one or two words of a sentence stand where the item has its own, between the same words."""
    left = _alike(item[:start][::-1], terms[:at][::-1])
    if left < min(1, start) or (start == 0 and at > 0 and not _begins(item[0], terms[at - 1])):
        return False
    for end in (at + 1, at + 2):
        others = terms[at:end]
        if len(others) < end - at or not all(other.content and other.key not in known for other in others):
            return False
        if any(is_like(term.key, other.key) for term in item for other in others):
            return False
        right = _alike(item[stop:], terms[end:])
        room = start + len(item) - stop
        around = right >= min(1, len(item) - stop) and left + right >= min(_CONTEXT, room)
        if around and _another(item[start:stop], others):
            return True
    return False


def _begins(lost: Term, before: Term) -> bool:
    """Whether a name may begin after a word: not after an article or another part of it."""
    return not before.content and (not lost.name or before.raw not in _ARTICLES)


def _another(lost: Sequence[Term], others: Sequence[Term]) -> bool:
    """Whether one name stands for another, or a word for one that looks like it: not a synonym."""
    if any(is_part(term.raw, other.raw) for term in lost for other in others):
        return False
    if all(term.name for term in lost):
        return any(other.name for other in others)
    one, other = lost[0].raw, others[0].raw
    return len(lost) == len(others) == 1 and _looks_like(one, other) and not is_misspelt(one, other)


def _looks_like(one: str, other: str) -> bool:
    """Whether two words begin alike and are no family: `sound` and `soul`, but not `development` and `dev`."""
    shared = shared_beginning(one, other)
    return shared >= _LOOKS_LIKE and shared < min(len(one), len(other)) and 2 * shared >= min(len(one), len(other))


def _alike(one: Sequence[Term], other: Sequence[Term]) -> int:
    """Return how many words are the same from the beginning of two lists, up to `_CONTEXT`."""
    count = 0
    for a, b in zip(one[:_CONTEXT], other[:_CONTEXT], strict=False):
        if a.key != b.key and not (a.quantity and b.quantity and meets(a.quantity, b.quantity)):
            break
        count += 1
    return count
