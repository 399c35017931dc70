"""Allocation of a budget to the stages of a sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.formatting import cases_text, count_text
from sweeps.budget.largest_plan import plan_of_budget
from sweeps.budget.look_seeds import (
    generations_of,
    least_confirm_seeds,
    look_seeds,
    runoff_seeds,
    seeds_within,
)
from sweeps.budget.plan import CaseRotation, Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.config.tables import BudgetTable, Looks
from sweeps.samplers import grid_size, grid_values, start_kind, start_size

MIN_TRIALS = 4
"""Smallest number of trials."""

MAX_TRIALS = 9_000
"""Largest number of trials: more would use the seeds of the confirmation, and no sampler here learns from so many."""

REPEATS = 8
"""Largest average number of trials per configuration of a small space; promising configurations get more."""

GENERATIONS_PER_TRIAL = 6
"""Smallest number of generations of a trial, over all cases, with `seeds = "auto"`."""


def seeds_per_trial(budget: BudgetTable, cases: int) -> int:
    """Seeds per case of one explored trial."""
    return math.ceil(GENERATIONS_PER_TRIAL / cases) if budget.seeds == "auto" else budget.seeds


def parts_of(budget: BudgetTable, cases: int) -> int:
    """Number of parts into which the cases are divided; a trial has the cases of one part.

    With "auto", parts have at least `GENERATIONS_PER_TRIAL` cases: many small trials find more than few large ones
    (simulations in `docs/benchmarks.md`). If the file sets `seeds`, trials have all cases.
    """
    if budget.cases_per_trial == "auto":
        return max(1, cases // GENERATIONS_PER_TRIAL) if budget.seeds == "auto" else 1
    return math.ceil(cases / min(budget.cases_per_trial, cases))


def floor_seeds(budget: BudgetTable, hosts: int) -> int:
    """Seeds per case of the floor: equally many on every host, and at least two."""
    return max(2, -(-budget.floor_seeds // hosts)) * hosts


def smallest_budget(
    budget: BudgetTable,
    cases: int,
    hosts: int = 1,
    finalists: int = 1,
    parts: int | None = None,
    together: int = 1,
    *,
    first: int = 0,
    runoff: int = 0,
    least_look: int = 0,
) -> int:
    """The smallest number of generations for floor, search and confirmation; all arguments as for `make_plan`."""
    rotation = CaseRotation(cases, parts_of(budget, cases) if parts is None else parts, together)
    arms = max(finalists, runoff)
    search = seeds_per_trial(budget, cases) * rotation.cases_of(least_trials(arms, first))
    least = least_confirm_seeds(hosts, runoff=finalists < arms)
    confirm = generations_of(least, arms, finalists, hosts, least_look)
    return search + cases * (floor_seeds(budget, hosts) + confirm)


def least_trials(finalists: int, first: int = 0) -> int:
    """The smallest number of trials: twice the number of finalists, so that there is a choice, and all candidates.

    Args:
        finalists: Number of finalists.
        first: Number of candidates, which are the first trials.
    """
    return max(MIN_TRIALS, 2 * finalists, first)


@dataclass(frozen=True)
class _PlanSettings:
    """Settings of a plan apart from the number of generations; see `make_plan`."""

    budget: BudgetTable
    cases: int
    hosts: int
    finalists: int
    looks: Looks
    most_trials: float
    parts: int
    together: int
    first: int = 0
    runoff: int = 1
    least_look: int = 0

    @property
    def arms(self) -> int:
        """Number of finalists that begin the confirmation."""
        return max(self.finalists, self.runoff)

    @property
    def needed(self) -> int:
        """The smallest number of generations."""
        settings = self.budget, self.cases, self.hosts, self.finalists, self.parts, self.together
        return smallest_budget(*settings, first=self.first, runoff=self.runoff, least_look=self.least_look)

    @property
    def least(self) -> int:
        """The smallest number of fresh seeds per case and arm."""
        return least_confirm_seeds(self.hosts, runoff=self.finalists < self.arms)

    def share_out(self, generations: int) -> Plan:
        """The plan of `generations`, of which there must be at least `needed`."""
        budget, cases, hosts, arms, kept = self.budget, self.cases, self.hosts, self.arms, self.finalists
        rotation, at_look = CaseRotation(cases, self.parts, self.together), self.least_look
        seeds, floor = seeds_per_trial(budget, cases), floor_seeds(budget, hosts)
        per_seed = generations_of(100 * hosts, arms, kept, hosts) / 100  # in the long run
        wanted = round(generations * budget.confirm_share / (cases * per_seed)) * hosts
        confirm = max(self.least, wanted)
        reserved = cases * (floor + generations_of(confirm, arms, kept, hosts, at_look))
        room = rotation.trials_within((generations - reserved) // seeds)
        trials = int(min(max(room, least_trials(arms, self.first)), self.most_trials, MAX_TRIALS))
        fresh = (generations - seeds * rotation.cases_of(trials)) // cases - floor
        left = seeds_within(fresh, arms, kept, hosts, at_look)
        early = runoff_seeds(left, hosts, at_look) if kept < arms else 0
        looks = look_seeds(self.looks, left, hosts, runoff=early, least=at_look)
        plan = Plan(cases, floor, seeds, trials, left, arms, hosts, looks, self.parts, self.together)
        if early:
            plan = replace(plan, runoff_seeds=early, runoff_left=kept)
        return replace(plan, anytime=self.looks == "anytime")

    def too_small(self, key: str, value: str, cost: str = "") -> str:
        """The message for a budget below `needed`."""
        budget, cases, finalists = self.budget, self.cases, self.finalists
        arms, fewer = self.arms, "fewer cases (objective.names)"
        fewer += " or fewer confirm.finalists" if finalists > 1 else ""
        fewer += " or a smaller confirm.runoff" if arms > finalists else ""
        confirm = f"confirmation {1 + finalists} x {cases} x {self.least}"
        if arms > finalists:
            early = runoff_seeds(self.least, self.hosts, self.least_look)
            confirm = f"run-off {arms - finalists} x {cases} x {early}, {confirm}"
        return (
            f"{key}: {value} is too small for {cases_text(cases)}: floor {cases} x {floor_seeds(budget, self.hosts)}"
            f" seeds, at least {least_trials(arms, self.first)} trials of {math.ceil(cases / self.parts)} x"
            f" {seeds_per_trial(budget, cases)}, {confirm}; it needs {self.needed} generations{cost}."
            f" Raise it, or name {fewer}"
        )


def make_plan(
    budget: BudgetTable,
    *,
    cases: int,
    hosts: int = 1,
    finalists: int = 1,
    looks: Looks = 1,
    seconds_of: Callable[[Plan], float] | None = None,
    tokens_each: float | None = None,
    space_size: float = math.inf,
    has_baseline: bool = False,
    repeats: int = REPEATS,
    parts: int | None = None,
    together: int = 1,
    first: int = 0,
    runoff: int = 1,
    least_look: int = 0,
) -> Plan:
    """Allocate a budget to floor, explore and confirm.

    About `confirm_share` of the generations go to the confirmation, `floor_seeds` per case to the floor, the rest to
    the exploration. Remainders of rounding go to the confirmation. From minutes comes the largest plan that fits.

    Args:
        budget: The `[budget]` table.
        cases: Number of cases, at least 1.
        hosts: Number of hosts, at least 1.
        finalists: Number of configurations to confirm; at most the number of configurations besides the baseline.
        looks: Number of looks at the confirmation, the last one included; or "auto" or "anytime".
        seconds_of: Expected seconds of a plan, from measured requests; needed where only `minutes` is given.
        tokens_each: Expected tokens of an answer, from measured ones; needed where only `tokens` is given.
        space_size: Number of different configurations, which with `repeats` limits the trials. Generations that a small
            space does not use go to the confirmation.
        has_baseline: Whether the baseline is one of them.
        repeats: Largest average number of trials per configuration. A space whose configurations can all be confirmed
            is explored once.
        parts: Number of parts of the cases; `parts_of` if not given.
        together: Number of consecutive trials with the same part.
        first: Number of candidates, which are the first trials.
        runoff: Number of configurations that begin the confirmation, of which the best `finalists` go on; 1 for no
            run-off.
        least_look: Smallest number of seeds at a look before the end.

    Raises:
        ConfigError: If the budget is too small; the message has the smallest one that is enough.
    """
    others = space_size - has_baseline
    finalists = int(max(1, min(finalists, others)))
    runoff = int(max(1, min(runoff, others)))
    most = space_size * (1 if space_size <= finalists + 1 else repeats)
    parts = parts_of(budget, cases) if parts is None else parts
    together = together if parts > 1 else 1
    settings = _PlanSettings(budget, cases, hosts, finalists, looks, most, parts, together, first, runoff, least_look)
    return plan_of_budget(settings, budget, seconds_of, tokens_each)


def plan_for(
    config: SweepConfig,
    *,
    cases: int,
    hosts: int,
    seconds_of: Callable[[Plan], float] | None = None,
    tokens_each: float | None = None,
) -> Plan:
    """Allocate the budget of a sweep's file: `make_plan` with the file's finalists, looks and space.

    With `cases_per_trial = "auto"` trials have all cases in two kinds of sweep: on a grid, which tries a configuration
    once, and with limits, which hold for means over all cases. With `verdict.bar` no look comes before the `verdict.k`
    seeds that pass^k takes.
    """
    make = comparison_plan if config.is_comparison else _search_plan
    return make(config, cases=cases, hosts=hosts, seconds_of=seconds_of, tokens_each=tokens_each)


def _search_plan(
    config: SweepConfig,
    *,
    cases: int,
    hosts: int,
    seconds_of: Callable[[Plan], float] | None = None,
    tokens_each: float | None = None,
) -> Plan:
    grid = config.search.sampler == "grid"
    whole = config.budget.cases_per_trial == "auto" and (grid or bool(config.constraints.limits))
    inside, first = config.space.params_of(config.baseline), len(config.candidates)
    if grid and inside is not None:
        values = grid_values(config.space.distributions())
        inside = inside if all(value in values[name] for name, value in inside.items()) else None
    plan = make_plan(
        config.budget,
        cases=cases,
        hosts=hosts,
        finalists=config.confirm.finalists,
        looks=config.confirm.looks,
        seconds_of=seconds_of,
        tokens_each=tokens_each,
        space_size=grid_size(config.space.distributions()) + first if grid else config.space.size,
        has_baseline=inside is not None,
        repeats=1 if grid else REPEATS,
        parts=1 if whole else None,
        together=config.search.batch,
        first=first,
        runoff=config.confirm.runoff,
        least_look=config.verdict.least_look,
    )
    if config.search.sampler != "gp":
        return plan
    dimensions = sum(dimension.size > 1 for dimension in config.space)
    planned = min(start_size(dimensions, plan.trials) - (inside is not None), plan.trials)
    start: str = config.search.start
    if start == "auto":  # an end of a range often breaks a limit
        start = "near" if config.constraints.limits else start_kind(dimensions, planned)
    planned = 0 if config.search.earlier_scores else planned  # these may take the place of some or all
    return replace(plan, prune=config.search.prune, start=start, start_trials=planned)


@dataclass(frozen=True)
class _ComparisonSettings:
    """Settings of a comparison's plan; see `comparison_plan`."""

    budget: BudgetTable
    cases: int
    hosts: int
    candidates: int
    looks: Looks
    least_look: int = 0

    @property
    def needed(self) -> int:
        """The smallest number of generations."""
        arms = 1 + self.candidates
        return self.cases * (floor_seeds(self.budget, self.hosts) + arms * least_confirm_seeds(self.hosts))

    def share_out(self, generations: int) -> Plan:
        """The plan of `generations`, of which there must be at least `needed`."""
        floor = floor_seeds(self.budget, self.hosts)
        per_seed = (1 + self.candidates) * self.cases * self.hosts
        seeds = (generations - self.cases * floor) // per_seed * self.hosts
        looks = look_seeds(self.looks, seeds, self.hosts, least=self.least_look)
        plan = Plan(self.cases, floor, 1, 0, seeds, self.candidates, self.hosts, looks)
        return replace(plan, anytime=self.looks == "anytime")

    def too_small(self, key: str, value: str, cost: str = "") -> str:
        """The message for a budget below `needed`."""
        return (
            f"{key}: {value} is too small to compare {count_text(self.candidates, 'candidate')} with the baseline on"
            f" {cases_text(self.cases)}: floor {self.cases} x {floor_seeds(self.budget, self.hosts)} seeds, comparison"
            f" {1 + self.candidates} x {self.cases} x {least_confirm_seeds(self.hosts)}; it needs {self.needed}"
            f" generations{cost}. Raise it, or name fewer cases (objective.names) or candidates"
        )


def comparison_plan(
    config: SweepConfig,
    *,
    cases: int,
    hosts: int,
    seconds_of: Callable[[Plan], float] | None = None,
    tokens_each: float | None = None,
) -> Plan:
    """Allocate the budget of a comparison: a floor, then equal numbers of fresh seeds for baseline and candidates.

    Raises:
        ConfigError: If the budget is too small; the message has the smallest one that is enough.
    """
    arms, looks, least_look = len(config.candidates), config.confirm.looks, config.verdict.least_look
    settings = _ComparisonSettings(config.budget, cases, hosts, arms, looks, least_look)
    return plan_of_budget(settings, config.budget, seconds_of, tokens_each)


def left_out(plan: Plan, config: SweepConfig, *, stored: bool = False) -> tuple[str, str]:
    """Points of a grid that its budget does not reach, and the remedy, as two texts; empty if the budget reaches all.

    Args:
        plan: The plan.
        config: The sweep.
        stored: Whether the study exists, so that its space, sampler and budget cannot change.
    """
    grid = config.search.sampler == "grid" and not config.is_comparison
    size = grid_size(config.space.distributions()) if grid else 0
    if size + len(config.candidates) * (size > 0) <= plan.trials:
        return "", ""
    before = plan.floor + plan.seeds * plan.rotation.cases_of(size + len(config.candidates))
    kept, hosts = plan.runoff_left or plan.finalists, plan.hosts
    smallest = least_confirm_seeds(hosts, runoff=kept < plan.finalists)
    least = plan.cases * generations_of(smallest, plan.finalists, kept, hosts, config.verdict.least_look)
    enough = max(math.ceil(before / (1 - config.budget.confirm_share)), before + least)
    tried = plan.trials - len(config.candidates)
    found = f"the grid has {size:,} points, of which this budget tries {tried}, drawn at random"
    elsewhere = ", under another study.name" if stored else ""
    return found, f'name fewer choices, give about {enough:,} generations, or search with sampler = "gp"{elsewhere}'
