"""A sweep from check to verdict: floor, explore, confirm."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from objectives import Case, Objective
from sweeps import __version__
from sweeps.config import SweepConfig, load_config
from sweeps.engines import open_engine
from sweeps.engines.base import Engine, EngineError
from sweeps.errors import SweepError
from sweeps.explore import Explorer, Proposal, TrialResult
from sweeps.identity import fingerprint_changes, host_record, identity_of, refuse_changes
from sweeps.ledger import Ledger, Place, StudyRecord, now
from sweeps.logbook import Logbook
from sweeps.matching import EngineModels
from sweeps.narrowing import settle
from sweeps.observations import Scorer, answer_row, case_digest, item_texts, observation_row
from sweeps.options import Configuration
from sweeps.plan import Plan, make_plan
from sweeps.pool import run_tasks
from sweeps.preflight import engine_specs, fingerprints_of, load_inputs, measure_capacity, open_hosts
from sweeps.progress import Progress, Silent, Standing
from sweeps.results import BASELINE_TRIAL, SweepResult, case_record, read_result
from sweeps.runner import Host, HostChangedError, Outcome, RunStoppedError
from sweeps.schedule import Task
from sweeps.standing import after_batch, after_floor, announce, trial_result

EXPLORE_SEEDS = 10_000
CONFIRM_SEEDS = 1_000_000
SEEDS_PER_TRIAL = 100
"""Seeds are the study's seed plus these: stages never share one, and a person can read the stage from the number."""


class Sweep:
    """One sweep, ready to run.

    Args:
        config: The configuration.
        directory: Folder of ledger, Optuna storage, MLflow store and outputs (made if missing).
        progress: Who is told; nobody by default.
        engine: An open engine to use instead of the configuration's, or one per host; they are not closed.
        objective: An objective to use instead of the configuration's.
        cases: Cases to use instead of those that the configuration names.
        tracking: Whether to log to MLflow.
        keep_trials: Whether to keep trials in Optuna's storage (`optuna.db`) as well.
        report: Whether to write report, plots and exports at the end.
        strict: Refuse a space of which something does nothing on this host, instead of dropping it.
    """

    def __init__(
        self,
        config: SweepConfig,
        *,
        directory: str | Path = "mlruns",
        progress: Progress | None = None,
        engine: Engine | Sequence[Engine] | None = None,
        objective: Objective | None = None,
        cases: Sequence[Case] | None = None,
        tracking: bool = True,
        keep_trials: bool = True,
        report: bool = True,
        strict: bool = False,
    ) -> None:
        self.config = config
        self.directory = Path(directory)
        self.progress = progress or Silent()
        self._engines = [] if engine is None else list(engine) if isinstance(engine, Sequence) else [engine]
        self._objective, self._cases = objective, cases
        self._tracking, self._keep_trials = tracking, keep_trials
        self._report = report
        self.strict = strict

    @classmethod
    def from_toml(cls, path: str | Path, **options: Any) -> Sweep:
        """A sweep from its TOML file; `options` as for the class.

        Raises:
            ConfigError: With all problems of the file at once.
        """
        return cls(load_config(path), **options)

    def run(self) -> SweepResult:
        """Run the sweep to its verdict, going on from whatever the ledger has.

        Returns:
            The result; it is also in the ledger, and logged to MLflow.

        Raises:
            ConfigError: If cases, objective, budget or stored study do not fit.
            EngineError: If the engine cannot be used, or stopped answering; what was generated is kept.
            KeyboardInterrupt: If the user stopped it; what was generated is kept.
        """
        self.progress.stage("check")
        with EngineModels(engine_specs(self.config)[0]) as models:
            cases, objective = load_inputs(self.config, models, cases=self._cases, objective=self._objective)
            with self._opened_engines() as engines, self._opened_ledger() as ledger:
                hosts = open_hosts(engines, self.config)
                return _Run(self, cases, objective, ledger, hosts, models).go()

    @contextmanager
    def _opened_engines(self) -> Iterator[Sequence[Engine]]:
        if self._engines:
            yield self._engines
            return
        with ExitStack() as stack:
            engines = []
            for spec in engine_specs(self.config, self.directory / "logs"):
                engines.append(open_engine(spec))
                stack.callback(engines[-1].close)
            yield engines

    @contextmanager
    def _opened_ledger(self) -> Iterator[Ledger]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            (self.directory / ".writable").touch()
            (self.directory / ".writable").unlink()
        except OSError as error:
            raise SweepError(
                f"{self.directory} cannot be written: {error.strerror}; choose another folder with --mlruns"
            ) from None
        ledger = Ledger(self.directory / "ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()


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
        self.scorer = Scorer(objective, cases, ledger)
        self.items = {case.name: item_texts(case) for case in cases}
        self.models = models
        matcher = sweep.config.objective.matcher
        self._scores_by_model = isinstance(matcher, dict) and matcher.get("kind", "lexical") != "lexical"
        self._unscored: list[Outcome] = []
        self.rows: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.configurations = {BASELINE_TRIAL: self.config.baseline}
        self.standing = Standing()
        self.logbook = Logbook(
            sweep.directory, self.config, enabled=sweep._tracking, report=sweep._report, progress=self.progress
        )

    # ---- the life of a sweep

    def go(self) -> SweepResult:
        """All stages, with the study's status kept right whatever happens."""
        stored = self.ledger.study(self.name)
        identity = identity_of(self.config, self.cases, self.objective)
        if stored is not None:
            refuse_changes(stored, identity, self.hosts, self.ledger)
        capacity = measure_capacity(self._first.engine, self.config, self.cases)
        strict = self.config.search.strict or self.sweep.strict
        narrowing = settle(self.hosts, self.config, capacity, self.ledger, self.progress, stored=stored, strict=strict)
        self.config = narrowing.apply(self.config)
        plan = self._plan_of(stored)
        if stored is None:
            record = self._first_record(plan) | {"narrowing": narrowing.as_record()}
            stored = self.ledger.add_study(self.name, identity=identity, config=self.config.text, record=record)
        else:
            stored = self.ledger.update_study(self.name, status="running")
        announce(self.progress, self.config, plan, capacity, self.hosts)
        status = "failed"
        try:
            self.logbook.start(self.hosts, self.cases)
            self._stages(plan, stored)
            self.progress.stage("report")
            self.ledger.update_study(self.name, status="done")
            result = read_result(self.ledger, self.name, self.sweep.directory)
            self.logbook.finish(result)
            status = "done"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            if status != "done":
                self.logbook.end(status)
                self.ledger.update_study(self.name, status=status)
        return result

    def _stages(self, plan: Plan, stored: StudyRecord) -> None:
        with self._timed("floor"):
            self._floor(plan)
        proposals = [Proposal.from_record(i, record) for i, record in enumerate(stored.record.get("proposals", []))]
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
        floor = self._result_of(BASELINE_TRIAL, "floor")
        explorer.tell_baseline(floor)
        with self._timed("explore"):
            finalist = self._explore(plan, explorer)
        chosen = stored.record.get("finalist")
        if chosen is not None:  # confirmed data belong to it, whatever another version of the surrogate would pick now
            finalist = proposals[chosen]
        if finalist is None:
            self.ledger.update_study(self.name, finalist=None)
            self.progress.note("No trial could be scored, so there is nothing to confirm.", warning=True)
            return
        self.ledger.update_study(self.name, finalist=finalist.number)
        with self._timed("confirm"):
            self._confirm(plan, finalist)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Keep the seconds that a stage took in this run, and how many of them the engine had."""
        self.progress.stage(stage)
        wall, engine = time.perf_counter(), self._engine_seconds()
        yield
        spent = {"wall": time.perf_counter() - wall, "engine": self._engine_seconds() - engine}
        self.ledger.update_study(self.name, seconds=self._record().get("seconds", {}) | {stage: spent})

    def _floor(self, plan: Plan) -> None:
        seeds = range(self.config.study.seed, self.config.study.seed + plan.floor_seeds)
        self._run(self._tasks("floor", BASELINE_TRIAL, self.config.baseline, seeds, every_host=True))
        floor = self._result_of(BASELINE_TRIAL, "floor")
        if math.isnan(floor.value):
            raise RunStoppedError(
                "the baseline has no scored generation, so there is nothing to compare with; the failures are listed by"
                f" `sweeps status {self.name}`"
            )
        self.standing = after_floor(floor, generations_per_trial=len(self.cases) * plan.seeds)
        self.progress.standing(self.standing)
        self._track(BASELINE_TRIAL)

    def _explore(self, plan: Plan, explorer: Explorer) -> Proposal | None:
        """Ask, run and tell batch by batch; the finalist is the trial with the best posterior mean."""
        results: dict[int, TrialResult] = {}
        proposals: list[Proposal] = []
        while len(proposals) < plan.trials:
            self._verify()
            batch = explorer.ask(min(self.config.search.batch, plan.trials - len(proposals)))
            proposals += batch
            if len(proposals) > len(explorer.known):  # a resumed run walks through what is stored, and must not cut it
                self.ledger.update_study(self.name, proposals=[proposal.as_record() for proposal in proposals])
            tasks: list[Task] = []
            for proposal in batch:
                self.configurations[proposal.number] = proposal.configuration
                tasks += self._tasks(
                    "explore", proposal.number, proposal.configuration, self._explore_seeds(plan, proposal)
                )
            self._run(tasks)
            for proposal in batch:
                results[proposal.number] = self._result_of(proposal.number, "explore")
                explorer.tell(proposal, results[proposal.number])
                self._track(proposal.number)
            self.standing = after_batch(self.standing, proposals, results, self.config.baseline)
            self.progress.standing(self.standing)
        number = explorer.pick()
        return None if number is None else proposals[number]

    def _explore_seeds(self, plan: Plan, proposal: Proposal) -> range:
        first = self.config.study.seed + EXPLORE_SEEDS + SEEDS_PER_TRIAL * proposal.number
        return range(first, first + (1 if proposal.configuration.is_greedy else plan.seeds))

    def _confirm(self, plan: Plan, finalist: Proposal) -> None:
        self._verify()
        first = self.config.study.seed + CONFIRM_SEEDS
        seeds = range(first, first + plan.confirm_seeds)
        arms = [(BASELINE_TRIAL, self.config.baseline), (finalist.number, finalist.configuration)]
        tasks: list[Task] = []
        for trial, configuration in arms:
            own = seeds[: len(self.hosts)] if configuration.is_greedy else seeds
            tasks += self._tasks("confirm", trial, configuration, own, every_host=True)
        self._run(tasks)
        self._verify()
        if "confirmed" not in self._record():
            self.ledger.update_study(self.name, confirmed=now())
        for trial, _ in arms:
            self._track(trial)

    def _track(self, trial: int) -> None:
        """Log a trial's observations to MLflow."""
        rows = [row for row in self.rows if row["trial"] == trial]
        self.logbook.log(trial, self.configurations[trial], rows, self.answers)

    @property
    def _first(self) -> Host:
        """The first host that works."""
        return next(host for host in self.hosts if not host.dropped)

    def _engine_seconds(self) -> float:
        """Seconds of the engines; several work at the same time, so the busiest one's count."""
        return max(host.clock.engine for host in self.hosts)

    # ---- pieces

    def _tasks(
        self, stage: str, trial: int, configuration: Configuration, seeds: Sequence[int], *, every_host: bool = False
    ) -> list[Task]:
        """Requests of one configuration on all cases; with `every_host` the seeds are dealt to the hosts in turn."""
        prompt = self.config.prompts[configuration.prompt]
        hosts = [index % len(self.hosts) if every_host and len(self.hosts) > 1 else None for index in range(len(seeds))]
        return [
            Task(Place(stage, trial, "", case.name, seed), configuration, prompt.fill(case.log), host)
            for case in self.cases
            for seed, host in zip(seeds, hosts, strict=True)
        ]

    def _run(self, tasks: Sequence[Task], on_outcome: Callable[[Outcome], None] | None = None) -> None:
        """Run tasks; every outcome is scored and kept as an observation as it arrives."""
        run_tasks(
            self.hosts,
            self.ledger,
            tasks,
            study=self.name,
            on_outcome=on_outcome or self._on_outcome,
            on_drop=lambda host, why: self.progress.note(
                f"host {host.name} is set aside, its work goes on elsewhere: {why}", warning=True
            ),
        )
        waiting, self._unscored = self._unscored, []
        for outcome in waiting:
            self._score(outcome)
        if waiting and self.models.used:
            for host in self.hosts:
                host.cool()

    def _on_outcome(self, outcome: Outcome) -> None:
        """Keep the observation at once, and score it: at the end of the batch where a model on the same server does.

        Scoring by a model between two requests would push the swept model out of the server's memory each time.
        """
        task, entry = outcome.task, outcome.entry
        place = task.place
        self.ledger.add_observation(
            self.name,
            place,
            configuration=task.configuration.key,
            generation=None if entry is None else entry.id,
            error=outcome.error,
        )
        if self._scores_by_model:
            self._unscored.append(outcome)
        else:
            self._score(outcome)

    def _score(self, outcome: Outcome) -> None:
        task, entry, place = outcome.task, outcome.entry, outcome.task.place
        scored = None
        if entry is not None:
            scored = self.scorer.score([(place.case, entry.id, entry.generation.text)])[entry.id]
            self.answers.append(answer_row(place, task.configuration, entry, scored, self.items[place.case]))
        self.rows.append(observation_row(self.name, place, task.configuration, entry, scored, outcome.error))
        if outcome.error:
            self.progress.note(f"{place.stage}, case {place.case}, seed {place.seed}: {outcome.error}", warning=True)
        seconds = None if outcome.kept or entry is None else entry.generation.timing.total
        self.progress.advance(place.stage, seconds=seconds)

    def _result_of(self, trial: int, stage: str) -> TrialResult:
        mine = [row for row in self.rows if row["trial"] == trial and row["stage"] == stage]
        return trial_result(mine, [case.name for case in self.cases], self.standing.noise_sd)

    def _verify(self) -> None:
        """Stop if a host, its engine or a model is not what it was when the run began."""
        changed: list[str] = []
        for index, host in enumerate(self.hosts):
            if host.dropped:
                continue
            try:
                now_there = fingerprints_of(host.engine, self.config, index, known=host.fingerprints)
            except EngineError:
                continue  # the next request meets the same fault, and knows about trying again and other hosts
            changed += fingerprint_changes(host.fingerprints, now_there, host.name if len(self.hosts) > 1 else "")
        if changed:
            raise HostChangedError(changed)

    # ---- plan and record

    def _plan_of(self, stored: StudyRecord | None) -> Plan:
        if stored is not None:
            kept = stored.record["plan"]
            return Plan(**{name: kept[name] for name in Plan.__dataclass_fields__})
        seconds = None
        if self.config.budget.minutes is not None:
            seconds = self._seconds_per_generation()
        return make_plan(
            self.config.budget,
            cases=len(self.cases),
            hosts=len(self.hosts),
            seconds_per_generation=seconds,
            space_size=self.config.space.size,
        )

    def _seconds_per_generation(self) -> float:
        """Seconds of a warm generation of the baseline, measured on the floor's first seed of each case."""
        tasks = self._tasks("floor", BASELINE_TRIAL, self.config.baseline, [self.config.study.seed])
        seconds: list[float] = []

        def keep(outcome: Outcome) -> None:
            if outcome.entry is not None:
                seconds.append(outcome.entry.generation.timing.total)

        self._run(tasks, keep)
        if not seconds:
            raise RunStoppedError("no generation of the baseline succeeded, so the time of one is not known")
        return sum(seconds) / len(seconds) / sum(not host.dropped for host in self.hosts)

    def _first_record(self, plan: Plan) -> dict[str, Any]:
        return {
            "plan": plan.as_dict(),
            "hosts": {host.name: host_record(host) for host in self.hosts if host.fingerprints},
            "honoured": sorted(self._first.engine.honours),
            "cases": [case_record(case) for case in self.cases],
            "case_digests": {case.name: case_digest(case) for case in self.cases},
            "objective_digest": self.objective.digest,
            "version": __version__,
            "environment": dict(self.config.environment),
            "path": None if self.config.path is None else str(self.config.path),
            "cases_path": str(Path(self.config.cases_path).resolve())
            if Path(self.config.cases_path).exists()
            else self.config.cases_path,
        }

    def _record(self) -> dict[str, Any]:
        stored = self.ledger.study(self.name)
        assert stored is not None
        return stored.record
