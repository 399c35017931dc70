"""Other sensible weights and thresholds, to see whether a result depends on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from objectives.case import Case
from objectives.coverage import ScoreKind, read_weights, weighted_score
from objectives.matchers.base import Match

WEIGHTINGS: Final[Mapping[str, tuple[float, ...]]] = {
    "linear 5..1": (5, 4, 3, 2, 1),
    "halving 16..1": (16, 8, 4, 2, 1),
    "equal": (1, 1, 1, 1, 1),
    "levels 1-2 only": (1, 1, 0, 0, 0),
}
"""Sensible weights of levels 1..5, by name."""
THRESHOLDS: Final = (0.35, 0.5, 0.65)
"""Thresholds of the matcher's probability around the calibrated one."""


@dataclass(frozen=True)
class Setting:
    """Weights with a name for the table, a threshold (None: each match's own decision), and the way to add up.

    With `score` "expected" the probabilities count and no threshold does.
    """

    name: str
    weights: tuple[float, ...]
    threshold: float | None = None
    score: ScoreKind = "counted"


def settings(used: Sequence[float] | None = None, score: ScoreKind = "expected") -> list[Setting]:
    """Return all weightings with the score in use, then counted coverage with the weights in use by thresholds."""
    base = tuple(float(weight) for weight in (WEIGHTINGS["linear 5..1"] if used is None else used))
    named = [Setting(name, weights, score=score) for name, weights in WEIGHTINGS.items()]
    if base not in WEIGHTINGS.values():
        named.insert(0, Setting("as configured", base, score=score))
    return named + [Setting(f"threshold {threshold:g}", base, threshold) for threshold in THRESHOLDS]


def rescore_matches(
    case: Case,
    matches: Sequence[Match] | Mapping[str, float],
    weights: Sequence[float] | Mapping[int, float],
    threshold: float | None = None,
    *,
    score: ScoreKind = "counted",
) -> float:
    """Return the score in [0, 1] of known matches under other weights and another threshold.

    Args:
        case: The case with the rubric that the matches belong to.
        matches: The matches of one text, or each item's probability by its id (then None means a threshold of 0.5).
        weights: Weights of levels 1..5.
        threshold: Probability from which an item counts as covered; None keeps the matches' own decisions. Authored
            patterns give probability 0 or 1, which no threshold changes.
        score: "expected" adds the probabilities instead; then there is no threshold.

    Raises:
        ObjectiveError: The weights are not five numbers of 0 or more.
        KeyError: An item of the case has no match.
    """
    covered: Mapping[str, float]
    if score == "expected":
        known = matches if isinstance(matches, Mapping) else {match.item: match.probability for match in matches}
        covered = known
    elif isinstance(matches, Mapping):
        cut = 0.5 if threshold is None else threshold
        covered = {item: probability >= cut for item, probability in matches.items()}
    elif threshold is None:
        covered = {match.item: match.covered for match in matches}
    else:
        covered = {match.item: match.probability >= threshold for match in matches}
    return weighted_score(case.items, covered, read_weights(weights))
