"""Numbers in a report; a dash stands for a number that does not exist."""

from __future__ import annotations

import math


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign."""
    return "–" if value is None or not math.isfinite(value) else f"{value:+.{digits}f}"


def percent(value: float | None) -> str:
    """A share as whole percents."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.0%}"


def count(value: float | None) -> str:
    """A mean number of items: `3`, or `2.7` where it is not whole."""
    return number(value, 0 if value is not None and abs(value - round(value)) < 1e-9 else 1)
