"""Score a summary: cases, matchers and objectives. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from objectives.case import LEVELS, Case, Item

if TYPE_CHECKING:
    from objectives.case_files import CaseError, load_cases
    from objectives.coverage import CoverageObjective, Objective, Score
    from objectives.custom import FunctionObjective
    from objectives.factory import make_objective
    from objectives.matchers.base import Match, Matcher, ObjectiveError
    from objectives.matchers.lexical import LexicalMatcher
    from objectives.matchers.model_access import ModelAccess

_HOMES = {
    "CaseError": "objectives.case_files",
    "CoverageObjective": "objectives.coverage",
    "FunctionObjective": "objectives.custom",
    "LexicalMatcher": "objectives.matchers.lexical",
    "Match": "objectives.matchers.base",
    "Matcher": "objectives.matchers.base",
    "ModelAccess": "objectives.matchers.model_access",
    "Objective": "objectives.coverage",
    "ObjectiveError": "objectives.matchers.base",
    "Score": "objectives.coverage",
    "load_cases": "objectives.case_files",
    "make_objective": "objectives.factory",
}

__all__ = [
    "LEVELS",
    "Case",
    "CaseError",
    "CoverageObjective",
    "FunctionObjective",
    "Item",
    "LexicalMatcher",
    "Match",
    "Matcher",
    "ModelAccess",
    "Objective",
    "ObjectiveError",
    "Score",
    "load_cases",
    "make_objective",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'objectives' has no attribute {name!r}")
