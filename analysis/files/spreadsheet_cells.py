"""Texts that a spreadsheet would run as a formula.

Texts of models and names of files may begin with `=`, `+`, `-` or `@`. In CSV files that we write, such a cell begins
with an apostrophe, which spreadsheets take as the sign of a text. Our readers take it away again. Numbers stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"\s*'*\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r]")
_NUMBER = re.compile(r"\s*[+-]?(\d[\d.,]*|\.\d+)(e[+-]?\d+)?%?\s*|[+-]?(inf|infinity|nan)", re.IGNORECASE)


def harmless(cell: Any) -> Any:
    """Return a cell to write: a text that looks like a formula gets an apostrophe; everything else is unchanged."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def as_written(cell: Any) -> Any:
    """Return a cell that was read without the apostrophe of `harmless`."""
    if isinstance(cell, str) and cell.startswith("'") and harmless(cell[1:]) == cell:
        return cell[1:]
    return cell


def harmless_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table to write as CSV, with `harmless` on every cell that is no number."""
    return _mapped(table, harmless)


def table_as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was read from CSV without the apostrophes of `harmless_table`."""
    return _mapped(table, as_written)


def _mapped(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    table = table.copy()
    for place, kind in enumerate(table.dtypes):  # by place: a header may name a column twice
        if is_numeric_dtype(kind) or is_bool_dtype(kind):
            continue
        column = table.iloc[:, place]
        texts = column.astype(object)
        changed = texts.map(change)
        if not changed.equals(texts):
            table.isetitem(place, changed.to_numpy())
    return table
