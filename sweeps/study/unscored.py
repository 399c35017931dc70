"""Texts that no score could be found for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sweeps.hosts.pool import KEPT
from sweeps.scoring.scorer import UnscorableError

LAST = 20


HOPELESS = 18
"""With so many of the last ones without a score, the sweep is not worth its generations."""


@dataclass
class Tally:
    """Counts which of the last texts could be scored."""

    tried: int = 0
    scored: bool = False
    why: str = ""
    _last: deque[bool] = field(default_factory=lambda: deque(maxlen=LAST))

    def add(self, why: str, *, again: bool) -> None:
        """Count a text.

        Args:
            why: It has no score; "" if it has.
            again: An earlier run could not score it. That it fails again tells nothing of the others.

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
        return UnscorableError(f"{found}, so the sweep stops. The last one: {self.why}\n{KEPT}")
