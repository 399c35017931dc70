"""Seeds of a confirmation: the smallest number of them, and the numbers at its looks."""

from __future__ import annotations

from sweeps.config.tables import Looks

MIN_CONFIRM_SEEDS = 3
"""Smallest number of fresh seeds per case and arm: fewer give no reliable variance."""

EARLY = (0.2, 0.4, 0.6)
"""Shares of the planned seeds at the looks before the end with `looks = "auto"`.

Simulations in `docs/statistics.md`.
"""

MOST_LOOKS = 30
"""Largest number of looks after every seed: with more seeds there is one after every few."""


def least_confirm_seeds(hosts: int) -> int:
    """The smallest number of fresh seeds per case and arm, equal on every host."""
    return max(2, -(-MIN_CONFIRM_SEEDS // hosts)) * hosts if hosts > 1 else MIN_CONFIRM_SEEDS


def look_seeds(looks: Looks, confirm_seeds: int, hosts: int = 1) -> tuple[int, ...]:
    """Seeds per case and arm of the looks before the last, equal on every host.

    With "auto" they come after about the shares EARLY, the first one after two seeds or more. A number of looks is
    evenly spaced; those with fewer seeds than a confirmation needs are left out. With "anytime" there is one after
    every seed of a host, or after every few where these would be more than MOST_LOOKS.
    """
    if looks == "auto":
        early = {max(2, round(share * confirm_seeds / hosts)) * hosts for share in EARLY}
        return tuple(sorted(seeds for seeds in early if seeds < confirm_seeds))
    if looks == "anytime":
        step = hosts * -(-confirm_seeds // (MOST_LOOKS * hosts))
        return tuple(range(-(-least_confirm_seeds(hosts) // step) * step, confirm_seeds, step))
    even = [-(-confirm_seeds * k // (looks * hosts)) * hosts for k in range(1, looks)]
    return tuple(sorted({seeds for seeds in even if least_confirm_seeds(hosts) <= seeds < confirm_seeds}))
