"""Side metrics of a summary, which the coverage score does not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from objectives.text import Token

NGRAM: Final = 4
"""Length in tokens of the n-grams whose repeats count as redundancy."""
COPIED_SPAN: Final = 8
"""Least number of successive tokens that a stretch must share with the log to count as copied."""


def words_of(tokens: Sequence[Token]) -> list[str]:
    """Return the keys of the tokens that count as words: all but symbols; each character of unspaced scripts."""
    return [token.key for token in tokens if token.kind != "symbol"]


def redundancy(words: Sequence[str], n: int = NGRAM) -> float:
    """Return the share of n-grams that occurred earlier in the text, in [0, 1]; 0 for fewer than n words."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def spans_of(words: Sequence[str], n: int = COPIED_SPAN) -> frozenset[tuple[str, ...]]:
    """Return all n-grams of a log, for `copied_share`."""
    return frozenset(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def copied_share(words: Sequence[str], log_spans: frozenset[tuple[str, ...]], n: int = COPIED_SPAN) -> float:
    """Return the share of words in stretches of at least n words taken literally from the log, in [0, 1]."""
    copied = 0
    reached = 0
    for i in range(len(words) - n + 1):
        if tuple(words[i : i + n]) in log_spans:
            copied += i + n - max(reached, i)
            reached = i + n
    return copied / len(words) if words else 0.0
