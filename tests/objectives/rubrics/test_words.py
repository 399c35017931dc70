"""Content words, compared by stem and value."""

from __future__ import annotations

import pytest

from objectives.rubrics.words import content_keys, similarity


def test_content_keys_stem_and_compare_numbers() -> None:
    assert content_keys("The 4,182,907 plates were fired") == content_keys("4182907 plate firing")
    assert content_keys("請求書") == ["請求", "求書"]
    assert similarity(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert similarity(frozenset(), frozenset()) == 0
