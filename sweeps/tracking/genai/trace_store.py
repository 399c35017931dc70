"""The traces of runs in MLflow's store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sweeps.tracking.genai.generation_traces import Generated, begin_of, spans_of, trace_id, trace_info
from sweeps.tracking.store_connection import StoreConnection

_PAGE = 500
_BATCH = 100
"""Traces whose spans go into one request; MLflow takes about 10 ms for each trace."""


class TraceStore:
    """Traces of one experiment.

    Args:
        connection: An open store.
        experiment_id: The experiment.
    """

    def __init__(self, connection: StoreConnection, experiment_id: str) -> None:
        self._connection, self._experiment_id = connection, experiment_id

    def update(self, run_id: str, wanted: Sequence[Generated], every: Sequence[Generated], begin: int) -> None:
        """Bring a run's traces up to date: add those that it lacks, and delete those of superseded scores.

        Args:
            run_id: The run.
            wanted: The generations that get a trace.
            every: All generations of the run; a trace of any of them stays.
            begin: When the run began, milliseconds since 1970, for failed requests.

        Raises:
            Exception: As the store raises.
        """
        by_id = {trace_id(run_id, each): each for each in wanted}
        there = self._existing(run_id)
        if outdated := sorted(there - {trace_id(run_id, each) for each in every}):
            client = self._connection.ready()
            for start in range(0, len(outdated), _BATCH):
                client.delete_traces(self._experiment_id, trace_ids=outdated[start : start + _BATCH])
        self._add(run_id, [each for key, each in by_id.items() if key not in there], begin)

    def _existing(self, run_id: str) -> set[str]:
        """The ids of our own traces of a run; those of an evaluation by the user have no `configuration`."""
        found: set[str] = set()
        token = None
        while True:
            page = self._connection.ready().search_traces(
                locations=[self._experiment_id],
                filter_string=f"metadata.`mlflow.sourceRun` = '{run_id}'",
                max_results=_PAGE,
                page_token=token,
                include_spans=False,
            )
            found |= {trace.info.trace_id for trace in page if "configuration" in trace.info.tags}
            token = page.token
            if not token:
                return found

    def _add(self, run_id: str, new: Sequence[Generated], begin: int) -> None:
        from mlflow.tracing.client import TracingClient

        client: Any = TracingClient(self._connection.uri)
        for start in range(0, len(new), _BATCH):
            traces = []
            for each in new[start : start + _BATCH]:
                self._connection.ready()
                began = begin_of(each, begin)
                client.start_trace(trace_info(run_id, self._experiment_id, each, began))
                traces.append(spans_of(run_id, each, began))
            self._log(client, traces)

    def _log(self, client: Any, traces: Sequence[Sequence[Any]]) -> None:
        """Log the spans of several traces: in one call, or in one for each with versions of MLflow that want that."""
        from mlflow.exceptions import MlflowException

        try:
            client.log_spans(self._experiment_id, [span for spans in traces for span in spans])
        except MlflowException as error:
            if "same trace" not in str(error):
                raise
            for spans in traces:
                client.log_spans(self._experiment_id, list(spans))
