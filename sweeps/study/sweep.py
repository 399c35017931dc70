"""A sweep from check to verdict: floor, explore, confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, Objective
from objectives.custom import Scoring
from sweeps.budget.raised import is_raised
from sweeps.config.file import load_config
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine
from sweeps.errors import ConfigError
from sweeps.hosts.baseline import settled_baseline, with_first_sets
from sweeps.hosts.sweep_hosts import engine_specs, name_by_machine, open_hosts, open_timed_hosts, opened_engines
from sweeps.ledger.ledger import at_work, opened_ledger
from sweeps.probes.unsearchable import require_search
from sweeps.progress import Progress, Silent
from sweeps.progress.choice import ProgressChoice, require_choice, shown
from sweeps.scoring.engine_models import EngineModels
from sweeps.scoring.inputs import load_inputs, with_stored_score
from sweeps.search.earlier_studies import earlier_sets
from sweeps.study.identity import identity_of
from sweeps.study.run import StudyRun
from sweeps.tracking.mlflow_store import tracking_uri
from sweeps.workspace.study_lock import RUN
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult


class Sweep:
    """One sweep, ready to run.

    Args:
        config: The configuration.
        mlruns: Folder of ledger, Optuna storage, MLflow store and outputs (made if missing); the URL of a ledger, or a
            `Workspace`.
        progress: "plain" prints lines to stderr, "rich" keeps a live display there, None is silent. The default,
            "auto", is "plain" where stderr is a terminal, silent elsewhere. An object with the methods of `Progress` is
            used as it is.
        engine: An open engine to use instead of the configuration's, or one per entry of `engine.hosts`, in their
            order; they are not closed.
        objective: An objective to use instead of the configuration's, or any callable `(case, text) -> score`.
        cases: Cases to use instead of the configuration's.
        tracking: Whether to log to MLflow.
        keep_trials: Whether to keep trials in Optuna's storage (`optuna.db`) as well.
        report: Whether to write report, plots and exports at the end.
        strict: Refuse a space with an option or value that does nothing on this host, instead of dropping it.
        drop: Values to leave out of the space from now on, such as `["num_ctx=8192"]`; a stored study goes on without.
        directory: The former name of `mlruns`.

    Raises:
        ConfigError: If `config`, `engine` or `progress` is of the wrong kind.
    """

    def __init__(
        self,
        config: SweepConfig,
        *,
        mlruns: str | Path | Workspace = "mlruns",
        progress: ProgressChoice = "auto",
        engine: Engine | Sequence[Engine] | None = None,
        objective: Objective | Scoring | None = None,
        cases: Sequence[Case] | None = None,
        tracking: bool = True,
        keep_trials: bool = True,
        report: bool = True,
        strict: bool = False,
        drop: Sequence[str] = (),
        directory: str | Path | Workspace | None = None,
    ) -> None:
        _require_config(config)
        self.config = config
        place = Workspace.at(mlruns if directory is None else directory)
        self.workspace = place.stored_at(config.storage.url, source=f"{config.path or '<text>'}: storage.url")
        require_choice(progress)
        self.progress: Progress = Silent() if progress is None or isinstance(progress, str) else progress
        self._progress = progress
        self.engines = [] if engine is None else list(engine) if isinstance(engine, Sequence) else [engine]
        _require_engines(engine, self.engines)
        self._objective, self._cases = objective, cases
        self._tracking, self._keep_trials = tracking, keep_trials
        self._report = report
        self.strict, self.drop = strict, tuple(drop)

    @classmethod
    def from_toml(cls, path: str | Path, **options: Any) -> Sweep:
        """Make a sweep from its TOML file; `options` are as for the class.

        Raises:
            ConfigError: With all problems of the file at once.
        """
        return cls(load_config(path), **options)

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], *, base: str | Path = ".", **options: Any) -> Sweep:
        """Make a sweep from a mapping with the same tables and keys as the TOML file.

        Args:
            tables: The tables, such as `{"study": {"name": "first"}, ...}`.
            base: The folder that relative paths in it start from.
            options: As for the class.

        Raises:
            ConfigError: With all problems of the mapping at once.
        """
        return cls(SweepConfig.from_dict(tables, base=base), **options)

    def run(self) -> SweepResult:
        """Run the sweep to its verdict, reusing everything that the ledger has.

        Returns:
            The result; it is also in the ledger, and logged to MLflow.

        Raises:
            ConfigError: If cases, objective, space, budget or stored study do not fit.
            EngineError: If the engine cannot be used, or stopped answering; generated texts are kept.
            StudyBusyError: If another process is running this study, or scoring it again.
            KeyboardInterrupt: If the user stopped it; generated texts are kept.
        """
        with shown(self._progress) as self.progress:
            self.progress.stage("check")
            require_search(self.config)
            return self._run(self.config)

    def compare(self) -> SweepResult:
        """Compare the baseline with the candidates, without a search, reusing everything that the ledger has.

        A comparison is a study without an exploration: floor, then equal numbers of fresh seeds for baseline and
        candidates, with looks that may end it early for a candidate that is settled.

        Returns:
            The result; its `verdicts` have one for each candidate, the best first, and `ranking` orders them all.

        Raises:
            ConfigError: If there are no candidates, or a candidate cannot differ from the baseline on this host;
                otherwise as for `run`.
            EngineError: As for `run`.
            StudyBusyError: As for `run`.
            KeyboardInterrupt: As for `run`.
        """
        with shown(self._progress) as self.progress:
            self.progress.stage("check")
            return self._run(self.config.as_comparison())

    def _run(self, config: SweepConfig) -> SweepResult:
        workspace = self.workspace
        if self._tracking:
            tracking_uri(workspace, config.tracking.uri)  # asks for permission before anything is read or made
        with EngineModels(engine_specs(config)[0]) as models, ExitStack() as stack:
            self.progress.step("reading cases and rubrics")
            cases, objective = load_inputs(config, models, cases=self._cases, objective=self._objective)
            self.progress.step(f"opening the engine {config.engine.kind}")
            engines = stack.enter_context(opened_engines(config, workspace.logs, given=self.engines))
            ledger = stack.enter_context(opened_ledger(workspace))
            ledger.studies.refuse_twin(config.study.name)
            coordinator = stack.enter_context(at_work(workspace, ledger, config.study.name, RUN, warn=self._warn))
            self.progress.step(f"asking for model {config.baseline.model}")
            hosts, timers = (
                open_timed_hosts(engines, config) if config.budget.minutes else (open_hosts(engines, config), [])
            )
            if workspace.is_shared:
                name_by_machine(hosts)
            turn = ledger.coordinators.turn(config.study.name, "begin")
            stack.callback(turn.release)
            if not turn.take():
                self.progress.step("waiting for another coordinator, which plans the study")
                turn.take(wait=True)
            if ledger.observations.free_lost():
                self._warn("the ledger lacks generations that its studies had; those of this study are made again")
            stored = ledger.studies.get(config.study.name)
            if stored is not None and not self.drop and not is_raised(stored.identity, config.identity()):
                turn.release()  # the study is planned, so that others may join it at the same time
            kept = with_stored_score(config, None if stored is None else stored.identity)
            if kept is not config:
                config = kept
                cases, objective = load_inputs(config, models, cases=self._cases, objective=self._objective)
            config, findings = settled_baseline(config, hosts, stored)
            if not config.is_comparison:
                require_search(config)
            for line in findings:
                self._warn(line)
            known = identity_of(config, cases, objective)
            config, sets = with_first_sets(config, hosts, stored, partial(earlier_sets, config, known, ledger))
            for line in sets:
                self.progress.note(line)
            run = StudyRun(
                config,
                workspace,
                cases,
                objective,
                ledger,
                hosts,
                timers,
                models,
                self.progress,
                tracking=self._tracking,
                report=self._report,
                keep_trials=self._keep_trials,
                strict=self.strict,
                drop=self.drop,
                coordinator=coordinator,
            )
            return run.go(begun=turn.release)

    def _warn(self, text: str) -> None:
        self.progress.note(text, warning=True)


def _require_config(config: object) -> None:
    """Refuse a path or a mapping in place of a configuration."""
    if not isinstance(config, SweepConfig):
        raise ConfigError(f"Sweep({config!r}): is no SweepConfig; use Sweep.from_toml(path) or Sweep.from_dict(tables)")


def _require_engines(given: object, engines: Sequence[object]) -> None:
    """Refuse an engine's name, or another object that generates nothing."""
    if isinstance(given, str) or not all(callable(getattr(engine, "generate", None)) for engine in engines):
        raise ConfigError(f"Sweep(engine={given!r}): is no open engine; name it in the configuration's [engine]")
