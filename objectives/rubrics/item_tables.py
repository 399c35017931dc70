"""Items from tables: CSV and TSV as spreadsheets and pandas write them, and JSON records as of nuggets or QMSum."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.files.columns import ColumnsError, their_columns
from analysis.files.encodings import NotUtf8Error
from analysis.files.layout import MISSING, cells, index_column
from analysis.files.records import ENDINGS, RecordsError, flat, lists_of_records, parse_json
from objectives.case_files import CaseError, Problem, read_bytes
from objectives.case_schema import regex_fault
from objectives.hints import did_you_mean

COLUMNS = ("level", "text", "id", "any", "all", "regex", "forbidden")
"""Columns of a table of items; the first two are required. A cell of `any` or `all` may list patterns: `a|b`."""

LEVEL_WORDS = {
    "vital": 1, "okay": 3, "ok": 3,  # nuggets
    "essential": 1, "important": 2, "useful": 3, "detail": 4, "incidental": 5,
    "true": 1, "false": 3,  # of a column `vital`
}  # fmt: skip
"""Words for levels."""

_ALIASES = {
    "text": ("text", "nugget", "fact", "claim", "answer"),
    "level": ("level", "importance", "vital"),
}
"""Names by which other tables have our required columns, the most telling first."""

_LISTS = ("items", "nuggets", "specific_query_list")
"""Lists of records that hold items, where a JSON file has several."""

_GROUPS = ("qid", "query_id", "topic_id", "query")
"""Fields that tell whose items a record has, where one file has those of many queries."""

_TRUE, _FALSE = frozenset({"true", "yes", "1", "x"}), frozenset({"", "false", "no", "0"})
_LEVEL = re.compile(r"(?:level|lv\.?|l)?\s*([1-5])(?:[.,]0*)?", re.IGNORECASE)


@dataclass(frozen=True)
class ImportedItem:
    """An item of a list. `line` is its line (in JSON its number) from 1; the rest is as in `objectives.Item`."""

    text: str
    level: int
    line: int
    id: str = ""
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()
    forbidden: bool = False


@dataclass(frozen=True)
class TableChoices:
    """A person's choices for the reading of a table of items.

    Attributes:
        columns: Our names of columns with those of the table.
        level: The level of items without one, 1 to 5; None if each must have its own.
        rows: The list of records in a JSON file, where it has several.
        where: Fields with the values that a record must have, where a file has the items of many queries.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    level: int | None = None
    rows: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass
class TableItems:
    """The items of a table while they are read.

    Attributes:
        file: The file's name, for the problems.
        items: The items so far.
        problems: The problems so far.
        notes: Sentences on how the table was read.
        words: Words that stand for levels, as they are written.
        broken: The header is unusable, so the rows are not read.
    """

    file: str
    items: list[ImportedItem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    broken: bool = False

    def add(self, message: str, remedy: str, line: int | None = None) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.file, message, remedy, line=line))


def read_item_table(path: Path, choices: TableChoices) -> TableItems:
    """Read a table of items.

    Args:
        path: A file that ends in `.csv`, `.tsv`, `.json` or `.jsonl`.
        choices: A person's choices for it.

    Raises:
        CaseError: The file cannot be read at all; problems of single rows are in the result.
    """
    found = TableItems(str(path))
    is_json = path.suffix.lower() in ENDINGS
    try:
        rows = list(_records(path, choices) if is_json else _lines(path, choices, found))
        columns = _columns(rows, choices, found, strict=not is_json and not choices.columns)
    except NotUtf8Error as error:
        raise CaseError(Problem(str(path), error.message, error.remedy, line=error.line)) from None
    except csv.Error as error:
        reason, line = error.args
        raise CaseError(Problem(str(path), f"not valid CSV: {reason}.", "Check the quotes.", line=line)) from None
    except (RecordsError, ColumnsError) as error:
        raise CaseError(Problem(str(path), str(error))) from None
    if found.broken:
        return found
    for line, row in rows:
        if any(not _empty(value) for value in row.values()):
            _add_item({ours: row.get(theirs) for ours, theirs in columns.items()}, line, choices, found)
    if found.words:
        shown = ", ".join(f"{word!r} is level {level}" for word, level in found.words.items())
        found.notes.append(f"levels are words: {shown}")
    return found


def _lines(path: Path, choices: TableChoices, found: TableItems) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV file with their lines; the first has the names only."""
    rows = cells(read_bytes(path), str(path), [choices.columns.get(name, name) for name in COLUMNS[:2]])
    if not rows:
        return
    (line, header), *body = rows
    skip = 1 if index_column(header, [row for _, row in body[:20]]) else 0
    names = [name if choices.columns else name.casefold() for name in header][skip:]
    width = max((i + 1 for i, name in enumerate(names) if name), default=0)  # unnamed columns at the end are empty
    for name in names[:width]:
        if names.count(name) > 1:
            found.add(f"column {name!r} occurs twice.", "Keep one.", line)
            found.broken = True
            return
    yield line, dict.fromkeys(names[:width])
    for at, row in body:
        if any(row[skip + width :]):
            filled = max(i + 1 for i, cell in enumerate(row) if cell) - skip
            message = f"{filled} cells, but the header has {width} columns."
            found.add(message, 'Put a text that contains the delimiter into "quotes".', at)
            continue
        yield at, dict(zip(names[:width], row[skip:], strict=False))


def _records(path: Path, choices: TableChoices) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a JSON file with their numbers."""
    value = parse_json(read_bytes(path), str(path))
    lists = {at: [flat(row) for row in rows] for at, rows in lists_of_records(value)}
    if not lists and isinstance(value, Mapping):
        lists = {"": [flat(value)]}
    chosen = lists[_list(lists, choices)]
    kept = [row for row in chosen if all(str(row.get(name)) == value for name, value in choices.where.items())]
    if chosen and not kept:
        raise RecordsError(f"no record has {', '.join(f'{k}={v}' for k, v in choices.where.items())}")
    for name in _GROUPS:
        values = list(dict.fromkeys(str(row[name]) for row in kept if name in row))
        if len(values) > 1 and len(values) < len(kept):
            shown = ", ".join(values[:5])
            raise RecordsError(
                f"it has the items of {len(values)} queries; choose one with --where {name}=... ({shown})"
            )
    yield from enumerate(kept, 1)


def _list(lists: Mapping[str, list[dict[str, Any]]], choices: TableChoices) -> str:
    """Return the path of the list of items."""
    if choices.rows is not None:
        if choices.rows in lists:
            return choices.rows
        raise RecordsError(f"no list of records {choices.rows!r}; it has {', '.join(map(repr, lists)) or 'none'}")
    texts = (choices.columns["text"],) if "text" in choices.columns else _ALIASES["text"]
    having = [at for at, rows in lists.items() if any(name in row for row in rows for name in texts)]
    known = [at for at in having if at.rpartition(".")[2] in _LISTS]
    if len(known or having) == 1:
        return (known or having)[0]
    if having:
        raise RecordsError(f"several of its lists may be the items: {', '.join(having)}; choose one with --rows NAME")
    fields = ", ".join(dict.fromkeys(name for rows in lists.values() for row in rows for name in row)) or "none"
    raise RecordsError(
        f"no list of records has a field {' or '.join(texts)} (its fields: {fields}); use --columns text=NAME"
    )


def _columns(
    rows: Sequence[tuple[int, Mapping[str, Any]]], choices: TableChoices, found: TableItems, *, strict: bool
) -> dict[str, str]:
    """Return our columns with those of the table; with `strict` unknown ones are problems, otherwise notes."""
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    if not names:
        return {}
    line = rows[0][0] if strict else None
    columns = _named(names, choices.columns, found)
    before = len(found.problems)
    others = [name for name in names if name not in columns.values()]
    if strict:
        for name in others:
            remedy = f"{did_you_mean(name, COLUMNS)}Columns: {', '.join(COLUMNS)}; or name yours with --columns."
            found.add(f"unknown column {name!r}.", remedy, line)
    elif others:
        found.notes.append(f"not read: {', '.join(others)}")
    for name in COLUMNS[:2]:
        if name not in columns and not (name == "level" and choices.level is not None):
            remedy = "Name the columns in the first line, for example: level,text,any; or yours with --columns."
            if name == "level":
                remedy += " One level for all items: --level 3."
            found.add(f"column {name!r} is missing.", remedy, line)
    found.broken = found.broken or len(found.problems) > before
    return columns


def _named(names: Sequence[str], chosen: Mapping[str, str], found: TableItems) -> dict[str, str]:
    """Return our columns with those of the table: as chosen, otherwise by name or by an alias."""
    columns = {ours: theirs[0] for ours, theirs in their_columns(chosen, names).items()}
    for ours in COLUMNS:
        alias = next((name for name in _ALIASES.get(ours, (ours,)) if name in names), None)
        if ours not in columns and alias is not None and alias not in columns.values():
            columns[ours] = alias
            if alias != ours:
                found.notes.append(f"{ours} is read from {alias!r}")
    return columns


def _add_item(cells: Mapping[str, Any], line: int, choices: TableChoices, found: TableItems) -> None:
    """Add the item of a row, or its problems."""
    level = level_of(cells.get("level"), line, found, choices.level)
    text = " ".join(_text(cells.get("text")).split())
    if not text:
        found.add("an item without text.", "Write the fact as one sentence.", line)
    forbidden = _text(cells.get("forbidden")).casefold()
    if forbidden not in _TRUE | _FALSE:
        found.add(f"forbidden is {forbidden!r}.", "Write true, or leave it empty.", line)
    patterns = _parts(cells.get("regex"), split=False)
    for fault in filter(None, map(regex_fault, patterns)):
        found.add(fault, "Correct or remove the pattern.", line)
    if level is not None and text:
        found.items.append(
            ImportedItem(
                text, level, line, _text(cells.get("id")), _parts(cells.get("any")), _parts(cells.get("all")), patterns,
                forbidden in _TRUE,
            )
        )  # fmt: skip


def level_of(value: object, line: int, found: TableItems, default: int | None = None) -> int | None:
    """Return a level as people write it (`1`, `1.0`, `Lv2`, `vital`), or None after adding a problem."""
    text = _text(value)
    if number := _LEVEL.fullmatch(text):
        return int(number[1])
    if text.casefold() in LEVEL_WORDS:
        found.words[text] = LEVEL_WORDS[text.casefold()]
        return found.words[text]
    if not text and default is not None:
        return default
    message = f"level is {text!r}, but must be 1, 2, 3, 4 or 5." if text else "an item without level."
    for_all = "" if text else ", or give one for all such items (--level 3)"
    found.add(message, f"Write 1 (essential) to 5 (incidental){for_all}.", line)
    return None


def _empty(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and value.strip() in MISSING) or value != value


def _text(value: object) -> str:
    """Return a cell as text, "" for a missing value."""
    return "" if _empty(value) else str(value).strip()


def _parts(value: object, *, split: bool = True) -> tuple[str, ...]:
    """Return the patterns of a cell: a list, or a text that `|` separates."""
    if isinstance(value, (list, tuple)):
        return tuple(_text(each) for each in value if _text(each))
    text = _text(value)
    return (
        tuple(part.strip() for part in text.split("|") if part.strip() not in MISSING)
        if split
        else (text,) * bool(text)
    )
