"""A sweep from check to verdict: floor, explore, confirm."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from objectives import Case, Objective
from sweeps import __version__
from sweeps.config import SweepConfig, load_config
from sweeps.engines import open_engine
from sweeps.engines.base import Engine
from sweeps.errors import SweepError
from sweeps.explore import Explorer, Proposal, TrialResult
from sweeps.identity import fingerprint_changes, identity_of, refuse_changes
from sweeps.ledger import Ledger, Place, StudyRecord, now
from sweeps.logbook import Logbook
from sweeps.observations import Scorer, answer_row, case_digest, item_texts, observation_row
from sweeps.options import Configuration
from sweeps.plan import Plan, make_plan
from sweeps.preflight import engine_spec, fingerprints_of, load_inputs, measure_capacity
from sweeps.progress import Progress, Silent, Standing
from sweeps.results import BASELINE_TRIAL, SweepResult, case_record, read_result
from sweeps.runner import Host, Outcome, RunStoppedError, run_tasks
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
        engine: An open engine to use instead of the configuration's; it is not closed.
        objective: An objective to use instead of the configuration's.
        tracking: Whether to log to MLflow.
    """

    def __init__(
        self,
        config: SweepConfig,
        *,
        directory: str | Path = "mlruns",
        progress: Progress | None = None,
        engine: Engine | None = None,
        objective: Objective | None = None,
        tracking: bool = True,
    ) -> None:
        self.config = config
        self.directory = Path(directory)
        self.progress = progress or Silent()
        self._engine = engine
        self._objective = objective
        self._tracking = tracking

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
        cases, objective = load_inputs(self.config)
        objective = self._objective or objective
        with self._opened_engine() as engine, self._opened_ledger() as ledger:
            fingerprints = fingerprints_of(engine, self.config)
            host = Host(engine, fingerprints, timeout=self.config.engine.timeout)
            run = _Run(self, cases, objective, ledger, host)
            return run.go()

    @contextmanager
    def _opened_engine(self) -> Iterator[Engine]:
        if self._engine is not None:
            yield self._engine
            return
        engine = open_engine(engine_spec(self.config, self.directory / "logs"))
        try:
            yield engine
        finally:
            engine.close()

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

    def __init__(self, sweep: Sweep, cases: Sequence[Case], objective: Objective, ledger: Ledger, host: Host) -> None:
        self.sweep, self.config, self.progress = sweep, sweep.config, sweep.progress
        self.cases, self.objective, self.ledger, self.host = cases, objective, ledger, host
        self.name = sweep.config.study.name
        self.scorer = Scorer(objective, cases, ledger)
        self.items = {case.name: item_texts(case) for case in cases}
        self.rows: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.configurations = {BASELINE_TRIAL: self.config.baseline}
        self.standing = Standing()
        self.logbook = Logbook(sweep.directory, self.config, enabled=sweep._tracking, progress=self.progress)

    # ---- the life of a sweep

    def go(self) -> SweepResult:
        """All stages, with the study's status kept right whatever happens."""
        stored = self.ledger.study(self.name)
        identity = identity_of(self.config, self.cases, self.objective)
        if stored is not None:
            refuse_changes(stored, identity, self.host.fingerprints, self.ledger)
        capacity = measure_capacity(self.host.engine, self.config, self.cases)
        plan = self._plan_of(stored)
        if stored is None:
            stored = self.ledger.add_study(
                self.name, identity=identity, config=self.config.text, record=self._first_record(plan)
            )
        else:
            stored = self.ledger.update_study(self.name, status="running")
        announce(self.progress, self.config, plan, capacity, self.host.fingerprints)
        status = "failed"
        try:
            self.logbook.start(self.host.fingerprints, self.cases)
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
            f"sqlite:///{self.sweep.directory / 'optuna.db'}",
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
        wall, engine = time.perf_counter(), self.host.clock.engine
        yield
        spent = {"wall": time.perf_counter() - wall, "engine": self.host.clock.engine - engine}
        self.ledger.update_study(self.name, seconds=self._record().get("seconds", {}) | {stage: spent})

    def _floor(self, plan: Plan) -> None:
        seeds = range(self.config.study.seed, self.config.study.seed + plan.floor_seeds)
        self._run(self._tasks("floor", BASELINE_TRIAL, self.config.baseline, seeds))
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
            tasks += self._tasks("confirm", trial, configuration, seeds[:1] if configuration.is_greedy else seeds)
        self._run(tasks)
        if "confirmed" not in self._record():
            self.ledger.update_study(self.name, confirmed=now())
        for trial, _ in arms:
            self._track(trial)

    def _track(self, trial: int) -> None:
        """Log a trial's observations to MLflow."""
        rows = [row for row in self.rows if row["trial"] == trial]
        self.logbook.log(trial, self.configurations[trial], rows, self.answers)

    # ---- pieces

    def _tasks(self, stage: str, trial: int, configuration: Configuration, seeds: Sequence[int]) -> list[Task]:
        prompt = self.config.prompts[configuration.prompt]
        return [
            Task(Place(stage, trial, self.host.digest, case.name, seed), configuration, prompt.fill(case.log))
            for case in self.cases
            for seed in seeds
        ]

    def _run(self, tasks: Sequence[Task]) -> None:
        """Run tasks; every outcome is scored and kept as an observation as it arrives."""
        run_tasks(self.host, self.ledger, tasks, study=self.name, on_outcome=self._on_outcome)

    def _on_outcome(self, outcome: Outcome) -> None:
        task, entry = outcome.task, outcome.entry
        place = task.place
        self.ledger.add_observation(
            self.name,
            place,
            configuration=task.configuration.key,
            generation=None if entry is None else entry.id,
            error=outcome.error,
        )
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
        """Stop if the engine or a model is not what it was when the run began."""
        changed = fingerprint_changes(self.host.fingerprints, fingerprints_of(self.host.engine, self.config))
        if changed:
            raise RunStoppedError(
                "the host changed while the sweep ran, so further generations would not be comparable:\n"
                + "\n".join(f"  {line}" for line in changed)
                + "\nWhat was generated before is kept. Go back to the old version to finish this study, or give the"
                " sweep a new study.name"
            )

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

        run_tasks(self.host, self.ledger, tasks, study=self.name, on_outcome=keep)
        if not seconds:
            raise RunStoppedError("no generation of the baseline succeeded, so the time of one is not known")
        return sum(seconds) / len(seconds)

    def _first_record(self, plan: Plan) -> dict[str, Any]:
        return {
            "plan": plan.as_dict(),
            "fingerprints": {m: json.loads(f.to_json()) for m, f in self.host.fingerprints.items()},
            "honoured": sorted(self.host.engine.honours),
            "cases": [case_record(case) for case in self.cases],
            "case_digests": {case.name: case_digest(case) for case in self.cases},
            "objective_digest": self.objective.digest,
            "version": __version__,
            "path": None if self.config.path is None else str(self.config.path),
            "cases_path": str(Path(self.config.cases_path).resolve())
            if Path(self.config.cases_path).exists()
            else self.config.cases_path,
        }

    def _record(self) -> dict[str, Any]:
        stored = self.ledger.study(self.name)
        assert stored is not None
        return stored.record
