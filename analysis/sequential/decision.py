"""The decision of a look, and the prior belief that the search has before it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Prior:
    """The effect that a configuration is believed to have before its confirmation, as a normal distribution.

    It decides only whether going on is worthwhile. It never enters p, interval or estimate.

    Attributes:
        mean: Expected difference to the baseline, in units of the score.
        sd: Standard deviation of that effect, at least 0.

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
    """The decision of a look.

    Attributes:
        stop: "efficacy" (the boundary is crossed, in either direction, and the difference may be claimed; see
            `claim.is_shown`), "futility", or None (go on).
        look: Number of the look, from 1.
        looks: Planned number of looks.
        effect: Difference of mean scores so far.
        standard_error: Standard error of the effect; NaN where no score varies.
        p_value: Two-sided p of this look alone; NaN likewise.
        bound: Largest p at which this look stops for efficacy.
        chance: Probability that the end shows the configuration better; with a prior, also equivalent where a margin is
            named. Without a prior it is the probability if the true gain is the one that the design can see.
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
        """Return the fields, ready for JSON: NaN and infinity are None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }
