"""Runs a confirmation: fresh seeds for baseline and finalists, as far as the looks let it go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.hosts.task import Task
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import now
from sweeps.ledger.study_record import Look, StudyRecord
from sweeps.options import Configuration
from sweeps.progress import Progress
from sweeps.results.look_history import stored_priors
from sweeps.results.reader import read_result
from sweeps.scoring.rows import BASELINE_TRIAL, table_of
from sweeps.search.trial import Proposal
from sweeps.study.looks import take_look
from sweeps.study.measurer import Measurer

CONFIRM_SEEDS = 1_000_000
"""What a confirmation's seeds are the study's seed plus, so that no other stage has them."""

CONFIRM_STEP = 100_000
"""How much further on it begins where its seeds have been used in its ledger."""


@dataclass(frozen=True)
class Confirmation:
    """The last stage of a sweep.

    Attributes:
        config: The sweep's configuration.
        ledger: Where the study is kept.
        measurer: Runs the requests.
        progress: Who is told.
        directory: Folder of the ledger.
    """

    config: SweepConfig
    ledger: Ledger
    measurer: Measurer
    progress: Progress
    directory: Path

    @property
    def name(self) -> str:
        """The study's name."""
        return self.config.study.name

    def run(self, plan: Plan, finalists: Sequence[Proposal]) -> None:
        """Generate for baseline and finalists, look by look; a finalist leaves as soon as a look has settled it.

        What a look decided is kept: a request that failed then and is made good by a later run must not change it.
        """
        if self._record().confirmed is not None and self._has_verdict():
            return
        self.measurer.verify()
        first = self._first_seed(plan, finalists)
        decided = list(self._record().looks)
        going, done = list(finalists), 0
        for look, upto in enumerate(plan.looks, start=1):
            seeds = range(first + done, first + upto)
            arms = [Proposal(BASELINE_TRIAL, self.config.baseline, {}), *going]
            tasks: list[Task] = []
            for arm in arms:
                own = _seeds_of(arm.configuration, seeds, done, hosts=len(self.measurer.hosts))
                tasks += self.measurer.tasks("confirm", arm.number, arm.configuration, own, every_host=True)
            self.measurer.run(tasks)
            done = upto
            if look > len(decided):
                decided.append(self._look(plan, look, finalists, going, decided))
                self.ledger.studies.update(self.name, lambda record: replace(record, looks=tuple(decided)))
            going = [arm for arm in going if arm.number not in decided[look - 1].settled]
            if not going:
                break
        self.measurer.verify()
        made = Counter(row["stage"] for row in self.measurer.rows)
        self.progress.plan(plan.floor, made["explore"], made["confirm"])  # a settled finalist needs no more
        if self._record().confirmed is None:
            self.ledger.studies.update(self.name, lambda record: replace(record, confirmed=now()))

    def _has_verdict(self) -> bool:
        """Take a confirmation that was judged as it is: more data after a verdict would be another look at it.

        Where too few requests succeeded for any verdict, nothing has been looked at, and it goes on.
        """
        judged = read_result(self.ledger, self.name, self.directory)
        if not judged.verdicts:
            return False
        rows = [dict(row) for row in judged.rows if row["stage"] == "confirm"]
        self.measurer.rows += rows
        self.measurer.answers += [dict(answer) for answer in judged.answers if answer["stage"] == "confirm"]
        explored = sum(row["stage"] == "explore" for row in self.measurer.rows)
        self.progress.plan(judged.plan.floor, explored, len(rows))
        for _ in rows:
            self.progress.advance("confirm", seconds=None)
        if lost := sum(bool(row["error"]) for row in rows):
            failed = "1 request of the confirmation failed and stays as it is"
            if lost > 1:
                failed = f"{lost} requests of the confirmation failed and stay as they are"
            self.progress.note(f"{failed}: with more data after its verdict the study would be judged twice")
        return True

    def _first_seed(self, plan: Plan, finalists: Sequence[Proposal]) -> int:
        """The confirmation's first seed, such that none of its generations is there already.

        Another study of the ledger may have made them. They would not be fresh: what that study showed is perhaps why
        this one was made.
        """
        record, first = self._record(), self.config.study.seed + CONFIRM_SEEDS
        if record.confirm_seed is not None:
            return record.confirm_seed
        begun = any(
            row["stage"] == "confirm" for row in self.ledger.observations.of_study(self.name)
        )  # by an older version
        arms = [arm for arm in (self.config.baseline, *(f.configuration for f in finalists)) if not arm.is_greedy]
        while not begun and self.measurer.has_any(arms, range(first, first + plan.confirm_seeds)):
            first += CONFIRM_STEP
        if first != self.config.study.seed + CONFIRM_SEEDS:
            self.progress.note(
                f"the confirmation's seeds begin at {first}: with the usual ones there are generations of another study"
            )
        self.ledger.studies.update(self.name, lambda record: replace(record, confirm_seed=first))
        return first

    def _look(
        self,
        plan: Plan,
        look: int,
        finalists: Sequence[Proposal],
        going: Sequence[Proposal],
        before: Sequence[Look],
    ) -> Look:
        """Look at the confirmation so far, and tell what the look says."""
        rows = [row for row in self.measurer.rows if row["stage"] == "confirm"]
        decision = take_look(
            table_of(rows),
            look,
            plan=plan,
            baseline=self.config.baseline,
            finalists=finalists,
            going=going,
            before=before,
            verdict=self.config.verdict,
            futility=self.config.confirm.futility,
            seed=self.config.study.seed,
            priors=stored_priors(self._record()),
        )
        for line in decision.sentences:
            self.progress.note(line)
        return decision

    def _record(self) -> StudyRecord:
        stored = self.ledger.studies.get(self.name)
        assert stored is not None
        return stored.record


def _seeds_of(configuration: Configuration, seeds: range, done: int, *, hosts: int) -> range:
    """Which of a look's seeds a configuration gets: a greedy one needs a single one per host, in the first look."""
    if not configuration.is_greedy:
        return seeds
    return seeds[:0] if done else seeds[:hosts]
