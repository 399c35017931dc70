"""The child runs of a sweep in MLflow: one per configuration."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from sweeps.tracking import run_tags
from sweeps.tracking.configuration_metrics import decisive, summarise, table
from sweeps.tracking.metric_steps import KEYS, continuation, points_digest, same_rows
from sweeps.tracking.mlflow_store import Guard
from sweeps.tracking.run_tags import Child, ConfigurationLike, child_name
from sweeps.tracking.store_connection import Writer


class Children:
    """Child runs of one parent, as the store has them.

    Args:
        writer: An open store.
        experiment_id: The experiment.
        parent_id: The parent run.
        facts: Tags that each child repeats of its parent; see `tracking_records.CHILD_FACTS`.

    Raises:
        Exception: As the store raises (`mlflow_store.failures`), of this and of what writes.
    """

    def __init__(self, writer: Writer, experiment_id: str, parent_id: str, facts: Mapping[str, str]) -> None:
        self._writer = writer
        self._experiment_id = experiment_id
        self._parent_id = parent_id
        self._facts = facts
        self._children: dict[tuple[int, str], Child] = {}
        self.find()

    def find(self) -> None:
        """Read from the store what it has."""
        found: dict[tuple[int, str], Child] = {}
        client, token = self._writer.ready(), None
        while True:
            page = client.search_runs(
                [self._experiment_id],
                f"tags.`{run_tags.PARENT}` = '{self._parent_id}'",
                max_results=1000,
                page_token=token,
            )
            for run in page:
                child = Child.of(run)
                found.setdefault((child.trial, child.configuration), child)
            token = page.token
            if not token:
                self._children = found
                return

    def write(
        self,
        trial: int,
        configuration: ConfigurationLike,
        rows: pd.DataFrame,
        texts: pd.DataFrame | None,
        status: str,
        offsets: Mapping[str, float] | None,
        *,
        whole: bool,
    ) -> str:
        """Write a configuration's run, or bring it up to date; see `Tracker.log_configuration`.

        Args:
            trial: Its number; -1 for the baseline.
            configuration: What it is made of.
            rows: All its observations so far, as `tracking_metrics.ordered` orders them.
            texts: See `tracking_metrics.table`.
            status: FINISHED, FAILED, KILLED or RUNNING.
            offsets: See `tracking_metrics.summarise`.
            whole: Whether these are all the rows there are. If they are not, those that were logged and are missing
                are still to come: a resumed sweep walks through its stages once more, and has fewer rows then.

        Returns:
            The run's id.
        """
        client = self._writer.ready()
        identity = (trial, configuration.key)
        child, late = self._children.get(identity), list[int]()
        if child is not None and not child.begins(rows):
            logged = None if len(rows) < child.count and not whole else self._logged(child)
            if not whole and (logged is None or None in same_rows(logged, rows)):
                return child.run_id
            found = None if logged is None else continuation(logged, rows)
            if found is None:
                client.delete_run(child.run_id)
                del self._children[identity]
                child = None
            else:
                rows, late = found
        stages = tuple(dict.fromkeys(map(str, rows["stage"]))) if "stage" in rows.columns else ()
        name = child_name(trial, stages)
        points = points_digest(rows)
        if child is None:
            tags = run_tags.child_tags(self._parent_id, trial, configuration.key)
            run = client.create_run(self._experiment_id, tags=tags, run_name=name)
            child = Child(run.info.run_id, trial, configuration.key, run.info.start_time, name)
            self._children[identity] = child
        if child.points != points:
            first = child.count == 0
            # the table before the tag that says it is there
            client.log_text(child.run_id, run_tags.table_json(table(rows, texts)), run_tags.TABLE_FILE)
            steps = [*late, *range(child.count, len(rows))]
            metrics = run_tags.metrics(rows, steps, child.start_time, offsets)
            self._writer.log(
                child.run_id,
                metrics=metrics,
                params=run_tags.parameters(configuration) if first else {},
                tags=self._child_tags(rows, stages, first) | {run_tags.POINTS: points},
            )
            child.points, child.count = points, len(rows)
            child.logged = rows[[name for name in (*KEYS, "score") if name in rows.columns]]
            child.means = {name: value for name, value, *_ in metrics if name.startswith("mean")}
        if name != child.name or status != child.status:
            self._set_state(child, status, name)
        return child.run_id

    def _logged(self, child: Child) -> pd.DataFrame | None:
        """The rows that a run was made of, from its table; None if it has none that can be read."""
        if child.logged is None:
            client = self._writer.ready()
            if any(file.path == run_tags.TABLE_FILE for file in client.list_artifacts(child.run_id)):
                with TemporaryDirectory() as folder:
                    text = Path(client.download_artifacts(child.run_id, run_tags.TABLE_FILE, folder)).read_text("utf-8")
                with suppress(ValueError):
                    child.logged = run_tags.logged_rows(text).head(child.count)
        return child.logged

    def correct(self, trial: int, configuration: str, rows: pd.DataFrame, offsets: Mapping[str, float] | None) -> None:
        """Log a configuration's means anew where they are not what was logged; arguments as for `write`."""
        child = self._children[trial, configuration]
        found = {name: value for name, value in summarise(rows, offsets).items() if name.startswith("mean")}
        changed = {name: value for name, value in found.items() if abs(child.means.get(name, math.inf) - value) > 1e-9}
        now = int(time.time() * 1000)  # later than the stamps of what was logged, so that this is what counts
        self._writer.log(child.run_id, metrics=[(name, value, now, len(rows)) for name, value in changed.items()])
        child.means |= changed

    def end(self, status: str, warnings: list[str]) -> None:
        """Give the runs that are still open a status; what fails becomes a sentence among the warnings."""
        for child in self._children.values():
            if child.status == "RUNNING":
                with Guard(f"{child.name} was not ended in MLflow", warnings):
                    self._set_state(child, status, child.name)

    def _set_state(self, child: Child, status: str, name: str) -> None:
        client = self._writer.ready()
        if name != child.name:
            client.update_run(child.run_id, status=status, name=name)
        if status == "RUNNING":
            client.update_run(child.run_id, status=status)
        else:
            client.set_terminated(child.run_id, status=status)
        child.name, child.status = name, status

    def _child_tags(self, rows: pd.DataFrame, stages: Sequence[str], first: bool) -> dict[str, str]:
        hosts = list(dict.fromkeys(map(str, rows["host"]))) if "host" in rows.columns else []
        tags = {
            "stage": "+".join(stages),
            "metrics_from": decisive(rows)[1],
            "host": " ".join(hosts),
            # MLflow's table view finds table artifacts by this tag
            "mlflow.loggedArtifacts": json.dumps([{"path": run_tags.TABLE_FILE, "type": "table"}]),
        }
        return {**self._facts, **tags} if first else tags
