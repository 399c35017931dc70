"""MLflow's runs of a study, against the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sweeps.results.result import SweepResult
from sweeps.tracking import mlflow_store, run_tags
from sweeps.tracking.child_runs import ChildRun
from sweeps.tracking.configuration_metrics import offsets_of, summarise
from sweeps.tracking.metric_steps import ordered
from sweeps.tracking.observations_table import TABLE_FILE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_SAME = 1e-6


def difference(result: SweepResult) -> str:
    """Return what MLflow lacks or shows otherwise of a finished study; "" where it agrees with the ledger.

    Raises:
        TrackingError: If the store cannot be used.
    """
    uri = mlflow_store.tracking_uri(result.workspace, result.config.tracking.uri)
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.exists():
        return f"{file.name} is missing"
    client = mlflow_store.connect(uri)
    try:
        return next(_differences(client, result), "")
    except Exception as error:
        if not mlflow_store.is_failure(error, uri):
            raise
        raise mlflow_store.unusable(uri, "read", error) from None


def _differences(client: MlflowClient, result: SweepResult) -> Iterator[str]:
    experiment = client.get_experiment_by_name(result.name)
    if experiment is None:
        yield "the experiment is missing"
        return
    ids, role = [experiment.experiment_id], f"tags.`{run_tags.ROLE}` = 'sweep'"
    parents = client.search_runs(ids, role, order_by=["start_time DESC"], max_results=1)
    if not parents:
        yield "the sweep's run is missing"
        return
    (parent,) = parents
    if parent.info.status != "FINISHED":
        yield f"the sweep's run is {parent.info.status}, and the study is done"
    if not _has(parent, "report.html", result.workspace.artifacts):
        yield "the sweep's run has no report.html"
    verdict = None if result.verdict is None else result.verdict.effect
    if verdict is not None and not _close(parent.data.metrics.get("effect"), verdict):
        yield f"the sweep's run shows the effect {parent.data.metrics.get('effect')}, and it is {verdict:.6g}"
    yield from _children(client, ids, parent.info.run_id, result)


def _children(client: MlflowClient, ids: list[str], parent: str, result: SweepResult) -> Iterator[str]:
    found: dict[tuple[int, str], Run] = {}
    token = None
    while True:
        page = client.search_runs(ids, f"tags.`{run_tags.PARENT}` = '{parent}'", max_results=1000, page_token=token)
        for run in page:
            child = ChildRun.of(run)
            found.setdefault((child.trial, child.configuration), run)
        if not (token := page.token):
            break
    groups = dict(list(ordered(result.observations).groupby(["trial", "configuration"], sort=True)))
    wanted = {(int(str(trial)), str(key)): rows for (trial, key), rows in groups.items()}
    if missing := set(wanted) - set(found):
        yield f"{len(missing)} of {len(wanted)} runs of configurations are missing"
    offsets = offsets_of(result.observations)
    shown = {place: ChildRun.of(run) for place, run in found.items() if place in wanted}
    stale = [
        child.name
        for place, child in shown.items()
        if child.count != len(wanted[place]) or _is_stale(child.means, summarise(wanted[place], offsets))
    ]
    if stale:
        yield f"{len(stale)} of {len(wanted)} runs show other numbers ({', '.join(stale[:3])})"
    artifacts = result.workspace.artifacts
    if bare := [place for place in wanted if place in found and not _has(found[place], TABLE_FILE, artifacts)]:
        yield f"{len(bare)} of {len(wanted)} runs have lost their table {TABLE_FILE}"


def _is_stale(shown: Mapping[str, float], true: Mapping[str, float]) -> bool:
    means = {name: value for name, value in true.items() if name.startswith("mean") and math.isfinite(value)}
    return any(not _close(shown.get(name), value) for name, value in means.items())


def _close(shown: float | None, true: float) -> bool:
    return shown is not None and math.isclose(shown, true, abs_tol=_SAME)


def _has(run: Run, name: str, artifacts: Path) -> bool:
    """Whether a run has a file, also in a folder that was moved; of a store elsewhere that is not asked."""
    place = urlsplit(run.info.artifact_uri)
    folder = Path(unquote(place.path))
    moved = artifacts.joinpath(*folder.parts[-2:])
    return place.scheme not in ("", "file") or any((each / name).is_file() for each in (folder, moved))
