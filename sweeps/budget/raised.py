"""Budgets of a study that were raised since it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweeps.budget.look_seeds import look_seeds, runoff_seeds, seeds_within
from sweeps.budget.plan import Plan
from sweeps.config.tables import Looks

LIMITS = ("budget.generations", "budget.minutes", "budget.tokens")
"""Keys of an identity that may rise while the study goes on."""


def is_raised(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a budget is larger than the one that a study began with, and none is smaller.

    Args:
        before: The study's identity (`sweeps.study.identity.identity_of`).
        now: The identity of the run.
    """
    changed = {key: (before.get(key), now.get(key)) for key in LIMITS if before.get(key) != now.get(key)}
    return bool(changed) and all(old is not None and new is not None and new > old for old, new in changed.values())


def is_lowered(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a budget is smaller than the one that a study began with; arguments as for `is_raised`."""
    both = ((before.get(key), now.get(key)) for key in LIMITS)
    return any(old is not None and new is not None and new < old for old, new in both)


def raised_plan(before: Plan, now: Plan, looks: Looks, least_look: int = 0) -> Plan:
    """The plan of a larger budget, with no fewer trials or seeds than the previous plan.

    Rounding can give a slightly larger budget one seed more and a trial less, or the reverse; then the trials stay as
    they were.

    Args:
        before: The study's plan.
        now: The plan that a new study would have with the larger budget.
        looks: Number of looks at the confirmation, "auto" or "anytime".
        least_look: Smallest number of seeds at a look before the end.
    """
    if now.trials >= before.trials and now.confirm_seeds >= before.confirm_seeds:
        return replace(now, prune=before.prune, start=before.start, start_trials=before.start_trials)
    room = (now.total - before.floor - before.explore) // before.cases
    left = before.runoff_left or before.finalists
    seeds = max(seeds_within(room, before.finalists, left, before.hosts, least_look), before.confirm_seeds)
    early = runoff_seeds(seeds, before.hosts, least_look) if before.runoff_seeds else 0
    looked = look_seeds(looks, seeds, before.hosts, runoff=early, least=least_look)
    return replace(before, confirm_seeds=seeds, look_seeds=looked, runoff_seeds=early)
