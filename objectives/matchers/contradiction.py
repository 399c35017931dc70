"""Whether a text says something else than an item in nearly the item's words.

A bag of words cannot distinguish `Restart the pump` from `Do not restart the pump`. So each sentence that nearly
repeats an item is compared with it word by word:

* *negation*: one of them negates what the other states;
* *opposite*: an opposite stands where the item has its word;
* *number*: another number, unit, date or time stands where the item has its own;
* *label*: another letter, number or version follows the same noun (`tank B` for `tank A`), or `db2` stands for `db1`;
* *role*: giver and receiver, or `from` and `to`, have changed places;
* *cell*: the row of a table, or of a list of names and values, has another value, and another row has the item's;
* *name*: another name, or a word that only looks like the item's, stands between the same neighbours.

An item is contradicted if every sentence that has most of its words says something else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Final, NamedTuple

import regex

from objectives.languages import FUNCTION_WORDS
from objectives.markup import plain
from objectives.matchers import contradiction_ja
from objectives.matchers.cells import rows
from objectives.matchers.opposites import TURNED, opposite
from objectives.matchers.readings import initials
from objectives.matchers.sentences import Sentence, Term, first_names, sentence, sentences
from objectives.matchers.words import NEGATORS, is_misspelt, related, shared_beginning, unlike_forms
from objectives.numbers import Quantity
from objectives.text import normalise, stem

_LEAST_SUPPORT: Final = 0.4
"""Share of an item's weight that a sentence must have to be about the item."""
_WELL_SUPPORTED: Final = 0.6
"""Share from which a sentence can state the item by itself."""
_LEAST_IN_ROW: Final = 0.3
"""The same share for a row of a table with its heading."""
_NAME_WORDS: Final = 3
_NEGATED_SHARE: Final = 0.3
_LOOSE: Final = 2
"""Words that a near copy may have between those of the item, besides one for every four of the item."""
_CONTEXT: Final = 3
"""Words around a place that must be the same, where there are so many."""
_LOOKS_LIKE: Final = 3
"""Letters that two words have in common at their beginning, where one may be mistaken for the other."""
_QUANTIFIERS: Final = NEGATORS | frozenset(("all", "every", "everyone", "everybody", "always"))
_ARTICLES: Final = frozenset(("the", "a", "an"))
_AUXILIARIES: Final = regex.compile(
    "will|would|shall|should|must|can|could|may|might|is|are|was|were|be|been|being|has|have|had|do|does|did"
)
"""Words of a tense: `Ben will write it` says of another what `Ana writes it` says."""
_PARTICIPLE: Final = ("ed", "en", "wn", "ought", "aid", "it", "ut", "aught", "ade", "old", "ent", "ept", "ound", "eld")
_OTHER_SCRIPT: Final = regex.compile(r"[^\P{L}\p{Script=Latin}]")
_DIGITS: Final = regex.compile(r"\d+")
_MARGIN: Final = 2
"""Words before and after a near copy that may belong to it."""


class _Pair(NamedTuple):
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


def contradiction(item: str, text: str, language: str = "") -> str:
    """Return what a text says otherwise than an item, such as "negation"; "" if nothing.

    Args:
        item: The item.
        text: The text, normalised and without markup.
        language: The rubric's language, whose function words say nothing.
    """
    if contradiction_ja.is_unspaced(item):
        return contradiction_ja.contradiction(normalise(item), text)
    if _OTHER_SCRIPT.search(item):
        return ""
    wanted = sentence(normalise(plain(item)).strip().rstrip("."), language)
    said_sentences = [said for said in sentences(text, language) if said.may_be_about(wanted)]
    pairs = [_pair(wanted, said, compounds=language == "German") for said in said_sentences]
    best = max((pair.support for pair in pairs), default=0.0)
    of_table = _of_table(wanted, text, language)
    if best < _LEAST_SUPPORT:
        return of_table or ""
    kinds = [
        _kind(pair, language)
        or (of_table if said.text in rows(text) else "")
        or ("name" if _other_word(wanted, said) else "")
        for pair, said in zip(pairs, said_sentences, strict=True)
        if pair.support >= min(best, _WELL_SUPPORTED)
    ]
    return kinds[0] if all(kinds) else ""


def _of_table(wanted: Sentence, text: str, language: str) -> str | None:
    """Return "cell" if the rows about an item have another value where another row has the item's; None without one.

    A row is read together with the heading of its table. It is about the item if it has most of its plain words.
    """
    found: list[tuple[float, bool]] = []
    for row in rows(text).values():
        cells = [sentence(cell, language).content for cell in row.cells]
        heading = sentence(" ".join(row.heading), language).content
        own = [{at for at, cell in enumerate(cells) if _places(term, cell)} for term in wanted.content]
        here = [t for t, at in zip(wanted.content, own, strict=True) if at or _places(t, heading)]
        share = sum(t.weight for t in here) / (sum(t.weight for t in wanted.content) or 1.0)
        if not any(own) or share < _LEAST_IN_ROW or row.cells == row.heading:
            continue
        topic = sum(t.weight for t in here if not (t.name or t.quantity))
        lost = [t for t, at in zip(wanted.content, own, strict=True) if not at and (t.name or t.quantity)]
        others = (
            place < len(cells)
            and any(_in_place(term, cells[place]) and _places(term, sentence(cell, language).content) for term in lost)
            and any(at and place not in at for at in own)
            and not any(place in at for at in own)
            for other in row.others
            for place, cell in enumerate(other)
        )
        found.append((topic, any(others)))
    if not found:
        return None
    best = max(topic for topic, _ in found)
    return "cell" if all(other for topic, other in found if topic == best) else ""


def _in_place(term: Term, cell: Sequence[Term]) -> bool:
    """Whether a cell has something of the sort of a term: a quantity, or the few words of a name."""
    return any(other.quantity for other in cell) if term.quantity else 0 < len(cell) <= _NAME_WORDS


def _pair(wanted: Sentence, said: Sentence, *, compounds: bool = False) -> _Pair:
    item, terms = wanted.content, said.content
    places = [_places(term, terms) for term in item]
    if compounds:  # `Neustart des Servers` and `Serverneustart`
        for at, term in enumerate(item):
            if not places[at] and term.quantity is None and len(term.raw) > _LOOKS_LIKE:
                places[at] = [to for to, other in enumerate(terms) if _is_part(term.raw, other.raw)]
    for at, (one, other) in enumerate(pairwise(item)):
        if not (places[at] or places[at + 1]):
            wholes = (one.raw + other.raw, initials().get((one.key, other.key)))
            places[at] = places[at + 1] = [to for to, term in enumerate(terms) if term.raw in wholes]
    return _Pair(item, terms, places)


def _places(term: Term, terms: Sequence[Term]) -> list[int]:
    """Return the places of a term in a sentence: where it stands itself, otherwise where another stands for it."""
    if term.quantity is not None:
        return [at for at, other in enumerate(terms) if other.quantity and _meets(term.quantity, other.quantity)]
    same = [at for at, other in enumerate(terms) if term.key == other.key and not unlike_forms(term.raw, other.raw)]
    if same:
        return same
    like = [at for at, other in enumerate(terms) if other.quantity is None and _like(term.key, other.key)]
    if like:
        return like
    if term.raw in initials().values():
        pairs = enumerate(pairwise(terms))
        spelled_out = [at for at, two in pairs if initials().get((two[0].key, two[1].key)) == term.raw]
        if spelled_out:
            return spelled_out
    starts = [at for at, other in enumerate(terms[:-1]) if term.raw.startswith(other.raw)]
    return [at for at in starts if terms[at].raw + terms[at + 1].raw == term.raw]


def _meets(wanted: Quantity, said: Quantity) -> bool:
    """Whether a quantity is said, perhaps without its unit."""
    return not wanted.wants.isdisjoint(said.says) or (
        not said.has_unit and wanted.value is not None and wanted.value == said.value
    )


def _near_copy(pair: _Pair) -> _Pair | None:
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
    return _Pair(pair.item, pair.said[start:stop], places)


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
def _like(one: str, other: str) -> bool:
    return one != other and related(one, other) and not opposite(one, other)


def _kind(whole: _Pair, language: str) -> str:
    pair = _near_copy(whole)
    if pair is None:
        return ""
    for name, found in _CHECKS:
        if not (language in FUNCTION_WORDS and language != "English" and name in _ENGLISH) and found(pair):
            return name
    return ""


def _negation(pair: _Pair) -> bool:
    """Whether a good part of the words found are negated on one side, and none on the other."""
    if not all(places or term.raw in _QUANTIFIERS for term, places in zip(pair.item, pair.places, strict=True)):
        return False
    mine = theirs = total = 0.0
    for term, places in zip(pair.item, pair.places, strict=True):
        if places and not term.name and term.quantity is None:
            total += term.weight
            mine += term.weight * term.negated
            theirs += term.weight * all(pair.said[place].negated for place in places)
    unlike = (mine == 0) != (theirs == 0) and max(mine, theirs) >= _NEGATED_SHARE * total
    return unlike and not _opposites(pair, flipped=True)


def _opposites(pair: _Pair, *, flipped: bool = False) -> bool:
    """Whether an opposite stands for a word of the item; `flipped`: and is negated, so that it says the same."""
    keys = {term.key for term in pair.item}
    for term, places in zip(pair.item, pair.places, strict=True):
        if places:
            continue
        key = stem(term.raw) if term.quantity else term.key
        for other in pair.said:
            if other.key not in keys and opposite(key, other.key):
                return (other.negated != term.negated) == flipped
    return False


def _numbers(pair: _Pair) -> bool:
    """Whether a sentence has a quantity of the same sort, but not the item's."""
    used = {place for places in pair.places for place in places}
    for term, places in zip(pair.item, pair.places, strict=True):
        if places:
            continue
        if term.quantity is None:
            return False
        if any(other.quantity and place not in used and _sort(term, other) for place, other in enumerate(pair.said)):
            return True
    return False


def _bounds(pair: _Pair) -> bool:
    """Whether a bound is the other one: `at most 3` for `at least 3`."""
    return any(
        term.bound and places and all(pair.said[at].bound not in ("", term.bound) for at in places)
        for term, places in zip(pair.item, pair.places, strict=True)
    )


def _sort(term: Term, other: Term) -> bool:
    assert term.quantity is not None
    assert other.quantity is not None
    sorts = [
        {key.partition(":")[0] if ":" in key else "number" for key in quantity.wants}
        for quantity in (term.quantity, other.quantity)
    ]
    return not sorts[0].isdisjoint(sorts[1])


def _neighbour(terms: Sequence[Term], place: int) -> set[str]:
    return {terms[at].key for at in (place - 1, place + 1) if 0 <= at < len(terms) and terms[at].quantity is None}


def _labels(pair: _Pair) -> bool:
    """Whether a label, a number or an identifier has another one in its place."""
    keys = {term.key for term in pair.item}
    for index, term in enumerate(pair.item):
        if not (term.name or term.quantity) or not _is_label(term):
            continue
        others = [place for place, other in enumerate(pair.said) if _is_label(other) and other.key not in keys]
        if not pair.places[index] and any(_shape(pair.said[place].raw) == _shape(term.raw) for place in others):
            return True
        nouns = _neighbour(pair.item, index)
        beside = [place for place in pair.places[index] if nouns & _neighbour(pair.said, place)]
        if nouns and not beside and any(nouns & _neighbour(pair.said, place) for place in others):
            return True
    return False


def _is_label(term: Term) -> bool:
    return term.quantity is not None or len(term.raw) == 1 or any(c.isdigit() for c in term.raw)


def _shape(raw: str) -> str:
    return _DIGITS.sub("#", raw) if len(raw) > 1 else "?"


def _roles(pair: _Pair) -> bool:
    """Whether two words of the item have changed places, or their prepositions have."""
    for term, places in zip(pair.item, pair.places, strict=True):
        given = [pair.said[place].preposition for place in places]
        if term.preposition and given and all({term.preposition, other} in TURNED for other in given):
            return True
    if not all(len(places) == 1 for places in pair.places):
        return False
    order = [places[0] for places in pair.places]
    turned = _is_passive(pair.item) != _is_passive(pair.said)
    if order == sorted(order):
        by = any(
            "by" in (term.preposition, pair.said[at].preposition) for term, at in zip(pair.item, order, strict=True)
        )
        return turned and by and len(order) > 2
    return not turned and any(
        _exchanged(order, i, j) and not pair.item[i + 1].name
        for i, j in combinations(range(len(order)), 2)
        # `Failed orders: 4,182` for `4,182 orders failed`: a number and a word have no roles to change.
        if j > i + 1 and (pair.item[i].quantity is None) == (pair.item[j].quantity is None)
    )


def _exchanged(order: Sequence[int], one: int, other: int) -> bool:
    """Whether only two terms have changed places."""
    turned = list(order)
    turned[one], turned[other] = turned[other], turned[one]
    return turned == sorted(turned)


def _other_word(wanted: Sentence, said: Sentence) -> bool:
    """Whether another word stands in the place of a word of the item: the words around it are the same."""
    if _replaced(wanted.terms, said.terms, persons=False):
        return True
    if not any(_is_person((term,)) for term in wanted.terms):
        return False
    timeless = (tuple(term for term in each.terms if not _AUXILIARIES.fullmatch(term.raw)) for each in (wanted, said))
    return _replaced(*timeless, persons=True)


def _replaced(item: Sequence[Term], terms: Sequence[Term], *, persons: bool) -> bool:
    known = {term.key for term in item}
    lacking = [term.content and term.quantity is None and not _places(term, terms) for term in item]
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
        if any(_like(term.key, other.key) for term in item for other in others):
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
    if any(_is_part(term.raw, other.raw) for term in lost for other in others):
        return False
    if all(term.name for term in lost):
        return any(other.name for other in others)
    one, other = lost[0].raw, others[0].raw
    return len(lost) == len(others) == 1 and _looks_like(one, other) and not is_misspelt(one, other)


def _is_part(one: str, other: str) -> bool:
    """Whether a word is an initial of another or a part of it: `J.` for `John`, `Karte` for `Netzwerkkarte`."""
    short, long = sorted((one, other), key=len)
    if len(short) == 1 or not short.isalpha():
        return short.isalpha() and long.startswith(short)
    begins = long.startswith(short[:-1]) and len(long) >= len(short) + _LOOKS_LIKE
    return len(short) > _LOOKS_LIKE and (begins or long.endswith(short))


def _looks_like(one: str, other: str) -> bool:
    """Whether two words begin alike and are no family: `sound` and `soul`, but not `development` and `dev`."""
    shared = shared_beginning(one, other)
    return shared >= _LOOKS_LIKE and shared < min(len(one), len(other)) and 2 * shared >= min(len(one), len(other))


def _alike(one: Sequence[Term], other: Sequence[Term]) -> int:
    """Return how many words are the same from the beginning of two lists, up to `_CONTEXT`."""
    count = 0
    for a, b in zip(one[:_CONTEXT], other[:_CONTEXT], strict=False):
        if a.key != b.key and not (a.quantity and b.quantity and _meets(a.quantity, b.quantity)):
            break
        count += 1
    return count


def _is_passive(terms: Sequence[Term]) -> bool:
    return any(
        term.preposition == "by" and not one.name for one, term in pairwise(terms) if one.raw.endswith(_PARTICIPLE)
    )


def _agents(pair: _Pair) -> bool:
    """Whether another did it: `written by Ben` for `Ana writes`."""
    rest = list(zip(pair.item, pair.places, strict=True))[1:]
    stated = 2 * sum(bool(places) for _, places in rest) > len(rest)
    if not pair.item[0].name or pair.places[0] or not stated:
        return False
    if not all(places for term, places in rest if term.name or term.quantity):
        return False
    keys = {term.key for term in pair.item}
    return any(term.name and term.preposition == "by" and term.key not in keys for term in pair.said)


_CHECKS: Final = (
    ("number", _numbers),
    ("opposite", _bounds),
    ("opposite", _opposites),
    ("negation", _negation),
    ("label", _labels),
    ("role", _roles),
    ("name", _agents),
)
_ENGLISH: Final = frozenset(("role",))
"""Checks that read the order of words, which other languages use otherwise."""
