"""Results of MLflow: tables of `search_runs`, and results of `genai.evaluate` or of `evaluate`.

A table of runs has a row per run, with columns `params.NAME` and `metrics.NAME`. Results of an evaluation have a row
per sample, with columns `NAME/value` (`genai`) or `NAME/v1/score` (`evaluate`).
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.files.records import rows_of
from analysis.sources.answer import Answer, facts_of

CASES = ("case", "sample", "sample_id", "question_id", "item")
"""Parameters that hold the case, unless a mapping of columns names another."""

SEEDS = ("seed", "random_seed", "random_state", "epoch", "repeat")
"""Parameters that hold the seed, likewise."""

_WITHOUT_CASE = "all"


def answers(path: Path) -> Iterator[Answer]:
    """Yield the rows of one saved table.

    Raises:
        ValueError: The file has neither runs nor results of an evaluation.
    """
    rows = rows_of(path.read_bytes(), str(path))
    names = list(dict.fromkeys(name for row in rows for name in row))
    if any(name.startswith("metrics.") for name in names):
        return of_runs(rows)
    if any(name.endswith(("/value", "/score")) for name in names):
        return _of_evaluation(rows, path.stem)
    raise ValueError("it has neither runs of MLflow (columns metrics.NAME) nor results of evaluate (NAME/value)")


def of_runs(rows: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
    """Yield a table of `search_runs`: one answer per run, its parameters as facts, its metrics as scores."""
    names = {name.removeprefix("params.") for row in rows for name in row if name.startswith("params.")}
    case = next((name for name in CASES if name in names), None)
    seed = next((name for name in SEEDS if name in names), None)
    for row in rows:
        facts = facts_of(_below(row, "params."))
        if not facts and row.get("tags.mlflow.runName"):
            facts = {"run": str(row["tags.mlflow.runName"])}
        yield Answer(
            run="",
            facts={name: value for name, value in facts.items() if name not in (case, seed)},
            case=facts.get(case, _WITHOUT_CASE) if case else _WITHOUT_CASE,
            scores=_below(row, "metrics."),
            repeat=facts.get(seed) if seed else None,
            failed=str(row.get("status", "FINISHED")) in ("FAILED", "KILLED"),
        )


def _below(row: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name.removeprefix(start): value for name, value in row.items() if name.startswith(start)}


def _of_evaluation(rows: Sequence[Mapping[str, Any]], run: str) -> Iterator[Answer]:
    """Yield the samples of one evaluation; the configuration is the file's name."""
    for number, row in enumerate(rows, 1):
        scores = {
            name.rpartition("/")[0].removesuffix("/v1"): value
            for name, value in row.items()
            if name.endswith(("/value", "/score"))
        }
        asked = next((row[name] for name in ("request", "inputs", "question") if row.get(name)), None)
        yield Answer(run, {"run": run}, case_of(asked) or f"row {number}", scores, failed=row.get("state") == "ERROR")


def case_of(asked: Any) -> str:
    """Return the name of a sample: the values of its inputs."""
    if isinstance(asked, str):
        try:
            asked = (
                json.loads(asked) if asked.startswith(('{"', '"')) else ast.literal_eval(asked)
            )  # JSON, or pandas' CSV
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # all that `literal_eval` may raise
            return str(asked)
    if isinstance(asked, Mapping):
        return ", ".join(str(value) for value in asked.values())
    return "" if asked is None else str(asked)
