"""Items from a CSV table or a Markdown checklist; every bad line is reported with its number."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import regex

from objectives.case_files import CaseError, Problem, read_text
from objectives.case_schema import regex_fault
from objectives.hints import did_you_mean

COLUMNS = ("level", "text", "id", "any", "all", "regex", "forbidden")
"""Columns of a CSV table of items; the first two are required. A cell of `any` or `all` may list patterns: `a|b`."""

_TRUE, _FALSE = frozenset({"true", "yes", "1", "x"}), frozenset({"", "false", "no", "0"})


@dataclass(frozen=True)
class ImportedItem:
    """An item of a list. `line` is its line in the file, from 1; the rest is as in `objectives.Item`."""

    text: str
    level: int
    line: int
    id: str = ""
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()
    forbidden: bool = False


def read_items(path: Path) -> tuple[str, list[ImportedItem]]:
    """Read a list of items.

    Args:
        path: A ``.csv`` file (comma, semicolon or tab; a header line with `COLUMNS`) or a ``.md`` file. Markdown has
            lines ``- [1] text``, with ``- [!1] text`` for a forbidden item, or bullets under headings ``## Level 1``.

    Returns:
        The title (the first ``#`` heading of a Markdown file, otherwise "") and the items, at least one.

    Raises:
        CaseError: With every bad line of the file.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        remedy = f"Give a file that ends in {', '.join(sorted(_READERS))}."
        raise CaseError(Problem(str(path), f"cannot be imported: its ending is {path.suffix or 'missing'}.", remedy))
    title, items, problems = reader(read_text(path), str(path))
    seen: dict[str, int] = {}
    for item in items:
        key = " ".join(item.text.casefold().split())
        if key in seen:
            problems.append(Problem(str(path), f"the same text is in line {seen[key]}.", "Keep one.", line=item.line))
        seen.setdefault(key, item.line)
    if not items and not problems:
        problems.append(Problem(str(path), "contains no item.", "See docs/guides/writing-rubrics.md for both forms."))
    if problems:
        raise CaseError(sorted(problems, key=lambda problem: problem.line or 0))
    return title, items


_Result = tuple[str, list[ImportedItem], list[Problem]]


def _read_csv(text: str, file: str) -> _Result:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    items: list[ImportedItem] = []
    problems: list[Problem] = []
    columns: list[str] = []
    first = 1
    try:
        for row in rows:
            line, first = first, rows.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = [cell.strip().casefold() for cell in row]
                problems += _header_problems(columns, file, line)
                if problems:
                    break
                continue
            item = _csv_item(columns, row, file, line, problems)
            items += [item] if item else []
    except csv.Error as error:
        problems.append(Problem(file, f"not valid CSV: {error}.", "Check the quotes.", line=rows.line_num))
    return "", items, problems


def _header_problems(columns: list[str], file: str, line: int) -> Iterable[Problem]:
    for name in columns:
        if name not in COLUMNS:
            remedy = f"{did_you_mean(name, COLUMNS)}Columns: {', '.join(COLUMNS)}."
            yield Problem(file, f"unknown column {name!r}.", remedy, line=line)
        elif columns.count(name) > 1:
            yield Problem(file, f"column {name!r} occurs twice.", "Keep one.", line=line)
    for name in COLUMNS[:2]:
        if name not in columns:
            remedy = "Name the columns in the first line, for example: level,text,any"
            yield Problem(file, f"column {name!r} is missing.", remedy, line=line)


def _csv_item(columns: list[str], row: list[str], file: str, line: int, problems: list[Problem]) -> ImportedItem | None:
    if len(row) > len(columns):
        message = f"{len(row)} cells, but the header has {len(columns)} columns."
        problems.append(Problem(file, message, 'Put a text that contains the delimiter into "quotes".', line=line))
        return None
    cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
    level = _level(cells.get("level", ""), file, line, problems)
    text = " ".join(cells.get("text", "").split())
    if not text:
        problems.append(Problem(file, "an item without text.", "Write the fact as one sentence.", line=line))
    forbidden = cells.get("forbidden", "").casefold()
    if forbidden not in _TRUE | _FALSE:
        problems.append(Problem(file, f"forbidden is {forbidden!r}.", "Write true, or leave it empty.", line=line))
    pattern = cells.get("regex", "")
    if pattern and (fault := regex_fault(pattern)):
        problems.append(Problem(file, fault, "Correct or remove the pattern.", line=line))
    if level is None or not text:
        return None
    return ImportedItem(
        text, level, line, cells.get("id", ""), _parts(cells.get("any", "")), _parts(cells.get("all", "")),
        (pattern,) if pattern else (), forbidden in _TRUE,
    )  # fmt: skip


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split("|") if part.strip())


def _level(cell: str, file: str, line: int, problems: list[Problem]) -> int | None:
    if cell in ("1", "2", "3", "4", "5"):
        return int(cell)
    message = f"level is {cell!r}, but must be 1, 2, 3, 4 or 5." if cell else "an item without level."
    problems.append(Problem(file, message, "Write 1 (essential) to 5 (incidental).", line=line))
    return None


_HEADING = regex.compile(r"^(?P<marks>#{1,6})\s+(?P<text>.*?)\s*#*\s*$")
_LEVEL_HEADING = regex.compile(r"(?:^|\b)(?:level|lv\.?|レベル)\s*(?P<level>\d+)", regex.IGNORECASE)
_BULLET = regex.compile(r"^(?P<indent>\s*)(?:[-*+]|\d+[.)])\s+(?:\[(?P<box>[^\]\n]{0,4})\]\s+)?(?P<text>\S.*)$")


def _read_markdown(text: str, file: str) -> _Result:
    title = ""
    under: str = ""
    items: list[ImportedItem] = []
    problems: list[Problem] = []
    open_bullet: list[tuple[int, str, str]] = []  # line, level and text of each bullet

    for number, line in enumerate(text.split("\n"), start=1):
        heading, bullet = _HEADING.match(line), _BULLET.match(line)
        if heading:
            level = _LEVEL_HEADING.search(heading["text"])
            under = level["level"] if level else ""
            if not level and not title and heading["marks"] == "#":
                title = heading["text"]
        elif bullet:
            box = (bullet["box"] or "").strip()
            mark = under if box.casefold() in ("", "x") else box
            open_bullet.append((number, mark, bullet["text"]))
        elif line.strip() and line[0] in " \t" and open_bullet:
            start, mark, head = open_bullet.pop()
            open_bullet.append((start, mark, f"{head} {line.strip()}"))

    for number, mark, content in open_bullet:
        forbidden = mark.startswith("!")
        found = _level(mark.removeprefix("!"), file, number, problems)
        if found is not None:
            items.append(ImportedItem(" ".join(content.split()), found, number, forbidden=forbidden))
    return title, items, problems


_READERS: dict[str, Callable[[str, str], _Result]] = {
    ".csv": _read_csv,
    ".md": _read_markdown,
    ".markdown": _read_markdown,
}
