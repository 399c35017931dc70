"""One run of a sweep."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, Objective
from sweeps.budget.allocation import plan_for
from sweeps.budget.detectable_gain import DetectableGain
from sweeps.budget.pace import Pace, measured_pace
from sweeps.budget.plan import Plan
from sweeps.budget.timekeeper import Timekeeper, seconds_before, seconds_seen
from sweeps.config.narrowed_space import Narrowing
from sweeps.engines.base import Generation
from sweeps.hosts.host import Host, RunStoppedError, host_record
from sweeps.hosts.task import TaskResult
from sweeps.hosts.timed_engine import TimedEngine, timed
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy, StudyRecord
from sweeps.probes.capacity import measure_capacity
from sweeps.probes.unsearchable import settle
from sweeps.progress import Standing
from sweeps.results.case_records import case_record
from sweeps.results.reader import measured_floor, read_result, require_readable
from sweeps.results.result import SweepResult
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.limits import Limits
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.scoring.scorer import case_digest
from sweeps.search.explorer import Explorer
from sweeps.search.trial import Proposal
from sweeps.study.announcements import announce, announce_floor
from sweeps.study.confirmation import Confirmation
from sweeps.study.exploration import Exploration
from sweeps.study.identity import identity_of, refuse_changes
from sweeps.study.measurer import Measurer
from sweeps.study.snapshot import after_floor
from sweeps.tracking.logbook import Logbook
from sweeps.version import __version__

if TYPE_CHECKING:
    from sweeps.study.sweep import Sweep


class _Run:
    """The state of one run of a sweep."""

    def __init__(
        self,
        sweep: Sweep,
        cases: Sequence[Case],
        objective: Objective,
        ledger: Ledger,
        hosts: Sequence[Host],
        models: EngineModels,
    ) -> None:
        self.sweep, self.config, self.progress = sweep, sweep.config, sweep.progress
        self.cases, self.objective, self.ledger, self.hosts = cases, objective, ledger, hosts
        self.name = sweep.config.study.name
        self.measurer = Measurer(self.config, cases, objective, ledger, hosts, models, self.progress)
        self.configurations = {BASELINE_TRIAL: self.config.baseline}
        self.standing = Standing()
        self._watchers: list[TimedEngine] = []
        self._since = 0.0  # what the watchers had seen before the floor
        self._began = 0  # the newest generation of the ledger before the floor
        self._pace: Pace | None = None
        self._timekeeper: Timekeeper | None = None
        if self.config.budget.minutes is not None:
            for host in hosts:
                host.engine, watcher = timed(host.engine)
                self._watchers.append(watcher)
        self.logbook = Logbook(
            sweep.directory, self.config, enabled=sweep._tracking, report=sweep._report, progress=self.progress
        )

    # ---- the life of a sweep

    def go(self) -> SweepResult:
        """All stages, with the study's status kept right whatever happens."""
        stored = self.ledger.studies.get(self.name)
        identity = identity_of(self.config, self.cases, self.objective)
        if stored is not None:
            require_readable(self.ledger, stored)
            refuse_changes(stored, identity, self.hosts, self.ledger, self.config)
        capacity = measure_capacity(self.measurer.first.engine, self.config, self.cases)
        strict = self.config.search.strict or self.sweep.strict
        narrowing = settle(self.hosts, self.config, capacity, self.ledger, self.progress, stored=stored, strict=strict)
        self.config = self.measurer.config = narrowing.apply(self.config)
        plan = self._plan_of(stored)
        known, exists = measured_floor(self.ledger, identity, self.sweep.directory), stored is not None
        if stored is None:
            record = self._first_record(plan, narrowing)
            stored = self.ledger.studies.add(self.name, identity=identity, config=self.config.text, record=record)
        else:
            stored = self.ledger.studies.update(self.name, status="running")
        sight = announce(self.progress, self.config, plan, capacity, self.hosts, known=known, stored=exists)
        status = "failed"
        try:
            self.logbook.start(self.hosts, self.cases)
            self._stages(plan, stored, sight)
            self.measurer.tell_unscored()
            self.progress.stage("report")
            self.ledger.studies.update(self.name, status="done")
            result = read_result(self.ledger, self.name, self.sweep.directory)
            self.logbook.finish(result)
            status = "done"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            if status != "done":
                self.logbook.end(status)
                spent = self._spent()
                self.ledger.studies.update(self.name, lambda record: replace(record, **spent), status=status)
        return result

    def _stages(self, plan: Plan, stored: StoredStudy, sight: DetectableGain) -> None:
        self._timekeeper = self._timekeeper_of(plan)
        with self._timed("floor"):
            self._floor(plan, sight)
        proposals = [Proposal.from_record(i, record) for i, record in enumerate(stored.record.proposals)]
        explorer = Explorer(
            self.name,
            f"sqlite:///{self.sweep.directory / 'optuna.db'}" if self.sweep._keep_trials else None,
            space=self.config.space,
            baseline=self.config.baseline,
            sampler=self.config.search.sampler,
            seed=self.config.study.seed,
            trials=plan.trials,
            proposals=proposals,
        )
        floor = self.measurer.result_of(BASELINE_TRIAL, "floor")
        explorer.tell_baseline(floor)
        chosen = stored.record.finalists
        with self._timed("explore"):
            finalists = self._explore(plan, explorer, ended=chosen is not None)
        if chosen:  # confirmed data belong to them, whatever another version of the surrogate would pick now
            finalists = [proposals[number] for number in chosen]
        numbers = tuple(finalist.number for finalist in finalists)
        self.ledger.studies.update(self.name, lambda record: replace(record, finalists=numbers))
        if not self._record().priors:
            found = {finalist.number: explorer.prior_of(finalist) for finalist in finalists}
            priors = {number: asdict(prior) for number, prior in found.items() if prior is not None}
            self.ledger.studies.update(self.name, lambda record: replace(record, priors=priors))
        if not finalists:
            why = "Every trial that could be scored is the baseline" if explorer.scored else "No trial could be scored"
            self.progress.note(f"{why}, so there is nothing to confirm.", warning=True)
            return
        with self._timed("confirm"):
            Confirmation(self.config, self.ledger, self.measurer, self.progress, self.sweep.directory).run(
                plan, finalists
            )
            for trial in (BASELINE_TRIAL, *(finalist.number for finalist in finalists)):
                self._track(trial)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Keep the seconds that a stage took in this run, how many of them the engine had, and those of all so far."""
        self.progress.stage(stage)
        wall, engine = time.perf_counter(), self.measurer.engine_seconds()
        yield
        took = {"wall": time.perf_counter() - wall, "engine": self.measurer.engine_seconds() - engine}
        spent = self._spent()
        self.ledger.studies.update(
            self.name, lambda record: replace(record, seconds={**record.seconds, stage: took}, **spent)
        )

    def _floor(self, plan: Plan, sight: DetectableGain) -> None:
        seeds = range(self.config.study.seed, self.config.study.seed + plan.floor_seeds)
        self.measurer.run(self.measurer.tasks("floor", BASELINE_TRIAL, self.config.baseline, seeds, every_host=True))
        floor = self.measurer.result_of(BASELINE_TRIAL, "floor")
        if math.isnan(floor.value):
            raise RunStoppedError(
                "the baseline has no scored generation, so there is nothing to compare with; the failures are listed by"
                f" `sweeps status {self.name}`"
            )
        self.standing = after_floor(floor, generations_per_trial=plan.trial_cases * plan.seeds)
        self.progress.standing(self.standing)
        for sentence in Limits.of(self.measurer.rows, self.config.constraints).broken(self.config.baseline.key):
            self.progress.note(f"the baseline {sentence}", warning=True)
        announce_floor(self.progress, read_result(self.ledger, self.name, self.sweep.directory), sight)
        self._track(BASELINE_TRIAL)

    def _explore(self, plan: Plan, explorer: Explorer, *, ended: bool) -> list[Proposal]:
        return Exploration(
            self.config,
            self.ledger,
            self.measurer,
            self.progress,
            explorer,
            plan,
            self.standing,
            self.configurations,
            self._track,
            ended=ended,
            timekeeper=self._timekeeper,
        ).run()

    def _track(self, trial: int, offsets: Mapping[str, float] | None = None) -> None:
        """Log a trial's observations to MLflow."""
        rows, answers = self.measurer.rows_of(trial), self.measurer.answers_of(trial)
        self.logbook.log(trial, self.configurations[trial], rows, answers, offsets)

    # ---- plan and record

    def _plan_of(self, stored: StoredStudy | None) -> Plan:
        self._since, self._began = seconds_seen(self._watchers), self.ledger.generations.newest()
        if stored is not None:
            return Plan.from_record(stored.record.plan)
        seconds_of: Callable[[Plan], float] | None = None
        if self.config.budget.minutes is not None:
            self._pace = pace = self._measured_pace()

            def seconds_of(plan: Plan) -> float:
                return pace.estimate(plan, self.config).seconds

        return plan_for(self.config, cases=len(self.cases), hosts=len(self.hosts), seconds_of=seconds_of)

    def _measured_pace(self) -> Pace:
        """The pace of the baseline, measured on the floor's first seed of each case."""
        tasks = self.measurer.tasks("floor", BASELINE_TRIAL, self.config.baseline, [self.config.study.seed])
        answers: list[Generation] = []

        def keep(outcome: TaskResult) -> None:
            if outcome.entry is not None:
                answers.append(outcome.entry.generation)

        self.measurer.run(tasks, keep)
        if not answers:
            raise RunStoppedError("no generation of the baseline succeeded, so the time of one is not known")
        engines = [host.engine for host in self.hosts if not host.dropped]
        return measured_pace(answers, self._watchers, self.config, self.cases, engines)

    def _timekeeper_of(self, plan: Plan) -> Timekeeper | None:
        """Who holds the sweep to its minutes; None without any, and for a study that has kept no pace."""
        record, minutes = self._record(), self.config.budget.minutes
        if minutes is None or record.pace is None:
            return None
        before = seconds_before(record, self.ledger, self.name) - self._since
        return Timekeeper(self.config, plan, Pace(**record.pace), minutes, self._watchers, before, record.began)

    def _spent(self) -> dict[str, Any]:
        return {} if self._timekeeper is None else self._timekeeper.as_record(self.ledger)

    def _first_record(self, plan: Plan, narrowing: Narrowing) -> StudyRecord:
        path = Path(self.config.cases_path)
        return StudyRecord(
            plan=plan.as_dict(),
            hosts={host.name: host_record(host) for host in self.hosts if host.fingerprints},
            cases=tuple(case_record(case) for case in self.cases),
            case_digests={case.name: case_digest(case) for case in self.cases},
            objective_digest=self.objective.digest,
            cases_path=str(path.resolve()) if path.exists() else self.config.cases_path,
            path=None if self.config.path is None else str(self.config.path),
            directory=str(self.config.directory.resolve()),
            version=__version__,
            environment=dict(self.config.environment),
            honoured=tuple(sorted(self.measurer.first.engine.honours)),
            narrowing=narrowing.as_record(),
            pace=None if self._pace is None else asdict(self._pace),
            began=0 if self._pace is None else self._began,
        )

    def _record(self) -> StudyRecord:
        stored = self.ledger.studies.get(self.name)
        assert stored is not None
        return stored.record
