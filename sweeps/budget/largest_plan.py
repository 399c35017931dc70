"""The largest plan within a budget of generations, minutes or tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from sweeps.budget.plan import Plan
from sweeps.config.tables import BudgetTable
from sweeps.errors import ConfigError

MAX_GENERATIONS = 10_000_000
"""Largest plan of minutes, even if a generation takes no time."""


class Allotment(Protocol):
    """A way to make a plan of a number of generations."""

    @property
    def needed(self) -> int:
        """The smallest number of generations."""

    def share_out(self, generations: int) -> Plan:
        """The plan of `generations`, of which there must be at least `needed`."""

    def too_small(self, key: str, value: str, cost: str = "") -> str:
        """The message for a budget below `needed`; `cost` is that of the smallest plan, where it is not generations."""


def plan_of_budget(
    allotment: Allotment,
    budget: BudgetTable,
    seconds_of: Callable[[Plan], float] | None,
    tokens_each: float | None = None,
) -> Plan:
    """The largest plan within a budget of generations, minutes, tokens or several of them.

    Args:
        allotment: Makes plans.
        budget: The `[budget]` table.
        seconds_of: Expected seconds of a plan; needed where only `minutes` is given.
        tokens_each: Expected tokens of an answer; needed where only `tokens` is given.

    Raises:
        ConfigError: If the budget is too small; the message has the smallest one that is enough.
    """
    generations = budget.generations
    if generations is not None and generations < allotment.needed:
        raise ConfigError(allotment.too_small("budget.generations", f"{generations}"))
    if budget.tokens is not None and tokens_each is not None:
        fits = min(int(budget.tokens / max(tokens_each, 1.0)), MAX_GENERATIONS)
        if fits < allotment.needed:
            cost = f", about {math.ceil(allotment.needed * tokens_each)} tokens"
            raise ConfigError(allotment.too_small("budget.tokens", f"{budget.tokens}", cost))
        generations = fits if generations is None else min(generations, fits)
    if generations is None and (budget.minutes is None or seconds_of is None):
        key, what = ("minutes", "seconds") if budget.tokens is None else ("tokens", "tokens")
        raise ConfigError(f"budget.{key}: needs the measured {what} of one generation")
    if budget.minutes is not None and seconds_of is not None:
        generations = _within(allotment, 60 * budget.minutes, seconds_of, generations)
        if generations < allotment.needed:
            cost = f", about {seconds_of(allotment.share_out(allotment.needed)) / 60:.1f} minutes"
            raise ConfigError(allotment.too_small("budget.minutes", f"{budget.minutes:g}", cost))
    assert generations is not None
    return allotment.share_out(generations)


def _within(allotment: Allotment, seconds: float, seconds_of: Callable[[Plan], float], most: int | None) -> int:
    """Number of generations of the largest plan that takes at most `seconds`, and has at most `most` generations.

    It is below `needed` where even the smallest plan takes longer.
    """
    fits = allotment.needed - 1  # the largest number found to fit
    beyond = fits + 1
    while beyond <= (MAX_GENERATIONS if most is None else most) and seconds_of(allotment.share_out(beyond)) <= seconds:
        fits, beyond = beyond, 2 * beyond
    if most is not None and beyond > most:
        beyond = most + 1
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        if seconds_of(allotment.share_out(middle)) <= seconds:
            fits = middle
        else:
            beyond = middle
    return fits
