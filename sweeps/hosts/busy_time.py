"""Seconds in which something worked, whether once or several times at once."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self


class BusyTime:
    """Counts the seconds in which at least one thread is inside `with`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._since = 0.0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        with self._lock:
            return self._seconds + (time.perf_counter() - self._since if self._inside else 0.0)

    def add(self, seconds: float) -> None:
        """Count further seconds, of a clock that is faster than ours."""
        with self._lock:
            self._seconds += seconds

    def __enter__(self) -> Self:
        with self._lock:
            if not self._inside:
                self._since = time.perf_counter()
            self._inside += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._seconds += time.perf_counter() - self._since
