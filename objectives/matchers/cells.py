"""Tables and lists of names and values in a text: which cells are one row, and what the other rows have there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

import regex

_RULE: Final = regex.compile(r"[\s|:+=-]+")
_PAIR: Final = regex.compile(r"(?:[-*•]|\d{1,2}[.)])?\s*([^:|]{1,40}):\s+([^|]{1,60})")


class Row(NamedTuple):
    """The cells of a row, the heading of its table (() for none), and the cells of its other rows."""

    cells: tuple[str, ...]
    heading: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=256)
def rows(text: str) -> Mapping[str, Row]:
    """Return the rows of a text's tables by their lines; a heading is none."""
    found: dict[str, Row] = {}
    lines = [line.strip() for line in text.split("\n")]
    for width, group in groupby(((line, _cells(line)) for line in lines), key=lambda pair: len(pair[1])):
        table = list(group) if width > 1 else []
        heading = table[0][1] if len(table) > 1 and _RULE.fullmatch(table[1][0]) else ()
        table = [(line, cells) for line, cells in table if not _RULE.fullmatch(line)]
        for line, cells in table if len(table) > 1 else ():
            found[line] = Row(cells, heading, tuple(other for _, other in table if other != cells))
    return found


def _cells(line: str) -> tuple[str, ...]:
    if line.count("|") > 1 or " | " in line:
        return tuple(cell.strip() for cell in line.strip("|").split("|"))
    pair = _PAIR.fullmatch(line)
    return pair.groups() if pair else ()
