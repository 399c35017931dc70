"""Scores under other weights and thresholds, worked out by hand."""

from __future__ import annotations

import pytest

from objectives import CoverageObjective
from objectives.weightings import WEIGHTINGS, rescore_matches
from objectives.weightings import settings as robustness_settings
from tests.objectives.test_coverage import CASE, PLAIN, answer


def test_rescoring_by_hand() -> None:
    matches = [answer("x", 0.9), answer("y", 0.55), answer("z", 0.4)]
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["linear 5..1"]) == 8 / 9
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["halving 16..1"]) == 20 / 21
    assert rescore_matches(PLAIN, matches, WEIGHTINGS["levels 1-2 only"]) == 1
    assert rescore_matches(PLAIN, matches, (5, 4, 3, 2, 1), 0.6) == 5 / 9
    assert rescore_matches(PLAIN, {"x": 0.9, "y": 0.5, "z": 0.4}, (5, 4, 3, 2, 1), 0.35) == 1


def test_rescoring_under_the_same_setting_gives_the_score_again() -> None:
    score = CoverageObjective().score(CASE, "alpha gamma wrong")
    assert rescore_matches(CASE, score.matches, (5, 4, 3, 2, 1)) == score.score


def test_expected_rescoring_by_hand() -> None:
    matches = [answer("x", 0.9), answer("y", 0.55), answer("z", 0.4)]
    expected = (5 * 0.9 + 3 * 0.55 + 1 * 0.4) / 9
    assert rescore_matches(PLAIN, matches, (5, 4, 3, 2, 1), score="expected") == pytest.approx(expected)
    chances = {match.item: match.probability for match in matches}
    assert rescore_matches(PLAIN, chances, (5, 4, 3, 2, 1), score="expected") == pytest.approx(expected)
    assert {each.score for each in robustness_settings((1, 2, 3, 4, 5)) if each.threshold is None} == {"expected"}
    assert {each.score for each in robustness_settings((1, 2, 3, 4, 5), "counted")} == {"counted"}


def test_robustness_settings_are_distinct() -> None:
    names = [setting.name for setting in robustness_settings((1, 2, 3, 4, 5))]
    assert names[0] == "as configured"
    assert len(set(names)) == len(names)
