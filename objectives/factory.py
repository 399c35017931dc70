"""An objective from the `[objective]` table of a configuration."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from objectives.coverage import DEFAULT_WEIGHTS, CoverageObjective, Objective, read_weights
from objectives.function import FunctionObjective
from objectives.matchers.base import Matcher, ObjectiveError
from objectives.matchers.lexical import LexicalMatcher

_KEYS = ("name", "kind", "weights", "budget_words", "matcher", "threshold")
_MATCHERS = ("lexical", "embedding", "judge")


def make_objective(spec: Mapping[str, Any] | None = None) -> Objective:
    """Build an objective.

    Args:
        spec: Keys, all optional: `kind` or `name` ("coverage", or "module:attribute" for a callable or objective of one's own),
            `weights` (five numbers for levels 1..5, or a table level -> weight), `budget_words`, `matcher` ("lexical", or a matcher object),
            `threshold` (probability in (0, 1) from which on an item counts as covered).

    Raises:
        ObjectiveError: Something in it is wrong; the message lists every problem with key, value and remedy.
    """
    spec = dict(spec or {})
    problems = [_unknown(key) for key in spec if key not in _KEYS]
    kind = spec.get("kind", spec.get("name", "coverage"))
    if isinstance(kind, str) and ":" in kind:
        if problems:
            raise ObjectiveError("\n".join(problems))
        return _custom(kind)
    if kind != "coverage":
        problems.append(
            f"kind = {kind!r}: must be 'coverage' or 'module:attribute', the import path of a callable (case, text) -> score."
        )
    weights = spec.get("weights", DEFAULT_WEIGHTS)
    try:
        weights = read_weights(weights)
    except (ObjectiveError, TypeError, ValueError, AttributeError) as error:
        problems.append(str(error) if isinstance(error, ObjectiveError) else _bad_weights(weights))
    budget = spec.get("budget_words")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        problems.append(
            f"budget_words = {budget!r}: must be a whole number from 1 on; leave it out to score the whole text."
        )
    threshold = spec.get("threshold")
    if threshold is not None and (
        isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold < 1
    ):
        problems.append(
            f"threshold = {threshold!r}: must be a number between 0 and 1; leave it out for the calibrated one."
        )
        threshold = None
    matcher = None
    try:
        matcher = _matcher(spec.get("matcher", "lexical"), threshold)
    except ObjectiveError as error:
        problems.append(str(error))
    if problems:
        raise ObjectiveError("\n".join(problems))
    return CoverageObjective(weights=weights, budget_words=budget, matcher=matcher)


def _bad_weights(weights: object) -> str:
    return f"weights = {weights!r}: give five numbers, for levels 1 to 5, for instance [5, 4, 3, 2, 1]."


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{key}: no such key of the objective.{hint} Known keys: {', '.join(_KEYS)}."


def _matcher(spec: Any, threshold: float | None) -> Matcher:
    if isinstance(spec, str) and spec == "lexical":
        return LexicalMatcher(threshold=threshold)
    if not isinstance(spec, str | Mapping) and isinstance(spec, Matcher):
        return spec
    raise ObjectiveError(f"matcher = {spec!r}: must be one of {', '.join(_MATCHERS)}.")


def _custom(path: str) -> Objective:
    module_name, _, attribute = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        target: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise ObjectiveError(f"kind = {path!r}: module {module_name!r} cannot be imported: {error}.") from None
    try:
        for part in attribute.split("."):
            target = getattr(target, part)
    except AttributeError:
        raise ObjectiveError(f"kind = {path!r}: module {module_name!r} has no {attribute!r}.") from None
    if isinstance(target, type) and hasattr(target, "score"):
        target = target()
    if isinstance(target, Objective):
        return target
    if callable(target):
        return FunctionObjective(target)
    raise ObjectiveError(f"kind = {path!r}: must be a callable (case, text) -> score, or an objective.")
