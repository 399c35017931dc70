"""How a budget of generations is shared out between floor, explore and confirm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from analysis.wording import cases_text, count_text
from sweeps.config import SweepConfig
from sweeps.config_tables import BudgetTable
from sweeps.errors import ConfigError
from sweeps.samplers import grid_size

MIN_TRIALS = 4
"""Fewer trials are no search."""

MAX_TRIALS = 9_000
"""More would run into the seeds of the confirmation (see `sweeps.study`); no sampler here learns from so many."""

MIN_CONFIRM_SEEDS = 3
"""Fewer fresh seeds per case and arm leave the pooled variance of the confirmation without a footing."""

REPEATS = 8
"""A small space is explored this many times over, on average, at most: its promising configurations more often."""

GENERATIONS_PER_TRIAL = 6
"""With `seeds = "auto"` a trial has at least this many generations, over all cases."""


@dataclass(frozen=True)
class Plan:
    """A budget, shared out.

    Attributes:
        cases: Number of cases.
        floor_seeds: Seeds per case of the baseline's floor.
        seeds: Seeds per case of one explored trial.
        trials: Number of trials.
        confirm_seeds: Fresh seeds per case and arm of the confirmation, at its last look.
        finalists: Arms of the confirmation besides the baseline.
        look_seeds: Seeds per case and arm at which the confirmation is looked at before its end, ascending.
        hosts: Number of hosts; the seeds of floor and confirmation are dealt to them in turn, at least two per host,
            since hosts are blocks and a block needs repeats.
    """

    cases: int
    floor_seeds: int
    seeds: int
    trials: int
    confirm_seeds: int
    finalists: int = 1
    hosts: int = 1
    look_seeds: Sequence[int] = ()
    parts: int = 1

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Plan:
        """The plan that a study keeps; what an older version did not plan is left at its default."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__ if name in record})

    @property
    def looks(self) -> tuple[int, ...]:
        """Seeds per case and arm at each look of the confirmation; the last is its end."""
        return (*self.look_seeds, self.confirm_seeds)

    @property
    def floor(self) -> int:
        """Generations of the floor."""
        return self.cases * self.floor_seeds

    @property
    def explore(self) -> int:
        """Generations of the exploration."""
        return self.seeds * _cases_of_trials(self.cases, self.parts, self.trials)

    @property
    def trial_cases(self) -> int:
        """Cases of one trial, at most."""
        return math.ceil(self.cases / self.parts)

    def cases_of(self, trial: int, seed: int) -> list[int]:
        """Indices of the cases of a trial.

        Each round of `parts` trials deals all cases anew, so that which cases meet in a trial is left to chance.

        Args:
            trial: Number of the trial.
            seed: The study's seed.
        """
        if self.parts == 1:
            return list(range(self.cases))
        deal, place = divmod(trial, self.parts)
        order = np.random.default_rng([seed, deal]).permutation(self.cases)
        return sorted(int(index) for index in np.array_split(order, self.parts)[place])

    @property
    def confirm(self) -> int:
        """Generations of the confirmation, all arms."""
        return self.cases * self.confirm_seeds * (1 + self.finalists)

    @property
    def total(self) -> int:
        """All generations; warm-ups (one token each) are not counted."""
        return self.floor + self.explore + self.confirm

    def as_dict(self) -> dict[str, Any]:
        """The fields and the totals, as JSON types."""
        totals = {name: getattr(self, name) for name in ("floor", "explore", "confirm", "total")}
        return asdict(self) | {f"{name}_generations": value for name, value in totals.items()}


def _cases_of_trials(cases: int, parts: int, trials: int) -> int:
    """Cases of all trials together, each as often as it comes."""
    rounds, rest = divmod(trials, parts)
    larger = cases % parts  # so many of the parts have one case more than the others
    return rounds * cases + rest * (cases // parts) + min(rest, larger)


def _trials_within(cases: int, parts: int, room: int) -> int:
    """How many trials have `room` cases, all together, at most."""
    rounds, rest = divmod(max(room, 0), cases)
    more = max(k for k in range(parts) if _cases_of_trials(cases, parts, k) <= rest)
    return rounds * parts + more


def seeds_per_trial(budget: BudgetTable, cases: int) -> int:
    """Seeds per case of one explored trial."""
    return math.ceil(GENERATIONS_PER_TRIAL / cases) if budget.seeds == "auto" else budget.seeds


def parts_of(budget: BudgetTable, cases: int) -> int:
    """Into how many parts the cases are dealt, one for each trial of a round.

    With "auto", parts have at least `GENERATIONS_PER_TRIAL` cases. More trials of fewer generations tell more of a
    surface than fewer trials of more: on 246 simulated smooth surfaces with 12 cases, trials of 6 took the regret of a
    search alone from .0324, .0223 and .0166 (after 180, 420 and 876 generations) to .0264, .0192 and .0151; standard
    errors of the differences are .0014, .0011 and .0008. Where seeds are asked for, trials are to be known better, and
    have all cases.
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
    budget: BudgetTable, cases: int, hosts: int = 1, finalists: int = 1, parts: int | None = None
) -> int:
    """The fewest generations that hold a floor, a search and a confirmation; `parts` as for `make_plan`."""
    parts = parts_of(budget, cases) if parts is None else parts
    search = seeds_per_trial(budget, cases) * _cases_of_trials(cases, parts, least_trials(finalists))
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


def make_plan(
    budget: BudgetTable,
    *,
    cases: int,
    hosts: int = 1,
    finalists: int = 1,
    looks: int = 1,
    seconds_per_generation: float | None = None,
    space_size: float = math.inf,
    repeats: int = REPEATS,
    parts: int | None = None,
) -> Plan:
    """Share a budget out.

    About `confirm_share` of the generations confirms, the floor takes `floor_seeds` per case, and the rest explores;
    what is left over by rounding goes to the confirmation.

    Args:
        budget: The `[budget]` table.
        cases: Number of cases, at least 1.
        hosts: Number of hosts, at least 1.
        finalists: How many configurations are confirmed; never more than `space_size`.
        looks: How often the confirmation is looked at, the last time included.
        seconds_per_generation: Measured on this host; needed where only `minutes` is given.
        space_size: Number of different configurations. No more trials are planned than these with their repeats; what
            a small space leaves over confirms.
        repeats: How often a configuration may be explored, on average; a space in which every configuration can be
            confirmed is explored once.
        parts: Into how many parts the cases are dealt; `parts_of` if not given.

    Raises:
        ConfigError: If the budget cannot hold the design; it says how much could.
    """
    generations, limit = budget.generations, "budget.generations"
    if budget.minutes is not None and seconds_per_generation is not None:
        affordable = int(budget.minutes * 60 / seconds_per_generation)
        if generations is None or affordable < generations:
            generations, limit = affordable, "budget.minutes"
    if generations is None:
        raise ConfigError("budget.minutes: needs the measured seconds of one generation")
    finalists = int(min(finalists, space_size))
    parts = parts_of(budget, cases) if parts is None else parts
    needed = smallest_budget(budget, cases, hosts, finalists, parts)
    if generations < needed:
        raise ConfigError(
            _too_small(budget, limit, generations, needed, cases, hosts, finalists, parts, seconds_per_generation)
        )
    seeds, per_host, arms = seeds_per_trial(budget, cases), (1 + finalists) * cases * hosts, 1 + finalists
    floor, least = floor_seeds(budget, hosts), least_confirm_seeds(hosts)
    confirm = max(least, round(generations * budget.confirm_share / per_host) * hosts)
    room = _trials_within(cases, parts, (generations - cases * (floor + arms * confirm)) // seeds)
    most = space_size * (1 if space_size <= finalists + 1 else repeats)
    trials = int(min(max(room, least_trials(finalists)), most, MAX_TRIALS))
    explored = seeds * _cases_of_trials(cases, parts, trials)
    left = (generations - cases * floor - explored) // per_host * hosts
    return Plan(cases, floor, seeds, trials, left, finalists, hosts, look_seeds(looks, left, hosts), parts)


def plan_for(config: SweepConfig, *, cases: int, hosts: int, seconds_per_generation: float | None) -> Plan:
    """Share out the budget of a sweep's file; as `make_plan`, with what the file says of finalists, looks and space.

    Trials have all cases, unless told otherwise, where each configuration comes once (a grid) and where limits are to
    be kept, which hold for means over all cases.
    """
    grid = config.search.sampler == "grid"
    whole = config.budget.cases_per_trial == "auto" and (grid or bool(config.constraints.limits))
    return make_plan(
        config.budget,
        cases=cases,
        hosts=hosts,
        finalists=config.confirm.finalists,
        looks=config.confirm.looks,
        seconds_per_generation=seconds_per_generation,
        space_size=grid_size(config.space.distributions()) if grid else config.space.size,
        repeats=1 if grid else REPEATS,
        parts=1 if whole else None,
    )


def plan_text(plan: Plan) -> str:
    """A plan in one sentence: what is generated in each stage, and when the confirmation may stop early."""
    earlier = " and ".join(map(str, plan.look_seeds))
    return (
        f"{plan.total} generations: floor {cases_text(plan.cases)} x {plan.floor_seeds} seeds;"
        f" {count_text(plan.trials, 'trial')} of"
        f" {plan.trial_cases} x {plan.seeds}"
        + (f" (the {plan.cases} cases in turn)" if plan.parts > 1 else "")
        + f"; confirmation {1 + plan.finalists} x {plan.cases} x {plan.confirm_seeds}"
        + (f", which may stop after {earlier} seeds" if earlier else "")
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
    before = plan.floor + plan.seeds * _cases_of_trials(plan.cases, plan.parts, size)
    least = (1 + plan.finalists) * plan.cases * least_confirm_seeds(plan.hosts)
    enough = max(math.ceil(before / (1 - config.budget.confirm_share)), before + least)
    found = f"the grid has {size:,} points, of which this budget tries {plan.trials}, drawn at random"
    anew = ", under another study.name" if stored else ""
    return found, f'name fewer choices, give about {enough:,} generations, or search with sampler = "gp"{anew}'


def _too_small(
    budget: BudgetTable,
    limit: str,
    generations: int,
    needed: int,
    cases: int,
    hosts: int,
    finalists: int,
    parts: int,
    seconds: float | None,
) -> str:
    has, times = f"{generations}", ""
    if limit == "budget.minutes":
        has = f"{budget.minutes:g} (about {generations} generations)"
        times = f", about {needed * (seconds or 0) / 60:.1f} minutes"
    fewer = "fewer cases (objective.names)" + (" or fewer confirm.finalists" if finalists > 1 else "")
    return (
        f"{limit}: {has} is too small for {cases_text(cases)}: floor {cases} x {floor_seeds(budget, hosts)} seeds, at"
        f" least {least_trials(finalists)} trials of {math.ceil(cases / parts)} x"
        f" {seeds_per_trial(budget, cases)}, confirmation"
        f" {1 + finalists} x {cases} x {least_confirm_seeds(hosts)}; it needs {needed} generations{times}. Raise it, or"
        f" name {fewer}"
    )
