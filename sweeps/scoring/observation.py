"""A row of the observations table in little memory: a long study has a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.observations.columns import COLUMNS
from sweeps.options import OPTIONS

_ORDER = (*COLUMNS, "generation")
_OF_CONFIGURATION = ("configuration", "model", "prompt")
_OWN = tuple(name for name in _ORDER if name not in _OF_CONFIGURATION)
_AT = {name: place for place, name in enumerate(_OWN)}


class ObservationRow(Mapping[str, Any]):
    """One row; those of a configuration share its columns (`Configuration.columns`).

    Args:
        own: The row's own columns; those that are missing are None.
        shared: The columns of its configuration.
    """

    __slots__ = ("_own", "_shared")

    def __init__(self, own: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        self._own, self._shared = tuple(map(own.get, _OWN)), shared

    def __getitem__(self, name: str) -> Any:
        """The value in a column."""
        at = _AT.get(name)
        return self._shared[name] if at is None else self._own[at]

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


def columns_of(rows: Sequence[ObservationRow]) -> dict[str, list[Any]]:
    """Return rows, one at least, as columns of the table by name: faster than one dict per row."""
    own = dict(zip(_OWN, zip(*(row._own for row in rows), strict=True), strict=True))
    columns: dict[str, list[Any]] = {}
    for name in (*COLUMNS, *OPTIONS):
        columns[name] = list(own[name]) if name in own else [row._shared[name] for row in rows]
    return columns
