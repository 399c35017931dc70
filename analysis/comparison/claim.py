"""When a difference may be claimed: one rule for verdicts and for the looks that may end a comparison before them."""

from __future__ import annotations

from typing import Literal


def is_shown(p_value: float, level: float, effect: float, effect_with_failures: float) -> bool:
    """Say whether a difference is shown, in whichever direction.

    What failed is no sample of the rest: texts that come to no end are those with most to say. So a difference counts
    only if it would have the same sign with 0 for rows without a score (`comparison.Pair.effect_with_failures`).

    Args:
        p_value: Two-sided.
        level: The level that it is held against.
        effect: Difference of mean scores.
        effect_with_failures: The same with 0 for rows without a score.
    """
    return p_value <= level and effect * effect_with_failures > 0


Claim = Literal["these-cases", "new-cases"]
