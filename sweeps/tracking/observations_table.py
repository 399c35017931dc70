"""The table artifact of a child run: a row per generation, for people and for a later run of the sweep."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

from sweeps.tracking.metric_steps import KEYS

TABLE_FILE = "observations.json"

_FIRST = ("case", "seed", "score", "missed", "text", "covered", "stage", "lv12")  # the UI shows the first five
_OF_TEXTS = ("text", "thought", "covered", "missed")
_ALWAYS = ("finish", "words")
_LEFT_OUT = ("study", "configuration", "trial", "model", "prompt")


def readable_table(observations: pd.DataFrame, texts: pd.DataFrame | None) -> pd.DataFrame:
    """Make the table that a person reads: a row per generation, the score and the missed items first.

    Args:
        observations: A configuration's rows, ordered.
        texts: Their texts with `covered` and `missed` items (ids; lists or text), by `case`, `seed` and, where it has
            them, `stage`, `repeat` and `host`; None leaves the counts of the observations.

    Returns:
        The rows without columns that are the same in all of them, except the keys.
    """
    return pd.DataFrame(_readable(observations, texts))


def _readable(observations: pd.DataFrame, texts: pd.DataFrame | None) -> dict[str, list[object]]:
    """The readable table as lists by column: a data frame of this size takes longer to make than MLflow to store."""
    columns = {name: _plain(observations[name].tolist()) for name in observations.columns if name not in _LEFT_OUT}
    if texts is not None and len(texts):
        for name in ("covered", "items", "text"):
            columns.pop(name, None)
        columns |= _columns_of(texts, columns)
    first = [name for name in _FIRST if name in columns]
    rest = [name for name in columns if name not in first]
    informative = [name for name in rest if name in KEYS or name in _ALWAYS or len(set(columns[name])) > 1]
    return {name: columns[name] for name in (*first, *informative)}


def _columns_of(texts: pd.DataFrame, rows: dict[str, list[object]]) -> dict[str, list[object]]:
    """The columns of texts, in the order of the rows; None where a row has no text."""
    keys = [key for key in KEYS if key in texts.columns and key in rows]
    places: dict[tuple[object, ...], int] = {}
    for place, key in enumerate(zip(*(texts[name].tolist() for name in keys), strict=True)):
        places.setdefault(key, place)
    found = [places.get(key) for key in zip(*(rows[name] for name in keys), strict=True)]
    columns: dict[str, list[object]] = {}
    for name in (name for name in _OF_TEXTS if name in texts.columns):
        values: list[object] = texts[name].tolist()
        if name in ("covered", "missed"):
            values = [_listed(value) for value in values]
        columns[name] = [None if place is None else values[place] for place in found]
    return columns


def _plain(values: Iterable[object]) -> list[object]:
    """The values, with None for those that are missing, of which no two are equal."""
    return [None if value is pd.NA or value != value else value for value in values]


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set, frozenset)) else str(value or "")


def table_json(observations: pd.DataFrame, texts: pd.DataFrame | None) -> str:
    """Write the readable table as MLflow's own `log_table` does; that function cannot replace a table."""
    columns = _readable(observations, texts)
    data = list(zip(*columns.values(), strict=True))
    return json.dumps({"columns": list(columns), "data": data}, default=str, ensure_ascii=False)


def rows_of_table(text: str) -> pd.DataFrame:
    """Read a table of `table_json`.

    Raises:
        ValueError: If the text is no such table.
    """
    record = json.loads(text)
    try:
        return pd.DataFrame(record["data"], columns=record["columns"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a table of observations: {error}") from None
