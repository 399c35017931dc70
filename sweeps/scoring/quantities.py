"""Quantities of a generation that can be limited: words, tokens, seconds, and shares of cut-off or copied text.

All functions work on rows of the observations table. `sweeps.scoring.limits` holds a finalist against its limits; the
search subtracts a penalty from the score (`sweeps.search.trial_scores.penalised`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps.scoring.answers import EMPTY

Row = Mapping[str, Any]
"""A row of the observations table."""


@dataclass(frozen=True)
class Quantity:
    """A quantity that can be limited.

    Attributes:
        of: Reads the quantity from a row that has an answer.
        share: Whether it is a share, whose limit may be 0 and whose excess is a difference. Excesses of other
            quantities are multiples of the limit.
        counted: Whether it is a share of whole texts.
        unit: The text behind the number.
    """

    of: Callable[[Row], Any]
    share: bool = False
    counted: bool = False
    unit: str = ""

    def text(self, value: float, *, apart_from: float | None = None) -> str:
        """The value for people, with three significant digits, or more where it takes more to differ from another."""
        if math.isnan(value):
            return "unknown"
        more, other = 0, value if apart_from is None else apart_from
        while more < 6 and self._number(value, more) == self._number(other, more):
            more += 1
        return self._number(value, more if more < 6 else 0) + ("%" if self.share else self.unit)

    def between(self, low: float, high: float) -> str:
        """An interval for people, its unit named once: `19.4 to 31.4`."""
        return f"{self._number(low)} to {self.text(high)}"

    def _number(self, value: float, more: int = 0) -> str:
        shown = 100 * value if self.share else value
        if abs(shown) < 100:
            return f"{shown:.{3 + more}g}"
        return f"{shown:.{more}f}".rstrip("0").rstrip(".") if more else f"{shown:.0f}"

    def excess(self, value: float, limit: float) -> float:
        """How far a value lies above a limit (below 0: under it)."""
        return value - limit if self.share else value / limit - 1


def _request_seconds(row: Row) -> float:
    """Seconds of the request itself: neither the wait for the server nor the load of the model."""
    other = (row["queue_seconds"], row["load_seconds"])
    return float(row["seconds"] - sum(part for part in other if part is not None and not math.isnan(part)))


def _is_cut_off(row: Row) -> bool:
    """Whether num_predict ended the text; of a text without an answer its tokens tell."""
    if row["finish"] != EMPTY:
        return bool(row["finish"] == "length")
    limit, tokens = row.get("num_predict"), row.get("output_tokens")
    return limit is not None and tokens is not None and 0 < limit <= tokens


QUANTITIES: Mapping[str, Quantity] = {
    "words": Quantity(lambda row: row["words"]),
    "output_tokens": Quantity(lambda row: row["output_tokens"]),
    "seconds": Quantity(_request_seconds, unit=" s"),
    "cut_off": Quantity(_is_cut_off, share=True, counted=True),
    "copied_share": Quantity(lambda row: row.get("copied_share"), share=True),
}
"""Quantities by their keys in `[constraints]`."""


def measured(row: Row, name: str) -> float:
    """A quantity of one generation; NaN where the request failed or the engine does not report it."""
    if row["finish"] == "error":
        return math.nan
    value = QUANTITIES[name].of(row)
    return math.nan if value is None else float(value)


def means_of(rows: Sequence[Row], names: Sequence[str]) -> dict[str, float]:
    """Mean over cases of the case's mean, for each quantity; NaN where no generation has it."""
    found = {}
    for name in names:
        by_case: dict[str, list[float]] = {}
        for row in rows:
            if not math.isnan(value := measured(row, name)):
                by_case.setdefault(row["case"], []).append(value)
        found[name] = float(np.mean([np.mean(values) for values in by_case.values()])) if by_case else math.nan
    return found
