"""The decision of a look, and what the search believes before it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Prior:
    """What is believed of a configuration's effect before its confirmation, as a normal distribution.

    It says whether it is worth while to go on, and never enters p, interval or estimate.

    Attributes:
        mean: Expected effect over the baseline, in units of the score.
        sd: Its standard deviation, at least 0.

    Raises:
        ValueError: If a number is not finite, or `sd` is below 0.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean) or not 0 <= self.sd < math.inf:
            raise ValueError(f"a prior takes a finite mean and an sd of 0 or more, not {self.mean} and {self.sd}")


@dataclass(frozen=True)
class LookDecision:
    """What a look says.

    Attributes:
        stop: "efficacy" (the boundary is crossed, in whichever direction, and the difference may be claimed; see
            `claims.is_shown`), "futility", or None (go on).
        look: Number of the look, from 1.
        looks: Planned number.
        effect: Difference of mean scores so far.
        standard_error: Of the effect.
        p_value: Two-sided, of this look alone.
        bound: Largest p at which this look stops for efficacy.
        chance: Probability of finding the configuration better in the end, or equivalent where a margin is named:
            given a prior. Without one, of finding it better if it truly is by what the design can see.
        sentence: The decision in words.
    """

    stop: Literal["efficacy", "futility"] | None
    look: int
    looks: int
    effect: float
    standard_error: float
    p_value: float
    bound: float
    chance: float
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON: numbers that do not exist are None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }
