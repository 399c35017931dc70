"""User-defined objectives: any callable `(case, text) -> score`."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import math
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from objectives.case import Case
from objectives.coverage import CoverageObjective, Objective, Score
from objectives.matchers.base import ObjectiveError
from objectives.text_metrics import words_in

Scoring: TypeAlias = Callable[[Case, str], float | Score]
"""A case and a text in, the score out: a number in [0, 1], higher is better, or a `Score`."""


class FunctionObjective:
    """Wrap a callable `(case, text) -> float | Score` as an objective.

    Args:
        function: Returns a number in [0, 1] (higher is better) or a `Score`.
        name: Name for tables; the function's own name by default.
        digest: Identifies the settings. By default it comes from the function's name and source, from the arguments
            of a `functools.partial`, and from plain values of an enclosing function; an edited function has another.
    """

    def __init__(self, function: Scoring, name: str | None = None, digest: str | None = None) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.digest = digest or _source_digest(function)

    def score(self, case: Case, text: str) -> Score:
        """Call the function.

        Raises:
            ObjectiveError: It failed, or returned anything but a number in [0, 1] or a `Score`.
        """
        value = _called(self.function, self.name, case, text)
        if isinstance(value, Score):
            return value
        return Score(score=value, words=len(words_in(text)))


class GuardedObjective:
    """A user-defined objective whose failures and wrong scores are reported as those of a callable.

    Args:
        objective: The objective; its attributes are also available here.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    @property
    def name(self) -> str:
        """As the objective has it."""
        return self.objective.name

    @property
    def digest(self) -> str:
        """As the objective has it."""
        return self.objective.digest

    def __getattr__(self, name: str) -> Any:
        if name == "objective":  # while a copy is made, there is no objective yet
            raise AttributeError(name)
        return getattr(self.objective, name)

    def score(self, case: Case, text: str) -> Score:
        """Score a text for a case.

        Raises:
            ObjectiveError: The objective failed, or returned anything but a `Score` in [0, 1].
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
            f"objective {name!r} failed for case {case.name!r} ({cause_of(error)}). What was "
            "generated is kept: correct the objective, then run the same command again"
        ) from error
    number = value.score if isinstance(value, Score) else value
    # float() would also accept truth values (of Python or an array library) and text
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
    """Describe an error of user code in one line, such as `KeyError: 'gold', mine.py:5`.

    The place is the innermost line outside libraries; it is left out if none is known.
    """
    text = " ".join(str(error).split())[:200]
    libraries = (str(Path(__file__).parent), "<frozen", sys.prefix, sys.base_prefix)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(libraries)]
    place = f", {Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__) + place


def _source_digest(function: Callable[..., object]) -> str:
    """Return a digest of name, source and settings that is the same in every process."""
    if isinstance(function, functools.partial):
        keywords = {name: _plain(value) for name, value in sorted(function.keywords.items())}
        return _digest(f"partial {_source_digest(function.func)}\n{[*map(_plain, function.args)]}\n{keywords}")
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):
        source = ""
    enclosing = {} if hasattr(function, "__wrapped__") else _enclosing(function)
    return _digest(f"{name}\n{source}" + (f"\n{enclosing}" if enclosing else ""))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _enclosing(function: Callable[..., object]) -> dict[str, str]:
    """Return the plain values that a function uses from the function around it, by name."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    found = {}
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        with suppress(TypeError, ValueError):  # no plain value, or not assigned yet
            found[name] = json.dumps(cell.cell_contents, sort_keys=True)
    return found


def _plain(value: object) -> str:
    """Write a value; of one that is no plain data only its name or type, since its text may hold an address."""
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return str(getattr(value, "__qualname__", type(value).__qualname__))
