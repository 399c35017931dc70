"""Runs the exploration: trials batch by batch, each told to the search before the next ones are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from objectives import Case
from sweeps.budget.allocation import MAX_TRIALS, least_trials
from sweeps.budget.plan import Plan
from sweeps.budget.timekeeper import Timekeeper
from sweeps.config.sweep_config import SweepConfig
from sweeps.hosts.task import Task
from sweeps.ledger.ledger import Ledger
from sweeps.options import Configuration
from sweeps.progress import Progress, Standing
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Proposal, TrialResult
from sweeps.study.measurer import Measurer
from sweeps.study.snapshot import after_batch

EXPLORE_SEEDS = 10_000
SEEDS_PER_TRIAL = 100
"""Seeds are the study's seed plus these (and `confirming.CONFIRM_SEEDS`): stages never share one, and a person can read
the stage from the number."""

MORE_TRIALS = 2
"""So many times the planned trials are made at most, where some of them took less than their share of the budget."""


class Track(Protocol):
    """Logs the observations of a trial."""

    def __call__(self, trial: int, offsets: Mapping[str, float] | None = None) -> None:
        """Log them; `offsets` as for `standing.trial_result`."""
        ...


@dataclass
class Exploration:
    """The second stage of a sweep.

    Attributes:
        config: The sweep's configuration.
        ledger: Where the study is kept.
        measurer: Runs the requests.
        progress: Who is told.
        explorer: Asks for trials; the baseline is told to it.
        plan: The plan.
        standing: Where the sweep stands after the floor.
        configurations: Configurations by trial; new ones are added.
        track: Logs a trial.
        ended: Whether an earlier run has ended the exploration, so that no trial may follow those that are known.
        timekeeper: Holds the sweep to its minutes, where it has any.
        proposals: What was proposed so far.
    """

    config: SweepConfig
    ledger: Ledger
    measurer: Measurer
    progress: Progress
    explorer: Explorer
    plan: Plan
    standing: Standing
    configurations: dict[int, Configuration]
    track: Track
    ended: bool = False
    timekeeper: Timekeeper | None = None
    proposals: list[Proposal] = field(default_factory=list)
    _results: dict[int, TrialResult] = field(default_factory=dict)
    _had: dict[int, set[int]] = field(default_factory=dict)  # cases that greedy trials have, by number
    _spent: int = 0

    def run(self) -> list[Proposal]:
        """Ask, run and tell batch by batch; the finalists are the configurations with the best posterior means.

        A configuration that is proposed again is no new trial: its generations are repeats of the first one. A greedy
        one has no repeats, and takes fewer generations than planned: what they leave goes to further trials.
        """
        going = True
        while going and (count := self._count()):
            self.measurer.verify()
            batch = self.explorer.ask(count)
            self.proposals += batch
            if len(self.proposals) > len(self.explorer.known):  # a resumed run walks through what is stored
                self._keep_proposals()
            tasks = {proposal.number: self._tasks(proposal) for proposal in batch}
            self.measurer.run([task for own in tasks.values() for task in own])
            self._spent += sum(map(len, tasks.values()))
            self._tell(batch, tasks)
            # A sampler that proposes nothing but what it has seen would go on for ever.
            going = any(tasks.values()) or len(self.proposals) < self.plan.trials
        self.explorer.flush()
        self.progress.plan(self.plan.floor, self._spent, self.plan.confirm)
        return [self.proposals[number] for number in self.explorer.picks(self.plan.finalists)]

    def _keep_proposals(self) -> None:
        proposals = tuple(proposal.as_record() for proposal in self.proposals)
        spent: dict[str, Any] = {} if self.timekeeper is None else self.timekeeper.as_record(self.ledger)
        self.ledger.studies.update(self.config.study.name, lambda record: replace(record, proposals=proposals, **spent))

    def _count(self) -> int:
        """How many trials to ask next; 0 at the end."""
        made = len(self.proposals)
        count = min(self.config.search.batch, self.plan.trials - made)
        if count <= 0:
            count = self._further(made)
        known = min(count, max(0, len(self.explorer.known) - made))  # a resumed run goes through all of them
        return known if self.ended else max(known, self._in_time(made, count))

    def _in_time(self, made: int, count: int) -> int:
        """How many of `count` trials leave time for the confirmation; the fewest that are a search are always made."""
        if self.timekeeper is None or not count or made < least_trials(self.plan.finalists):
            return count
        left = self.timekeeper.trials_left(made, self.measurer.rows)
        if not left and made < self.plan.trials:
            self.progress.note(
                f"budget.minutes {self.config.budget.minutes:g}: requests take longer than they did when the plan was"
                f" made, so the exploration ends after {made} of {self.plan.trials} trials; the confirmation is made as"
                " planned",
                warning=True,
            )
        return min(count, left)

    def _further(self, made: int) -> int:
        """How many trials to ask beyond those that were planned: as many as there are generations left for."""
        if self.config.search.sampler == "grid":  # gone over once
            return 0
        count, room = 0, self.plan.explore - self._spent
        most = min(self.config.search.batch, MORE_TRIALS * self.plan.trials - made, MAX_TRIALS - made)
        while count < most and (room := room - self._due(made + count)) >= 0:
            count += 1
        return count

    def _due(self, trial: int) -> int:
        """Generations of a trial that is not greedy."""
        return self.plan.seeds * len(self.plan.cases_of(trial, self.config.study.seed))

    def _tell(self, batch: Sequence[Proposal], tasks: Mapping[int, Sequence[Task]]) -> None:
        """Tell the search what the trials of a batch have scored.

        A greedy configuration that had nothing left to generate is the same once more, with the scores it has.
        """
        offsets = self.measurer.offsets() if self.plan.parts > 1 else None
        for proposal in batch:
            home, noise_sd = self.explorer.home(proposal), self.standing.noise_sd
            seeds = self._seeds(proposal) if tasks[proposal.number] else None
            told = self.measurer.result_of(home, "explore", noise_sd, seeds=seeds, offsets=offsets)
            self.explorer.tell(proposal, told)
            self._results[home] = self.measurer.result_of(home, "explore", noise_sd, offsets=offsets)
            self.track(home, offsets)
        self.standing = after_batch(self.standing, self.proposals, self._results, self.config.baseline)
        self.progress.standing(self.standing)

    def _tasks(self, proposal: Proposal) -> list[Task]:
        home = self.explorer.home(proposal)
        self.configurations[home] = proposal.configuration
        cases = self._cases(proposal, home)
        return self.measurer.tasks("explore", home, proposal.configuration, self._seeds(proposal), cases=cases)

    def _seeds(self, proposal: Proposal) -> range:
        """Seeds of a proposal; one where it is greedy, since others would give the same texts."""
        first = self.config.study.seed + EXPLORE_SEEDS + SEEDS_PER_TRIAL * proposal.number
        return range(first, first + (1 if proposal.configuration.is_greedy else self.plan.seeds))

    def _cases(self, proposal: Proposal, home: int) -> list[Case]:
        """Cases of a proposal; of a greedy configuration as many as are its due, but none that it has had."""
        dealt = self.plan.cases_of(proposal.number, self.config.study.seed)
        if proposal.configuration.is_greedy:
            had = self._had.setdefault(home, set())
            others = [index for index in range(self.plan.cases) if index not in dealt]
            dealt = sorted([index for index in (*dealt, *others) if index not in had][: len(dealt)])
            had.update(dealt)
        return [self.measurer.cases[index] for index in dealt]
