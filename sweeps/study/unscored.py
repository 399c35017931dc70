"""Texts without a score, and when they stop a sweep."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.hosts.pool import KEPT
from sweeps.scoring.scorer import UNSCORED, UnscorableError

LAST = 20
"""Number of the latest texts to count."""

HOPELESS = 18
"""Stop the sweep when this many of the last `LAST` texts have no score."""


@dataclass
class Tally:
    """A count of the latest texts that could be scored."""

    tried: int = 0
    scored: bool = False
    why: str = ""
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=LAST))

    def add(self, why: str, *, again: bool) -> None:
        """Count a text.

        Args:
            why: Why it has no score; "" if it has one.
            again: Whether an earlier run could not score it; its failure says nothing about other texts then.

        Raises:
            UnscorableError: If `HOPELESS` of the `LAST` texts have none.
        """
        self.tried, self.scored, self.why = self.tried + 1, self.scored or not why, why or self.why
        if not again:
            self._last.append(not why)
        if why and self._last.count(False) >= HOPELESS:
            raise self._error(f"{self._last.count(False)} of the last {len(self._last)} texts could not be scored")

    def stop_if_none_scored(self) -> None:
        """Raise `UnscorableError` if texts were tried and none has a score."""
        if self.tried and not self.scored:
            raise self._error(f"none of the first {self.tried} texts could be scored")

    def _error(self, found: str) -> UnscorableError:
        return UnscorableError(f"{found}, so the sweep stops. The last error: {self.why}\n{KEPT}")


def unscored_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a message with the number of rows without a score and the next step; "" if all have one."""
    lost = [row["error"] for row in rows if row["error"].startswith(UNSCORED)]
    if not lost:
        return ""
    texts = f"{len(lost)} of {len(rows)} texts have no score and count"
    if len(lost) == 1:
        texts = "1 text has no score and counts"
    return (
        f"{texts} as missing. Run the same command to try again; a confirmation that has its verdict stays as it is."
        f" The last error: {lost[-1].removeprefix(UNSCORED + ': ')}"
    )
