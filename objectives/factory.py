"""An objective from the `[objective]` table of a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from objectives.coverage import DEFAULT_WEIGHTS, SCORES, CoverageObjective, Objective, read_weights
from objectives.custom_import import own_objective
from objectives.hints import did_you_mean
from objectives.matchers.base import Matcher, ObjectiveError
from objectives.matchers.lexical import LexicalMatcher
from objectives.matchers.model_access import ModelAccess, NoModels

_KEYS = ("name", "kind", "weights", "budget_words", "matcher", "threshold", "score")
_MATCHERS = {
    "lexical": ("kind",),
    "embedding": ("kind", "model", "host", "gguf", "midpoint", "slope"),
    "judge": ("kind", "model", "host", "votes"),
}


def make_objective(
    spec: Mapping[str, Any] | None = None, *, models: ModelAccess | None = None, directory: Path | None = None
) -> Objective:
    """Build an objective.

    Args:
        spec: The table's keys, all optional. `kind` or `name` is "coverage", or "module:attribute" for a user-defined
            callable or objective. `weights` are five numbers for levels 1..5, or a table level -> weight. `matcher` is
            "lexical", a table with `kind` and the matcher's settings, or a matcher object. `threshold` is the
            probability in (0, 1) from which an item counts as covered. `budget_words` and `score` are as in
            `CoverageObjective`.
        models: How matchers reach models; without it, a matcher that asks one fails at the first text.
        directory: Folder to search for a user's module before the working directory.

    Raises:
        ObjectiveError: With every problem of `spec` on a line of its own: key, value and remedy.
    """
    spec = dict(spec or {})
    problems = [_unknown(key, _KEYS, "the objective") for key in spec if key not in _KEYS]
    kind = spec.get("kind", spec.get("name", "coverage"))
    if isinstance(kind, str) and ":" in kind:
        if problems:
            raise ObjectiveError("\n".join(problems))
        return own_objective(kind, [*([] if directory is None else [directory]), Path.cwd()])
    if kind != "coverage":
        problems.append(
            f"kind = {kind!r}: must be 'coverage', or 'module:attribute', the import path of a callable "
            "(case, text) -> score."
        )
    weights = _weights(spec.get("weights", DEFAULT_WEIGHTS), problems)
    budget = spec.get("budget_words")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
        problems.append(
            f"budget_words = {budget!r}: must be a whole number, 1 or more; leave it out to score the whole text."
        )
    threshold = spec.get("threshold")
    if threshold is not None and not _is_share(threshold):
        problems.append(
            f"threshold = {threshold!r}: must be a number between 0 and 1; leave it out for the calibrated one."
        )
        threshold = None
    score = spec.get("score", "expected")
    if score not in SCORES:
        problems.append(
            f"score = {score!r}: must be 'expected' or 'counted'. {did_you_mean(str(score), SCORES)}".rstrip()
        )
    matcher = None
    try:
        matcher = _matcher(spec.get("matcher", "lexical"), threshold, models)
    except ObjectiveError as error:
        problems.append(str(error))
    if problems:
        raise ObjectiveError("\n".join(problems))
    return CoverageObjective(weights=weights, budget_words=budget, matcher=matcher, score=score)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1


def _weights(given: Any, problems: list[str]) -> dict[int, float]:
    try:
        return read_weights(given)
    except ObjectiveError as error:
        problems.append(str(error))
    except (TypeError, ValueError, AttributeError):
        problems.append(f"weights = {given!r}: give five numbers, for levels 1 to 5, for instance [5, 4, 3, 2, 1].")
    return read_weights(DEFAULT_WEIGHTS)


def _unknown(key: str, known: Sequence[str], owner: str) -> str:
    return f"{key}: no such key of {owner}. {did_you_mean(key, known)}Known keys: {', '.join(known)}."


def _matcher(spec: Any, threshold: float | None, models: ModelAccess | None) -> Matcher:
    if not isinstance(spec, str | Mapping):
        if isinstance(spec, Matcher):
            return spec
        raise ObjectiveError(f"matcher = {spec!r}: must be one of {', '.join(_MATCHERS)}, or a table with kind.")
    table = {"kind": spec} if isinstance(spec, str) else dict(spec)
    kind = table.get("kind", "lexical")
    if kind not in _MATCHERS:
        hint = did_you_mean(kind, _MATCHERS)
        raise ObjectiveError(f"matcher = {kind!r}: must be one of {', '.join(_MATCHERS)}. {hint}".rstrip())
    wrong = [_unknown(key, _MATCHERS[kind], f"the {kind} matcher") for key in table if key not in _MATCHERS[kind]]
    if kind != "lexical" and not (table.get("model") or table.get("gguf")):
        also = ", or gguf = the path of an embedding model" if kind == "embedding" else ""
        wrong.append(f"matcher = {kind!r}: needs model = the name of a model that the Ollama server has{also}.")
    wrong += [
        f"matcher.{key} = {table[key]!r}: must be a number; leave it out for the default."
        for key in ("midpoint", "slope")
        if key in table and (isinstance(table[key], bool) or not isinstance(table[key], int | float))
    ]
    if wrong:
        raise ObjectiveError("\n".join(wrong))
    return _BUILDERS[kind](table, threshold, models or NoModels())


def _lexical(table: Mapping[str, Any], threshold: float | None, models: ModelAccess) -> Matcher:  # noqa: ARG001
    return LexicalMatcher(threshold=threshold)


def _embedding(table: Mapping[str, Any], threshold: float | None, models: ModelAccess) -> Matcher:
    from objectives.matchers import embedding

    if table.get("gguf"):
        path = Path(table["gguf"])
        if not path.is_file():
            raise ObjectiveError(f"matcher.gguf = {table['gguf']!r}: no such file; give an embedding model's path.")
        embed, model = models.gguf_embedder(path), path.name
    else:
        embed, model = models.embedder(table["model"], table.get("host")), str(table["model"])
    return embedding.EmbeddingMatcher(
        embed,
        model=model,
        midpoint=table.get("midpoint", embedding.MIDPOINT),
        slope=table.get("slope", embedding.SLOPE),
        threshold=0.5 if threshold is None else threshold,
    )


def _judge(table: Mapping[str, Any], threshold: float | None, models: ModelAccess) -> Matcher:
    from objectives.matchers import judge

    chat = models.chat_json(table["model"], table.get("host"))
    share = 0.5 if threshold is None else threshold
    return judge.JudgeMatcher(chat, votes=table.get("votes", 3), model=str(table["model"]), threshold=share)


_BUILDERS = {"lexical": _lexical, "embedding": _embedding, "judge": _judge}
