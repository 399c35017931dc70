"""A batch case by case: a trial that is hopeless after some of its cases loses the others.

The decisions are kept in the study's record before the next request. So a resumed run makes the same ones, also after a
rescoring, and of several coordinators the first one decides for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sweeps.hosts.task import Task
from sweeps.ledger.study_record import StudyRecord
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Proposal, TrialResult
from sweeps.study.stages import Stages

HOPELESS = 0.1
"""A trial whose chance to be better than the best known set is smaller loses its other cases."""

LEAST_CASES = 2
"""Cases that every trial has: a single one tells next to nothing about a set."""

ResultOf = Callable[[Proposal], TrialResult]
"""The result of a trial on the cases that it has had so far, as if it had all."""

Tasks = Mapping[int, Sequence[Task]]
"""Tasks by number of the trial."""


@dataclass
class Pruning:
    """The rule that ends hopeless trials.

    Attributes:
        stages: The running study.
        explorer: Knows the surface of the search.
        record: The study's record, as far as it is known here; its `pruned` and `decided` are the decisions.
    """

    stages: Stages
    explorer: Explorer
    record: StudyRecord = field(init=False)

    def __post_init__(self) -> None:
        self.record = self.stages.record

    def run(self, batch: Sequence[Proposal], tasks: Tasks, result_of: ResultOf) -> dict[int, list[Task]]:
        """Run the tasks of a batch case by case.

        Args:
            batch: The trials.
            tasks: Their tasks on all cases.
            result_of: The result of a trial so far.

        Returns:
            The tasks of each trial that were run.
        """
        made: dict[int, list[Task]] = {proposal.number: [] for proposal in batch}
        for number, cases in enumerate(self._rounds(batch, tasks)):
            if number:
                self._decide(batch, number, result_of, made)
            own = {trial: [task for task in self._kept(trial, tasks) if task.place.case in cases] for trial in made}
            self.stages.measurer.run([task for part in own.values() for task in part])
            for trial, part in own.items():
                made[trial] += part
        return made

    def _kept(self, trial: int, tasks: Tasks) -> Sequence[Task]:
        """The tasks of a trial on the cases that it still has."""
        if trial not in self.record.pruned:
            return tasks[trial]
        cases = {self.stages.measurer.cases[index].name for index in self.record.pruned[trial]}
        return [task for task in tasks[trial] if task.place.case in cases]

    def _rounds(self, batch: Sequence[Proposal], tasks: Tasks) -> Iterator[set[str]]:
        """The batch's cases in random order: the first few together, then one by one; all where nothing is decided."""
        first = batch[0].number
        names = sorted({task.place.case for own in tasks.values() for task in own})
        order = np.random.default_rng([self.stages.config.study.seed, first]).permutation(len(names))
        least = LEAST_CASES
        if self.record.decided[0] < first and (self._is_past(batch) or self.explorer.chances([]) is None):
            least = len(names)
        yield {names[index] for index in order[:least]}
        yield from ({names[index]} for index in order[least:])

    def _is_past(self, batch: Sequence[Proposal]) -> bool:
        """Whether an earlier run has gone beyond a batch, so that nothing is decided about it any more."""
        return self.record.finalists is not None or batch[-1].number + 1 in self.explorer.known

    def _decide(self, batch: Sequence[Proposal], number: int, result_of: ResultOf, made: Tasks) -> None:
        """Make a decision of a batch, the one of that number, and keep it; a decision that is kept stays."""
        decision = (batch[0].number, number)
        if self.record.decided >= decision or self._is_past(batch):
            return
        going = [proposal for proposal in batch if proposal.number not in self.record.pruned]
        chances = self.explorer.chances([(proposal, result_of(proposal)) for proposal in going])
        hopeless = [each.number for each, chance in zip(going, chances or (), strict=False) if chance < HOPELESS]
        positions = {case.name: index for index, case in enumerate(self.stages.measurer.cases)}
        lost = {trial: tuple(sorted({positions[task.place.case] for task in made[trial]})) for trial in hopeless}

        def decided(record: StudyRecord) -> StudyRecord:
            if record.decided >= decision:
                return record
            return replace(record, decided=decision, pruned={**record.pruned, **lost})

        self.record = self.stages.update(decided)
