"""Tables of scores from CSV files, also as spreadsheets write them.

Cells are separated by commas, semicolons or tabs, or by the separator that a first line such as `sep=;` names. The
encoding is UTF-8, or UTF-16 with its byte order mark. Where the separator is no comma, numbers may have decimal commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.files.columns import ColumnsError, their_columns
from analysis.files.encodings import decode
from analysis.files.layout import MISSING, Layout, layout
from analysis.files.spreadsheet_cells import table_as_written
from analysis.observations.table import REQUIRED_COLUMNS, TableError

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("configuration", "case", "stage", "host")
"""Columns that hold names, whatever these look like."""

_NUMBERS = ("score", "temperature")
"""Columns with decimals: they show which decimal mark a file has."""

_NUMBER = re.compile(r"\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*", re.IGNORECASE)
_HEAD = 1 << 16
_PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar")
_FROM_ONE = "the first row after the header is 1"


@dataclass(frozen=True)
class _Dialect(Layout):
    """The layout of a file with its decimal mark, in the words of `pandas.read_csv`."""

    decimal: str = "."

    def read(self, path: Path, **how: Any) -> pd.DataFrame:
        """Read a file in this dialect."""
        import pandas as pd

        table: pd.DataFrame = pd.read_csv(path, **{**vars(self), **how})
        return table


def read_csv(path: Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a table of scores.

    Labels stay as they are written: `0.80`, `007`, `0,8` and `None` are names like any other. Rows may end in a
    separator. A column that the header names twice is in the table twice.

    Args:
        path: A CSV file, possibly packed (`.gz`, `.zip` and the like).
        columns: Our names of columns with those of the file; see `analysis.files.columns`. By default these agree.

    Returns:
        The table, with the columns in the order of the header, by our names; labels are texts.

    Raises:
        OSError: The file cannot be read.
        TableError: Numbers are written in an ambiguous way, or a column of `columns` is not there.
        ValueError: The file is no such table, or a row has more cells than the header has names.
    """
    import pandas as pd

    with _refusing_encodings(path):
        dialect = _dialect(path, columns or {})
        top = dialect.read(path, header=None, dtype=str, keep_default_na=False, nrows=1)
        header, joint = _our_names([str(name) for name in top.iloc[0]], columns or {})
        first = dialect.read(path, dtype=str, keep_default_na=False, nrows=1)
        # Cells beyond the header would be taken for row labels, and every column for the one before it.
        beyond = 0 if isinstance(first.index, pd.RangeIndex) or first.empty else first.index.nlevels
        spare_names = [f"beyond the header {i}" for i in range(beyond)]
        names = [*_unique(header), *spare_names]
        parts = {name for several in joint.values() for name in several}
        text = [name for name in names if name in LABELS or name in parts or name in spare_names]
        how: dict[str, Any] = {"header": 0, "names": names, "index_col": False, "keep_default_na": False}
        if dialect.sep != ",":
            dialect = _with_decimal(dialect, dialect.read(path, **how, dtype=str))
        table = dialect.read(
            path,
            **how,
            dtype=dict.fromkeys(text, str),
            na_values={name: [""] if name in text else list(MISSING) for name in names},
            low_memory=False,
        )
    _refuse_cells_beyond(table, len(header))
    table = table_as_written(table.iloc[:, : len(header)])
    table.columns = pd.Index(header)
    return with_joint_columns(table, joint)


def _our_names(header: list[str], columns: Mapping[str, str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the header in our names, and the columns of ours that are made of others afterwards."""
    try:
        found = their_columns(columns, header)
    except ColumnsError as error:
        raise TableError(str(error)) from None
    used = [name for names in found.values() for name in names]
    single = {names[0]: ours for ours, names in found.items() if len(names) == 1 and used.count(names[0]) == 1}
    joint = {ours: names for ours, names in found.items() if ours not in single.values()}
    renamed = [single.get(name) or (f"{name} of the file" if name in found else name) for name in header]
    kept = dict(zip(header, renamed, strict=True))
    return renamed, {ours: [kept[name] for name in names] for ours, names in joint.items()}


def with_joint_columns(table: pd.DataFrame, joint: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return a table with the columns that are made of one or several others."""
    from analysis.files.columns import joined

    for ours, names in joint.items():
        if len(names) == 1:
            table = table.assign(**{ours: table[names[0]]})
            continue
        rows = table[list(names)].fillna("").astype(str).itertuples(index=False, name=None)
        table = table.assign(**{ours: [joined(names, row) for row in rows]})
    return table


def _unique(header: Sequence[str]) -> list[str]:
    """Return names that pandas accepts: one that comes again gets a number."""
    return [name if name not in header[:i] else f"{name} again {i}" for i, name in enumerate(header)]


def _refuse_cells_beyond(table: pd.DataFrame, width: int) -> None:
    """Refuse rows with more filled cells than the header has names."""
    spare = table.iloc[:, width:]
    if spare.notna().any(axis=None):
        row = int(spare.notna().any(axis=1).to_numpy().argmax()) + 1
        raise ValueError(
            f"row {row} ({_FROM_ONE}) has more cells than the header has names, {width}: name all columns, or "
            "drop the extra cells"
        )


@contextmanager
def _refusing_encodings(path: Path) -> Iterator[None]:
    """Turn an error of decoding into a message that names the encoding and says what to do."""
    try:
        yield
    except UnicodeError:
        if path.suffix not in _PACKED:
            decode(path.read_bytes(), str(path))
        raise ValueError("it is not text in UTF-8; save it as CSV UTF-8 (comma or semicolon delimited)") from None


def _dialect(path: Path, columns: Mapping[str, str]) -> _Dialect:
    """Return the dialect of a file without its decimal mark; a packed file must be UTF-8 with commas."""
    if path.suffix in _PACKED:
        return _Dialect()
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        form = layout(head, [columns.get(name, name) for name in REQUIRED_COLUMNS], tabs=_tabs(path))
    except ValueError:  # zero bytes: the whole file shows its encoding better
        raise UnicodeError from None
    return _Dialect(**vars(form))


def _tabs(path: Path) -> bool:
    return path.suffix.lower() in (".tsv", ".tab")


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


def refuse_other_numbers(table: pd.DataFrame) -> None:
    """Refuse scores such as `51%` or `0,51`, which a person reads as numbers, and say how to write them."""
    import pandas as pd

    scores = table.get("score")
    if not isinstance(scores, pd.Series) or pd.api.types.is_numeric_dtype(scores):
        return
    for row, cell in enumerate(scores.fillna("").astype(str), 1):  # a missing score is none
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
