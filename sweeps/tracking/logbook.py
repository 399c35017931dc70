"""Logbook of a sweep: its runs in MLflow, and its report, plots and exports in the study's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from objectives import Case
from sweeps.budget.plan import Plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.hosts.host import Host
from sweeps.options import Configuration
from sweeps.progress import Progress
from sweeps.scoring.rows import table_of
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_store import ServerAwayError, TrackingError
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.ledger.coordinators import Turn
    from sweeps.results.result import SweepResult

_STATUS = {"done": "FINISHED", "failed": "FAILED"}
"""MLflow's word for a study's status; it is KILLED for a study that was stopped."""

_AFTER_FLOOR = ("sweeps.results.result", "sweeps.samplers.gp")
"""Modules that the end of the floor needs; with pandas, scipy and Optuna they take seconds to import."""


class Logbook:
    """MLflow's side of a sweep; without MLflow it writes the files only.

    Importing MLflow and making its store takes seconds. Both happen in the background while the first texts are
    generated, and the first record waits for them.

    It passes the suite `tests/conformance/tracking.py`, whatever becomes of the store; the suite states the contract.

    Args:
        workspace: Where the study is.
        config: The sweep's configuration.
        enabled: Whether to log to MLflow.
        report: Whether to write report, plots and exports.
        progress: Receiver of warnings about records that could not be logged.
        patient: Whether to wait for a slow tracking server as long as it takes.
        writing: The turn to write, where several coordinators work on the study; the one that has it writes to MLflow.
    """

    def __init__(
        self,
        workspace: Workspace,
        config: SweepConfig,
        *,
        enabled: bool,
        report: bool,
        progress: Progress,
        patient: bool = False,
        writing: Turn | None = None,
    ) -> None:
        self.config, self.progress = config, progress
        self._report, self._patient = report, patient
        self._away = ""  # why the tracking server is not asked
        self._workspace, self._enabled = workspace, enabled
        self._tracker: Any = None
        self._opening: _Opening | None = None
        self.writing = writing
        self._open: Callable[[], None] = lambda: None
        self._start_trials = 0
        uri = mlflow_store.tracking_uri(workspace, config.tracking.uri) if enabled else None
        if uri is not None:
            try:
                mlflow_store.refuse_unusable(uri)
            except ServerAwayError as error:
                self._away = str(error)
            if not mlflow_store.is_remote(uri):
                mlflow_store.check_writable(workspace)
        self._loading = mlflow_store.preload(uri, _AFTER_FLOOR)

    def start(self, hosts: Sequence[Host], cases: Sequence[Case], plan: Plan) -> None:
        """Begin to open the sweep's run, or to continue the run that the study has; `ready` waits for it."""
        self._start_trials = plan.start_trials
        if self._away:
            self._note_away()
        elif self._enabled:
            fingerprints = [f for host in hosts for f in host.fingerprints.values()]
            self._open = partial(self._start, plan.as_planned(self.config.identity()), fingerprints, cases)
            self._writes()

    def _writes(self) -> bool:
        """Whether this process writes to MLflow; one that takes over from a lost one opens the study's run."""
        if self.writing is not None and not self.writing.take():
            return False
        if self._opening is None and not self._away:
            self._opening = _Opening(self._loading, self._open)
        return True

    def wait(self) -> None:
        """Wait until no other coordinator writes; then this one has its turn, if it has anything to write."""
        if self.writing is not None and (self._enabled or self._report) and not self.writing.take():
            self.progress.step("waiting for another coordinator, which writes the runs")
            self.writing.take(wait=True)

    def ready(self) -> None:
        """Wait until the run is open. A tracking server that does not answer is a warning, and is asked at the end.

        Raises:
            TrackingError: If a local store cannot be opened or written.
        """
        if self._opening is None or self._away:
            return
        try:
            self._opening.join()
        except ServerAwayError as error:
            self._away = str(error)
            self._note_away()

    def _note_away(self) -> None:
        self.progress.note(f"{self._away}. The sweep goes on; its runs are written at its end", warning=True)

    def resume(self, result: SweepResult) -> None:
        """Open the run that a stored study has.

        Raises:
            TrackingError: If the store cannot be reached or written.
        """
        from sweeps.results.report_files import config_of

        fingerprints = (f for models in result.hosts.values() for f in models.values())
        self._start_trials = result.plan.start_trials
        self._start(config_of(result), fingerprints, result.cases)

    def _start(self, config: Mapping[str, Any], fingerprints: Iterable[Fingerprint], cases: Sequence[Case]) -> None:
        if not self._enabled:
            return
        from sweeps.tracking.mlflow_tracker import Tracker

        sources = {"baseline_source": self.config.baseline_sources}
        config = {**config, **sources, "space": {d.name: d.text() for d in self.config.space}}
        found = list(dict.fromkeys(fingerprints))
        tracking = self.config.tracking
        tracker: Any = Tracker(
            self.config.study.name,
            self._workspace,
            tracking.uri,
            self.config.candidate_names(),
            origins=self.config.origins(),
            start_trials=self._start_trials,
            show_texts=tracking.texts,
            traces=tracking.traces,
            prompts=self.config.prompts,
            patient=self._patient,
        )
        tracker.start(config, self.config.text, found, list(cases), self.config.baseline)
        self._tracker, self._away = tracker, ""

    def log(
        self,
        trial: int,
        configuration: Configuration,
        rows: Sequence[Mapping[str, Any]],
        answers: Sequence[Mapping[str, Any]],
        offsets: Mapping[str, float] | None = None,
    ) -> None:
        """Bring a configuration's run up to date with its rows and answers; `offsets` as for `summarise`."""
        if not self._enabled or not rows or not self._writes():
            return
        self.ready()
        if self._away:
            return
        import pandas as pd

        table = table_of(rows)
        status = "FAILED" if table["score"].isna().all() else "FINISHED"
        texts = pd.DataFrame(list(answers))
        self._tracker.log_configuration(trial, configuration, table, texts, status=status, offsets=offsets)

    def finish(self, result: SweepResult, *, written: bool = False) -> None:
        """Write report, plots and exports, and end the sweep's run with its verdict.

        Args:
            result: The study.
            written: Whether another coordinator has ended the run already.
        """
        from sweeps.results.report_files import Outputs, write_outputs

        outputs = write_outputs(result, warn=partial(self.progress.note, warning=True)) if self._report else Outputs()
        if not self._enabled or (written and self._opening is None):
            return
        if self.writing is not None:
            self._writes()
        self.ready()
        if not self._back(result):
            return
        import pandas as pd

        from sweeps.results.finalist_export import sent_configuration

        verdict = result.verdict
        # records that the store missed during a failure
        self._tracker.sync(result.observations, result.configurations, pd.DataFrame(list(result.answers)))
        self._tracker.finish(
            _STATUS.get(result.status, "KILLED"),
            verdict=None if verdict is None else verdict.as_dict() | _limits_of(result, verdict.configuration),
            metrics=_floor_of(result) | _reliability_of(result),
            note_markdown=outputs.note,
            artifacts=outputs.exports,
            html=outputs.html or None,
            plots=outputs.plots,
            exported=sent_configuration(result, result.finalist.configuration)
            if result.exportable and result.finalist
            else None,
        )
        for warning in self._tracker.warnings:
            self.progress.note(warning, warning=True)
        if self._tracker.warnings:
            self.progress.note(_later(result.name), warning=True)

    def _back(self, result: SweepResult) -> bool:
        """Whether there is a store; a server that was away at the start is asked again."""
        if self._away:
            try:
                self.resume(result)
            except TrackingError as error:
                self.progress.note(f"{error}. {_later(result.name)}", warning=True)
                return False
        return True

    def end(self, status: str) -> None:
        """End the run of a sweep that did not reach its verdict: `stopped` or `failed`.

        A sweep that is stopped before its run was opened has none.
        """
        if self._opening is not None:
            self._opening.end(wait=status != "stopped")
        if self._tracker is None:
            return
        if status == "stopped":
            self._tracker.kill()
        else:
            self._tracker.fail()


class _Opening:
    """The opening of the sweep's run, in the background.

    Args:
        loading: The import of MLflow, to wait for.
        start: Opens the run.
    """

    def __init__(self, loading: Thread, start: Callable[[], None]) -> None:
        self._loading, self._start = loading, start
        self._turn = Lock()
        self._begun = self._given_up = False
        self._error: Exception | None = None
        self._thread = mlflow_store.in_background(self._work)

    def _work(self) -> None:
        self._loading.join()
        with self._turn:
            if self._given_up:
                return
            self._begun = True
        try:
            self._start()
        except Exception as error:  # noqa: BLE001 - raised again by `join`
            self._error = error

    def join(self) -> None:
        """Wait for the run.

        Raises:
            TrackingError: If it could not be opened.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def end(self, *, wait: bool) -> None:
        """Wait for the run, whether it could be opened or not; without `wait` only if its opening has begun."""
        with self._turn:
            self._given_up = not wait and not self._begun
        if not self._given_up:
            self._thread.join()


def _later(study: str) -> str:
    return f"To write to MLflow what is missing: sweeps track {study}"


def _floor_of(result: SweepResult) -> dict[str, float]:
    """The noise floor's numbers; {} without one."""
    floor = result.floor
    if floor is None:
        return {}
    return {"floor_sd": floor.sd, "baseline_floor_mean": floor.mean, "baseline_floor_n": floor.n}


def _reliability_of(result: SweepResult) -> dict[str, float]:
    """Share of runs that reach the bar, and pass^k, of finalist and baseline; {} without a bar."""
    found, verdict = result.reliability(), result.verdict
    if found is None or verdict is None:
        return {}
    arms = {"": found.mean_of(verdict.configuration), "baseline_": found.mean_of(verdict.baseline)}
    numbers = {
        f"{arm}{name}": row[column]
        for arm, row in arms.items()
        if row is not None
        for name, column in (("reached_share", "share"), ("pass_k", "pass_k"))
    }
    return {name: float(value) for name, value in numbers.items() if value is not None}


def _limits_of(result: SweepResult, key: str) -> dict[str, Any]:
    """Sentences on the limits, for the verdict's tags; {} in a sweep without limits."""
    checks = result.limits.records(key)
    return {"limits": {check["constraint"]: check["sentence"] for check in checks}} if checks else {}
