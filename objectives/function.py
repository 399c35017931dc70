"""Objectives of one's own: any callable `(case, text) -> score`."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable

from objectives.case import Case
from objectives.coverage import Score
from objectives.matchers.base import ObjectiveError
from objectives.side import words_of
from objectives.text import normalise, tokenise


class FunctionObjective:
    """Wrap a callable `(case, text) -> float | Score` as an objective.

    Args:
        function: Returns a number in [0, 1] (higher is better) or a `Score`.
        name: Name for tables; the function's own name by default.
        digest: What identifies the settings; by default the function's name and source, so that an edited function is
            noticed.
    """

    def __init__(
        self, function: Callable[[Case, str], float | Score], name: str | None = None, digest: str | None = None
    ) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", type(function).__name__))
        self.digest = digest or _source_digest(function)

    def score(self, case: Case, text: str) -> Score:
        """Call the function.

        Raises:
            ObjectiveError: It returned something else than a number in [0, 1] or a `Score`.
        """
        value = self.function(case, text)
        if isinstance(value, Score):
            number = value.score
        else:
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise ObjectiveError(
                    f"objective {self.name!r} returned {value!r} for case {case.name!r}: "
                    "return a number in [0, 1] or a Score."
                ) from None
        if not (math.isfinite(number) and 0 <= number <= 1):
            raise ObjectiveError(
                f"objective {self.name!r} returned {number!r} for case {case.name!r}: "
                "scores lie in [0, 1], higher is better."
            )
        if isinstance(value, Score):
            return value
        return Score(score=number, words=len(words_of(tokenise(normalise(text)))))


def _source_digest(function: Callable[..., object]) -> str:
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):
        source = ""
    return hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:12]
