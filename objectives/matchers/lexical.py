"""The default matcher: which of an item's telling words does the text have?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from objectives.case import Item
from objectives.matchers.base import Match
from objectives.text import normalise, stem, tokenise

_VERSION: Final = "lexical-0"
_STOP: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "for",
        "and",
        "or",
        "but",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "he",
        "she",
        "they",
        "his",
        "her",
        "their",
        "him",
        "them",
        "we",
        "you",
        "i",
        "as",
        "by",
        "with",
        "from",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "not",
        "will",
        "would",
        "can",
        "could",
    ]
)


class LexicalMatcher:
    """Share of an item's content words that the text has. Deterministic; some microseconds per item."""

    name = "lexical"

    def __init__(self, threshold: float | None = None) -> None:
        self.threshold = 0.5 if threshold is None else threshold
        self.digest = hashlib.sha256(f"{_VERSION} {self.threshold}".encode()).hexdigest()[:12]

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:
        """See `objectives.matchers.base.Matcher.match`."""
        have = {stem(token.key) for token in tokenise(normalise(text))}
        return [self._one(item, have) for item in items]

    def _one(self, item: Item, have: set[str]) -> Match:
        words = {}
        for token in tokenise(normalise(item.text)):
            if token.kind != "symbol" and token.key not in _STOP:
                words[stem(token.key)] = token.key
        missing = tuple(word for key, word in words.items() if key not in have)
        score = 1 - len(missing) / len(words) if words else 0.0
        why = f"{len(words) - len(missing)} of {len(words)} words found"
        return Match(item.id, score >= self.threshold, score, score, self.threshold, why, None, missing, self.name)
