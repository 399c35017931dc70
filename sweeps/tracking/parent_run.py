"""The parent run of a sweep in MLflow: its settings at the start, its verdict and files at the end."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives.case import Case
from sweeps.addresses import without_password
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import experiment_view, mlflow_store, run_tags
from sweeps.tracking.genai.case_dataset import case_dataset
from sweeps.tracking.mlflow_store import FailureNote, TrackingError
from sweeps.tracking.run_tags import ConfigurationLike
from sweeps.tracking.store_connection import StoreConnection, newest_stamp

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Experiment, Run


def find_experiment(client: MlflowClient, study: str, artifacts: str | None) -> str:
    """Find the experiment of a study, or make one.

    Args:
        client: The store's client.
        study: Name of the study and of its experiment.
        artifacts: URI of the folder for artifacts; None leaves the choice to the server.

    Returns:
        The experiment's id.

    Raises:
        TrackingError: If the experiment was deleted.
    """
    found: Experiment | None = client.get_experiment_by_name(study)
    if found is None:
        # the kind makes MLflow's UI open on runs, not on traces of a chat application
        tags = {"mlflow.experimentKind": "custom_model_development", mlflow_store.STUDY: study}
        return str(client.create_experiment(study, artifact_location=artifacts, tags=tags))
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"study {study!r}: its MLflow experiment is deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or name the study differently"
        )
    return str(found.experiment_id)


class ParentRun:
    """The parent run of a study: the newest one in its experiment, or a new one.

    Args:
        connection: An open store.
        study: Name of the study.
        experiment_id: Its experiment.

    Attributes:
        experiment_id: The experiment.
        run_id: The run.
        dataset: The cases as an input; None before `describe`.
    """

    def __init__(self, connection: StoreConnection, study: str, experiment_id: str) -> None:
        self._connection, self._study = connection, study
        self.experiment_id = experiment_id
        client = connection.ready()
        role = f"tags.`{run_tags.ROLE}` = 'sweep'"
        found = client.search_runs([experiment_id], role, order_by=["start_time DESC"], max_results=1)
        self._ended: tuple[str, int | None] = ("", None)  # status and end of the run before it was resumed
        if found:
            self._run: Run = found[0]
            self._ended = (self._run.info.status, self._run.info.end_time)
            client.update_run(self._run.info.run_id, status="RUNNING")
        else:
            tags = {run_tags.ROLE: "sweep", mlflow_store.STUDY: study, **run_tags.source_tags()}
            self._run = client.create_run(experiment_id, tags=tags, run_name=study)
        self.run_id: str = self._run.info.run_id
        self.dataset: DatasetInput | None = None
        self._swept: list[str] = []
        self._shown: dict[str, str] = {}

    def describe(
        self,
        config: Mapping[str, Any],
        config_toml: str,
        fingerprints: Sequence[Fingerprint],
        cases: Sequence[Case],
        baseline: ConfigurationLike,
    ) -> list[str]:
        """Write the settings of the sweep; arguments as for `Tracker.start`.

        Returns:
            Warnings: parameters of the baseline that differ from the run's, which MLflow cannot change.
        """
        client = self._connection.ready()
        self._swept = experiment_view.swept_options(config, baseline)
        params, old = run_tags.parameters(baseline), self._run.data.params
        new = {name: value for name, value in params.items() if name not in old}
        changed = [name for name, value in params.items() if old.get(name, value) != value]
        tags = run_tags.fingerprint_tags(fingerprints) | run_tags.config_tags(config) | {"stage": "running"}
        self._connection.log(self.run_id, params=new, tags=tags)
        for tag in self._run.data.tags:  # a setting that no longer exists, for example after a rescore was undone
            if tag.startswith("config.") and tag not in tags:
                client.delete_tag(self.run_id, tag)
        client.log_text(self.run_id, without_password(config_toml), "config.toml")
        records = [json.loads(fingerprint.to_json()) for fingerprint in fingerprints]
        text = json.dumps(records[0] if len(records) == 1 else records, indent=2, ensure_ascii=False) + "\n"
        client.log_text(self.run_id, text, "fingerprint.json")
        self.dataset = case_dataset(self._study, cases)
        if self._run.inputs is None or not self._run.inputs.dataset_inputs:
            client.log_inputs(self.run_id, datasets=[self.dataset])
        if not changed:
            return []
        return [f"MLflow keeps the baseline that run {self.run_id} began with ({', '.join(changed)})"]

    def show(self, sentence: str) -> None:
        """Write what the experiment's pages show: its description, main metric and views, where they differ.

        Args:
            sentence: The verdict's sentence, or the state of the sweep.
        """
        client = self._connection.ready()
        if not self._shown:
            self._shown = dict(client.get_experiment(self.experiment_id).tags)
        tags = experiment_view.views(self._swept) | experiment_view.primary_metric()
        tags[run_tags.NOTE] = experiment_view.description(self.experiment_id, sentence)
        for name, value in tags.items():
            if self._shown.get(name) != value:
                client.set_experiment_tag(self.experiment_id, name, value)
                self._shown[name] = value

    def write_verdict(self, verdict: Mapping[str, Any], metrics: Mapping[str, float], note: str, status: str) -> Run:
        """Write a verdict's numbers and words, and remove those of an earlier verdict that this one lacks.

        MLflow keeps metrics, so that earlier numbers become NaN.

        Args:
            verdict: See `Tracker.finish`.
            metrics: Further metrics.
            note: Markdown at the top of the run's page; "" for none.
            status: FINISHED, FAILED or KILLED.

        Returns:
            The run as it was before.
        """
        numbers, words = run_tags.split_verdict(verdict)
        run: Run = self._connection.ready().get_run(self.run_id)
        stored = run.data.metrics
        outdated = dict.fromkeys(set(stored) & set(verdict), math.nan)
        values = outdated | numbers | dict(metrics)
        now = max(int(time.time() * 1000), newest_stamp(run) + 1)  # MLflow shows the latest stamp; a clock may go back
        changed = [(name, value, now, 0) for name, value in values.items() if not _same(value, stored.get(name))]
        tags = words | ({run_tags.NOTE: note} if note else {}) | {"stage": status.lower()}
        self._connection.log(self.run_id, metrics=changed, tags=tags)
        for tag in run.data.tags:
            if tag.partition(".")[0] == "verdict" and tag not in words:
                self._connection.ready().delete_tag(self.run_id, tag)
        return run

    def remove_others(self, run: Run, folder: str, kept: set[str]) -> None:
        """Delete the files of an earlier verdict in a folder, apart from those with the names in `kept`."""
        for file in self._connection.ready().list_artifacts(self.run_id, folder):
            if Path(file.path).name not in kept:
                mlflow_store.delete_artifact(self._connection.uri, run, file.path)

    def write_files(
        self, exports: Sequence[Path], html: str | None, plots: Sequence[Path], failures: list[str]
    ) -> None:
        """Write report, plots and exports; each failure is added to `failures`."""
        steps: list[tuple[str, Callable[[MlflowClient], object]]] = []
        if html is not None:
            steps.append(("report.html", methodcaller("log_text", self.run_id, html, "report.html")))
        for folder, paths in (("plots", plots), ("exports", exports)):
            steps += [(str(path), methodcaller("log_artifact", self.run_id, str(path), folder)) for path in paths]
        for name, step in steps:
            with FailureNote(f"{name} was not logged to MLflow", failures):
                step(self._connection.ready())

    def end(self, status: str) -> None:
        """Give the run its status. A finished sweep that was run again without anything to do keeps its time of end."""
        same = self._ended[0] == status and not self._connection.wrote
        self._connection.ready().set_terminated(self.run_id, status, self._ended[1] if same else None)


def _same(value: float, stored: float | None) -> bool:
    return stored is not None and (value == stored or (math.isnan(value) and math.isnan(stored)))
