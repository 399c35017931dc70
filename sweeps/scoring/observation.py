"""A row of the observations table in little memory: a long study has a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

from analysis.observations.columns import COLUMNS
from sweeps.options import OPTIONS

_ORDER = (*COLUMNS, "generation")
_OF_CONFIGURATION = ("configuration", "model", "prompt")
_OWN = tuple(name for name in _ORDER if name not in _OF_CONFIGURATION)
_AT = {name: place for place, name in enumerate(_OWN)}

_SECONDS = ("seconds", *(f"{part}_seconds" for part in ("queue", "load", "prefill", "decode")))
_FLOATS = ("score", "redundancy", "copied_share", "compression", "matcher_sd", *_SECONDS)
_COUNTS = ("covered", "items", "forbidden", "words")
_TOKENS = ("prompt_tokens", "output_tokens", "answer_tokens", "thinking_tokens")
_WHOLE = ("trial", "seed", "repeat", "generation", *_COUNTS, *_TOKENS)
_DIGEST = "text_sha256"
_TEXTS = tuple(name for name in _OWN if name not in (*_FLOATS, *_WHOLE, _DIGEST))
_FLOAT, _INTEGER = Struct("d"), Struct("q")
_NUMBERS = Struct(f"{len(_FLOATS)}d{len(_WHOLE)}q32s")
_NONE = -(2**63)
"""Stands for a whole number that is missing."""

_PLACES = {name: place for place, name in enumerate((*_FLOATS, *_WHOLE, _DIGEST, *_TEXTS))}
"""Place of each column among packed numbers, digest and texts."""


class ObservationRow(Mapping[str, Any]):
    """One row; those of a configuration share its columns (`Configuration.columns`).

    Numbers are packed, which takes a third of the memory, where all have the usual types.

    Args:
        own: The row's own columns; those that are missing are None.
        shared: The columns of its configuration.
    """

    __slots__ = ("_packed", "_shared", "_texts")

    def __init__(self, own: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._packed = _pack(own)
        names = _OWN if self._packed is None else _TEXTS
        texts = tuple(map(own.get, names))
        self._texts = texts if self._packed is None else _once(*texts)

    def __getitem__(self, name: str) -> Any:
        """The value in a column."""
        at = _AT.get(name)
        if at is None:
            return self._shared[name]
        if self._packed is None:
            return self._texts[at]
        place = _PLACES[name]
        if place >= len(_FLOATS) + len(_WHOLE):
            place -= len(_FLOATS) + len(_WHOLE) + 1
            return self._texts[place] if place >= 0 else self._packed[-32:].hex()
        if place < len(_FLOATS):
            return _FLOAT.unpack_from(self._packed, 8 * place)[0]
        number = _INTEGER.unpack_from(self._packed, 8 * place)[0]
        return None if number == _NONE else number

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column."""
        return name in _AT or name in self._shared

    def __iter__(self) -> Iterator[str]:
        """The names of the columns, in the order of the table; `generation` stands before the options."""
        yield from _ORDER
        yield from (name for name in self._shared if name not in _OF_CONFIGURATION)

    def __len__(self) -> int:
        """Number of the columns."""
        return len(_OWN) + len(self._shared)

    def __repr__(self) -> str:
        """The row as a dict."""
        return repr(dict(self))


@lru_cache(maxsize=1 << 12, typed=True)
def _once(*values: Any) -> tuple[Any, ...]:
    """The same values as one object, since many rows have the same texts."""
    return values


def _pack(own: Mapping[str, Any]) -> bytes | None:
    """Return a row's numbers and digest in 208 bytes; None where one is missing, or of another type."""
    floats, whole, digest = list(map(own.get, _FLOATS)), list(map(own.get, _WHOLE)), own.get(_DIGEST)
    if not all(type(value) is float for value in floats) or not all(
        value is None or (type(value) is int and _NONE < value < -_NONE) for value in whole
    ):
        return None
    try:
        raw = bytes.fromhex(digest or "")
    except ValueError:
        return None
    if raw.hex() != digest or len(raw) != 32:
        return None
    return _NUMBERS.pack(*floats, *(_NONE if value is None else value for value in whole), raw)


def columns_of(rows: Sequence[ObservationRow]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the columns of the table, one after the other, since all at once need much memory.

    Options that no row uses are left out.

    Args:
        rows: The rows, one at least.
    """
    shared = {id(row._shared): row._shared for row in rows}.values()
    for name in COLUMNS:
        yield name, [row[name] for row in rows]
    for name in OPTIONS:
        if any(columns[name] is not None for columns in shared):
            yield name, [row._shared[name] for row in rows]
