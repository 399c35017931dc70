"""Columns by name: `configuration=model,case=sample_id` says which columns of a table hold ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

_NEXT = re.compile(r"\s*,\s*(?=[A-Za-z_]\w*\s*=)")


class ColumnsError(ValueError):
    """A mapping of columns that cannot be used; the message has the value and what to write."""


def parse_columns(text: str, ours: Sequence[str]) -> dict[str, str]:
    """Read `OURS=THEIRS,OURS=THEIRS`.

    A comma inside a column's name is no separator unless `word=` follows it.

    Args:
        text: The mapping.
        ours: Names that may stand on the left.

    Returns:
        Our names with theirs.

    Raises:
        ColumnsError: A part has no `=`, or its left side is none of our names or is there twice.
    """
    found: dict[str, str] = {}
    for part in _NEXT.split(text.strip()):
        name, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not equals or not theirs:
            raise ColumnsError(f"{part!r} is no OURS=THEIRS; write for example {ours[0]}=NAME-OF-THEIR-COLUMN")
        if name not in ours:
            near = difflib.get_close_matches(name, ours, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the left side is one of {', '.join(ours)}"
            raise ColumnsError(f"{part!r}: {name!r} is no column of ours; {hint}")
        if name in found:
            raise ColumnsError(f"{part!r}: {name} is there twice; keep one")
        found[name] = theirs
    return found


def their_columns(columns: Mapping[str, str], present: Sequence[str]) -> dict[str, list[str]]:
    """Find the columns of a table that a mapping names; `model+prompt` names two that make one label.

    Args:
        columns: Our names with theirs.
        present: Names of the table's columns.

    Raises:
        ColumnsError: The table has no such column.
    """
    found: dict[str, list[str]] = {}
    for ours, theirs in columns.items():
        names = [theirs] if theirs in present else [name.strip() for name in theirs.split("+")]
        for name in names:
            if name not in present:
                near = difflib.get_close_matches(name, present, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {_some(present)}"
                raise ColumnsError(f"columns {ours}={theirs}: the table has no column {name!r}; {hint}")
        found[ours] = names
    return found


def joined(names: Sequence[str], values: Sequence[str]) -> str:
    """Return one label for several columns: `model=a, prompt=short`; that of a single column is its value."""
    if len(names) == 1:
        return values[0]
    return ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _some(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
