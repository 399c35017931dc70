"""Seeds of a confirmation: the smallest number of them, the numbers at its looks, and that of its run-off."""

from __future__ import annotations

from sweeps.config.tables import Looks

MIN_CONFIRM_SEEDS = 3
"""Smallest number of fresh seeds per case and arm: fewer give no reliable variance."""

EARLY = (0.2, 0.4, 0.6)
"""Shares of the planned seeds at the looks before the end with `looks = "auto"`.

Simulations in `docs/statistics.md`.
"""

RUNOFF = 0.4
"""Share of the planned seeds at the end of a run-off: with `looks = "auto"` there is a look then anyway."""

MOST_LOOKS = 30
"""Largest number of looks after every seed: with more seeds there is one after every few."""


def least_confirm_seeds(hosts: int, *, runoff: bool = False) -> int:
    """The smallest number of fresh seeds per case and arm, equal on every host.

    A host needs two for its noise. A run-off ends after as many, and not after all.

    Args:
        hosts: Number of hosts.
        runoff: Whether the confirmation begins with a run-off.
    """
    each = 3 if runoff else 2
    return max(each, -(-MIN_CONFIRM_SEEDS // hosts)) * hosts if hosts > 1 else MIN_CONFIRM_SEEDS


def runoff_seeds(confirm_seeds: int, hosts: int = 1, least: int = 0) -> int:
    """Seeds per case and arm at the end of a run-off, equal on every host: two or more per host, and not all.

    Args:
        confirm_seeds: Seeds per case and arm at the end of the confirmation, at least `least_confirm_seeds`.
        hosts: Number of hosts.
        least: Smallest number of seeds at a look, where there are so many.
    """
    early = max(2, round(RUNOFF * confirm_seeds / hosts), -(-least // hosts)) * hosts
    return min(early, max(confirm_seeds - hosts, hosts))


def seeds_within(room: int, arms: int, left: int, hosts: int = 1, least: int = 0) -> int:
    """The largest number of seeds per case and arm whose generations fit, equal on every host.

    Args:
        room: Generations per case.
        arms: Number of finalists at the start.
        left: Number of finalists after the run-off; all of them without one.
        hosts: Number of hosts.
        least: See `runoff_seeds`.
    """
    seeds = max(0, room // (1 + left) // hosts * hosts)
    while seeds > 0 and generations_of(seeds, arms, left, hosts, least) > room:
        seeds -= hosts
    return seeds


def generations_of(confirm_seeds: int, arms: int, left: int, hosts: int = 1, least: int = 0) -> int:
    """Generations per case of a confirmation with so many seeds per case and arm; see `seeds_within`."""
    early = runoff_seeds(confirm_seeds, hosts, least) if left < arms else 0
    return (1 + left) * confirm_seeds + (arms - left) * early


def look_seeds(looks: Looks, confirm_seeds: int, hosts: int = 1, *, runoff: int = 0, least: int = 0) -> tuple[int, ...]:
    """Seeds per case and arm of the looks before the last, equal on every host.

    With "auto" they come after about the shares EARLY, the first one after two seeds or more. A number of looks is
    evenly spaced; those with fewer seeds than a confirmation needs are left out. With "anytime" there is one after
    every seed of a host, or after every few where these would be more than MOST_LOOKS. A run-off ends with a look, too.

    Args:
        looks: `[confirm] looks`.
        confirm_seeds: Seeds per case and arm at the end.
        hosts: Number of hosts.
        runoff: Seeds at the end of a run-off; 0 without one.
        least: Looks with fewer seeds are left out, the end of a run-off excepted.
    """
    usual = {seeds for seeds in _usual_looks(looks, confirm_seeds, hosts) if seeds >= least}
    return tuple(sorted({*usual, *([runoff] if runoff else [])}))


def _usual_looks(looks: Looks, confirm_seeds: int, hosts: int) -> tuple[int, ...]:
    if looks == "auto":
        early = {max(2, round(share * confirm_seeds / hosts)) * hosts for share in EARLY}
        return tuple(sorted(seeds for seeds in early if seeds < confirm_seeds))
    if looks == "anytime":
        step = hosts * -(-confirm_seeds // (MOST_LOOKS * hosts))
        return tuple(range(-(-least_confirm_seeds(hosts) // step) * step, confirm_seeds, step))
    even = [-(-confirm_seeds * k // (looks * hosts)) * hosts for k in range(1, looks)]
    return tuple(sorted({seeds for seeds in even if least_confirm_seeds(hosts) <= seeds < confirm_seeds}))
