"""Tables of scores from CSV files, also as spreadsheets write them.

Cells are separated by commas, semicolons or tabs, or by the separator that a first line such as `sep=;` names. The
encoding is UTF-8, or UTF-16 with its byte order mark. Where the separator is no comma, numbers may have decimal commas.

The separator is found by the names of the required columns. General detectors do not know these: csv.Sniffer, pandas
(`sep=None`), clevercsv and charset-normalizer each misread some of the tables in our tests, so none of them is used.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.observations.table import REQUIRED_COLUMNS, TableError

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("configuration", "case", "stage", "host")
"""Columns that hold names, whatever these look like."""

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "None", "NULL", "null", "<NA>", "#N/A"]
"""Texts for a missing number, as other programs write them."""

_NUMBERS = ("score", "temperature")
"""Columns with decimals: they show which decimal mark a file has."""

_NUMBER = re.compile(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(r"\"?sep=([^\w\"\r\n])\"?\r?(\n|$)", re.IGNORECASE)
_HEAD = 1 << 16
_PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")
_FROM_ONE = "the first row after the header is 1"


@dataclass(frozen=True)
class _Dialect:
    """The dialect of a file, in the words of `pandas.read_csv`."""

    encoding: str = "utf-8"
    sep: str = ","
    skiprows: int = 0
    decimal: str = "."

    def read(self, path: Path, **how: Any) -> pd.DataFrame:
        """Read a file in this dialect."""
        import pandas as pd

        table: pd.DataFrame = pd.read_csv(path, **{**vars(self), **how})
        return table


def read_scores(path: Path) -> pd.DataFrame:
    """Read a table of scores.

    Labels stay as they are written: `0.80`, `007`, `0,8` and `None` are names like any other. Rows may end in a
    separator. A column that the header names twice is in the table twice.

    Args:
        path: A CSV file, possibly packed (`.gz`, `.zip` and the like).

    Returns:
        The table, with the columns in the order of the header; columns of `LABELS` are categories.

    Raises:
        OSError: The file cannot be read.
        TableError: Numbers are written in an ambiguous way, or in one that is not read.
        ValueError: The file is no such table, or a row has more cells than the header has names.
    """
    import pandas as pd

    with _refusing_encodings():
        dialect = _dialect(path)
        top = dialect.read(path, header=None, dtype=str, keep_default_na=False, nrows=1)
        header = [str(name) for name in top.iloc[0]]
        first = dialect.read(path, dtype=str, keep_default_na=False, nrows=1)
        # Cells beyond the header would be taken for row labels, and every column for the one before it.
        beyond = 0 if isinstance(first.index, pd.RangeIndex) or first.empty else first.index.nlevels
        names = [*map(str, first.columns), *(f"beyond the header {i}" for i in range(beyond))]
        text = [name for name in names if name in LABELS or name not in first]
        how: dict[str, Any] = {"header": 0, "names": names, "index_col": False, "keep_default_na": False}
        if dialect.sep != ",":
            dialect = _with_decimal(dialect, dialect.read(path, **how, dtype=str))
        table = dialect.read(
            path,
            **how,
            dtype=dict.fromkeys(text, str),
            na_values={name: [""] if name in text else MISSING for name in names},
            low_memory=False,
        )
    spare = table.iloc[:, len(header) :]
    if spare.notna().any(axis=None):
        row = int(spare.notna().any(axis=1).to_numpy().argmax()) + 1
        raise ValueError(
            f"row {row} ({_FROM_ONE}) has more cells than the header has names, {len(header)}: name all columns, or "
            "drop the extra cells"
        )
    table = table.iloc[:, : len(header)]
    # Categories keep a million rows small. They are made of texts: read as categories, `0.8` and `0.80` would be one.
    table = table.astype({name: "category" for name in table if name in LABELS})
    table.columns = pd.Index(header)
    _refuse_other_numbers(table)
    return table


@contextmanager
def _refusing_encodings() -> Iterator[None]:
    """Turn an error of decoding into a message that says what to do."""
    try:
        yield
    except UnicodeError:
        raise ValueError("it is not text in UTF-8; save it as CSV UTF-8 (comma or semicolon delimited)") from None


def _dialect(path: Path) -> _Dialect:
    """Return the dialect of a file without its decimal mark; a packed file must be UTF-8 with commas."""
    if path.suffix in _PACKED:
        return _Dialect()
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    text = head.decode(encoding, errors="ignore")
    if "\0" in text:  # UTF-16 without its mark, or no text at all
        raise UnicodeError
    if line := _SEPARATOR_LINE.match(text):
        return _Dialect(encoding, line[1], skiprows=1)
    return _Dialect(encoding, _separator(text))


def _separator(text: str) -> str:
    """Return the cell separator: the one that yields the required columns, otherwise any that splits the header."""
    headers = {separator: _first_row(text, separator) for separator in (",", ";", "\t")}
    for separator, cells in headers.items():
        if set(REQUIRED_COLUMNS) <= set(cells):
            return separator
    if len(headers[","]) > 1:
        return ","
    return max(headers, key=lambda separator: len(headers[separator]))


def _first_row(text: str, separator: str) -> list[str]:
    """Return the cells of the first row that is not empty."""
    try:
        return next((row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row), [])
    except csv.Error:  # a cell longer than any name
        return []


def _with_decimal(dialect: _Dialect, table: pd.DataFrame) -> _Dialect:
    """Return the dialect with the decimal mark of the numbers in a table of texts.

    Raises:
        TableError: Some numbers have a point and others a comma.
    """
    found: dict[str, str] = {}
    for name in _NUMBERS:
        if name not in table:
            continue
        cells = table[name].fillna("")
        numbers = cells[cells.str.fullmatch(_NUMBER.pattern, flags=_NUMBER.flags)]
        for mark in (".", ","):
            having = numbers[numbers.str.contains(mark, regex=False)]
            if len(having) and mark not in found:
                found[mark] = f"{name} {having.iloc[0]!r} in row {int(having.index[0]) + 1}"
    if len(found) == 2:
        raise TableError(
            f"{found['.']} has a point, and {found[',']} has a comma ({_FROM_ONE}): write all numbers with the same"
            " decimal mark, and none for thousands"
        )
    return replace(dialect, decimal=next(iter(found), "."))


def _refuse_other_numbers(table: pd.DataFrame) -> None:
    """Refuse scores such as `51%` or `0,51`, which a person reads as numbers, and say how to write them."""
    import pandas as pd

    scores = table.get("score")
    if not isinstance(scores, pd.Series) or pd.api.types.is_numeric_dtype(scores):
        return
    for row, cell in enumerate(scores.astype(str), 1):
        plain = cell.strip().rstrip("%").strip()
        if not _NUMBER.fullmatch(plain) or not {"%", ","} & set(cell):
            continue
        try:
            value = float(plain.replace(",", "."))
        except ValueError:
            continue
        meant = f"{value / 100 if '%' in cell else value:g}"
        why = ""
        if "," in plain:
            why = "; decimal commas are read where semicolons or tabs separate the cells"
        raise TableError(f"score {cell!r} in row {row} ({_FROM_ONE}) is not a number: write {meant}{why}")
