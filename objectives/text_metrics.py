"""Side metrics of a summary: what the coverage score does not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from objectives.text import Token

NGRAM: Final = 4
"""Length in tokens of the n-grams whose repeats count as redundancy."""
COPIED_SPAN: Final = 8
"""Number of tokens in a row that must stand in the log, in that order, for a stretch to count as copied."""


def words_of(tokens: Sequence[Token]) -> list[str]:
    """Keys of the tokens that count as words (everything but symbols; a character each in unspaced scripts)."""
    return [token.key for token in tokens if token.kind != "symbol"]


def redundancy(words: Sequence[str], n: int = NGRAM) -> float:
    """Share of the n-grams that occurred earlier in the same text, in [0, 1]; 0 for texts of fewer than n words."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def spans_of(words: Sequence[str], n: int = COPIED_SPAN) -> frozenset[tuple[str, ...]]:
    """All n-grams of a log, for `copied_share`."""
    return frozenset(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def copied_share(words: Sequence[str], log_spans: frozenset[tuple[str, ...]], n: int = COPIED_SPAN) -> float:
    """Share of the words that stand in a stretch of at least n words taken from the log word for word, in [0, 1]."""
    copied = 0
    reached = 0
    for i in range(len(words) - n + 1):
        if tuple(words[i : i + n]) in log_spans:
            copied += i + n - max(reached, i)
            reached = i + n
    return copied / len(words) if words else 0.0
