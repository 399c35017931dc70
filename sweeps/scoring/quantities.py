"""Limits on what a configuration may cost: words, tokens, seconds, and shares of what is cut off or copied.

The search is told the score less a penalty for what lies above a limit, so that every sampler keeps to the limits. (For
the finalist see `sweeps.scoring.limits`.) All functions work on rows of the observations table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from sweeps.search.explorer import TrialResult

Row = Mapping[str, Any]

LARGEST_EXCESS = 2.0
"""The largest excess over a limit that counts. At three times the limit a trial is hopeless already, and a larger
penalty would make all others look alike."""


class ConstraintsTable(BaseModel):
    """`[constraints]`: what a configuration may cost on average; and how much a search loses by going beyond it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    words: Annotated[float, Field(gt=0)] | None = None
    output_tokens: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    cut_off: Annotated[float, Field(ge=0, lt=1)] | None = None
    copied_share: Annotated[float, Field(ge=0, lt=1)] | None = None
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0

    @model_validator(mode="after")
    def _has_limit(self) -> ConstraintsTable:
        if "weight" in self.model_fields_set and not self.limits:
            raise ValueError(f"has a weight but no limit; name one of {', '.join(QUANTITIES)}")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by name."""
        return {name: limit for name in QUANTITIES if (limit := getattr(self, name)) is not None}

    def identity(self) -> dict[str, float]:
        """What a study's proposals depend on; {} without a limit."""
        return {**self.limits, "weight": self.weight} if self.limits else {}


@dataclass(frozen=True)
class Quantity:
    """Something that can be limited.

    Attributes:
        of: Reads it from a row that has an answer.
        share: Whether it is a share, which may be limited to 0 and whose excess is counted as it is; other excesses
            are counted in units of the limit.
        counted: Whether it is a share of texts, each of which is in or out.
        unit: What follows the number.
    """

    of: Callable[[Row], Any]
    share: bool = False
    counted: bool = False
    unit: str = ""

    def text(self, value: float, *, apart_from: float | None = None) -> str:
        """The value for people, with three digits that count, or more where it takes more to tell it from another."""
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


QUANTITIES: Mapping[str, Quantity] = {
    "words": Quantity(lambda row: row["words"]),
    "output_tokens": Quantity(lambda row: row["output_tokens"]),
    "seconds": Quantity(_request_seconds, unit=" s"),
    "cut_off": Quantity(lambda row: row["finish"] == "length", share=True, counted=True),
    "copied_share": Quantity(lambda row: row.get("copied_share"), share=True),
}
"""What `[constraints]` can limit, by its key."""


def measured(row: Row, name: str) -> float:
    """A quantity of one generation; NaN where the request failed or the engine does not tell."""
    if row["finish"] == "error":
        return math.nan
    value = QUANTITIES[name].of(row)
    return math.nan if value is None else float(value)


# ---- the search


@dataclass(frozen=True)
class Penalty:
    """What a trial lost for breaking limits.

    Attributes:
        score: The score without it.
        noise_sd: The score's own within-case standard deviation.
        means: Mean of each limited quantity; NaN where it is not known.
        violation: Excesses over the limits, added up; 0 where all are kept.
        weight: Of the violation: so much score is lost per unit.
    """

    score: float
    noise_sd: float
    means: Mapping[str, float]
    violation: float
    weight: float

    @property
    def lost(self) -> float:
        """The difference between score and value."""
        return self.weight * self.violation

    def user_attrs(self) -> dict[str, Any]:
        """What stands beside the value in Optuna's storage."""
        known = {name: None if math.isnan(mean) else mean for name, mean in self.means.items()}
        return {"score": self.score, "violation": self.violation, "constraints": known}


def means_of(rows: Sequence[Row], names: Sequence[str]) -> dict[str, float]:
    """Mean over cases of the case's mean, of each quantity; NaN where no generation tells it."""
    found = {}
    for name in names:
        by_case: dict[str, list[float]] = {}
        for row in rows:
            if not math.isnan(value := measured(row, name)):
                by_case.setdefault(row["case"], []).append(value)
        found[name] = float(np.mean([np.mean(values) for values in by_case.values()])) if by_case else math.nan
    return found


def violation(means: Mapping[str, float], limits: Mapping[str, float]) -> float:
    """Excesses of means over their limits, added up: 0.14 for 171 words where 150 are allowed.

    Of words, tokens and seconds it is the excess in units of the limit, of the share cut off the excess as it is (its
    limit may be 0). Each is counted up to `LARGEST_EXCESS`. A mean that is not known breaks nothing.
    """
    excesses = (QUANTITIES[name].excess(means[name], limit) for name, limit in limits.items())
    return sum(min(max(excess, 0.0), LARGEST_EXCESS) for excess in excesses if not math.isnan(excess))


def penalised(result: TrialResult, rows: Sequence[Row], table: ConstraintsTable) -> TrialResult:
    """A trial's result as the search is told it: the score less `weight` times the violation.

    Means of few generations scatter, so that now and then a configuration just under a limit loses a little and one
    just above it loses nothing. On average over that scatter the penalty is a smooth one that sets in a standard error
    before the limit, which keeps finalists from standing right at it; away from the limit it is exact. Simulated, a
    penalty that allows for the noise of the means, or a posterior of their own, found nothing better.

    Args:
        result: The trial's scores.
        rows: Its rows.
        table: The limits; without any the result stays as it is.
    """
    if not table.limits or math.isnan(result.value):
        return result
    means = means_of(rows, list(table.limits))
    penalty = Penalty(result.value, result.noise_sd, means, violation(means, table.limits), table.weight)
    return replace(
        result,
        value=result.value - penalty.lost,
        case_scores=[score - penalty.lost for score in result.case_scores],
        penalty=penalty,
    )
