"""The lexical matcher's measures of an item in a text.

The weight of a word is its rarity in the rubric times the square root of its rarity in the language: a word that most
items share identifies none of them. A word of the item is found exactly, or in part: by a derivation, a synonym, or a
negated occurrence where the item has no negation.

Text that is appended after white space moves every measure towards "covered" or leaves it unchanged: windows go over
the sequence of words, not over sentences, and nothing divides by the length of the text. With weights of the right
sign, the probability never falls.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from objectives.languages import language_of_rubric
from objectives.matchers.content import Content, aliases, item_content
from objectives.matchers.words import (
    NEGATION,
    WORD_STEP,
    Word,
    likeness,
    rarity,
    synonyms,
)
from objectives.text import stem

Array = NDArray[np.float64]

SIGNS: Final = {
    "exact": 1,
    "near": 1,
    "near_rest": 1,
    "pairs": 1,
    "last": 1,
    "missing": -1,
    "names_missing": -1,
    "numbers_missing": -1,
    "short": -1,
}
"""The measures, and the direction in which each may count:

* `exact`: share of the item's weight that is found word for word;
* `near`: share found, in part or exactly, within `NEAR_WORDS` words;
* `near_rest`: the same within `NEAR_REST_WORDS` words for all but names, which may be anywhere;
* `pairs`: share of the successive pairs of words that are within `PAIR_WORDS` words of each other;
* `last`: grade of the item's last word, which mostly carries the statement about its subject;
* `missing`: number of words that are not found;
* `names_missing`: share of the weight that is names and is not found;
* `numbers_missing`: 1 if a number of the item is not found, else 0;
* `short`: share that `near` lacks, times the log of `LONG_ENOUGH` over the text's words: in a short text all words are
  near one another.
"""
FEATURES: Final = tuple(SIGNS)
"""Names of the columns of `Rubric.measure`, in their order."""

NEAR_WORDS: Final = 20
"""Words within which an item's words count as near one another."""
NEAR_REST_WORDS: Final = 15
"""The same for words other than names: a name is often given once, then replaced by a pronoun."""
LONG_ENOUGH: Final = 60
"""Words from which a text is not short; one of less than a third of them is as one of a third."""
PAIR_WORDS: Final = 8
"""Words within which two successive words of an item count as a pair."""
NEGATION_REACH: Final = 3 * WORD_STEP
"""A negating word negates the words that follow within this distance."""
COMPOUND: Final = 0.9
"""Grade of a word in a compound of two words of the rubric, as German makes them."""
_LEAST_PART: Final = 4
PART_OF_NAME: Final = 0.5
"""Grade of a word that is a part of an identifier."""
NEGATED: Final = 0.5
"""Grade of an occurrence that the text negates and the item does not."""
_REACHES: Final = np.array([NEAR_WORDS, NEAR_REST_WORDS, PAIR_WORDS]) * WORD_STEP
_LEAST_RARITY: Final = 0.3
_COMMON: Final = 3.0
_CAP: Final = 9.0
_NAME_RARITY: Final = 11.5
_CLOCK: Final = re.compile(r"\d\d:\d\d(:\d\d)?")
_CHUNK: Final = 1024
ITEMS_AT_ONCE: Final = 64
"""Items of a rubric that are measured together: the matrices grow with the square of this number."""
_KNOWN_WORDS: Final = 50_000


class Occurrences(NamedTuple):
    """Occurrences of a rubric's words in a text: parallel lists in the order of the text."""

    position: list[int]
    column: list[int]
    token: list[int]


class Rubric:
    """The items of a rubric (a few dozen at most), prepared for the search in many texts.

    Args:
        contents: The items' words.
        document_frequency: For each key the number of items of the whole rubric that have it.
        items: Number of items of the whole rubric.
        spellings: Other keys of the items' words, each with those for which it stands.
    """

    def __init__(
        self,
        contents: Sequence[Sequence[Content]],
        document_frequency: Mapping[str, int],
        items: int,
        spellings: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.words = [[word.word for word in content] for content in contents]
        # A word of a negating item is a separate entry: there, a negated occurrence is the right one.
        self.vocabulary: dict[tuple[str, bool], int] = {}
        negating = [any(word.key == NEGATION for word in content) for content in contents]
        for content, negates in zip(contents, negating, strict=True):
            for word in content:
                self.vocabulary.setdefault((word.key, negates), len(self.vocabulary))
        self._tolerant = [negates for _, negates in self.vocabulary]
        self._stems = {key for key, _ in self.vocabulary}
        self._by_prefix: dict[str, list[str]] = {}
        for key in self._stems:
            if len(key) > 3:
                self._by_prefix.setdefault(key[:3], []).append(key)
        self._exact_only = {w.key for content in contents for w in content if w.number or w.key == NEGATION}
        self._spellings = spellings
        self._lookup: dict[str, tuple[tuple[int, float], ...]] = {}
        rows, width = len(contents), max((len(content) for content in contents), default=0)
        self.index = np.zeros((rows, max(width, 1)), dtype=np.int64)
        self.raw = np.zeros(self.index.shape)
        self.present = np.zeros(self.index.shape, dtype=bool)
        self.name = np.zeros(self.index.shape, dtype=bool)
        self.number = np.zeros(self.index.shape, dtype=bool)
        for row, content in enumerate(contents):
            for place, word in enumerate(content):
                apart = math.log((items + 1) / (document_frequency[word.key] + 0.5))
                rare = min(_CAP, max(_LEAST_RARITY, rarity(word.key) - _COMMON)) ** 0.5
                self.index[row, place] = self.vocabulary[word.key, negating[row]]
                self.raw[row, place] = apart * rare
                self.present[row, place] = True
                self.name[row, place] = word.name
                self.number[row, place] = word.number
        self.length = self.present.sum(axis=1)
        self.total = self.raw.sum(axis=1)
        self.weight = self.raw / np.maximum(self.total, 1e-12)[:, None]
        self.last = np.maximum(self.length - 1, 0)
        self.rows = np.arange(rows)
        size = max(len(self.vocabulary), 1)
        self.columns = [
            frozenset(int(column) + half for column in self.index[row, : self.length[row]] for half in (0, size))
            for row in range(rows)
        ]
        heavy_first = np.argsort(-self.raw, axis=1, kind="stable").tolist()
        self.order = [[place for place in heavy_first[row] if place < self.length[row]] for row in range(rows)]
        self._prepare_matrices()

    def _prepare_matrices(self) -> None:
        size, rows = max(len(self.vocabulary), 1), len(self.words)
        every, rest = np.zeros((size, rows)), np.zeros((size, rows))
        pairs: list[tuple[int, int, int, float]] = []
        for row in range(rows):
            for place in range(self.length[row]):
                every[self.index[row, place], row] += self.weight[row, place]
                if not self.name[row, place]:
                    rest[self.index[row, place], row] += self.weight[row, place]
                if place:
                    lighter = min(self.raw[row, place - 1], self.raw[row, place])
                    pairs.append((self.index[row, place - 1], self.index[row, place], row, lighter))
        self.every, self.rest = every, rest
        self.pair_a = np.array([pair[0] for pair in pairs], dtype=np.int64)
        self.pair_b = np.array([pair[1] for pair in pairs], dtype=np.int64)
        self.pair_weight = np.zeros((len(pairs), rows))
        for number, (_, _, row, weight) in enumerate(pairs):
            self.pair_weight[number, row] = weight
        sums = self.pair_weight.sum(axis=0)
        self.has_pairs = sums > 0
        self.pair_weight /= np.where(self.has_pairs, sums, 1.0)

    def _parts(self, key: str) -> tuple[str, ...]:
        """Return two words of the rubric that make up a compound of the text: `Server` and `Neustart`."""
        if len(key) < 2 * _LEAST_PART or not key.isalpha():
            return ()
        for cut in range(_LEAST_PART, len(key) - _LEAST_PART + 1):
            head, tail = self._begun(key[:cut]), self._begun(key[cut:])
            if head and tail and head != tail:
                return head, tail
        return ()

    def _begun(self, part: str) -> str:
        """Return a word of the rubric with this beginning, or with this beginning before a linking letter."""
        known = self._by_prefix.get(part[:3], ())
        fits = (one for one in known if one.isalpha() and (one == part or part in (one + "s", one + "n", one + "en")
                or (one[:-1] == part and one[-1] in "ens")))  # fmt: skip
        return next(fits, "")

    def _columns(self, key: str) -> tuple[tuple[int, float], ...]:
        """Return the rubric's words that a stem of the text supports, each with its grade."""
        near = set(self._by_prefix.get(key[:3], ())) if len(key) > 3 else set()
        near.update(other for other in synonyms(key) if other in self._stems)
        graded = {other: likeness(other, key) for other in sorted(near - self._exact_only)}
        graded |= dict.fromkeys(self._parts(key), COMPOUND)
        if "_" in key:  # `customer_id` speaks of a customer
            graded |= dict.fromkeys(self._stems.intersection(map(stem, key.split("_"))), PART_OF_NAME)
        graded |= dict.fromkeys(self._stems.intersection((key, *self._spellings.get(key, ()))), 1.0)
        columns = tuple(
            (self.vocabulary[other, negates], grade)
            for other, grade in graded.items()
            for negates in (False, True)
            if grade > 0 and (other, negates) in self.vocabulary
        )
        if len(self._lookup) > _KNOWN_WORDS:
            self._lookup.clear()
        self._lookup[key] = columns
        return columns

    def find(self, words: Sequence[Word]) -> tuple[Occurrences, Array, Array]:
        """Find the rubric's words in a text.

        Returns:
            The occurrences: columns from `len(vocabulary)` up are words found in part. For each word of the
            vocabulary, whether it is found exactly (0 or 1), and the best grade of its partial occurrences (0 if none).
        """
        size = max(len(self.vocabulary), 1)
        exact, part = np.zeros(size), np.zeros(size)
        position: list[int] = []
        column: list[int] = []
        token: list[int] = []
        negated_up_to = -1
        lookup, tolerant = self._lookup, self._tolerant
        for word in words:
            columns = lookup.get(word.key)
            if columns is None:
                columns = self._columns(word.key)
            for place, grade in columns:
                negated = word.position <= negated_up_to and not tolerant[place] and word.key != NEGATION
                if grade == 1.0 and not negated:
                    exact[place] = 1.0
                    column.append(place)
                else:
                    part[place] = max(part[place], grade * NEGATED if negated else grade)
                    column.append(place + size)
                position.append(word.position)
                token.append(word.first)
            if word.key == NEGATION:
                negated_up_to = word.position + NEGATION_REACH
        return Occurrences(position, column, token), exact, part

    def measure(self, words: Sequence[Word]) -> Measured:
        """Measure every item in a text.

        Returns:
            One row per item with the columns `FEATURES`, the words found, and the place where each item's words are
            closest together.
        """
        events, exact, part = self.find(words)
        grade = np.maximum(exact, part)
        found = np.where(self.present, grade[self.index], 0.0)
        lacking = np.where(self.present, 1.0 - found, 0.0)
        windows = self._windows(events, part)
        weighted = self.weight * found
        values = np.empty((len(self.length), len(FEATURES)))
        values[:, 0] = (self.weight * exact[self.index]).sum(axis=1)
        values[:, 1] = windows.near
        values[:, 2] = windows.rest + (weighted * self.name).sum(axis=1)
        values[:, 3] = np.where(self.has_pairs, windows.pairs, weighted.sum(axis=1))
        values[:, 4] = found[self.rows, self.last]
        values[:, 5] = lacking.sum(axis=1)
        values[:, 6] = (self.weight * lacking * self.name).sum(axis=1)
        values[:, 7] = (lacking * self.number).max(axis=1)
        length = (words[-1].position / WORD_STEP + 1) if words else 0.0
        brevity = math.log(LONG_ENOUGH / min(LONG_ENOUGH, max(LONG_ENOUGH / 3, length)))
        values[:, 8] = np.maximum(0.0, 1.0 - windows.near) * brevity
        return Measured(values, found, weighted.sum(axis=1), windows.start, events)

    def _windows(self, events: Occurrences, part: Array) -> Windows:
        """Slide windows over the text, one from every occurrence of a word of the rubric."""
        size, rows = len(part), len(self.length)
        near, rest, together = np.zeros(rows), np.zeros(rows), np.zeros(len(self.pair_a))
        start = np.full(rows, -1, dtype=np.int64)
        at, column = np.array(events.position, dtype=np.int64), np.array(events.column, dtype=np.int64)
        if len(at):
            first = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1])))
            ends = at.searchsorted(at[first, None] + _REACHES)
        for chunk in range(0, len(at) and len(first), _CHUNK):
            low, high = first[chunk : chunk + _CHUNK], ends[chunk : chunk + _CHUNK]
            base, top = low[0], high[-1, 0]
            seen = np.zeros((top - base + 1, 2 * size), dtype=np.int32)
            seen[np.arange(1, top - base + 1), column[base:top]] = 1
            seen.cumsum(axis=0, out=seen)
            before = seen[low - base]
            views = [seen[high[:, place] - base] > before for place in range(len(_REACHES))]
            wide, narrow, close = (np.maximum(view[:, :size], view[:, size:] * part) for view in views)
            value = wide @ self.every
            best = value.max(axis=0)
            start = np.where(best > near, low[value.argmax(axis=0)], start)
            near = np.maximum(near, best)
            rest = np.maximum(rest, (narrow @ self.rest).max(axis=0))
            if len(together):
                together = np.maximum(together, (close[:, self.pair_a] * close[:, self.pair_b]).max(axis=0))
        return Windows(near, rest, together @ self.pair_weight, start)


class Windows(NamedTuple):
    """Best windows of each item: shares of its weight found close together, and their first occurrence (-1: none)."""

    near: Array
    rest: Array
    pairs: Array
    start: NDArray[np.int64]


class Measured(NamedTuple):
    """The result of `Rubric.measure`.

    Attributes:
        values: Items x `FEATURES`.
        found: Items x words: the grade of each word, in [0, 1].
        recall: Share of each item's weight that is found anywhere in the text, in [0, 1].
        start: The first occurrence in each item's best window, -1 if nothing is found.
        events: Occurrences of the rubric's words in the text.
    """

    values: Array
    found: Array
    recall: Array
    start: NDArray[np.int64]
    events: Occurrences


def rubrics(texts: Sequence[str]) -> list[Rubric]:
    """Prepare a rubric of any length, in blocks of `ITEMS_AT_ONCE` items with the document frequencies of the whole."""
    language = language_of_rubric(texts)
    contents = [item_content(text, language) for text in texts]
    frequency = Counter(word.key for content in contents for word in content)
    spellings: dict[str, tuple[str, ...]] = {}
    for key, of in (pair for text in texts for pair in aliases(text).items()):
        spellings[key] = tuple(dict.fromkeys([*spellings.get(key, ()), *of]))
    blocks = (contents[at : at + ITEMS_AT_ONCE] for at in range(0, len(contents), ITEMS_AT_ONCE))
    return [Rubric(block, frequency, len(contents), spellings) for block in blocks]
