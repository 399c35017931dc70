"""What holds for all tests."""

from __future__ import annotations

import pytest

from analysis.guard import Guard


@pytest.fixture(autouse=True)
def strict_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot or table that cannot be made is an error: people are told of it and get the rest, tests must fail."""
    monkeypatch.setattr(Guard, "strict", True)
