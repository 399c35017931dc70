"""One run of a study: from the checks before it to its verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, Objective
from sweeps.budget.allocation import plan_for
from sweeps.budget.detectable_gain import DetectableGain
from sweeps.budget.pace import Pace, measured_pace
from sweeps.budget.plan import Plan
from sweeps.budget.raised import is_raised, raised_plan
from sweeps.budget.timekeeper import Timekeeper, seconds_before, seconds_seen
from sweeps.budget.tokens import TokenBudget, mean_tokens
from sweeps.config.narrowed_space import Narrowing, TooLarge, parse_drop
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Generation
from sweeps.errors import ConfigError
from sweeps.hosts.host import Host, RunStoppedError, host_record
from sweeps.hosts.memory import ValuesTooLargeError
from sweeps.hosts.shared_tasks import SharedTasks
from sweeps.hosts.sweep_hosts import differences_from_first
from sweeps.hosts.task import TaskResult
from sweeps.hosts.timed_engine import TimedEngine
from sweeps.ledger.coordinators import Coordinator, Turn
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import COMPARISON, StoredStudy, StudyRecord
from sweeps.probes.capacity import Capacity, measure_capacity
from sweeps.probes.compared_values import settle_candidates
from sweeps.probes.unsearchable import settle, without
from sweeps.progress import Progress, Standing
from sweeps.results.case_records import case_record
from sweeps.results.reader import config_as_scored, measured_floor, require_readable, result_of
from sweeps.results.study_status import finished_rows, with_judged
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.scoring.scorer import case_digest
from sweeps.search.earlier_studies import earlier_names
from sweeps.search.trial import Proposal, TrialResult
from sweeps.study.announcements import announce
from sweeps.study.comparison import candidates_to_compare
from sweeps.study.confirmation import Confirmation
from sweeps.study.exploration import Exploration
from sweeps.study.floor import measure_floor
from sweeps.study.identity import identity_of, refuse_changes, refuse_confirmed
from sweeps.study.measurer import Measurer, Spot
from sweeps.study.stages import Stages
from sweeps.study.unscored import unscored_text
from sweeps.tracking.logbook import Logbook
from sweeps.version import __version__
from sweeps.workspace.study_lock import StudyBusyError
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult


@dataclass(frozen=True)
class StudyRun:
    """A run of a study, with its loaded inputs, open engines and open ledger.

    Attributes:
        config: The sweep's configuration.
        workspace: Where the study is.
        cases: The cases.
        objective: Scores the answers.
        ledger: The ledger.
        hosts: The hosts; at least one answers.
        timers: Timers of the engines, with `budget.minutes` only.
        models: The matcher's access to models.
        progress: Gets the messages.
        tracking: Whether to log to MLflow.
        report: Whether to write report, plots and exports at the end.
        keep_trials: Whether to keep trials in Optuna's storage.
        strict: Refuse a space with an option that does nothing on this host, instead of dropping that option.
        drop: Values to leave out of the space from now on, as `NAME=VALUE`.
        coordinator: This process among those that work on the study; None for a process alone.
    """

    config: SweepConfig
    workspace: Workspace
    cases: Sequence[Case]
    objective: Objective
    ledger: Ledger
    hosts: Sequence[Host]
    timers: Sequence[TimedEngine]
    models: EngineModels
    progress: Progress
    tracking: bool = True
    report: bool = True
    keep_trials: bool = True
    strict: bool = False
    drop: Sequence[str] = ()
    coordinator: Coordinator | None = None

    def go(self, begun: Callable[[], object] = lambda: None) -> SweepResult:
        """Run all stages, and keep the study's status however they end.

        Args:
            begun: Called when the study is planned and kept, from where on other coordinators may join it.
        """
        writing = self.ledger.coordinators.turn(self.config.study.name, "write")
        try:
            return self._go(begun, writing)
        finally:
            writing.release()

    def _go(self, begun: Callable[[], object], writing: Turn) -> SweepResult:
        logbook = Logbook(
            self.workspace, self.config, enabled=self.tracking, report=self.report, progress=self.progress,
            writing=writing,
        )  # fmt: skip
        stored = self.ledger.studies.get(self.config.study.name)
        identity = identity_of(self.config, self.cases, self.objective)
        if stored is not None:
            require_readable(self.ledger, stored)
            refuse_changes(stored, identity, self.hosts, self.ledger, self.config, self.cases)
        narrowing, capacity = self._narrowed(stored)
        self.progress.step("planning")
        config = narrowing.apply(self.config if stored is None else config_as_scored(self.config, stored))
        measurer = self._measurer(config, narrowing)
        seen, began = seconds_seen(self.timers), self.ledger.generations.newest()
        plan, pace, each = self._plan_of(stored, measurer)
        if stored is not None and (plan_before := Plan.from_record(stored.record.plan)) != plan:
            if self._has_company():
                raise StudyBusyError(
                    f"study {stored.name!r} cannot get a larger budget while other coordinators work on it; stop them,"
                    " run this again, then start them with the larger budget"
                )
            stored = self._keep_raised(stored, plan_before, plan, identity)
        finished = None if self.drop else finished_rows(
            self.ledger, stored, self.workspace, narrowing.as_record(),
            hosts={host.name for host in self.hosts}, keep_trials=self.keep_trials,
        )  # fmt: skip
        known, exists = measured_floor(self.ledger, identity, self.workspace), stored is not None
        if stored is None:
            earlier = earlier_names(config, identity, self.ledger, self.hosts) if config.search.earlier_scores else ()
            first = replace(
                self._first_record(plan, narrowing),
                pace=pace, began=began if pace else 0, answer_tokens=each, earlier=earlier,
            )  # fmt: skip
            stored = self.ledger.studies.add(
                config.study.name, identity=identity, config=config.stored_text, record=first
            )
        else:
            kept = partial(replace, narrowing=narrowing.as_record()) if self.drop else None
            stored = self.ledger.studies.update(config.study.name, kept, status="running")
        begun()
        self._share(measurer, plan)
        sight = announce(self.progress, config, plan, capacity, self.hosts, known=known, stored=exists)
        timekeeper = self._timekeeper_of(config, plan, stored.record, seen)
        keepers = timekeeper, TokenBudget.of(config.budget, plan, stored.record.answer_tokens)
        stages = Stages(config, self.workspace, self.ledger, measurer, logbook, self.progress, plan, *keepers)
        if finished is not None:
            measurer.take_finished(finished)
        return self._to_the_end(stages, stored.record, sight)

    def _to_the_end(self, stages: Stages, stored: StudyRecord, sight: DetectableGain) -> SweepResult:
        """Run the stages, then write the report."""
        status = "failed"
        try:
            stages.logbook.start(self.hosts, self.cases, stages.plan)
            if self.tracking and stored.tracked is False:
                stages.update(lambda record: replace(record, tracked=True))
            if not stages.measurer.is_finished:
                stages = self._run_with_what_fits(stages, stored, sight)
            if lost := unscored_text(stages.measurer.rows):
                self.progress.note(lost, warning=True)
            self.progress.stage("report")
            stored_now = self.ledger.studies.get(stages.name)
            assert stored_now is not None
            rows = stages.measurer.rows_of_study()
            result = result_of(self.ledger, replace(stored_now, status="done"), self.workspace, rows=rows)
            stages.update(with_judged(result))
            stages.logbook.wait()  # after the verdict, which all coordinators compute at the same time
            stages.logbook.finish(result, written=self.ledger.coordinators.written(stages.name))
            if self.coordinator is not None and self.workspace.is_shared:
                self.coordinator.has_written()
            stages.update(status="done")  # not before: a killed report leaves an interrupted study
            status = "done"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            if status != "done":
                stages.logbook.end(status)
                stages.update(status=None if self._has_company() else status)
        return result

    def _run_with_what_fits(self, stages: Stages, stored: StudyRecord, sight: DetectableGain) -> Stages:
        """Run the stages; without a value that a host has no memory for, they run again from what the ledger has.

        Returns:
            The stages that ended, with the space that is left.
        """
        while True:
            try:
                self._run_stages(stages, stored, sight)
                return stages
            except ValuesTooLargeError as large:
                stages = self._without(stages, large.found)
                stored = stages.record

    def _without(self, stages: Stages, found: Sequence[TooLarge]) -> Stages:
        """Take values out of the space of the running study, with a warning each."""
        narrowing = Narrowing.from_record(stages.record.narrowing)
        before = set(narrowing.lines(self.config))
        narrowing = without(narrowing, found, self.config, self.hosts)
        for line in narrowing.lines(self.config):
            if line not in before:
                self.progress.note(line, warning=True)
        stages.update(lambda record: replace(record, narrowing=narrowing.as_record()))
        config = narrowing.apply(self.config)
        measurer = self._measurer(config, narrowing, shown=stages.measurer.spots())
        measurer.shared = stages.measurer.shared
        return replace(stages, config=config, measurer=measurer, configurations={})

    def _run_stages(self, stages: Stages, stored: StudyRecord, sight: DetectableGain) -> None:
        with stages.timed("floor"):
            standing, floor = measure_floor(stages, sight)
        if stages.config.is_comparison:
            finalists = candidates_to_compare(stages)
        else:
            finalists = self._explored(stages, stored, floor, standing)
        if not finalists:
            return
        with stages.timed("confirm"):
            Confirmation(stages).run(finalists)
            for trial in (BASELINE_TRIAL, *(finalist.number for finalist in finalists)):
                stages.track(trial)

    def _explored(
        self, stages: Stages, stored: StudyRecord, floor: TrialResult, standing: Standing
    ) -> Sequence[Proposal]:
        """Run the exploration and keep its finalists; none if there is nothing to confirm."""
        storage = self.workspace.trials_url if self.keep_trials else None
        writing = stages.logbook.writing
        exploration = Exploration.begin(stages, stored, floor, standing, storage, writing)
        with stages.timed("explore"):
            finalists = exploration.run()
        finalists = exploration.keep_finalists(finalists)
        if not finalists:
            scored = exploration.explorer.scored
            why = "Every trial that could be scored is the baseline" if scored else "No trial could be scored"
            self.progress.note(f"{why}, so there is nothing to confirm.", warning=True)
        return finalists

    # ---- before the stages

    def _measurer(self, config: SweepConfig, narrowing: Narrowing, shown: Collection[Spot] = ()) -> Measurer:
        return Measurer(
            config, self.cases, self.objective, self.ledger, self.hosts, self.models, self.progress,
            shown=shown, keep_answers=self.tracking,
            narrowing=narrowing.as_record() if self.workspace.is_shared else None,
        )  # fmt: skip

    def _has_company(self) -> bool:
        """Whether other coordinators work on the study as well."""
        return self.workspace.is_shared and self.coordinator is not None and len(self.coordinator.alive()) > 1

    def _share(self, measurer: Measurer, plan: Plan) -> None:
        """Let the measurer share the study's tasks, where other coordinators can see them."""
        if self.coordinator is None or not self.workspace.is_shared:
            return
        dealt = {"floor": max(1, plan.floor_seeds // 2), "confirm": max(1, plan.confirm_seeds // 2)}
        stored = self.ledger.studies.get(self.config.study.name)
        for line in differences_from_first(self.hosts, {} if stored is None else stored.record.hosts):
            self.progress.note(line, warning=True)
        claims = self.ledger.claims(self.coordinator)
        measurer.shared = SharedTasks(claims, self.ledger, self.hosts, self.config.study.name, dealt)

    def _narrowed(self, stored: StoredStudy | None) -> tuple[Narrowing, Capacity]:
        """Find the options to leave out of the space on these hosts, and the room for the prompts."""
        first = next(host for host in self.hosts if not host.dropped)
        self.progress.step(f"loading model {self.config.baseline.model}")
        capacity = measure_capacity(first.engine, self.config, self.cases)
        strict = self.config.search.strict or self.strict
        if self.config.is_comparison:
            settled = settle_candidates(
                self.hosts, self.config, capacity, self.ledger, self.progress, stored=stored, strict=strict
            )
            return settled, capacity
        dropped = [parse_drop(text, self.config) for text in self.drop]
        if stored is not None:
            refuse_confirmed(dropped, stored, self.ledger)
        settled = settle(
            self.hosts, self.config, capacity, self.ledger, self.progress,
            stored=stored, strict=strict, dropped=dropped,
        )  # fmt: skip
        return settled, capacity

    def _plan_of(
        self, stored: StoredStudy | None, measurer: Measurer
    ) -> tuple[Plan, dict[str, float] | None, float | None]:
        """Return the study's plan; for a new plan also the pace and the tokens of an answer behind it, if it has them.

        A budget that was raised gives an existing study a larger plan.
        """
        before = None if stored is None else Plan.from_record(stored.record.plan)
        if before is not None and stored is not None and not is_raised(stored.identity, self.config.identity()):
            return before, None, None
        budget = measurer.config.budget
        pace: Pace | None = None
        each: float | None = None
        seconds_of: Callable[[Plan], float] | None = None
        kept = None if stored is None else stored.record.pace
        known = None if stored is None else stored.record.answer_tokens
        answers: Sequence[Generation] = ()
        if (budget.minutes is not None and not kept) or (budget.tokens is not None and not known):
            answers = self._first_answers(measurer)
        if budget.tokens is not None:
            each = known or mean_tokens(answers)
            if each is None:
                raise ConfigError(f"budget.tokens {budget.tokens}: the engine counts no tokens; use budget.generations")
        if budget.minutes is not None:
            measured = pace = Pace(**kept) if kept else self._measured_pace(measurer, answers)

            def seconds_of(plan: Plan) -> float:
                return measured.estimate(plan, measurer.config).seconds

        plan = plan_for(
            measurer.config, cases=len(self.cases), hosts=len(self.hosts), seconds_of=seconds_of, tokens_each=each
        )
        if before is not None:
            plan = raised_plan(before, plan, self.config.confirm.looks, self.config.verdict.least_look)
        return plan, None if pace is None else asdict(pace), each

    def _keep_raised(self, stored: StoredStudy, before: Plan, plan: Plan, identity: Mapping[str, Any]) -> StoredStudy:
        """Keep the plan of a larger budget; the search goes on if its finalists were chosen already."""
        self.progress.note(
            f"the budget of study {stored.name!r} was raised: {before.total} generations were planned, now {plan.total}"
        )

        def raised(record: StudyRecord) -> StudyRecord:
            first = record.first_trials or before.trials or None
            record = replace(record, plan=plan.as_dict(), first_trials=first)
            return record if record.kind == COMPARISON else replace(record, finalists=None, priors={})

        return self.ledger.studies.update(stored.name, raised, identity=identity, config=self.config.stored_text)

    def _first_answers(self, measurer: Measurer) -> list[Generation]:
        """Return the baseline's answers with the floor's first seed, one per case."""
        tasks = measurer.tasks("floor", BASELINE_TRIAL, measurer.config.baseline, [measurer.config.study.seed])
        answers: list[Generation] = []

        def keep(result: TaskResult) -> None:
            if result.entry is not None:
                answers.append(result.entry.generation)

        measurer.run(tasks, keep)
        if not answers:
            raise RunStoppedError("no generation of the baseline succeeded, so the cost of one is not known")
        return answers

    def _measured_pace(self, measurer: Measurer, answers: Sequence[Generation]) -> Pace:
        """Return the pace of the baseline's answers."""
        engines = [host.engine for host in self.hosts if not host.dropped]
        return measured_pace(answers, self.timers, measurer.config, self.cases, engines)

    def _timekeeper_of(self, config: SweepConfig, plan: Plan, record: StudyRecord, seen: float) -> Timekeeper | None:
        """Return the timekeeper; None without `budget.minutes`, and for a study that kept no pace.

        Args:
            config: The sweep's configuration.
            plan: The plan.
            record: The study's record.
            seen: Seconds on the timers before the floor; the record includes them.
        """
        minutes = config.budget.minutes
        if minutes is None or record.pace is None:
            return None
        before = seconds_before(record, self.ledger, config.study.name) - seen
        return Timekeeper(config, plan, Pace(**record.pace), minutes, self.timers, before, record.began)

    def _first_record(self, plan: Plan, narrowing: Narrowing) -> StudyRecord:
        path = Path(self.config.cases_path)
        first = next(host for host in self.hosts if not host.dropped)
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
            baseline_sources=dict(self.config.sources),
            tracked=self.tracking,
            honoured=tuple(sorted(first.engine.honours)),
            narrowing=narrowing.as_record(),
            kind=COMPARISON if self.config.is_comparison else None,
            first_sets=tuple(each.as_record() for each in self.config.first_sets),
        )
