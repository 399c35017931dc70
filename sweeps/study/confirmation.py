"""The confirmation: fresh seeds for baseline and finalists, until the looks have settled all finalists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweeps.hosts.task import Task
from sweeps.ledger.damage import DAMAGED
from sweeps.ledger.records import now
from sweeps.ledger.study_record import Look, StudyRecord
from sweeps.options import Configuration
from sweeps.results.look_history import stored_priors
from sweeps.results.reader import read_result
from sweeps.scoring.answers import UNSCORED
from sweeps.scoring.limits import Limits
from sweeps.scoring.rows import BASELINE_TRIAL, table_of
from sweeps.search.trial import Proposal
from sweeps.study.looks import take_look
from sweeps.study.stages import Stages

CONFIRM_SEEDS = 1_000_000
"""Added to `study.seed` to get the first confirmation seed; no other stage uses that range."""

CONFIRM_STEP = 100_000
"""Added to the first seed, repeatedly, where the ledger already has generations with the confirmation's seeds."""


@dataclass(frozen=True)
class Confirmation:
    """The last stage of a sweep.

    Attributes:
        stages: The running study.
    """

    stages: Stages

    def run(self, finalists: Sequence[Proposal]) -> None:
        """Generate for baseline and finalists, look by look; a finalist leaves as soon as a look has settled it.

        The decision of a look is kept: a failed request that a later run makes good does not change it.
        """
        config, measurer, plan = self.stages.config, self.stages.measurer, self.stages.plan
        if self.stages.record.confirmed is not None and self._take_judged():
            return
        measurer.verify()
        first = self._first_seed(finalists)
        decided = list(self.stages.record.looks)
        going, done = list(finalists), 0
        for look, upto in enumerate(plan.looks, start=1):
            seeds = range(first + done, first + upto)
            arms = [Proposal(BASELINE_TRIAL, config.baseline, {}), *going]
            tasks: list[Task] = []
            for arm in arms:
                own = _seeds_of(arm.configuration, seeds, done, hosts=plan.hosts)
                tasks += measurer.tasks("confirm", arm.number, arm.configuration, own, every_host=True)
            measurer.run(tasks)
            done = upto
            if look > len(decided):
                decided = self._decided(self._look(look, finalists, going, decided), decided)
            going = [arm for arm in going if arm.number not in decided[look - 1].settled]
            if not going:
                break
        measurer.verify()
        made = Counter(row["stage"] for row in measurer.rows)
        self.stages.progress.plan(plan.floor, made["explore"], made["confirm"])  # a settled finalist needs no more
        self.stages.update(lambda record: replace(record, confirmed=record.confirmed or now()))

    def _decided(self, found: Look, before: Sequence[Look]) -> list[Look]:
        """Keep the decision of a look, and return all; another coordinator's decision on the same look counts."""

        def changed(record: StudyRecord) -> StudyRecord:
            return record if len(record.looks) > len(before) else replace(record, looks=(*before, found))

        return list(self.stages.update(changed).looks)

    def _take_judged(self) -> bool:
        """Take over a confirmation that has its verdict, unchanged; return False if it has none.

        More data after a verdict would be another look at it. Where too few requests succeeded for any verdict, nothing
        has been looked at, and the confirmation goes on.
        """
        measurer, progress = self.stages.measurer, self.stages.progress
        judged = read_result(self.stages.ledger, self.stages.name, self.stages.workspace, stages=["floor", "confirm"])
        if not judged.verdicts:
            return False
        rows = [row for row in judged.rows if row["stage"] == "confirm"]
        errors = [row["error"] for row in rows if row["error"]]
        lost_since = (DAMAGED, f"{UNSCORED}: the run ended before")
        if errors and all(error.startswith(lost_since) for error in errors):
            return False  # the verdict had these texts and scores: they are made again, and nothing else is
        measurer.rows += rows
        if measurer.keep_answers:
            measurer.answers += [dict(answer) for answer in judged.answers if answer["stage"] == "confirm"]
        explored = sum(row["stage"] == "explore" for row in measurer.rows)
        progress.plan(judged.plan.floor, explored, len(rows))
        for _ in rows:
            progress.advance("confirm", seconds=None)
        if lost := len(errors):
            failed = "1 request of the confirmation failed and stays as it is"
            if lost > 1:
                failed = f"{lost} requests of the confirmation failed and stay as they are"
            progress.note(f"{failed}: with more data after its verdict the study would be judged twice")
        return True

    def _first_seed(self, finalists: Sequence[Proposal]) -> int:
        """Return the first seed of a range for which the ledger has no generation of these arms yet.

        Generations of another study would not be fresh: its results may be the reason for this study.
        """
        config, measurer, ledger = self.stages.config, self.stages.measurer, self.stages.ledger
        record, first = self.stages.record, config.study.seed + CONFIRM_SEEDS
        if record.confirm_seed is not None:
            return record.confirm_seed
        begun = bool(ledger.observations.of_study(self.stages.name, ["confirm"]))  # by an older version
        arms = [arm for arm in (config.baseline, *(f.configuration for f in finalists)) if not arm.is_greedy]
        while not begun and measurer.has_any(arms, range(first, first + self.stages.plan.confirm_seeds)):
            first += CONFIRM_STEP
        if first != config.study.seed + CONFIRM_SEEDS:
            self.stages.progress.note(
                f"the confirmation's seeds begin at {first}, since the usual seeds have generations of another study"
            )
        chosen = self.stages.update(
            lambda record: record if record.confirm_seed is not None else replace(record, confirm_seed=first)
        ).confirm_seed
        return first if chosen is None else chosen

    def _look(
        self,
        look: int,
        finalists: Sequence[Proposal],
        going: Sequence[Proposal],
        before: Sequence[Look],
    ) -> Look:
        """Look at the confirmation so far, and report the decision."""
        config, plan = self.stages.config, self.stages.plan
        self.stages.progress.step(f"look {look} at the confirmation")
        rows = [row for row in self.stages.measurer.rows if row["stage"] == "confirm"]
        ends_runoff = plan.looks[look - 1] == plan.runoff_seeds
        decision = take_look(
            table_of(rows),
            look,
            plan=plan,
            baseline=config.baseline,
            finalists=finalists,
            going=going,
            before=before,
            verdict=config.verdict,
            futility=config.confirm.futility,
            seed=config.study.seed,
            priors=stored_priors(self.stages.record),
            limits=Limits.of(rows, config.constraints, claim=config.verdict.claim) if ends_runoff else None,
        )
        ends = [each in decision.settled for each in decision.trials or ()]
        for line, end in zip(decision.sentences, ends, strict=True):
            if end or not plan.anytime:  # of looks after every seed, those that go on are no news
                self.stages.progress.note(line)
        return decision


def _seeds_of(configuration: Configuration, seeds: range, done: int, *, hosts: int) -> range:
    """The seeds of a configuration at a look; a greedy one gets one seed per host, at the first look only."""
    if not configuration.is_greedy:
        return seeds
    return seeds[:0] if done else seeds[:hosts]
