"""The conformance check of objectives: it passes sound ones and finds faults."""

from __future__ import annotations

import pytest

from objectives import Case, CoverageObjective, Score
from objectives.testing import SAMPLE, check_objective
from tests.objectives.test_coverage import CASE


def test_coverage_passes_the_conformance_check() -> None:
    check_objective(CoverageObjective(), (SAMPLE, CASE))


class Broken:
    name = "broken"
    digest = "1"

    def __init__(self) -> None:
        self.calls = 0

    def score(self, case: Case, text: str) -> Score:
        self.calls += 1
        return Score(1 / self.calls)


def test_conformance_check_finds_faults() -> None:
    with pytest.raises(AssertionError, match="scored"):
        check_objective(Broken())
    check_objective(Broken(), deterministic=False)
    with pytest.raises(AssertionError, match="lacks"):
        check_objective(object())
