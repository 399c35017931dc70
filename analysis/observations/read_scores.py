"""Tables of scores from CSV, TSV, JSON and JSONL files, by column names of the file's own.

`read_scores` says in `table.attrs["notes"]` how it read what a person might read in another way.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.files.columns import ColumnsError, their_columns
from analysis.files.records import ENDINGS, flat, lists_of_records, parse_json
from analysis.files.score_words import score_words, score_words_note
from analysis.observations.read_csv import LABELS, read_csv, refuse_other_numbers, with_joint_columns
from analysis.observations.table import REQUIRED_COLUMNS, TableError

if TYPE_CHECKING:
    import pandas as pd

OUR_COLUMNS = (*REQUIRED_COLUMNS, "repeat", "host", "stage", "temperature", "finish", "text_sha256")
"""Our names of columns, which may stand on the left of `--columns`."""

_REPEATS = ("epoch", "repetition", "replicate", "repeat", "rep", "run", "try", "attempt", "sample")
"""Columns that may be the seed by another name."""


def read_scores(path: Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a table of scores.

    Scores may be words such as pass and fail. Without a column of seeds, the rows of one configuration and case are
    numbered.

    Args:
        path: A CSV or TSV file (see `read_csv`), or JSON records: a list of objects, JSONL, or an object with one list
            that has the columns. Inner objects have names such as `metrics.score`.
        columns: Our names of columns (`OUR_COLUMNS`) with those of the file, such as `{"case": "sample_id"}`; several
            columns make one label by `model+prompt`. By default the names agree.

    Returns:
        The table by our names; columns of `LABELS` are categories. `attrs["notes"]` lists how it was read.

    Raises:
        OSError: The file cannot be read.
        TableError: A column is not there, or scores are written in an ambiguous way.
        ValueError: The file is no such table.
    """
    table = _read_records(path, columns or {}) if path.suffix.lower() in ENDINGS else read_csv(path, columns)
    return finished(table)


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without empty rows at its end, with numbers for words, seeds for all rows and short labels."""
    notes: list[str] = []
    table = _without_empty_end(table)
    # Categories keep a million rows small. They are made of texts: read as categories, `0.8` and `0.80` would be one.
    table = table.copy(deep=False)
    for name in LABELS:
        if (table.columns == name).sum() == 1:
            table[name] = table[name].astype("category")
    if (table.columns == "score").sum() == 1:
        table = _with_numbers(table, notes)
        refuse_other_numbers(table)
    if "seed" not in table and {"configuration", "case", "score"} <= set(table.columns) and not _other_seed(table):
        groups = [name for name in ("configuration", "case", "host") if name in table]
        table["seed"] = table.groupby(groups, observed=True, dropna=False).cumcount() + 1
        if (most := int(table["seed"].max() if len(table) else 1)) == 1:
            notes.append("the table has no column of seeds: each row counts as a draw of its own")
        else:
            notes.append(
                "the table has no column of seeds: rows of one configuration and case count as separate draws,"
                f" at most {most}"
            )
    table.attrs = {"notes": notes}
    return table


def _without_empty_end(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the rows of empty cells at its end, which spreadsheets leave there."""
    filled = table.notna().any(axis=1).to_numpy()
    last = int(filled.nonzero()[0][-1]) + 1 if filled.any() else 0
    if last == len(table):
        return table
    table = table.iloc[:last].copy()
    for name in table.columns[table.dtypes == "float64"].unique():
        column = table[name]
        if column.ndim == 1 and name != "score" and column.notna().all() and (column % 1 == 0).all():
            table[name] = column.astype("int64")  # the empty cells had made them floats
    return table


def _with_numbers(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return a table whose scores are numbers where all of them are words for numbers."""
    import pandas as pd

    scores = table["score"]
    boolean = pd.api.types.is_bool_dtype(scores)
    if pd.api.types.is_numeric_dtype(scores) and not boolean:
        return table
    texts = scores.map(str, na_action="ignore")
    words = texts[texts.notna() & (texts.str.strip() != "")].unique()
    numbers = score_words(words)
    if numbers is None:
        return table
    notes.append(score_words_note(numbers))
    return table.assign(score=texts.map(numbers).astype("float64"))


def _other_seed(table: pd.DataFrame) -> bool:
    """Say whether some column may hold the seeds by another name, so that a person should choose."""
    names = [str(name).casefold() for name in table.columns]
    return bool(set(names) & set(_REPEATS)) or bool(difflib.get_close_matches("seed", names, n=1, cutoff=0.7))


def _read_records(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read records from JSON or JSONL."""
    import pandas as pd

    wanted = [name for ours in ("case", "score") for name in columns.get(ours, ours).split("+")]
    lists = [
        (at, [flat(row) for row in rows]) for at, rows in lists_of_records(parse_json(path.read_bytes(), str(path)))
    ]
    if not lists:
        raise ValueError("it holds no list of records; give a list of objects with the columns of a table")
    having = [(at, rows) for at, rows in lists if all(any(name in row for row in rows) for name in wanted)]
    if len(having) > 1:
        raise ValueError(f"several of its lists have the columns: {', '.join(repr(at) for at, _ in having)}; keep one")
    rows = having[0][1] if having else max(lists, key=lambda each: len(each[1]))[1]
    table = pd.DataFrame(rows)
    try:
        found = their_columns(columns, [str(name) for name in table.columns])
    except ColumnsError as error:
        raise TableError(str(error)) from None
    texts = {name for ours, names in found.items() if ours in LABELS or len(names) > 1 for name in names}
    for name in texts | (set(LABELS) & set(table.columns)):
        table[name] = table[name].map(_text, na_action="ignore")
    apart = {name: f"{name} of the file" for name in found if name in table}  # our names, as the file uses them
    joint = {ours: [apart.get(name, name) for name in names] for ours, names in found.items()}
    return with_joint_columns(table.rename(columns=apart), joint)


def _text(value: Any) -> str:
    """Return a label as JSON writes it; texts stay as they are."""
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
