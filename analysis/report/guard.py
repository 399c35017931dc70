"""Parts of a report, each on its own: one that cannot be made costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

T = TypeVar("T")


class Guard:
    """Makes parts, and tells of those that fail instead of failing with them.

    What is guarded is shown beside results that took hours; an error in it is a bug, but not one to lose them for.

    Args:
        warn: Told which part is left out, and why; None: errors are raised.
    """

    strict: ClassVar[bool] = False
    """Whether errors are raised all the same, as tests want it."""

    def __init__(self, warn: Callable[[str], object] | None = None) -> None:
        self._warn = None if self.strict else warn

    def __call__(self, what: str, make: Callable[[], T], without: T) -> T:
        """Return what `make` returns; where it fails, `without`."""
        if self._warn is None:
            return make()
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one part is no reason to lose the others
            self._warn(f"{what} is left out, since it could not be made: {type(error).__name__}: {error}")
            return without
