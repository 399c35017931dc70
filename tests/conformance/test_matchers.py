"""Every matcher against the suite for matchers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from objectives.case import Item
from objectives.matchers.base import Match
from objectives.matchers.embedding import EmbeddingMatcher
from objectives.matchers.judge import JudgeMatcher
from objectives.matchers.lexical import LexicalMatcher
from objectives.matchers.patterns import PatternText, match_patterns
from tests.conformance.matchers import ITEMS, MatcherSuite


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


class TestLexical(MatcherSuite):
    name = "lexical"

    @pytest.fixture
    def matcher(self) -> LexicalMatcher:
        return LexicalMatcher()

    @pytest.fixture
    def alike(self) -> LexicalMatcher:
        return LexicalMatcher()

    @pytest.fixture
    def different(self) -> LexicalMatcher:
        return LexicalMatcher(threshold=0.7)


class TestEmbedding(MatcherSuite):
    """With a stand-in for the model: a text's vector counts its words."""

    name = "embedding"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        axes = sorted({word for item in ITEMS for word in words_of(item.text)})
        return [[0.01] + [float(words_of(text).count(word)) for word in axes] for text in texts]

    @pytest.fixture
    def matcher(self) -> EmbeddingMatcher:
        return EmbeddingMatcher(self.embed, midpoint=0.8)

    @pytest.fixture
    def alike(self) -> EmbeddingMatcher:
        return EmbeddingMatcher(self.embed, midpoint=0.8)

    @pytest.fixture
    def different(self) -> EmbeddingMatcher:
        return EmbeddingMatcher(self.embed, midpoint=0.8, model="another")


class TestJudge(MatcherSuite):
    """With a stand-in for the model: it says yes where the text has all words of an item, and quotes them."""

    name = "judge"

    def ask(self, prompt: str, schema: Mapping[str, Any], turn: int) -> Any:
        numbered = {int(number): text for number, text in re.findall(r"(?m)^(\d+)\. (.*)$", prompt)}
        rest = set(words_of(re.sub(r"(?m)^\d+\. .*$", "", prompt)))
        answers = [
            {"item": number, "quote": text, "covered": set(words_of(text)) <= rest} for number, text in numbered.items()
        ]
        return {"answers": answers}

    @pytest.fixture
    def matcher(self) -> JudgeMatcher:
        return JudgeMatcher(self.ask)

    @pytest.fixture
    def alike(self) -> JudgeMatcher:
        return JudgeMatcher(self.ask)

    @pytest.fixture
    def different(self) -> JudgeMatcher:
        return JudgeMatcher(self.ask, votes=5)


class Patterns:
    """Authored patterns in the form of a matcher; their settings are the items' own."""

    name = "patterns"

    def __init__(self, digest: str = "0" * 12) -> None:
        self.digest = digest

    def match(self, items: Sequence[Item], text: str, *, context: str | None = None) -> list[Match]:
        prepared = PatternText(text)
        return [match_patterns(item, prepared) for item in items]


class TestPatterns(MatcherSuite):
    name = "patterns"
    items = (
        Item("disk", "", 1, any=("disk is full", "no space")),
        Item("seals", "", 2, all=("2", "seals")),
        Item("lunch", "", 5, regex=(r"lunch\s+is at (noon|12)",)),
        Item("backup", "", 3, any=("backup failed",), all=("Monday",), forbidden=True),
    )

    @pytest.fixture
    def matcher(self) -> Patterns:
        return Patterns()

    @pytest.fixture
    def alike(self) -> Patterns:
        return Patterns()

    @pytest.fixture
    def different(self) -> Patterns:
        return Patterns("1" * 12)

    def test_the_digest_is_that_of_the_settings(self) -> None:
        pytest.skip("patterns are part of the rubric, so they have no settings and no digest")
