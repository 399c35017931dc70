"""A clock that somebody sets while a process runs."""

from __future__ import annotations

import datetime as standard
import sys
import time
from collections.abc import Callable
from typing import Any

_OURS = ("sweeps", "analysis", "objectives", "mlflow", "optuna")

_wrong = {"by": 0.0}
"""Seconds by which the clock of this process is wrong."""

_right: dict[str, Callable[[], Any]] = {"time": time.time, "time_ns": time.time_ns}


class Wrong(standard.datetime):
    """Date and time by the wrong clock."""

    @classmethod
    def now(cls, tz: standard.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(wrong_time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(wrong_time(), standard.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.fromtimestamp(wrong_time())


def wrong_time() -> float:
    """Return `time.time()` by the wrong clock."""
    return float(_right["time"]()) + _wrong["by"]


def wrong_time_ns() -> int:
    """Return `time.time_ns()` by the wrong clock."""
    return int(_right["time_ns"]()) + int(_wrong["by"] * 1e9)


def set_clock(seconds: float) -> None:
    """Set the clock of this process, by so many seconds from the right time. Monotonic clocks go on as ever.

    Python's own functions cannot be replaced, so the names are, in all modules that use them.
    """
    _wrong["by"] = seconds
    wrong = {id(time.time): wrong_time, id(time.time_ns): wrong_time_ns, id(standard.datetime): Wrong}
    time.time, time.time_ns = wrong_time, wrong_time_ns
    standard.datetime = Wrong  # type: ignore[misc]
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _OURS:
            for key, value in list(vars(module).items()):
                if id(value) in wrong:
                    setattr(module, key, wrong[id(value)])
