"""Generations for each stage of a sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from analysis.formatting import cases_text
from sweeps.budget.plan import Plan, _Deal
from sweeps.config.sweep_config import SweepConfig
from sweeps.config.tables import BudgetTable
from sweeps.errors import ConfigError
from sweeps.samplers import grid_size, grid_values

MIN_TRIALS = 4
"""Fewer trials are no search."""


MAX_TRIALS = 9_000
"""More would run into the seeds of the confirmation (see `sweeps.study.sweep`); no sampler here learns from so many."""


MAX_GENERATIONS = 10_000_000
"""No plan of minutes has more, however little time a generation is told to take."""


MIN_CONFIRM_SEEDS = 3
"""Fewer fresh seeds per case and arm leave the pooled variance of the confirmation without a footing."""


REPEATS = 8
"""A small space is explored this many times over, on average, at most: its promising configurations more often."""


GENERATIONS_PER_TRIAL = 6
"""With `seeds = "auto"` a trial has at least this many generations, over all cases."""


def seeds_per_trial(budget: BudgetTable, cases: int) -> int:
    """Seeds per case of one explored trial."""
    return math.ceil(GENERATIONS_PER_TRIAL / cases) if budget.seeds == "auto" else budget.seeds


def parts_of(budget: BudgetTable, cases: int) -> int:
    """Into how many parts the cases are dealt, one for each trial of a round.

    With "auto", parts have at least `GENERATIONS_PER_TRIAL` cases. More trials of fewer generations tell more of a
    surface than fewer trials of more: on 246 simulated smooth surfaces with 12 cases, trials of 6 took the regret of a
    search alone from .0324, .0223 and .0166 (after 180, 420 and 876 generations) to .0264, .0192 and .0151; standard
    errors of the differences are .0014, .0011 and .0008. That the trials of a batch have the same part costs nothing to
    speak of (132 such surfaces, batches of 4: .0304 and .0227 after 300 and 600 generations with parts dealt trial by
    trial, .0314 and .0232 with parts by batch; standard errors of the differences .0017 and .0014) and saves most of
    the prompts' evaluations. Where seeds are asked for, trials are to be known better, and have all cases.
    """
    if budget.cases_per_trial == "auto":
        return max(1, cases // GENERATIONS_PER_TRIAL) if budget.seeds == "auto" else 1
    return math.ceil(cases / min(budget.cases_per_trial, cases))


def floor_seeds(budget: BudgetTable, hosts: int) -> int:
    """Seeds per case of the floor: as many on every host, and two at least."""
    return max(2, -(-budget.floor_seeds // hosts)) * hosts


def least_confirm_seeds(hosts: int) -> int:
    """The fewest fresh seeds per case and arm: as many on every host."""
    return max(2, -(-MIN_CONFIRM_SEEDS // hosts)) * hosts if hosts > 1 else MIN_CONFIRM_SEEDS


def smallest_budget(
    budget: BudgetTable,
    cases: int,
    hosts: int = 1,
    finalists: int = 1,
    parts: int | None = None,
    together: int = 1,
) -> int:
    """The fewest generations that hold a floor, a search and a confirmation; all arguments as for `make_plan`."""
    deal = _Deal(cases, parts_of(budget, cases) if parts is None else parts, together)
    search = seeds_per_trial(budget, cases) * deal.cases_of(least_trials(finalists))
    return search + cases * (floor_seeds(budget, hosts) + (1 + finalists) * least_confirm_seeds(hosts))


def least_trials(finalists: int) -> int:
    """The fewest trials: twice as many as there are finalists, or none would be left out."""
    return max(MIN_TRIALS, 2 * finalists)


def look_seeds(looks: int, confirm_seeds: int, hosts: int = 1) -> tuple[int, ...]:
    """Seeds per case and arm of the looks before the last, evenly spaced, and as many on every host.

    A look that would come before the fewest seeds that a confirmation needs is left out.
    """
    even = [-(-confirm_seeds * k // (looks * hosts)) * hosts for k in range(1, looks)]
    return tuple(sorted({seeds for seeds in even if least_confirm_seeds(hosts) <= seeds < confirm_seeds}))


@dataclass(frozen=True)
class _Design:
    """What a plan is made of besides the number of generations; see `make_plan`."""

    budget: BudgetTable
    cases: int
    hosts: int
    finalists: int
    looks: int
    most_trials: float
    parts: int
    together: int

    @property
    def needed(self) -> int:
        """The fewest generations."""
        return smallest_budget(self.budget, self.cases, self.hosts, self.finalists, self.parts, self.together)

    def share_out(self, generations: int) -> Plan:
        """The plan of so many generations, which are at least those needed."""
        budget, cases, hosts, deal = self.budget, self.cases, self.hosts, _Deal(self.cases, self.parts, self.together)
        arms = 1 + self.finalists
        seeds, per_host = seeds_per_trial(budget, cases), arms * cases * hosts
        floor, least = floor_seeds(budget, hosts), least_confirm_seeds(hosts)
        confirm = max(least, round(generations * budget.confirm_share / per_host) * hosts)
        room = deal.trials_within((generations - cases * (floor + arms * confirm)) // seeds)
        trials = int(min(max(room, least_trials(self.finalists)), self.most_trials, MAX_TRIALS))
        left = (generations - cases * floor - seeds * deal.cases_of(trials)) // per_host * hosts
        looks = look_seeds(self.looks, left, hosts)
        return Plan(cases, floor, seeds, trials, left, self.finalists, hosts, looks, self.parts, self.together)

    def within(self, seconds: float, seconds_of: Callable[[Plan], float], most: int | None) -> int:
        """How many generations, of `most` at most, make the largest plan that takes so many seconds.

        Fewer than are needed where not even the smallest plan is over by then.
        """
        fits = self.needed - 1  # what has been found to fit
        beyond = fits + 1
        while beyond <= (MAX_GENERATIONS if most is None else most) and seconds_of(self.share_out(beyond)) <= seconds:
            fits, beyond = beyond, 2 * beyond
        if most is not None and beyond > most:
            beyond = most + 1
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            if seconds_of(self.share_out(middle)) <= seconds:
                fits = middle
            else:
                beyond = middle
        return fits

    def too_small(self, limit: str, has: str, seconds: float | None) -> str:
        """What is told of a budget that does not hold the design."""
        budget, cases, finalists = self.budget, self.cases, self.finalists
        times = "" if seconds is None else f", about {seconds / 60:.1f} minutes"
        fewer = "fewer cases (objective.names)" + (" or fewer confirm.finalists" if finalists > 1 else "")
        return (
            f"{limit}: {has} is too small for {cases_text(cases)}: floor {cases} x {floor_seeds(budget, self.hosts)}"
            f" seeds, at least {least_trials(finalists)} trials of {math.ceil(cases / self.parts)} x"
            f" {seeds_per_trial(budget, cases)}, confirmation {1 + finalists} x {cases} x"
            f" {least_confirm_seeds(self.hosts)}; it needs {self.needed} generations{times}. Raise it, or name {fewer}"
        )


def make_plan(
    budget: BudgetTable,
    *,
    cases: int,
    hosts: int = 1,
    finalists: int = 1,
    looks: int = 1,
    seconds_of: Callable[[Plan], float] | None = None,
    space_size: float = math.inf,
    has_baseline: bool = False,
    repeats: int = REPEATS,
    parts: int | None = None,
    together: int = 1,
) -> Plan:
    """Share a budget out.

    About `confirm_share` of the generations confirms, the floor takes `floor_seeds` per case, and the rest explores;
    what is left over by rounding goes to the confirmation. Of minutes it is the largest plan that takes no longer.

    Args:
        budget: The `[budget]` table.
        cases: Number of cases, at least 1.
        hosts: Number of hosts, at least 1.
        finalists: How many configurations are confirmed; never more than the space has besides the baseline.
        looks: How often the confirmation is looked at, the last time included.
        seconds_of: Expected seconds of a plan, from what was measured; needed where only `minutes` is given.
        space_size: Number of different configurations. No more trials are planned than these with their repeats; what
            a small space leaves over confirms.
        has_baseline: Whether the baseline is one of them.
        repeats: How often a configuration may be explored, on average; a space in which every configuration can be
            confirmed is explored once.
        parts: Into how many parts the cases are dealt; `parts_of` if not given.
        together: How many trials in a row have the same part.

    Raises:
        ConfigError: If the budget cannot hold the design; it says how much could.
    """
    finalists = int(max(1, min(finalists, space_size - has_baseline)))
    most = space_size * (1 if space_size <= finalists + 1 else repeats)
    parts = parts_of(budget, cases) if parts is None else parts
    design = _Design(budget, cases, hosts, finalists, looks, most, parts, together if parts > 1 else 1)
    generations = budget.generations
    if generations is None and (budget.minutes is None or seconds_of is None):
        raise ConfigError("budget.minutes: needs the measured seconds of one generation")
    if generations is not None and generations < design.needed:
        raise ConfigError(design.too_small("budget.generations", f"{generations}", None))
    if budget.minutes is not None and seconds_of is not None:
        generations = design.within(60 * budget.minutes, seconds_of, generations)
        if generations < design.needed:
            seconds = seconds_of(design.share_out(design.needed))
            raise ConfigError(design.too_small("budget.minutes", f"{budget.minutes:g}", seconds))
    assert generations is not None
    return design.share_out(generations)


def plan_for(config: SweepConfig, *, cases: int, hosts: int, seconds_of: Callable[[Plan], float] | None = None) -> Plan:
    """Share out the budget of a sweep's file; as `make_plan`, with what the file says of finalists, looks and space.

    Trials have all cases, unless told otherwise, where each configuration comes once (a grid) and where limits are to
    be kept, which hold for means over all cases.
    """
    grid = config.search.sampler == "grid"
    whole = config.budget.cases_per_trial == "auto" and (grid or bool(config.constraints.limits))
    inside = config.space.params_of(config.baseline)
    if grid and inside is not None:
        values = grid_values(config.space.distributions())
        inside = inside if all(value in values[name] for name, value in inside.items()) else None
    return make_plan(
        config.budget,
        cases=cases,
        hosts=hosts,
        finalists=config.confirm.finalists,
        looks=config.confirm.looks,
        seconds_of=seconds_of,
        space_size=grid_size(config.space.distributions()) if grid else config.space.size,
        has_baseline=inside is not None,
        repeats=1 if grid else REPEATS,
        parts=1 if whole else None,
        together=config.search.batch,
    )


def left_out(plan: Plan, config: SweepConfig, *, stored: bool = False) -> tuple[str, str]:
    """What a grid has that its budget does not reach, and what to do about it; two empty strings if it is all tried.

    Args:
        plan: The plan.
        config: The sweep.
        stored: Whether the study exists, so that its space, sampler and budget stay what they are.
    """
    size = grid_size(config.space.distributions()) if config.search.sampler == "grid" else 0
    if size <= plan.trials:
        return "", ""
    before = plan.floor + plan.seeds * _Deal(plan.cases, plan.parts, plan.together).cases_of(size)
    least = (1 + plan.finalists) * plan.cases * least_confirm_seeds(plan.hosts)
    enough = max(math.ceil(before / (1 - config.budget.confirm_share)), before + least)
    found = f"the grid has {size:,} points, of which this budget tries {plan.trials}, drawn at random"
    anew = ", under another study.name" if stored else ""
    return found, f'name fewer choices, give about {enough:,} generations, or search with sampler = "gp"{anew}'
