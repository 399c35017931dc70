"""Items from tables (CSV, TSV, JSON) or Markdown checklists; every bad line is reported with its number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import regex

from analysis.files.records import ENDINGS
from objectives.case_files import CaseError, Problem, read_text
from objectives.rubrics.item_tables import ImportedItem, TableChoices, TableItems, level_of, read_item_table

_TABLES = (".csv", ".tsv", *ENDINGS)
_MARKDOWN = (".md", ".markdown")


__all__ = ["ImportedItem", "ItemList", "read_items"]


class ItemList(list[ImportedItem]):
    """The items of a list.

    Attributes:
        notes: Sentences on how the file was read, such as the levels that words stand for.
    """

    notes: tuple[str, ...] = ()


def read_items(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    level: int | None = None,
    rows: str | None = None,
    where: Mapping[str, str] | None = None,
) -> tuple[str, ItemList]:
    """Read a list of items.

    Args:
        path: A table with the columns `item_tables.COLUMNS` (``.csv``, ``.tsv``, ``.json``, ``.jsonl``), or a ``.md``
            file. Markdown has lines ``- [1] text``, with ``- [!1] text`` for a forbidden item, or bullets under
            headings ``## Level 1``.
        columns: Our names of columns with those of the table, such as ``{"text": "answer"}``.
        level: The level of items that have none, 1 to 5.
        rows: The list of records in a JSON file that has several.
        where: Fields with the values that a JSON record must have, such as ``{"qid": "12"}``.

    Returns:
        The title (the first ``#`` heading of a Markdown file, otherwise "") and the items, at least one.

    Raises:
        CaseError: With every bad line of the file.
    """
    ending = path.suffix.lower()
    title = ""
    if ending in _TABLES:
        found = read_item_table(path, TableChoices(columns or {}, level, rows, where or {}))
    elif ending in _MARKDOWN:
        title, found = _read_markdown(read_text(path), str(path), level)
    else:
        remedy = f"Give a file that ends in {', '.join(sorted((*_TABLES, *_MARKDOWN)))}."
        raise CaseError(Problem(str(path), f"cannot be imported: its ending is {path.suffix or 'missing'}.", remedy))
    seen: dict[str, int] = {}
    for item in found.items:
        key = " ".join(item.text.casefold().split())
        if key in seen:
            found.add(f"the same text is in line {seen[key]}.", "Keep one.", item.line)
        seen.setdefault(key, item.line)
    if not found.items and not found.problems:
        found.add("contains no item.", "See docs/guides/writing-rubrics.md for the forms.")
    if found.problems:
        raise CaseError(sorted(found.problems, key=lambda problem: problem.line or 0))
    items = ItemList(found.items)
    items.notes = tuple(found.notes)
    return title, items


_HEADING = regex.compile(r"^(?P<marks>#{1,6})\s+(?P<text>.*?)\s*#*\s*$")
_LEVEL_HEADING = regex.compile(r"(?:^|\b)(?:level|lv\.?|レベル)\s*(?P<level>\d+)", regex.IGNORECASE)
_BULLET = regex.compile(r"^(?P<indent>\s*)(?:[-*+]|\d+[.)])\s+(?:\[(?P<box>[^\]\n]{0,4})\]\s+)?(?P<text>\S.*)$")


def _read_markdown(text: str, file: str, level_of_all: int | None) -> tuple[str, TableItems]:
    title = ""
    under: str = ""
    items = TableItems(file)
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
        found = level_of(mark.removeprefix("!"), number, items, level_of_all)
        if found is not None:
            items.items.append(ImportedItem(" ".join(content.split()), found, number, forbidden=forbidden))
    return title, items
