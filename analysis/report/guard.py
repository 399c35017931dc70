"""Parts of a report, each on its own: a part that cannot be made is left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

T = TypeVar("T")


class Guard:
    """Makes parts, and reports a failure instead of failing with it.

    Guarded parts are shown beside results that took hours. An error in a part is a bug, but no reason to lose them.

    Args:
        warn: Gets a message that names the part and the error; None: errors are raised.
    """

    strict: ClassVar[bool] = False
    """Whether errors are raised in any case; for tests."""

    def __init__(self, warn: Callable[[str], object] | None = None) -> None:
        self._warn = None if self.strict else warn

    def __call__(self, what: str, make: Callable[[], T], without: T) -> T:
        """Return the result of `make`, or `without` where it fails."""
        if self._warn is None:
            return make()
        try:
            return make()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one part is no reason to lose the others
            self._warn(f"{what} is left out, since it could not be made: {type(error).__name__}: {error}")
            return without
