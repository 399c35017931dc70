"""Fixtures of the analysis' tests."""

from __future__ import annotations

from functools import partial

import pytest

from analysis.comparison import compare, sign_flips
from analysis.comparison.permutation import permutation


@pytest.fixture
def fewer_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test only has to be right on average, 499 permutations do."""
    monkeypatch.setattr(sign_flips, "PERMUTATIONS", 499)
    monkeypatch.setattr(compare, "permutation", partial(permutation, permutations=499))
