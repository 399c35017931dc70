"""MLflow: one parent run per sweep, one child run per configuration.

A tracker never stops a sweep. The store is tried at the start; a later failure becomes a warning, and `Tracker.sync`
can log what is missing from the observations. Everything can be written again without doubling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from objectives.case import Case
from sweeps.config.tables import PromptTable
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store, run_tags
from sweeps.tracking.child_runs import ChildRuns, ConfigurationRows
from sweeps.tracking.configuration_metrics import offsets_of
from sweeps.tracking.genai.evaluation_dataset import write_dataset
from sweeps.tracking.genai.generation_traces import Traced, chosen
from sweeps.tracking.genai.prompt_versions import PromptVersions
from sweeps.tracking.metric_steps import ordered
from sweeps.tracking.mlflow_store import FailureNote, TrackingError
from sweeps.tracking.moved_folder import mend_locations
from sweeps.tracking.parent_run import ParentRun, find_experiment
from sweeps.tracking.run_tags import ConfigurationLike, child_name
from sweeps.tracking.store_connection import LAST, ONE, StoreConnection
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

__all__ = ["Tracker", "TrackingError"]


START_DESIGN = "start design"
"""Tag `origin` of a search's first trials that nobody named."""


class Tracker:
    """Writes a sweep to MLflow. Used by one thread.

    Args:
        study: Name of the study, of its experiment and of its parent run.
        place: The workspace of the local store, or its folder.
        tracking_uri: A store other than the local one; MLFLOW_TRACKING_URI has precedence.
        candidates: Names of candidates and first sets, by the key of the configuration.
        origins: The sources of the first sets' values, by the same.
        start_trials: Number of first trials that are the search's start design, which is then their origin.
        show_texts: Whether MLflow gets texts: in tables, traces, and the cases as an evaluation dataset.
        traces: The generations that get a trace.
        prompts: The sweep's prompts by name, for traces and the prompt registry.
        patient: Whether to wait for a slow tracking server as long as it takes.

    Attributes:
        uri: The store in use.
    """

    def __init__(
        self,
        study: str,
        place: str | Path | Workspace,
        tracking_uri: str | None = None,
        candidates: Mapping[str, str] | None = None,
        *,
        origins: Mapping[str, str] | None = None,
        start_trials: int = 0,
        show_texts: bool = True,
        traces: Traced = "failures",
        prompts: Mapping[str, PromptTable] | None = None,
        patient: bool = False,
    ) -> None:
        self.study = study
        self.workspace = Workspace.at(place)
        self.uri = mlflow_store.tracking_uri(self.workspace, tracking_uri)
        self._candidates, self._origins, self._show_texts = dict(candidates or {}), dict(origins or {}), show_texts
        self._start_trials = start_trials
        self._traced: Traced = traces if show_texts else "none"
        self._prompts, self._logs = dict(prompts or {}), dict[str, str]()
        self._versions: PromptVersions | None = None
        self._failures: list[str] = []
        self._missing: list[str] = []
        self._connection = StoreConnection(self.uri, patient=patient)
        self._parent: ParentRun | None = None
        self._children: ChildRuns | None = None

    @property
    def run_id(self) -> str:
        """The parent run; "" before `start`."""
        return "" if self._parent is None else self._parent.run_id

    @property
    def experiment_id(self) -> str:
        """The experiment; "" before `start`."""
        return "" if self._parent is None else self._parent.experiment_id

    @property
    def warnings(self) -> list[str]:
        """Sentences on what could not be logged."""
        return [*self._missing, *self._failures]

    # ---- start

    def has_run(self) -> bool:
        """Whether the store has runs of this study; a missing store is not made.

        Raises:
            TrackingError: If the store cannot be reached or opened.
        """
        path = self.uri.removeprefix("sqlite:///")
        if path != self.uri and not Path(path).exists():
            return False
        client = mlflow_store.connect(self.uri)
        try:
            found: Experiment | None = client.get_experiment_by_name(self.study)
        except Exception as error:
            if not mlflow_store.is_failure(error, self.uri):
                raise
            raise mlflow_store.unusable(self.uri, "read", error) from None
        return found is not None and found.lifecycle_stage == "active"

    def start(
        self,
        config: Mapping[str, Any],
        config_toml: str,
        fingerprints: Sequence[Fingerprint],
        cases: Sequence[Case],
        baseline: ConfigurationLike,
    ) -> str:
        """Open the parent run, or the one that this study already has.

        Args:
            config: The sweep's configuration; its flat values become the tags `config.…` of the parent.
            config_toml: The text of its file; passwords in addresses are not logged.
            fingerprints: One per host.
            cases: The case set, logged as a dataset (names, digests and numbers of items; no texts).
            baseline: Its model, prompt and options become the parent's parameters.

        Returns:
            The parent run's id.

        Raises:
            TrackingError: If the store cannot be reached, opened or written.
        """
        local = not mlflow_store.is_remote(self.uri)
        if local:
            mlflow_store.check_writable(self.workspace)
            mend_locations(self.workspace)
        with self._connection.within(LAST):
            return self._start(self._connection.connect(), local, config, config_toml, fingerprints, cases, baseline)

    def _start(
        self,
        client: MlflowClient,
        local: bool,
        config: Mapping[str, Any],
        config_toml: str,
        fingerprints: Sequence[Fingerprint],
        cases: Sequence[Case],
        baseline: ConfigurationLike,
    ) -> str:
        artifacts = self.workspace.artifacts.as_uri() if local else None
        try:
            self._parent = ParentRun(self._connection, self.study, find_experiment(client, self.study, artifacts))
            tags = run_tags.fingerprint_tags(fingerprints)
            facts = {name: tags[name] for name in run_tags.CHILD_FACTS if name in tags}
            self._failures += self._parent.describe(config, config_toml, fingerprints, cases, baseline)
            self._versions = PromptVersions(self._connection, self.study, self.experiment_id, self._prompts)
            dataset, versions = self._parent.dataset, self._versions
            self._children = ChildRuns(
                self._connection, self.experiment_id, self.run_id, facts, lambda c: versions.tags(c.prompt), dataset
            )
            self._parent.show("The sweep is running.")
        except Exception as error:
            if isinstance(error, TrackingError) or not mlflow_store.is_failure(error, self.uri):
                raise
            raise mlflow_store.unusable(self.uri, "written", error) from None
        self._logs = {case.name: case.log for case in cases}
        with FailureNote("the prompts were not registered in MLflow", self._failures):
            self._versions.register()
        if self._show_texts and cases:
            with FailureNote("the cases were not written to MLflow as an evaluation dataset", self._failures):
                write_dataset(client, self.experiment_id, self.study, cases)
        return self.run_id

    # ---- configurations

    def log_configuration(
        self,
        trial: int,
        configuration: ConfigurationLike,
        observations: pd.DataFrame,
        texts: pd.DataFrame | None = None,
        *,
        status: str = "FINISHED",
        offsets: Mapping[str, float] | None = None,
    ) -> str | None:
        """Write a configuration's child run, or bring it up to date.

        Each scored observation is a step of the metric `score`, in the order of `metric_steps.ordered`. Rows added
        since the last call add steps at the end. If logged rows have other scores by now (after a rescore, say), the
        run is replaced, since MLflow keeps what was logged. If logged rows are missing, nothing changes: a resumed
        sweep has them all again later.

        Args:
            trial: Its number; -1 for the baseline.
            configuration: Its model, prompt and options.
            observations: Its rows so far, of every stage.
            texts: See `observations_table.readable_table`.
            status: FINISHED, FAILED, KILLED or RUNNING.
            offsets: See `configuration_metrics.summarise`.

        Returns:
            The child run's id; None if it could not be written, for which there is a warning.
        """
        note = FailureNote(f"{child_name(trial, ())} was not logged to MLflow", self._missing)
        with note, self._connection.within(ONE):
            current = self._rows_of(trial, configuration, ordered(observations), texts, offsets)
            return self._started_children().write(current, status, whole=False)
        return None

    def _rows_of(
        self,
        trial: int,
        configuration: ConfigurationLike,
        rows: pd.DataFrame,
        texts: pd.DataFrame | None,
        offsets: Mapping[str, float] | None,
    ) -> ConfigurationRows:
        name = self._candidates.get(configuration.key, "")
        source = (self._prompts, self._logs)
        generated = chosen(rows, texts, self._traced, *source)
        every = partial(chosen, rows, texts, "all", *source)
        planned = START_DESIGN if 0 <= trial < self._start_trials and not name else ""
        origin = self._origins.get(configuration.key, planned)
        return ConfigurationRows(
            trial, configuration, rows, texts, offsets, name, origin, self._show_texts, generated, every
        )

    def _started_children(self) -> ChildRuns:
        if self._children is None:
            raise TrackingError("the tracker was not started")
        return self._children

    def sync(
        self,
        observations: pd.DataFrame,
        configurations: Mapping[str, ConfigurationLike],
        texts: pd.DataFrame | None = None,
    ) -> list[str]:
        """Log everything that the store does not have yet.

        The means of configurations with some of the cases are corrected as well: how hard the cases are is known better
        at the end than when these means were logged.

        Args:
            observations: All observations of the study.
            configurations: Configurations by their keys, as in the column `configuration`.
            texts: As for `log_configuration`, with the column `configuration` unless all are of one configuration.

        Returns:
            Sentences on what is still missing; [] when everything is logged.
        """
        unlisted: list[str] = []
        with FailureNote("the runs that MLflow has could not be listed", unlisted), self._connection.within(LAST):
            self._started_children().find()
        if unlisted:
            return [*self._missing, *unlisted]
        self._missing = []
        with self._connection.within(LAST):
            self._sync_all(observations, configurations, texts)
        return list(self._missing)

    def _sync_all(
        self,
        observations: pd.DataFrame,
        configurations: Mapping[str, ConfigurationLike],
        texts: pd.DataFrame | None,
    ) -> None:
        offsets = offsets_of(observations)
        for (number, key), group in ordered(observations).groupby(["trial", "configuration"], sort=True):
            own = texts
            if texts is not None and "configuration" in texts.columns:
                own = texts[texts["configuration"] == key]
            rows = group.reset_index(drop=True)
            self._sync_one(self._rows_of(int(str(number)), configurations[str(key)], rows, own, offsets))

    def _sync_one(self, current: ConfigurationRows) -> None:
        status = "FAILED" if current.rows["score"].isna().all() else "FINISHED"
        name = child_name(current.trial, ())
        with FailureNote(f"{name} was not logged to MLflow", self._missing):
            self._started_children().write(current, status, whole=True)
            with FailureNote(f"the mean of {name} was not corrected", self._missing):
                self._started_children().correct_means(current)

    # ---- end

    def finish(
        self,
        status: str = "FINISHED",
        verdict: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        note_markdown: str = "",
        artifacts: Sequence[Path] = (),
        html: str | None = None,
        plots: Sequence[Path] = (),
        exported: ConfigurationLike | None = None,
    ) -> None:
        """Write verdict and report to the parent run and end it. A failure of the store becomes a warning.

        Parts of an earlier verdict that this one lacks are removed: tags, numbers (which become NaN, since MLflow
        keeps metrics) and, where there is a report, plots and exports.

        Args:
            status: FINISHED, FAILED or KILLED.
            verdict: `Verdict.as_dict()`: numbers become metrics, the rest tags `verdict.…`.
            metrics: Further metrics of the parent.
            note_markdown: The text at the top of the run's page.
            artifacts: Files for the folder `exports`.
            html: The report, as `report.html`.
            plots: Pictures for the folder `plots`.
            exported: The finalist that is exported, as a version of its prompt; None takes the alias back.
        """
        with self._connection.within(LAST):
            self._finish(status, verdict or {}, metrics or {}, note_markdown, artifacts, html, plots, exported)

    def _finish(
        self,
        status: str,
        verdict: Mapping[str, Any],
        metrics: Mapping[str, float],
        note_markdown: str,
        artifacts: Sequence[Path],
        html: str | None,
        plots: Sequence[Path],
        exported: ConfigurationLike | None,
    ) -> None:
        try:
            with FailureNote("the verdict was not logged to MLflow", self._failures):
                if (parent := self._parent) is None:
                    raise TrackingError("the tracker was not started")
                before = parent.write_verdict(verdict, metrics, note_markdown, status)
                if html is not None:
                    with FailureNote("files of an earlier verdict were not removed from MLflow", self._failures):
                        parent.remove_others(before, "exports", {path.name for path in artifacts})
                        parent.remove_others(before, "plots", {path.name for path in plots})
            if self._parent is not None:
                self._parent.write_files(artifacts, html, plots, self._failures)
                self._show_verdict(verdict, exported)
        finally:
            self._end(status)

    def _show_verdict(self, verdict: Mapping[str, Any], exported: ConfigurationLike | None) -> None:
        """Write the verdict where people look first: description, finalist's run and prompt version."""
        sentence = str(verdict.get("sentence") or "There is no verdict.")
        with FailureNote("the verdict was not written to the experiment's description", self._failures):
            self._started_children().judge(str(verdict.get("configuration")), str(verdict.get("outcome") or ""))
            assert self._parent is not None
            self._parent.show(sentence)
        with FailureNote("the export was not registered in MLflow as a prompt version", self._failures):
            if self._versions is None:
                return
            if exported is None:
                self._versions.withdraw()
            else:
                facts = {"configuration": exported.key, "verdict": str(verdict.get("outcome"))}
                self._versions.export(exported, facts, sentence)

    def kill(self) -> None:
        """End parent and open children as KILLED (the user stopped the sweep)."""
        with FailureNote("the runs were not ended in MLflow", self._failures), self._connection.within(ONE):
            self._end("KILLED")

    def fail(self) -> None:
        """End parent and open children as FAILED (the sweep could not go on)."""
        with FailureNote("the runs were not ended in MLflow", self._failures), self._connection.within(ONE):
            self._end("FAILED")

    def _end(self, status: str) -> None:
        if self._parent is None:
            return
        rest = "KILLED" if status == "FINISHED" else status
        if self._children is not None:
            self._children.end(rest, self._failures)
        with FailureNote("the parent run was not ended in MLflow", self._failures):
            self._parent.end(status)
