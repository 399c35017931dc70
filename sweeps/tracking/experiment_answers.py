"""Scored answers from an MLflow store of the user's own: runs with metrics, or the traces of `genai.evaluate`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.observations.table import TableError
from analysis.sources.answer import Answer, facts_of
from analysis.sources.mlflow_results import case_of, of_runs
from sweeps.addresses import without_password
from sweeps.tracking import mlflow_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run, Trace

_PAGE = 500


def experiment_answers(uri: str, experiment: str | None = None) -> list[Answer]:
    """Read the answers of an experiment.

    If its runs have traces with feedback, each trace is an answer, with its run's parameters (or its name) as facts.
    Otherwise each run is one, with its metrics as scores.

    Args:
        uri: The tracking store: a URL, or a folder.
        experiment: The experiment's name; not needed where only one has runs.

    Raises:
        TableError: There is no such store or experiment, or it has no runs.
        TrackingError: The store does not answer.
    """
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        raise TableError("no such database")
    client = mlflow_store.connect(uri)
    try:
        identifier = _experiment(client, experiment)
        runs = _all(client.search_runs, [identifier], max_results=_PAGE)
        if not runs:
            raise TableError("the experiment has no runs")
        found = list(
            _of_traces(runs, _all(client.search_traces, locations=[identifier], max_results=_PAGE, include_spans=False))
        )
    except mlflow_store.failures() as error:
        raise mlflow_store.unusable(uri, "read", error) from None
    return found or list(of_runs([_row(run) for run in runs]))


def _experiment(client: MlflowClient, name: str | None) -> str:
    """Return the identifier of the experiment."""
    known = {each.name: str(each.experiment_id) for each in client.search_experiments()}
    if name is None:
        used = [each for each in known if client.search_runs([known[each]], max_results=1)]
        if len(used) == 1:
            return known[used[0]]
        raise TableError(f"it has several experiments: {', '.join(sorted(used))}; choose one with --experiment NAME")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}"
        raise TableError(f"no experiment {name!r}; {without_password(hint)}")
    return known[name]


def _all(search: Any, *arguments: Any, **named: Any) -> list[Any]:
    """Return all pages of a search."""
    found: list[Any] = []
    token = None
    while True:
        page = search(*arguments, **named, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _row(run: Run) -> dict[str, Any]:
    """Return a run as a row of `search_runs`."""
    return {
        "status": run.info.status,
        "tags.mlflow.runName": run.info.run_name,
        **{f"params.{name}": value for name, value in run.data.params.items()},
        **{f"metrics.{name}": value for name, value in run.data.metrics.items()},
    }


def _of_traces(runs: Sequence[Run], traces: Sequence[Trace]) -> Iterator[Answer]:
    """Yield the traces that have feedback; the others belong to no evaluation."""
    by_id = {run.info.run_id: run for run in runs}
    for trace in traces:
        scores = {
            each.name: each.feedback.value
            for each in trace.info.assessments
            if each.feedback is not None and each.valid is not False
        }
        run = by_id.get(trace.info.trace_metadata.get("mlflow.sourceRun", ""))
        if not scores or run is None:
            continue
        facts = facts_of(run.data.params) or {"run": run.info.run_name or run.info.run_id}
        asked = trace.info.trace_metadata.get("mlflow.traceInputs") or trace.info.request_preview
        yield Answer(run.info.run_id, facts, case_of(asked), scores, failed=str(trace.info.state).endswith("ERROR"))
