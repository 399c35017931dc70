"""Objectives of one's own: any callable `(case, text) -> score`."""

from __future__ import annotations

import hashlib
import inspect
import math
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from objectives.case import Case
from objectives.coverage import CoverageObjective, Objective, Score
from objectives.matchers.base import ObjectiveError
from objectives.text import normalise, tokenise
from objectives.text_metrics import words_of

Scoring: TypeAlias = Callable[[Case, str], float | Score]
"""A case and a text in, the score out: a number in [0, 1], higher is better, or a `Score`."""


class FunctionObjective:
    """Wrap a callable `(case, text) -> float | Score` as an objective.

    Args:
        function: Returns a number in [0, 1] (higher is better) or a `Score`.
        name: Name for tables; the function's own name by default.
        digest: What identifies the settings; by default the function's name and source, so that an edited function is
            noticed.
    """

    def __init__(self, function: Scoring, name: str | None = None, digest: str | None = None) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.digest = digest or _source_digest(function)

    def score(self, case: Case, text: str) -> Score:
        """Call the function.

        Raises:
            ObjectiveError: It failed, or returned something else than a number in [0, 1] or a `Score`.
        """
        value = _called(self.function, self.name, case, text)
        if isinstance(value, Score):
            return value
        return Score(score=value, words=len(words_of(tokenise(normalise(text)))))


class GuardedObjective:
    """An objective of one's own, of which failures and wrong scores are told as those of a callable.

    Args:
        objective: Its attributes are this one's too.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    @property
    def name(self) -> str:
        """The objective's own."""
        return self.objective.name

    @property
    def digest(self) -> str:
        """The objective's own."""
        return self.objective.digest

    def __getattr__(self, name: str) -> Any:
        if name == "objective":  # asked before there is one, as when a copy is being made
            raise AttributeError(name)
        return getattr(self.objective, name)

    def score(self, case: Case, text: str) -> Score:
        """Ask the objective.

        Raises:
            ObjectiveError: It failed, or returned something else than a `Score` in [0, 1].
        """
        value = _called(self.objective.score, self.name, case, text)
        if not isinstance(value, Score):
            raise _returned(self.name, value, case, "an objective's score() returns a Score.")
        return value


def as_objective(given: object) -> Objective:
    """Take an objective, or wrap a callable as one.

    Args:
        given: An objective, or a callable `(case, text) -> score`.

    Raises:
        ObjectiveError: It is neither.
    """
    if isinstance(given, (CoverageObjective, FunctionObjective, GuardedObjective)):
        return given
    if isinstance(given, type):
        raise ObjectiveError(f"{given.__name__}: is a class; give an objective made from it: {given.__name__}(...)")
    if isinstance(given, Objective):
        return GuardedObjective(given)
    if callable(given):
        return FunctionObjective(given)
    raise ObjectiveError(f"{given!r}: must be a callable (case, text) -> score, or an objective")


def _called(function: Callable[[Case, str], object], name: str, case: Case, text: str) -> float | Score:
    try:
        value = function(case, text)
    except ObjectiveError:
        raise
    except (Exception, SystemExit) as error:
        raise ObjectiveError(
            f"objective {name!r} failed for case {case.name!r} ({cause_of(error)}); what was generated "
            "is kept: mend it and give the same command again, which goes on, or tells how to take over the change"
        ) from error
    number = value.score if isinstance(value, Score) else value
    # what float() would take all the same: a truth value, here or of an array library, and text
    if isinstance(number, (bool, str, bytes)) or str(getattr(number, "dtype", "")) == "bool":
        raise _returned(name, number, case, "return a number in [0, 1] or a Score.")
    try:
        number = float(number)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise _returned(name, value, case, "return a number in [0, 1] or a Score.") from None
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise _returned(name, number, case, "scores lie in [0, 1], higher is better.")
    return value if isinstance(value, Score) else number


def _returned(name: str, value: object, case: Case, remedy: str) -> ObjectiveError:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:97] + "..."
    return ObjectiveError(f"objective {name!r} returned {shown} for case {case.name!r}: {remedy}")


def cause_of(error: BaseException) -> str:
    """An error of a person's own code in a line, as `KeyError: 'gold', mine.py:5`.

    The place is the innermost line that is not of a library; it is left out where none is known.
    """
    text = " ".join(str(error).split())[:200]
    libraries = (str(Path(__file__).parent), "<frozen", sys.prefix, sys.base_prefix)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(libraries)]
    place = f", {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + place


def _source_digest(function: Callable[..., object]) -> str:
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):
        source = ""
    return hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:12]
