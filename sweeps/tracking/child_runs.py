"""The child runs of a sweep in MLflow, one per configuration."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from sweeps.scoring.rows import BASELINE_TRIAL
from sweeps.tracking import run_tags
from sweeps.tracking.configuration_metrics import decisive_stages, metric_points, summarise
from sweeps.tracking.genai.generation_traces import Generated, traces_digest
from sweeps.tracking.genai.prompt_versions import LINKED
from sweeps.tracking.genai.trace_store import TraceStore
from sweeps.tracking.metric_steps import continuation, points_digest, run_times, same_rows
from sweeps.tracking.mlflow_store import FailureNote
from sweeps.tracking.observations_table import TABLE_FILE, rows_of_table, table_json
from sweeps.tracking.run_tags import ConfigurationLike, child_name
from sweeps.tracking.store_connection import StoreConnection, newest_stamp

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run


@dataclass(frozen=True)
class ConfigurationRows:
    """A configuration with its observations, as they are logged.

    Attributes:
        trial: Number of the trial; -1 for the baseline.
        configuration: Its model, prompt and options.
        rows: Its observations so far, in the order of `metric_steps.ordered`.
        texts: See `observations_table.readable_table`; with `created` and `seconds` the run has their times.
        offsets: See `configuration_metrics.summarise`.
        candidate: Its name in `[candidates]`, or as a first set; "" for a set that the sampler proposed.
        origin: The source of a first set's values; "" for others.
        show_texts: Whether the table has the texts.
        generated: The generations that get a trace.
        every: All generations, made when they are needed.
    """

    trial: int
    configuration: ConfigurationLike
    rows: pd.DataFrame
    texts: pd.DataFrame | None = None
    offsets: Mapping[str, float] | None = None
    candidate: str = ""
    origin: str = ""
    show_texts: bool = True
    generated: Sequence[Generated] = ()
    every: Callable[[], Sequence[Generated]] = tuple

    @cached_property
    def times(self) -> tuple[int, int] | None:
        """Begin and end in milliseconds since 1970; see `metric_steps.run_times`."""
        return run_times(self.texts)

    @property
    def table_texts(self) -> pd.DataFrame | None:
        """The texts for the table."""
        return self.texts if self.show_texts else None

    @property
    def identity(self) -> tuple[int, str]:
        """Trial and key of the configuration: each pair has one child run."""
        return self.trial, self.configuration.key

    @property
    def tags(self) -> dict[str, str]:
        """Tags of a named configuration; {} for others."""
        if self.origin:
            return {"origin": self.origin}
        return {"candidate": self.candidate} if self.candidate else {}

    @property
    def means(self) -> dict[str, float]:
        """Metrics whose names begin with `mean`."""
        summary = summarise(self.rows, self.offsets)
        return {name: value for name, value in summary.items() if name.startswith("mean")}


def _distinct(rows: pd.DataFrame, column: str) -> list[str]:
    """Values of a column in the order of the rows; [] without such a column."""
    return list(dict.fromkeys(map(str, rows[column].tolist()))) if column in rows.columns else []


@dataclass
class ChildRun:
    """A child run as the store has it.

    Attributes:
        run_id: Its id.
        trial: Number of the trial; -1 for the baseline.
        configuration: The configuration's key.
        start_time: Milliseconds since 1970.
        name: The run's name.
        artifacts: Where its artifacts are.
        status: MLflow's: RUNNING, FINISHED, FAILED, KILLED.
        count: Number of rows that were logged.
        points: `points_digest` of these rows; "" before the first.
        traces: `traces_digest` of the traces that were written; "" for none.
        verdict: The outcome of its verdict; "" for none.
        means: The last logged metrics whose names begin with `mean`.
        newest: The latest stamp of its metrics, in milliseconds since 1970; 0 without metrics.
        has_dataset: Whether the run has its cases as an input.
        linked: Whether it is linked to its prompt's version.
        logged: The rows that were logged, in the order of their steps; None until they are read or written.
    """

    run_id: str
    trial: int
    configuration: str
    start_time: int
    name: str
    artifacts: str
    status: str = "RUNNING"
    count: int = 0
    points: str = ""
    traces: str = ""
    verdict: str = ""
    means: dict[str, float] = field(default_factory=dict)
    newest: int = 0
    has_dataset: bool = False
    linked: bool = False
    logged: pd.DataFrame | None = None

    @classmethod
    def of(cls, run: Run) -> ChildRun:
        """Read a run of the store."""
        tags, info = run.data.tags, run.info
        points = tags.get(run_tags.POINTS, "")
        return cls(
            run_id=info.run_id,
            trial=int(tags.get(run_tags.TRIAL, BASELINE_TRIAL)),
            configuration=tags.get(run_tags.CONFIGURATION, ""),
            start_time=info.start_time,
            name=info.run_name or "",
            artifacts=info.artifact_uri,
            status=info.status,
            count=int(points.partition(":")[0] or 0),
            points=points,
            traces=tags.get(run_tags.TRACES, ""),
            verdict=tags.get("verdict", ""),
            means={name: value for name, value in run.data.metrics.items() if name.startswith("mean")},
            newest=newest_stamp(run),
            has_dataset=run.inputs is not None and bool(run.inputs.dataset_inputs),
            linked=LINKED in tags,
        )

    def begins(self, rows: pd.DataFrame) -> bool:
        """Whether the logged rows are still the beginning of these rows."""
        return self.count <= len(rows) and (not self.points or points_digest(rows.head(self.count)) == self.points)

    def remember(self, rows: pd.DataFrame, points: str, means: Mapping[str, float]) -> None:
        """Note what was logged."""
        self.count, self.points, self.means = len(rows), points, dict(means)
        self.logged = rows


class ChildRuns:
    """Child runs of one parent, as the store has them.

    Args:
        connection: An open store.
        experiment_id: The experiment.
        parent_id: The parent run.
        facts: Tags of the parent that each child repeats; see `run_tags.CHILD_FACTS`.
        tags_of: Makes further tags of a configuration's run.
        dataset: The cases, as an input of each run.

    Raises:
        Exception: As the store raises (`mlflow_store.failures`); this also holds for the methods that write.
    """

    def __init__(
        self,
        connection: StoreConnection,
        experiment_id: str,
        parent_id: str,
        facts: Mapping[str, str],
        tags_of: Callable[[ConfigurationLike], Mapping[str, str]] = lambda _: {},
        dataset: DatasetInput | None = None,
    ) -> None:
        self._tags_of, self._dataset = tags_of, dataset
        self._traces = TraceStore(connection, experiment_id)
        self._connection = connection
        self._experiment_id = experiment_id
        self._parent_id = parent_id
        self._facts = facts
        self._children: dict[tuple[int, str], ChildRun] = {}
        self.find()

    def find(self) -> None:
        """Read the child runs that the store has."""
        found: dict[tuple[int, str], ChildRun] = {}
        client, token = self._connection.ready(), None
        while True:
            page = client.search_runs(
                [self._experiment_id],
                f"tags.`{run_tags.PARENT}` = '{self._parent_id}'",
                max_results=1000,
                page_token=token,
            )
            for run in page:
                child = ChildRun.of(run)
                found.setdefault((child.trial, child.configuration), child)
            token = page.token
            if not token:
                self._children = found
                return

    def write(self, current: ConfigurationRows, status: str, *, whole: bool) -> str:
        """Write a configuration's run, or bring it up to date; see `Tracker.log_configuration`.

        Args:
            current: The configuration with its rows.
            status: FINISHED, FAILED, KILLED or RUNNING.
            whole: Whether these are all rows of the configuration. If not, a run with logged rows that are missing here
                stays as it is: a resumed sweep goes through its stages again, and has fewer rows until its end.

        Returns:
            The run's id.
        """
        child = self._children.get(current.identity)
        if child is not None and not whole and self._lacks_logged(child, current.rows):
            return child.run_id
        steps = (current.rows, list[int]()) if child is None else self._continued(child, current.rows)
        if child is not None and steps is None:  # MLflow keeps what was logged: replace the run
            if child.traces:
                self._traces.update(child.run_id, (), (), child.start_time)
            self._connection.ready().delete_run(child.run_id)
            del self._children[current.identity]
            child = None
        rows, late = steps or (current.rows, [])
        stages = _distinct(rows, "stage")
        name = child_name(current.trial, stages, current.candidate)
        if child is None:
            child = self._create(current, name)
        self._add_dataset(child)
        self._add_link(child, current)
        added = self._log_rows(child, current, rows, late, stages)
        if added or name != child.name or status != child.status:
            self._set_state(child, status, name, current.times)
        self._trace(child, current)
        return child.run_id

    def _trace(self, child: ChildRun, current: ConfigurationRows) -> None:
        """Write the traces that the run lacks."""
        digest = traces_digest(current.generated)
        if child.traces == digest or not (child.traces or current.generated):
            return
        self._traces.update(child.run_id, current.generated, current.every(), child.start_time)
        self._connection.log(child.run_id, tags={run_tags.TRACES: digest})
        child.traces = digest

    def _lacks_logged(self, child: ChildRun, rows: pd.DataFrame) -> bool:
        """Whether some logged rows are missing from these rows."""
        if child.begins(rows):
            return False
        logged = self._logged(child) if len(rows) >= child.count else None
        return logged is None or None in same_rows(logged, rows)

    def _continued(self, child: ChildRun, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[int]] | None:
        """The rows in the order of the logged ones, and earlier steps that have a score now; see `continuation`."""
        if child.begins(rows):
            return rows, []
        logged = self._logged(child)
        return None if logged is None else continuation(logged, rows)

    def _logged(self, child: ChildRun) -> pd.DataFrame | None:
        """The rows that a run was made of, read from its table; None if it has no readable table."""
        if child.logged is None:
            client = self._connection.ready()
            if any(file.path == TABLE_FILE for file in client.list_artifacts(child.run_id)):
                with TemporaryDirectory() as folder:
                    text = Path(client.download_artifacts(child.run_id, TABLE_FILE, folder)).read_text("utf-8")
                with suppress(ValueError):
                    child.logged = rows_of_table(text).head(child.count)
        return child.logged

    def _create(self, current: ConfigurationRows, name: str) -> ChildRun:
        tags = run_tags.child_tags(self._parent_id, *current.identity) | dict(self._facts)
        tags |= (link := self._tags_of(current.configuration))
        begin = None if current.times is None else current.times[0]
        info = self._connection.ready().create_run(self._experiment_id, begin, tags, name).info
        child = ChildRun(info.run_id, *current.identity, info.start_time, name, info.artifact_uri)
        child.linked = bool(link)
        self._children[current.identity] = child
        return child

    def _add_dataset(self, child: ChildRun) -> None:
        """Log the cases as an input; a run whose process was killed right after making it has none."""
        if self._dataset is not None and not child.has_dataset:
            self._connection.ready().log_inputs(child.run_id, datasets=[self._dataset])
            child.has_dataset = True

    def _add_link(self, child: ChildRun, current: ConfigurationRows) -> None:
        """Link to the prompt's version; a run that was made while the registry could not be written has no link."""
        if not child.linked and (link := self._tags_of(current.configuration)):
            self._connection.log(child.run_id, tags=link)
            child.linked = True

    def _log_rows(
        self,
        child: ChildRun,
        current: ConfigurationRows,
        rows: pd.DataFrame,
        late: Sequence[int],
        stages: Sequence[str],
    ) -> bool:
        """Log rows that the run does not have.

        Args:
            child: The run.
            current: Its configuration.
            rows: Its rows in the order of their steps.
            late: Earlier steps that have a score only now.
            stages: The rows' stages.

        Returns:
            Whether there were any.
        """
        points = points_digest(rows)
        if child.points == points:
            return False
        first = child.count == 0
        # the table before the tag that says it is there
        self._connection.write_text(child.artifacts, table_json(rows, current.table_texts), TABLE_FILE)
        metrics = metric_points(rows, [*late, *range(child.count, len(rows))], child.start_time, current.offsets)
        if child.count == len(rows):  # the summary has its step again, where MLflow shows the latest stamp
            metrics = [(name, value, max(stamp, child.newest + 1), step) for name, value, stamp, step in metrics]
        child.newest = max([child.newest, *(stamp for _, _, stamp, _ in metrics)])
        self._connection.log(
            child.run_id,
            metrics=metrics,
            params=run_tags.parameters(current.configuration) if first else {},
            tags=self._tags(rows, metrics, stages) | current.tags | {run_tags.POINTS: points},
        )
        child.remember(rows, points, {name: value for name, value, *_ in metrics if name.startswith("mean")})
        return True

    def _tags(
        self, rows: pd.DataFrame, metrics: Sequence[tuple[str, float, int, int]], stages: Sequence[str]
    ) -> dict[str, str]:
        return {
            "stage": "+".join(stages),
            "metrics_from": decisive_stages(stages),
            "interval": run_tags.interval(metrics),
            **run_tags.source(metrics, "+".join(stages)),
            "host": " ".join(_distinct(rows, "host")),
            # MLflow's table view finds table artifacts by this tag
            "mlflow.loggedArtifacts": json.dumps([{"path": TABLE_FILE, "type": "table"}]),
        }

    def correct_means(self, current: ConfigurationRows) -> None:
        """Log a configuration's means again where they differ from the logged ones."""
        child = self._children[current.identity]
        changed = {
            name: value for name, value in current.means.items() if abs(child.means.get(name, math.inf) - value) > 1e-9
        }
        if not changed:
            return
        # MLflow shows the latest stamp of a step. The clock may have gone back since.
        child.newest = max(int(time.time() * 1000), child.newest + 1)
        points = [(name, value, child.newest, len(current.rows)) for name, value in changed.items()]
        self._connection.log(child.run_id, metrics=points)
        child.means |= changed

    def judge(self, configuration: str, outcome: str) -> None:
        """Tag the run of the finalist with its verdict; another one loses its tag."""
        for child in self._children.values():
            own = outcome if child.configuration == configuration and child.trial != BASELINE_TRIAL else ""
            if own != child.verdict:
                self._connection.log(child.run_id, tags={"verdict": own})
                child.verdict = own

    def end(self, status: str, warnings: list[str]) -> None:
        """Give the runs that are still open a status; each failure is added to the warnings."""
        for child in self._children.values():
            if child.status == "RUNNING":
                with FailureNote(f"{child.name} was not ended in MLflow", warnings):
                    self._set_state(child, status, child.name)

    def _set_state(self, child: ChildRun, status: str, name: str, times: tuple[int, int] | None = None) -> None:
        client = self._connection.ready()
        if name != child.name or status == "RUNNING":
            client.update_run(child.run_id, status=status, name=name)
        if status != "RUNNING":
            client.set_terminated(child.run_id, status, None if times is None else times[1])
        child.name, child.status = name, status
