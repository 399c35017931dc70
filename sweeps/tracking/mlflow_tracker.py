"""MLflow: one parent run per sweep, one child run per configuration.

A tracker never stops a sweep: the store is tried when it starts, and what fails later is kept as a warning, so that
`Tracker.sync` can log it afterwards from the observations. Everything it writes can be written again without doubling.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pandas as pd

from objectives.case import Case
from sweeps.addresses import without_password
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store, run_tags
from sweeps.tracking.child_runs import Children
from sweeps.tracking.configuration_metrics import offsets_of
from sweeps.tracking.metric_steps import ordered
from sweeps.tracking.mlflow_store import Guard, TrackingError
from sweeps.tracking.run_tags import ConfigurationLike, child_name
from sweeps.tracking.store_connection import Writer

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

__all__ = ["Tracker", "TrackingError"]


class Tracker:
    """Writes a sweep to MLflow. Used by one thread.

    Args:
        study: Name of the study; the experiment and the parent run have it.
        directory: The folder of the local store (`mlruns`): `mlflow.db` and `artifacts/`.
        tracking_uri: A store other than the local one; MLFLOW_TRACKING_URI wins over it.

    Attributes:
        uri: The store in use.
        run_id: The parent run, after `start`.
        experiment_id: The experiment, after `start`.
    """

    def __init__(self, study: str, directory: Path, tracking_uri: str | None = None) -> None:
        self.study = study
        self.directory = Path(directory)
        self.uri = mlflow_store.tracking_uri(self.directory, tracking_uri)
        self._failures: list[str] = []
        self._missing: list[str] = []
        self.run_id = ""
        self.experiment_id = ""
        self._writer = Writer(self.uri)
        self._loading: Thread | None = None
        self._children: Children | None = None
        self._ended: tuple[str, int | None] = ("", None)  # the parent's status and end, before it was resumed

    @property
    def warnings(self) -> list[str]:
        """What could not be logged, as sentences."""
        return [*self._missing, *self._failures]

    # ---- start

    def has_run(self) -> bool:
        """Whether the store has runs of this study; a store that is not there is not made.

        Raises:
            TrackingError: If the store cannot be reached or opened.
        """
        path = self.uri.removeprefix("sqlite:///")
        if path != self.uri and not Path(path).exists():
            return False
        client = mlflow_store.connect(self.uri)
        try:
            found: Experiment | None = client.get_experiment_by_name(self.study)
        except mlflow_store.failures() as error:
            raise mlflow_store.unusable(self.uri, "read", error) from None
        return found is not None and found.lifecycle_stage == "active"

    def preload(self) -> None:
        """Import MLflow in the background (seconds) while the caller does something else, then call `start`.

        Raises:
            TrackingError: If it is clear already that the store cannot be used.
        """
        mlflow_store.refuse_unusable(self.uri)
        if not mlflow_store.is_remote(self.uri):
            mlflow_store.check_writable(self.directory)
        self._loading = mlflow_store.preload(self.uri)

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
        if not mlflow_store.is_remote(self.uri):
            mlflow_store.check_writable(self.directory)
        if self._loading is not None:
            self._loading.join()
        client = self._writer.connect()
        try:
            self.experiment_id = self._experiment(client)
            run = self._parent(client)
            self.run_id = run.info.run_id
            shared = run_tags.fingerprint_tags(fingerprints)
            facts = {name: shared[name] for name in run_tags.CHILD_FACTS if name in shared}
            self._children = Children(self._writer, self.experiment_id, self.run_id, facts)
            view = run_tags.view_state(config, baseline)
            client.set_experiment_tag(self.experiment_id, run_tags.VIEW + mlflow_store.VIEW_KEY, view)
            params = run_tags.parameters(baseline)
            old = run.data.params
            if changed := [name for name, value in params.items() if old.get(name, value) != value]:
                self._failures.append(
                    f"MLflow keeps the baseline that run {self.run_id} began with ({', '.join(changed)})"
                )
            tags = shared | run_tags.config_tags(config) | {"stage": "running"}
            self._writer.log(
                self.run_id, params={name: value for name, value in params.items() if name not in old}, tags=tags
            )
            for tag in run.data.tags:  # a setting that is gone, as of a rescore that was taken back
                if tag.startswith("config.") and tag not in tags:
                    client.delete_tag(self.run_id, tag)
            client.log_text(self.run_id, without_password(config_toml), "config.toml")
            record = [json.loads(fingerprint.to_json()) for fingerprint in fingerprints]
            client.log_text(
                self.run_id,
                json.dumps(record[0] if len(record) == 1 else record, indent=2, ensure_ascii=False) + "\n",
                "fingerprint.json",
            )
            if run.inputs is None or not run.inputs.dataset_inputs:
                client.log_inputs(self.run_id, datasets=[run_tags.dataset(self.study, cases)])
        except mlflow_store.failures() as error:
            raise mlflow_store.unusable(self.uri, "written", error) from None
        return self.run_id

    def _experiment(self, client: MlflowClient) -> str:
        found: Experiment | None = client.get_experiment_by_name(self.study)
        if found is None:
            local = not mlflow_store.is_remote(self.uri)
            where = (self.directory.resolve() / mlflow_store.ARTIFACTS).as_uri() if local else None
            # the kind tells MLflow's UI to open on runs, not on traces of a chat application
            tags = {"mlflow.experimentKind": "custom_model_development", mlflow_store.STUDY: self.study}
            return str(client.create_experiment(self.study, artifact_location=where, tags=tags))
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"study {self.study!r}: its MLflow experiment is deleted; bring it back with "
                f"`mlflow experiments restore --experiment-id {found.experiment_id}`, or name the study differently"
            )
        return str(found.experiment_id)

    def _parent(self, client: MlflowClient) -> Run:
        """The study's newest run, or a new one."""
        role = f"tags.`{run_tags.ROLE}` = 'sweep'"
        found = client.search_runs([self.experiment_id], role, order_by=["start_time DESC"], max_results=1)
        run: Run | None = found[0] if found else None
        if run is None:
            tags = {run_tags.ROLE: "sweep", mlflow_store.STUDY: self.study, **run_tags.source_tags()}
            return client.create_run(self.experiment_id, tags=tags, run_name=self.study)
        self._ended = (run.info.status, run.info.end_time)
        client.update_run(run.info.run_id, status="RUNNING")
        return run

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

        Each scored observation is a step of the metric `score`, in the order of `tracking_metrics.ordered`. Rows added
        since the last call add steps, after those that are there. If rows that were logged have other scores now
        (scored anew, say), the run is replaced, since MLflow keeps what was logged. Rows without some of those that
        were logged change nothing: a resumed sweep has them all again later.

        Args:
            trial: Its number; -1 for the baseline.
            configuration: What it is made of.
            observations: Its rows so far, of every stage.
            texts: See `tracking_metrics.table`.
            status: FINISHED, FAILED, KILLED or RUNNING.
            offsets: See `tracking_metrics.summarise`.

        Returns:
            The child run's id; None if it could not be written, which `warnings` then tells.
        """
        with Guard(f"{child_name(trial, ())} was not logged to MLflow", self._missing):
            return self._started().write(
                trial, configuration, ordered(observations), texts, status, offsets, whole=False
            )
        return None

    def _started(self) -> Children:
        if self._children is None:
            raise TrackingError("the tracker was not started")
        return self._children

    def sync(
        self,
        observations: pd.DataFrame,
        configurations: Mapping[str, ConfigurationLike],
        texts: pd.DataFrame | None = None,
    ) -> list[str]:
        """Log whatever the store does not have yet; what it has stays as it is.

        But for the means of configurations that lack cases: how hard the others are is known better at the end than it
        was when they were logged.

        Args:
            observations: All observations of the study.
            configurations: Configurations by their keys, as in the column `configuration`.
            texts: As for `log_configuration`, with the column `configuration` (or without, if texts are of one).

        Returns:
            What is still missing, as sentences; [] when everything is logged.
        """
        away: list[str] = []
        with Guard("the runs that MLflow has could not be listed", away):
            self._started().find()
        if away:
            return [*self._missing, *away]
        self._missing = []
        offsets = offsets_of(observations)
        for (number, key), group in ordered(observations).groupby(["trial", "configuration"], sort=True):
            trial, rows = int(str(number)), group.reset_index(drop=True)
            own = texts
            if texts is not None and "configuration" in texts.columns:
                own = texts[texts["configuration"] == key]
            status = "FAILED" if rows["score"].isna().all() else "FINISHED"
            name = child_name(trial, ())
            with Guard(f"{name} was not logged to MLflow", self._missing):
                self._started().write(trial, configurations[str(key)], rows, own, status, offsets, whole=True)
                with Guard(f"the mean of {name} was not corrected", self._missing):
                    self._started().correct(trial, str(key), rows, offsets)
        return list(self._missing)

    # ---- end

    def finish(
        self,
        status: str = "FINISHED",
        verdict: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        note_markdown: str = "",
        artifacts: Sequence[Path] = (),
        html: str | None = None,
        figures: Mapping[str, Figure] | None = None,
    ) -> None:
        """Write the verdict and the report to the parent run and end it. Never raises for the store's sake.

        What the run has of an earlier verdict, and this one does not have, is taken away: its tags, its numbers (which
        become NaN, since MLflow keeps metrics) and, where there is a report, its exports.

        Args:
            status: FINISHED, FAILED or KILLED.
            verdict: `Verdict.as_dict()`: numbers become metrics, the rest tags `verdict.…`.
            metrics: Further metrics of the parent.
            note_markdown: What the run's page shows first.
            artifacts: Files for the folder `exports`.
            html: The report, as `report.html`.
            figures: Matplotlib figures for the folder `plots`, by name (`.png` is added to a name without an ending).
        """
        try:
            numbers, words = run_tags.split_verdict(verdict or {})
            with Guard("the verdict was not logged to MLflow", self._failures):
                run: Run = self._writer.ready().get_run(self.run_id)
                tags = words | ({run_tags.NOTE: note_markdown} if note_markdown else {}) | {"stage": status.lower()}
                gone = dict.fromkeys(set(run.data.metrics) & set(verdict or {}), math.nan)
                now, told = int(time.time() * 1000), gone | numbers | dict(metrics or {})
                changed = [(k, v, now, 0) for k, v in told.items() if not _same(v, run.data.metrics.get(k))]
                self._writer.log(self.run_id, metrics=changed, tags=tags)
                for tag in run.data.tags:
                    if tag.partition(".")[0] == "verdict" and tag not in words:
                        self._writer.ready().delete_tag(self.run_id, tag)
                if html is not None:
                    self._remove_exports(run, {path.name for path in artifacts})
            self._write_artifacts(artifacts, html, figures or {})
        finally:
            self._end(status)

    def _remove_exports(self, run: Run, kept: set[str]) -> None:
        with Guard("exports of an earlier verdict were not removed from MLflow", self._failures):
            for file in self._writer.ready().list_artifacts(self.run_id, "exports"):
                if Path(file.path).name not in kept:
                    mlflow_store.delete_artifact(self.uri, run, file.path)

    def kill(self) -> None:
        """End parent and open children as KILLED (the user stopped the sweep)."""
        self._end("KILLED")

    def fail(self) -> None:
        """End parent and open children as FAILED (the sweep could not go on)."""
        self._end("FAILED")

    def _write_artifacts(self, artifacts: Sequence[Path], html: str | None, figures: Mapping[str, Figure]) -> None:
        client = self._writer.client
        if client is None:
            return
        steps: list[tuple[str, Callable[[], object]]] = []
        if html is not None:
            steps.append(("report.html", partial(client.log_text, self.run_id, html, "report.html")))
        for name, figure in figures.items():
            file = f"plots/{name if Path(name).suffix else name + '.png'}"
            steps.append((file, partial(client.log_figure, self.run_id, figure, file)))
        steps.extend((str(path), partial(client.log_artifact, self.run_id, str(path), "exports")) for path in artifacts)
        for name, step in steps:
            with Guard(f"{name} was not logged to MLflow", self._failures):
                self._writer.ready()
                step()

    def _end(self, status: str) -> None:
        if not self.run_id:
            return
        rest = "KILLED" if status == "FINISHED" else status
        if self._children is not None:
            self._children.end(rest, self._failures)
        with Guard("the parent run was not ended in MLflow", self._failures):
            # a finished sweep that was run again and found nothing to do ended when it ended
            same = self._ended[0] == status and not self._writer.wrote
            self._writer.ready().set_terminated(self.run_id, status, self._ended[1] if same else None)


def _same(value: float, stored: float | None) -> bool:
    return stored is not None and (value == stored or (math.isnan(value) and math.isnan(stored)))
