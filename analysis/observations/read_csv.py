"""Tables of scores from files, as `sweeps judge` reads them: comma-separated ones, and what spreadsheets write.

Read are cells parted by commas, semicolons or tabs, as the header is, or as a first line `sep=;` says; in UTF-8, or in
UTF-16 with its byte order mark. Where cells are not parted by commas, numbers may have decimal commas.
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
"""Columns of a table of scores that hold names, whatever they look like."""

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "None", "NULL", "null", "<NA>", "#N/A"]
"""How other programs write that a number is missing."""

_NUMBERS = ("score", "temperature")
"""Columns by which it is told how numbers with decimals are written; nothing else that is judged has any."""

_NUMBER = re.compile(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*", re.IGNORECASE)
_SEPARATOR_LINE = re.compile(r"\"?sep=([^\w\"\r\n])\"?\r?(\n|$)", re.IGNORECASE)
_HEAD = 1 << 16
_PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")
_FROM_ONE = "the first row after the header is 1"


@dataclass(frozen=True)
class _Dialect:
    """How a file is written, as pandas calls it."""

    encoding: str = "utf-8"
    sep: str = ","
    skiprows: int = 0
    decimal: str = "."

    def read(self, path: Path, **how: Any) -> pd.DataFrame:
        import pandas as pd

        table: pd.DataFrame = pd.read_csv(path, **{**vars(self), **how})
        return table


def read_scores(path: Path) -> pd.DataFrame:
    """A table of scores. Labels stay as they are written: `0.80`, `007`, `0,8` and `None` are names like any other.

    Rows may end in a separator, as some programs write them. A column that the header names twice stands in the table
    twice.

    Raises:
        OSError: If the file cannot be read.
        TableError: If numbers are written in a way that may mean something else, or that is not read.
        ValueError: If it is no such table, or has rows with more cells than the header has names.
    """
    import pandas as pd

    with _told_of_encoding():
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
        raise ValueError(f"row {row} ({_FROM_ONE}) has more cells than the header has names, {len(header)}")
    table = table.iloc[:, : len(header)]
    # Categories keep a million rows small. They are made of texts: read as categories, `0.8` and `0.80` would be one.
    table = table.astype({name: "category" for name in table if name in LABELS})
    table.columns = pd.Index(header)
    _refuse_other_numbers(table)
    return table


@contextmanager
def _told_of_encoding() -> Iterator[None]:
    try:
        yield
    except UnicodeError:
        raise ValueError("it is not text in UTF-8; save it as CSV UTF-8 (comma or semicolon delimited)") from None


def _dialect(path: Path) -> _Dialect:
    """How a file is written, but for its numbers; a packed one is unpacked by pandas and has to be the usual one."""
    if path.suffix in _PACKED:
        return _Dialect()
    with path.open("rb") as file:
        head = file.read(_HEAD)
    encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    text = head.decode(encoding, errors="ignore")
    if "\0" in text:  # UTF-16 that does not say so, or no text at all
        raise UnicodeError
    if line := _SEPARATOR_LINE.match(text):
        return _Dialect(encoding, line[1], skiprows=1)
    return _Dialect(encoding, _separator(text))


def _separator(text: str) -> str:
    """What parts a header's cells: that by which it has the names that are needed, else whatever parts it at all."""
    headers = {separator: _first_row(text, separator) for separator in (",", ";", "\t")}
    for separator, cells in headers.items():
        if set(REQUIRED_COLUMNS) <= set(cells):
            return separator
    if len(headers[","]) > 1:
        return ","
    return max(headers, key=lambda separator: len(headers[separator]))


def _first_row(text: str, separator: str) -> list[str]:
    try:
        return next((row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row), [])
    except csv.Error:  # a cell longer than any name
        return []


def _with_decimal(dialect: _Dialect, table: pd.DataFrame) -> _Dialect:
    """The dialect with the decimal mark that the numbers of a table of texts have.

    Raises:
        TableError: If some have a point and others a comma.
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
    """Refuse scores that a person reads as numbers and this program does not, with what to write instead."""
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
            why = "; decimal commas are read where semicolons or tabs part the cells"
        raise TableError(f"score {cell!r} in row {row} ({_FROM_ONE}) is not a number: write {meant}{why}")
