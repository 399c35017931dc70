"""How a table's text is laid out: the encoding, the cell separator, and a first line such as `sep=;`.

The separator is found by the names of the required columns. General detectors do not know these: csv.Sniffer, pandas
(`sep=None`), clevercsv and charset-normalizer each misread some of the tables in our tests, so none of them is used.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.files.encodings import decode, decode_marked, marked

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "None", "NULL", "null", "<NA>", "#N/A")
"""Texts for a missing value, as other programs write them."""

SEPARATORS = (",", ";", "\t")
_SEPARATOR_LINE = re.compile(r"\"?sep=([^\w\"\r\n])\"?\r?(\n|$)", re.IGNORECASE)
_UNNAMED = re.compile(r"(Unnamed: \d+)?")


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    Attributes:
        encoding: Python's name: `utf-8`, `utf-8-sig` or `utf-16`.
        sep: The cell separator, one character.
        skiprows: 1 where a first line names the separator, otherwise 0.
    """

    encoding: str = "utf-8"
    sep: str = ","
    skiprows: int = 0


def layout(head: bytes, required: Iterable[str], *, tabs: bool = False) -> Layout:
    """Return the layout of a table.

    Args:
        head: The first bytes of the file, with the whole header.
        required: Names of columns that the header must have.
        tabs: The file's ending says that tabs separate its cells (`.tsv`).

    Raises:
        NotUtf8Error: The head has zero bytes, as UTF-16 without its byte order mark has.
    """
    encoding = "utf-16" if marked(head) == "utf_16" else "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    text = head.decode(encoding, errors="ignore")
    if "\0" in text:
        decode(head)
    if line := _SEPARATOR_LINE.match(text):
        return Layout(encoding, line[1], skiprows=1)
    return Layout(encoding, "\t" if tabs else _separator(text, required))


def _separator(text: str, required: Iterable[str]) -> str:
    """Return the cell separator: the one that yields the required columns, otherwise any that splits the header."""
    headers = {separator: _first_row(text, separator) for separator in SEPARATORS}
    wanted = {name.casefold() for name in required}
    for separator, cells in headers.items():
        if wanted <= {cell.strip().casefold() for cell in cells}:
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


def cells(data: bytes, name: str, required: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the rows of a table as texts, each with its line in the file, from 1.

    Empty rows are left out, and missing values (`MISSING`) are "".

    Args:
        data: The bytes of the file.
        name: The file's name, for messages; `.tsv` says that tabs separate the cells.
        required: Names of columns that the header must have.

    Raises:
        NotUtf8Error: The text is in another encoding.
        csv.Error: Quotes are not closed; its argument ends with the line in brackets.
    """
    form = layout(data, required, tabs=name.lower().endswith((".tsv", ".tab")))
    text = decode_marked(data, name)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.sep, strict=True)
    rows: list[tuple[int, list[str]]] = []
    first = 1
    try:
        for row in reader:
            line, first = first, reader.line_num + 1
            filled = ["" if cell.strip() in MISSING else cell.strip() for cell in row]
            if line > form.skiprows and any(filled):
                rows.append((line, filled))
    except csv.Error as error:
        raise csv.Error(str(error), reader.line_num) from None
    return rows


def index_column(header: Sequence[str], first: Sequence[Sequence[str]]) -> bool:
    """Say whether the first column only numbers the rows, as pandas writes its index.

    Args:
        header: Names of the columns.
        first: The first rows.
    """
    numbers = [row[0] for row in first if row]
    return bool(header) and _UNNAMED.fullmatch(header[0].strip()) is not None and all(n.isdigit() for n in numbers)
