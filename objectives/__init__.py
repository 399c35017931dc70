"""Score a summary: cases, matchers and objectives. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from objectives.case import LEVELS as LEVELS
from objectives.case import Case as Case
from objectives.case import Item as Item

if TYPE_CHECKING:  # for type checkers and editors; tests/sweeps/test_public_face.py compares it with _HOMES
    from objectives.case_files import load_cases as load_cases
    from objectives.case_schema import CaseError as CaseError
    from objectives.coverage import CoverageObjective as CoverageObjective
    from objectives.coverage import Objective as Objective
    from objectives.coverage import Score as Score
    from objectives.custom import FunctionObjective as FunctionObjective
    from objectives.factory import make_objective as make_objective
    from objectives.matchers.base import Match as Match
    from objectives.matchers.base import Matcher as Matcher
    from objectives.matchers.base import ObjectiveError as ObjectiveError
    from objectives.matchers.lexical import LexicalMatcher as LexicalMatcher
    from objectives.matchers.model_access import ModelAccess as ModelAccess

_HOMES = {
    "CaseError": "objectives.case_schema",
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

__all__ = ["LEVELS", "Case", "Item"]
__all__ += list(_HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'objectives' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
