"""Side metrics of a summary, which the coverage score does not see."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from objectives.markup import plain
from objectives.text import Token, normalise, tokenise

NGRAM: Final = 4
"""Length in tokens of the n-grams whose repeats count as redundancy."""
COPIED_SPAN: Final = 8
"""Least number of successive tokens that a stretch must share with the log to count as copied."""


_FEW: Final = 100_000
"""Stretches up to which a set is kept, which is faster and larger than a sorted array."""


def words_of(tokens: Iterable[Token]) -> list[str]:
    """Return the keys of the tokens that count as words: all but symbols; each character of unspaced scripts."""
    return [token.key for token in tokens if token.kind != "symbol"]


def words_in(text: str) -> list[str]:
    """Return the words of a text without its markup, as `words_of`."""
    return words_of(tokenise(normalise(plain(text))))


def redundancy(words: Sequence[str], n: int = NGRAM) -> float:
    """Return the share of n-grams that occurred earlier in the text, in [0, 1]; 0 for fewer than n words."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


class Spans:
    """The stretches of n successive words of a log, as 64-bit hashes: a log of 20 MB has millions of them.

    Two different stretches have one hash with a probability of about 1e-19.

    Args:
        words: The log's words; they are not kept.
        n: Words per stretch.

    Attributes:
        words: Number of words.
    """

    def __init__(self, words: Iterable[str], n: int = COPIED_SPAN) -> None:
        self.words = 0
        hashes = np.unique(np.fromiter(self._hashes(words, n), dtype=np.int64))
        small = len(hashes) <= _FEW
        self._few = frozenset(hashes.tolist()) if small else frozenset[int]()
        self._many = array("q", b"" if small else hashes.tobytes())

    def _hashes(self, words: Iterable[str], n: int) -> Iterator[int]:
        last: deque[str] = deque(maxlen=n)
        for word in words:
            self.words += 1
            last.append(word)
            if len(last) == n:
                yield hash(tuple(last))

    def __contains__(self, span: tuple[str, ...]) -> bool:
        """Whether the log has a stretch."""
        wanted = hash(span)
        if not self._many:
            return wanted in self._few
        place = bisect_left(self._many, wanted)
        return place < len(self._many) and self._many[place] == wanted


def spans_of(words: Iterable[str], n: int = COPIED_SPAN) -> Spans:
    """Return all n-grams of a log, for `copied_share`."""
    return Spans(words, n)


def copied_share(words: Sequence[str], log_spans: Spans, n: int = COPIED_SPAN) -> float:
    """Return the share of words in stretches of at least n words taken literally from the log, in [0, 1]."""
    copied = 0
    reached = 0
    for i in range(len(words) - n + 1):
        if tuple(words[i : i + n]) in log_spans:
            copied += i + n - max(reached, i)
            reached = i + n
    return copied / len(words) if words else 0.0
