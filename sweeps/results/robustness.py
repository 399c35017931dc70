"""Robustness of a verdict: the confirmation's texts scored in other sensible ways, without a generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import TableError, Verdict
from objectives import Case
from objectives.coverage import DEFAULT_WEIGHTS
from objectives.weightings import Setting, rescore_matches, settings
from sweeps.results.kept_answers import answers_of
from sweeps.results.study_data import PLACE_COLUMNS, StudyData
from sweeps.results.verdicts import judge_finalists
from sweeps.scoring.inputs import stored_score


def robustness_table(study: StudyData, verdict: Verdict) -> pd.DataFrame | None:
    """Judge the confirmation under other weights and thresholds.

    Args:
        study: A study with a confirmation.
        verdict: The verdict to vary. Its finalist stays, even where another one is ahead under other weights.

    Returns:
        A row per way to score, columns `scoring`, `baseline`, `finalist`, `effect`, `ci_low`, `ci_high`, `p_value`,
        `outcome`; None where the objective has no items (a user's own callable).
    """
    places: dict[str, list[Any]] = {name: [] for name in PLACE_COLUMNS}
    details: dict[_Detail, int] = {}  # many texts cover the same items: each kind is kept and scored once
    kinds: list[int] = []
    arms = [study.baseline.key, *(arm.configuration.key for arm in study.finalists)]
    for answer in answers_of(study.answers, arms):
        if answer["stage"] == "confirm":
            known = _detail_of(answer)
            if not known[1]:
                return None
            kinds.append(details.setdefault(known, len(details)))
            for name, values in places.items():
                values.append(answer[name])
    if not kinds:
        return None
    cases = {case.name: case for case in study.cases}
    rows = []
    judged: dict[tuple[float, ...], dict[str, Any]] = {}  # where no probability lies between them, thresholds agree
    for setting in settings(used_weights(study), stored_score(study.stored.identity)):
        scores = tuple(_score(cases[detail[0]], detail, setting) for detail in details)
        if scores not in judged:
            scored = pd.DataFrame({**places, "score": [scores[kind] for kind in kinds]})
            judged[scores] = _judged(study, verdict.configuration, scored)
        rows.append({"scoring": setting.name, **judged[scores]})
    return pd.DataFrame(rows)


_Detail = tuple[str, tuple[tuple[str, float], ...], frozenset[str]]
"""Case, the items' probabilities, and the items that appeared."""


def _detail_of(answer: Mapping[str, Any]) -> _Detail:
    detail = answer["detail"]
    probabilities = tuple((detail.get("probabilities") or {}).items())
    return answer["case"], probabilities, frozenset((*detail["covered"], *detail["forbidden"]))


def used_weights(study: StudyData) -> list[float]:
    """Return the weights of levels 1 to 5 that a study is scored with, those of the last rescore."""
    weights = study.stored.identity.get("objective.weights", study.config.objective.weights)
    used = [weights.get(str(level), 0.0) for level in range(1, 6)] if isinstance(weights, Mapping) else list(weights)
    return used or list(DEFAULT_WEIGHTS)


def _score(case: Case, detail: _Detail, setting: Setting) -> float:
    _, probabilities, appeared = detail
    if setting.threshold is not None or setting.score == "expected":
        known = dict(probabilities)
        return rescore_matches(case, known, setting.weights, setting.threshold, score=setting.score)
    decided = {item.id: float(item.id in appeared) for item in case.items}
    return rescore_matches(case, decided, setting.weights, 0.5)


def _judged(study: StudyData, finalist: str, scores: pd.DataFrame) -> dict[str, Any]:
    try:
        verdict = next(own for own in judge_finalists(study, scores=scores) if own.configuration == finalist)
    except (TableError, StopIteration) as error:
        return {"outcome": f"cannot be judged: {error}".rstrip(": ")}
    return {
        "baseline": round(verdict.baseline_mean, 3),
        "finalist": round(verdict.finalist_mean, 3),
        "effect": round(verdict.effect, 3),
        "ci_low": round(verdict.ci_low, 3),
        "ci_high": round(verdict.ci_high, 3),
        "p_value": round(verdict.p_value, 4),
        "outcome": verdict.outcome,
    }
