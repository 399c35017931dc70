"""The parts that all stages of a running study share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sweeps.budget.plan import Plan
from sweeps.budget.timekeeper import Timekeeper
from sweeps.budget.tokens import TokenBudget
from sweeps.config.sweep_config import SweepConfig
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from sweeps.options import Configuration
from sweeps.progress import Progress
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.study.measurer import Measurer
from sweeps.tracking.logbook import Logbook
from sweeps.workspace.workspace import Workspace


@dataclass(frozen=True)
class Stages:
    """A running study, as its stages see it.

    Attributes:
        config: The sweep's configuration, its space without options that do nothing on these hosts.
        workspace: Where the study is.
        ledger: The ledger.
        measurer: Runs the requests.
        logbook: Logs to MLflow.
        progress: Gets the messages.
        plan: The plan.
        timekeeper: Holds the sweep to `budget.minutes`; None without.
        token_budget: Holds the sweep to `budget.tokens`; None without.
        configurations: The baseline, and the configurations of trials as they are made, by number of the trial.
    """

    config: SweepConfig
    workspace: Workspace
    ledger: Ledger
    measurer: Measurer
    logbook: Logbook
    progress: Progress
    plan: Plan
    timekeeper: Timekeeper | None = None
    token_budget: TokenBudget | None = None
    configurations: dict[int, Configuration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.configurations.setdefault(BASELINE_TRIAL, self.config.baseline)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.config.study.name

    @property
    def record(self) -> StudyRecord:
        """The study's record as the ledger has it now."""
        stored = self.ledger.studies.get(self.name)
        assert stored is not None
        return stored.record

    def update(
        self, change: Callable[[StudyRecord], StudyRecord] = lambda record: record, *, status: str | None = None
    ) -> StudyRecord:
        """Change the study's record, and update the time spent in it.

        Several coordinators decide in turn: `change` gets the record with the decisions of the others, and keeps them.

        Returns:
            The record as it is stored now.
        """
        keeper = self.timekeeper
        spent, until = (None, None) if keeper is None else (keeper.spent, self.ledger.generations.newest())

        def changed(record: StudyRecord) -> StudyRecord:
            after = change(record)
            if spent is None:
                return after
            return replace(after, spent=max(spent, record.spent or 0.0), spent_until=until)

        return self.ledger.studies.update(self.name, changed, status=status).record

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Keep the seconds that a stage took in this run, in all and in the engine."""
        self.progress.stage(stage)
        wall, engine = time.perf_counter(), self.measurer.engine_seconds()
        yield
        took = {"wall": time.perf_counter() - wall, "engine": self.measurer.engine_seconds() - engine}
        self.update(lambda record: replace(record, seconds={**record.seconds, stage: took}))

    def track(self, trial: int, offsets: Mapping[str, float] | None = None) -> None:
        """Log a trial's observations to MLflow; `offsets` as for `analysis.observations.case_offsets`."""
        rows, answers = self.measurer.rows_of(trial), self.measurer.answers_of(trial)
        self.logbook.log(trial, self.configurations[trial], rows, answers, offsets)
