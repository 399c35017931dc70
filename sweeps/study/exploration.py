"""The exploration: trials batch by batch, each batch reported to the search before it proposes the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from objectives import Case
from sweeps.budget.allocation import MAX_TRIALS, least_trials
from sweeps.config.first_sets import first_params
from sweeps.hosts.task import Task
from sweeps.ledger.coordinators import Turn
from sweeps.ledger.study_record import StudyRecord
from sweeps.progress import Standing
from sweeps.search.earlier_scores import earlier_scores
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Proposal, TrialResult, stored_proposals
from sweeps.study.pruning import Pruning
from sweeps.study.snapshot import RankedResults, after_batch
from sweeps.study.stages import Stages
from sweeps.workspace.study_lock import LEASE

EXPLORE_SEEDS = 10_000
"""Added to `study.seed` to get the first seed of trial 0; no other stage uses that range."""

SEEDS_PER_TRIAL = 100
"""A trial's seeds start at `study.seed` + `EXPLORE_SEEDS` + `SEEDS_PER_TRIAL` * its number. Stages never share a seed
(see `confirmation.CONFIRM_SEEDS`), and a person can read the stage from the number."""

MORE_TRIALS = 2
"""Most trials, as a multiple of the planned ones, where some trials took less than their share of the budget."""


EMPTY_BATCHES = 3
"""Beyond the planned trials, a search ends after so many batches in a row without a text to generate.

One such batch may be chance; a sampler that knows nothing new would have nothing else.
"""


@dataclass
class Exploration:
    """The second stage of a sweep.

    Attributes:
        stages: The running study.
        explorer: Proposes trials; it knows the baseline's result.
        standing: The sweep's standing after the floor.
        chosen: Finalists chosen by an earlier run, after which no new trials are made; None if there are none.
        proposals: The proposals so far.
    """

    stages: Stages
    explorer: Explorer
    standing: Standing
    chosen: Sequence[int] | None = None
    proposals: list[Proposal] = field(default_factory=list)
    pruning: Pruning = field(init=False)
    turn: Turn = field(init=False)
    _results: RankedResults = field(default_factory=RankedResults)
    _had: dict[int, set[str]] = field(default_factory=dict)  # cases of the greedy trials so far, by number
    _spent: int = 0

    def __post_init__(self) -> None:
        self.pruning = Pruning(self.stages, self.explorer)
        self.turn = self.stages.ledger.coordinators.turn(self.stages.name, "propose", patience=LEASE)

    @classmethod
    def begin(
        cls,
        stages: Stages,
        stored: StudyRecord,
        floor: TrialResult,
        standing: Standing,
        storage: str | None,
        writing: Turn | None = None,
    ) -> Exploration:
        """Begin an exploration, or continue the stored one.

        Args:
            stages: The running study.
            stored: The study's record when this run began.
            floor: The baseline's result.
            standing: The sweep's standing after the floor.
            storage: URL of Optuna's storage; None to keep no trials there.
            writing: The turn to write there, where several coordinators work on the study.
        """
        trials = stored.first_trials or stages.plan.trials
        earlier = earlier_scores(stages.config, stages.ledger, stored.earlier)
        if earlier is not None:
            named = ", ".join(stored.earlier)
            stages.progress.note(f"the search knows {len(earlier)} scores of earlier studies: {named}")
        explorer = Explorer(
            stages.name,
            storage,
            space=stages.config.space,
            baseline=stages.config.baseline,
            sampler=stages.config.search.sampler,
            seed=stages.config.study.seed,
            trials=trials,
            proposals=stored_proposals(stages.ledger, stages.name),
            first=first_params(stages.config, trials),
            earlier=earlier,
            may_store=None if writing is None else writing.take,
            start=stages.plan.start,
            ended=bool(stored.finalists),
        )
        explorer.tell_baseline(floor)
        return cls(stages, explorer, standing, stored.finalists)

    def keep_finalists(self, finalists: Sequence[Proposal]) -> list[Proposal]:
        """Keep the finalists, and the search's belief in their gains, in the study's record.

        Returns:
            The finalists; those that another coordinator has chosen, if it was first.
        """
        numbers = tuple(finalist.number for finalist in finalists)
        kept = self.stages.update(lambda record: replace(record, finalists=record.finalists or numbers)).finalists
        finalists = [self.proposals[number] for number in kept or ()]
        if not self.stages.record.priors:
            from sweeps.samplers.posterior import forget_large

            found = {finalist.number: self.explorer.prior_of(finalist) for finalist in finalists}
            priors = {number: asdict(prior) for number, prior in found.items() if prior is not None}
            self.stages.update(lambda record: replace(record, priors=record.priors or priors))
            forget_large()  # the confirmation needs no surface
        return finalists

    def run(self) -> list[Proposal]:
        """Run the trials batch by batch, and return the finalists: the configurations with the best posterior means.

        A configuration that is proposed again is no new trial: its generations are repeats of the first one. A greedy
        one has no repeats and takes fewer generations than planned; the rest goes to further trials.
        """
        try:
            self._explore()
        finally:
            self.turn.release()
        self.explorer.flush()
        self.stages.progress.plan(self.stages.plan.floor, self._spent, self.stages.plan.confirm)
        # Confirmed data belong to the chosen finalists, also where another version of the surrogate would pick others.
        if not (numbers := self.chosen):
            self.stages.progress.step("choosing the finalists")
            numbers = self.explorer.picks(self.stages.plan.finalists)
        return [self.proposals[number] for number in numbers]

    def _explore(self) -> None:
        """Run the trials batch by batch."""
        empty = 0
        while empty < EMPTY_BATCHES and (count := self._count()):
            if len(self.proposals) + count > len(self.explorer.known):  # a resumed run walks through what it has
                self.stages.measurer.verify()
            self.stages.progress.step("proposing trials")
            batch = self._proposed(count)
            self.proposals += batch
            if not batch:  # another coordinator has ended the search
                break
            tasks = self._measured(batch)
            self._spent += sum(map(len, tasks.values()))
            self._report(batch, tasks)
            empty = 0 if any(tasks.values()) or len(self.proposals) < self.stages.plan.trials else empty + 1

    def _measured(self, batch: Sequence[Proposal]) -> Mapping[int, Sequence[Task]]:
        """Run a batch, and return the tasks of each trial that were run."""
        tasks = {proposal.number: self._tasks(proposal) for proposal in batch}
        if self.stages.plan.prune:
            made = self.pruning.run(batch, tasks, self._result_so_far)
            for proposal in batch:  # a greedy set may have the cases later that it did not get
                had, now = ({task.place.case for task in each[proposal.number]} for each in (tasks, made))
                self._had.get(self.explorer.home(proposal), set()).difference_update(had - now)
            return made
        self.stages.measurer.run([task for own in tasks.values() for task in own])
        return tasks

    def _result_so_far(self, proposal: Proposal) -> TrialResult:
        """The result of a trial on the cases that it has had, as if it had all."""
        measurer = self.stages.measurer
        return measurer.result_of(
            self.explorer.home(proposal),
            "explore",
            self.standing.noise_sd,
            seeds=self._seeds(proposal),
            offsets=measurer.offsets(),
        )

    def _proposed(self, count: int) -> list[Proposal]:
        """The next batch. One coordinator at a time proposes, and the others get what it has proposed."""
        stages, first, known = self.stages, len(self.proposals), self.explorer.known
        if not stages.workspace.is_shared or all(number in known for number in range(first, first + count)):
            return self._settled(self.explorer.ask(count))
        with self.turn.taken():
            records = stages.ledger.proposals.since(stages.name, first)[:count]
            self.explorer.learn([Proposal.from_record(number, each) for number, each in enumerate(records, first)])
            return self._settled(self.explorer.ask(len(records) or count))

    def _settled(self, batch: Sequence[Proposal]) -> list[Proposal]:
        """Keep the new proposals of a batch before their first request, and return the batch that counts.

        Several coordinators propose at the same time; the first one to keep its proposals decides for all.
        """
        known, stages = self.explorer.known, self.stages
        new = [proposal for proposal in batch if proposal.number not in known]
        if not new:  # a resumed run walks through what is stored
            return list(batch)
        first, records = new[0].number, [each.as_record() for each in new]
        if stages.workspace.is_shared:
            kept = stages.ledger.proposals.settle(stages.name, first, records)[: len(new)]
            if kept != json.loads(json.dumps(records)):
                others = [Proposal.from_record(number, each) for number, each in enumerate(kept, first)]
                self.explorer.adopt(first, others)
                self.chosen = stages.record.finalists or self.chosen
                return [*(proposal for proposal in batch if proposal.number < first), *others]
        else:
            stages.ledger.proposals.add(stages.name, first, records)
        if stages.timekeeper is not None:
            stages.update()  # the time spent
        return list(batch)

    def _count(self) -> int:
        """Number of trials to propose next; 0 at the end."""
        made = len(self.proposals)
        count = min(self.stages.config.search.batch, self.stages.plan.trials - made)
        if count <= 0:
            count = self._further(made)
        known = min(count, max(0, len(self.explorer.known) - made))  # a resumed run goes through all of them
        return known if self.chosen is not None else max(known, self._in_time(made, count))

    def _in_time(self, made: int, count: int) -> int:
        """Number of the `count` trials that leave time and tokens for the confirmation; a minimum is always made."""
        plan = self.stages.plan
        if not count or made < least_trials(plan.finalists, len(self.stages.config.candidates)):
            return count
        for keeper in (self.stages.timekeeper, self.stages.token_budget):
            if keeper is None or not count:
                continue
            left = keeper.trials_left(made, self.stages.measurer.rows)
            if not left and made < plan.trials:
                self.stages.progress.note(keeper.ended(made), warning=True)
            count = min(count, left)
        return count

    def _further(self, made: int) -> int:
        """Number of trials to propose beyond the plan, as far as generations are left."""
        config, plan = self.stages.config, self.stages.plan
        if config.search.sampler == "grid":  # each point is tried once
            return 0
        count, room = 0, plan.explore - self._spent
        most = min(config.search.batch, MORE_TRIALS * plan.trials - made, MAX_TRIALS - made)
        while count < most and (room := room - self._due(made + count)) >= 0:
            count += 1
        return count

    def _due(self, trial: int) -> int:
        """Number of generations of a trial that is not greedy."""
        return self.stages.plan.seeds * len(self.stages.plan.cases_of(trial, self.stages.config.study.seed))

    def _report(self, batch: Sequence[Proposal], tasks: Mapping[int, Sequence[Task]]) -> None:
        """Report the scores of a batch's trials to the search.

        A greedy configuration that had nothing left to generate is reported again with the scores that it has.
        """
        measurer, plan = self.stages.measurer, self.stages.plan
        offsets = measurer.offsets() if plan.is_uneven else None
        pruned = self.pruning.record.pruned
        for proposal in batch:
            home, noise_sd = self.explorer.home(proposal), self.standing.noise_sd
            if self.explorer.is_void(proposal):
                self.explorer.tell(proposal, measurer.result_of(home, "explore", noise_sd))
                continue
            seeds = self._seeds(proposal) if tasks[proposal.number] else None
            result = measurer.result_of(home, "explore", noise_sd, seeds=seeds, offsets=offsets)
            self.explorer.tell(proposal, replace(result, pruned=proposal.number in pruned))
            whole = measurer.result_of(home, "explore", noise_sd, offsets=offsets)
            self._results.put(
                home, replace(whole, pruned=home in pruned and len(whole.cases_with_score) < plan.trial_cases)
            )
            self.stages.track(home, offsets)
        self.explorer.flush(replace=False)
        latest = list(dict.fromkeys(self.explorer.home(proposal) for proposal in batch))
        self.standing = after_batch(
            self.standing, self.proposals, self._results, self.stages.config.baseline, latest=latest
        )
        self.stages.progress.standing(self.standing)

    def _tasks(self, proposal: Proposal) -> list[Task]:
        if self.explorer.is_void(proposal):
            return []
        home = self.explorer.home(proposal)
        self.stages.configurations[home] = proposal.configuration
        cases = self._cases(proposal, home)
        return self.stages.measurer.tasks("explore", home, proposal.configuration, self._seeds(proposal), cases=cases)

    def _seeds(self, proposal: Proposal) -> range:
        """Seeds of a proposal; one seed if it is greedy, since others would give the same texts."""
        first = self.stages.config.study.seed + EXPLORE_SEEDS + SEEDS_PER_TRIAL * proposal.number
        return range(first, first + (1 if proposal.configuration.is_greedy else self.stages.plan.seeds))

    def _cases(self, proposal: Proposal, home: int) -> list[Case]:
        """Cases of a proposal; a greedy configuration gets as many, but none that it has had."""
        dealt = self.stages.plan.cases_of(proposal.number, self.stages.config.study.seed)
        if proposal.configuration.is_greedy:
            had = self._had.setdefault(home, set())
            others = [index for index in range(self.stages.plan.cases) if index not in dealt]
            names = [case.name for case in self.stages.measurer.cases]
            dealt = sorted([index for index in (*dealt, *others) if names[index] not in had][: len(dealt)])
            had.update(names[index] for index in dealt)
        return [self.stages.measurer.cases[index] for index in dealt]
