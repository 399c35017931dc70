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

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Final

import regex

from objectives.languages import FUNCTION_WORDS
from objectives.markup import plain
from objectives.matchers import contradiction_ja
from objectives.matchers.cells import rows
from objectives.matchers.opposites import TURNED, opposite
from objectives.matchers.other_word import other_word
from objectives.matchers.pairing import Pair, near_copy, pair_of, places_of
from objectives.matchers.sentences import Sentence, Term, sentence, sentences
from objectives.matchers.words import NEGATORS
from objectives.text import normalise, stem

_LEAST_SUPPORT: Final = 0.4
"""Share of an item's weight that a sentence must have to be about the item."""
_WELL_SUPPORTED: Final = 0.6
"""Share from which a sentence can state the item by itself."""
_LEAST_IN_ROW: Final = 0.3
"""The same share for a row of a table with its heading."""
_NAME_WORDS: Final = 3
_NEGATED_SHARE: Final = 0.3
_QUANTIFIERS: Final = NEGATORS | frozenset(("all", "every", "everyone", "everybody", "always"))
_PARTICIPLE: Final = ("ed", "en", "wn", "ought", "aid", "it", "ut", "aught", "ade", "old", "ent", "ept", "ound", "eld")
_OTHER_SCRIPT: Final = regex.compile(r"[^\P{L}\p{Script=Latin}]")
_DIGITS: Final = regex.compile(r"\d+")


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
    pairs = [pair_of(wanted, said, compounds=language == "German") for said in said_sentences]
    best = max((pair.support for pair in pairs), default=0.0)
    of_table = _of_table(wanted, text, language)
    if best < _LEAST_SUPPORT:
        return of_table or ""
    kinds = [
        _kind(pair, language)
        or (of_table if said.text in rows(text) else "")
        or ("name" if other_word(wanted, said) else "")
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
        own = [{at for at, cell in enumerate(cells) if places_of(term, cell)} for term in wanted.content]
        here = [t for t, at in zip(wanted.content, own, strict=True) if at or places_of(t, heading)]
        share = sum(t.weight for t in here) / (sum(t.weight for t in wanted.content) or 1.0)
        if not any(own) or share < _LEAST_IN_ROW or row.cells == row.heading:
            continue
        topic = sum(t.weight for t in here if not (t.name or t.quantity))
        lost = [t for t, at in zip(wanted.content, own, strict=True) if not at and (t.name or t.quantity)]
        others = (
            place < len(cells)
            and any(
                _in_place(term, cells[place]) and places_of(term, sentence(cell, language).content) for term in lost
            )
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


def _kind(whole: Pair, language: str) -> str:
    pair = near_copy(whole)
    if pair is None:
        return ""
    for name, found in _CHECKS:
        if not (language in FUNCTION_WORDS and language != "English" and name in _ENGLISH) and found(pair):
            return name
    return ""


def _negation(pair: Pair) -> bool:
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


def _opposites(pair: Pair, *, flipped: bool = False) -> bool:
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


def _numbers(pair: Pair) -> bool:
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


def _bounds(pair: Pair) -> bool:
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


def _labels(pair: Pair) -> bool:
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


def _roles(pair: Pair) -> bool:
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


def _is_passive(terms: Sequence[Term]) -> bool:
    return any(
        term.preposition == "by" and not one.name for one, term in pairwise(terms) if one.raw.endswith(_PARTICIPLE)
    )


def _agents(pair: Pair) -> bool:
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
