"""Trials of Optuna, as `study.trials_dataframe()` has them.

A search visits settings for their scores, so its trials are marked as a search: a verdict on them warns of that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.files.records import rows_of
from analysis.sources.answer import Answer, facts_of

STEP = "step"
"""The name by which `case=step` asks for a case per step: the values that trials reported on the way."""

_INTERMEDIATE = re.compile(r"intermediate_values_(-?\d+)")


def answers(path: Path, columns: Mapping[str, str]) -> Iterator[Answer]:
    """Yield the trials of one saved table.

    Raises:
        ValueError: The file has no trials.
    """
    return of_trials(rows_of(path.read_bytes(), str(path)), columns)


def of_trials(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Iterator[Answer]:
    """Yield the trials that have a value or failed; facts are their parameters, and user attributes that are asked for.

    Args:
        rows: Trials with columns `value` or `values_N`, `params_NAME`, `user_attrs_NAME`, `state`.
        columns: The mapping that `answer.table_of` gets; with `case=step` each intermediate value is an answer.

    Raises:
        ValueError: There are no trials.
    """
    if not any("number" in row and "state" in row for row in rows):
        raise ValueError("it has no trials of Optuna (columns number, state, params_NAME)")
    asked = {name.strip() for theirs in columns.values() for name in (theirs, *theirs.split("+"))}
    by_step = columns.get("case") == STEP
    for row in rows:
        state = str(row.get("state", "")).removeprefix("TrialState.")
        if state not in ("COMPLETE", "FAIL") and not (by_step and state == "PRUNED"):
            continue
        told = {name: value for name, value in _below(row, "user_attrs_").items() if name in asked}
        facts = facts_of({**_below(row, "params_"), **told})
        if not facts and any(_below(other, "params_") for other in rows):
            continue  # it failed before it had parameters
        scores = {name: row[name] for name in row if name == "value" or name.startswith("values_")}
        made = {"failed": state == "FAIL", "stage": "search"}
        if not by_step:
            yield Answer("", facts, "all", scores, **made)  # type: ignore[arg-type]
            continue
        for name, value in row.items():
            if (step := _INTERMEDIATE.fullmatch(name)) and not _missing(value):
                yield Answer("", {**facts, STEP: step[1]}, step[1], {"value": value}, **made)  # type: ignore[arg-type]


def _missing(value: Any) -> bool:
    return value in ("", None) or (isinstance(value, float) and math.isnan(value))


def _below(row: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name.removeprefix(start): value for name, value in row.items() if name.startswith(start)}
