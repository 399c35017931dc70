"""Plan of a sweep: its generations in floor, explore and confirm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.formatting import cases_text, count_text
from sweeps.budget.look_seeds import generations_of


@dataclass(frozen=True)
class Plan:
    """Allocation of a budget to the stages of a sweep.

    Attributes:
        cases: Number of cases.
        floor_seeds: Seeds per case of the baseline's floor.
        seeds: Seeds per case of one explored trial.
        trials: Number of trials; 0 in a comparison of candidates, which has no search.
        confirm_seeds: Fresh seeds per case and arm of the confirmation, at its last look.
        finalists: Arms of the confirmation besides the baseline, at its start; in a comparison the candidates.
        look_seeds: Seeds per case and arm at each look before the end of the confirmation, ascending.
        hosts: Number of hosts. They get the seeds of floor and confirmation in turn, at least two each, since hosts are
            blocks and a block needs repeats.
        parts: Number of random parts into which each round of trials divides the cases; a trial has the cases of one.
        together: Number of consecutive trials with the same part: a batch, which evaluates its prompts once for all.
        anytime: Whether the looks come after every seed, or every few.
        prune: Whether a trial that is hopeless after some of its cases loses the others.
        start: Kind of the search's start design, "ends" or "near"; plans of older versions have "near".
        start_trials: Number of first trials that belong to it; 0 where none do or it is not known.
        runoff_seeds: Seeds per case and arm after which the finalists behind leave; 0 without a run-off.
        runoff_left: Number of finalists that go on after it; 0 likewise.
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
    together: int = 1
    anytime: bool = False
    prune: bool = False
    start: str = "near"
    start_trials: int = 0
    runoff_seeds: int = 0
    runoff_left: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Plan:
        """The plan in a study's record; fields that an older version lacks get their defaults."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__ if name in record})

    @property
    def looks(self) -> tuple[int, ...]:
        """Seeds per case and arm at each look of the confirmation, its end included."""
        return (*self.look_seeds, self.confirm_seeds)

    @property
    def floor(self) -> int:
        """Generations of the floor."""
        return self.cases * self.floor_seeds

    @property
    def is_uneven(self) -> bool:
        """Whether trials differ in cases, so that their means are compared through the cases' offsets."""
        return self.parts > 1 or self.prune

    @property
    def is_comparison(self) -> bool:
        """Whether the baseline is compared with candidates without a search."""
        return self.trials == 0

    @property
    def explore(self) -> int:
        """Generations of the exploration."""
        return self.seeds * self.rotation.cases_of(self.trials)

    @property
    def rotation(self) -> CaseRotation:
        """The distribution of cases over trials."""
        return CaseRotation(self.cases, self.parts, self.together)

    @property
    def trial_cases(self) -> int:
        """The largest number of cases of one trial."""
        return math.ceil(self.cases / self.parts)

    def cases_of(self, trial: int, seed: int) -> list[int]:
        """Indices of the cases of a trial.

        Each round of `parts` batches divides the cases at random again, so that chance decides which cases meet in a
        trial.

        Args:
            trial: Number of the trial.
            seed: The study's seed.
        """
        if self.parts == 1:
            return list(range(self.cases))
        import numpy as np

        number, part = divmod(trial // self.together, self.parts)
        order = np.random.default_rng([seed, number]).permutation(self.cases)
        return sorted(int(index) for index in np.array_split(order, self.parts)[part])

    @property
    def confirm(self) -> int:
        """Generations of the confirmation, all arms."""
        return self.cases * self.confirm_seeds + self.of_finalists

    @property
    def of_finalists(self) -> int:
        """Generations of the finalists in the confirmation."""
        if not self.runoff_seeds:
            return self.cases * self.confirm_seeds * self.finalists
        leaving = self.finalists - self.runoff_left
        return self.cases * (self.confirm_seeds * self.runoff_left + self.runoff_seeds * leaving)

    def per_case(self, seeds: int) -> int:
        """Generations per case of all arms of a confirmation that has so many seeds per case and arm."""
        return generations_of(seeds, self.finalists, self.runoff_left or self.finalists, self.hosts)

    @property
    def total(self) -> int:
        """All generations, without warm-ups (one token each)."""
        return self.floor + self.explore + self.confirm

    def as_planned(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """A sweep's settings with the plan's start design, which a study of an older version keeps."""
        return {**identity, **({"search.start": self.start} if "search.start" in identity else {})}

    def as_dict(self) -> dict[str, Any]:
        """The fields and the totals, as JSON types."""
        totals = {name: getattr(self, name) for name in ("floor", "explore", "confirm", "total")}
        return asdict(self) | {f"{name}_generations": value for name, value in totals.items()}


@dataclass(frozen=True)
class CaseRotation:
    """Distribution of cases over trials; see `Plan.parts` and `Plan.together`."""

    cases: int
    parts: int = 1
    together: int = 1

    def cases_of(self, trials: int) -> int:
        """Number of cases of the first `trials` trials together, repetitions included."""
        batches, more = divmod(trials, self.together)
        rounds, rest = divmod(batches, self.parts)
        larger = self.cases % self.parts  # number of parts with one case more than the others
        least = self.cases // self.parts
        whole = rounds * self.cases + rest * least + min(rest, larger)
        return self.together * whole + more * (least + (rest < larger))

    def trials_within(self, room: int) -> int:
        """The largest number of trials that together have at most `room` cases."""
        rounds, rest = divmod(max(room, 0), self.cases * self.together)
        each = self.parts * self.together
        return rounds * each + max(k for k in range(each) if self.cases_of(k) <= rest)


def plan_text(plan: Plan) -> str:
    """A plan in one sentence: the generations of each stage, and when the confirmation may stop early."""
    *before, last = map(str, plan.look_seeds or ("",))
    earlier = f"{', '.join(before)} or {last}" if before else last
    if plan.anytime and plan.look_seeds:
        earlier = f"any of {', '.join(map(str, plan.look_seeds[:3]))}{', ...' if len(plan.look_seeds) > 3 else ''}"
    early = f", which may stop after {earlier} seeds" if earlier else ""
    if plan.is_comparison:
        arms = f"the baseline and {count_text(plan.finalists, 'candidate')}, each"
        return (
            f"{plan.total} generations: floor {cases_text(plan.cases)} x {plan.floor_seeds} seeds; comparison of {arms}"
            f" {plan.cases} x {count_text(plan.confirm_seeds, 'fresh seed')}{early}"
        )
    return (
        f"{plan.total} generations: floor {cases_text(plan.cases)} x {plan.floor_seeds} seeds;"
        f" {count_text(plan.trials, 'trial')} of"
        f" {cases_text(plan.trial_cases)} x {count_text(plan.seeds, 'seed')}"
        + (f" (the {plan.cases} cases in turn)" if plan.parts > 1 else "")
        + (
            f", the first {plan.start_trials} by the start design (search.start = {plan.start})"
            if plan.start_trials
            else ""
        )
        + (", fewer if it is hopeless" if plan.prune else "")
        + f"; confirmation {1 + (plan.runoff_left or plan.finalists)} settings x {cases_text(plan.cases)}"
        + f" x {count_text(plan.confirm_seeds, 'seed')}{early}"
        + _runoff_text(plan)
    )


def _runoff_text(plan: Plan) -> str:
    """The finalists that leave at the end of a run-off; "" without one."""
    if not plan.runoff_seeds:
        return ""
    more = count_text(plan.finalists - plan.runoff_left, "more finalist")
    return f"; a run-off with {more} ends after {plan.runoff_seeds} seeds"
