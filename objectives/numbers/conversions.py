"""The same quantity in other units: 2 hours are 120 minutes, 1.5 GB are 1500 MB."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

_SCALES: Final = (
    (("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("day", 86_400_000), ("week", 604_800_000)),
    (("month", 1), ("year", 12)),
    (("mm", 1), ("cm", 10), ("m", 1000), ("km", 1_000_000)),
    (("mg", 1), ("g", 1000), ("kg", 1_000_000), ("tonne", 1_000_000_000)),
    (("byte", 1), ("kb", 10**3), ("mb", 10**6), ("gb", 10**9), ("tb", 10**12)),
    (("byte", 1), ("kb", 2**10), ("mb", 2**20), ("gb", 2**30), ("tb", 2**40)),
)
"""Units of one kind with their size; those of memory also by 1024."""
_WORDS: Final = {"min": "minutes", "h": "hours", "day": "days", "week": "weeks", "month": "months", "year": "years"}
_MOST: Final = 100_000


def in_base_units(number: float, unit: str) -> Iterator[tuple[str, float]]:
    """Yield the amount in the smallest unit of each scale that has a unit, for comparison."""
    for place, scale in enumerate(_SCALES):
        size = dict(scale).get(unit)
        if size is not None and abs(number) < 1e15:
            yield f"~{place}", float(f"{number * size:.12g}")


def in_other_units(number: float, unit: str) -> Iterator[tuple[float, str]]:
    """Yield the amount in the units next to its own, as numbers that somebody would write."""
    for one, other in (pair for scale in _SCALES for pair in pairwise(scale)):
        for (name, size), (target, target_size) in ((one, other), (other, one)):
            if name == unit and number:
                value = number * size / target_size
                if 0.1 <= abs(value) < _MOST and abs(value * 100 - round(value * 100)) < 1e-6:
                    yield float(f"{value:.12g}"), _WORDS.get(target, target)
