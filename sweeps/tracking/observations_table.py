"""The table artifact of a child run: a row per generation, for people and for a later run of the sweep."""

from __future__ import annotations

import json

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
    rows = observations.drop(columns=[name for name in _LEFT_OUT if name in observations.columns])
    if texts is not None and len(texts):
        keys = [key for key in KEYS if key in texts.columns and key in rows.columns]
        extra = texts[[*keys, *(name for name in _OF_TEXTS if name in texts.columns)]].copy()
        for name in ("covered", "missed"):
            if name in extra.columns:
                extra[name] = extra[name].map(_listed)
        rows = rows.drop(columns=[name for name in ("covered", "items", "text") if name in rows.columns])
        rows = rows.merge(extra.drop_duplicates(keys), on=keys, how="left", sort=False)
    first = [name for name in _FIRST if name in rows.columns]
    rest = [name for name in rows.columns if name not in first]
    informative = [name for name in rest if name in KEYS or name in _ALWAYS or _varies(rows[name])]
    return rows[[*first, *informative]]


def _varies(column: pd.Series) -> bool:
    return len(column.unique()) > 1


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, set, frozenset)) else str(value or "")


def table_json(observations: pd.DataFrame, texts: pd.DataFrame | None) -> str:
    """Write the readable table as MLflow's own `log_table` does; that function cannot replace a table."""
    return str(readable_table(observations, texts).to_json(orient="split", index=False, date_format="iso"))


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
