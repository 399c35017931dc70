"""Audits in MLflow: an experiment per model, a run per audit, and under it a run per host."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sweeps.audits.findings.effects import effects
from sweeps.audits.findings.levels_table import coverages
from sweeps.audits.record import MODES, AuditRecord, HostRecord, read_record
from sweeps.audits.report.data import AuditReport
from sweeps.audits.report.summary import audit_json
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store, run_tags
from sweeps.tracking.store_connection import StoreConnection

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE, RECORD, SUMMARY = "audit.html", "audit.json", "summary.json"
"""Artifacts of an audit's run."""

COMPARABLE = "slm_sweeps.audit"
"""Tag with the digest of all that two audits must share to be compared."""

_BAD = re.compile(r"[^\w. :-]+")
"""Characters that a part of a metric's name cannot have: a slash would make folders."""

_SOURCE = {"mlflow.source.name": "sweeps audit", "mlflow.source.type": "LOCAL"}


def experiment_name(model: str) -> str:
    """Return the name of the experiment of a model's audits."""
    return f"audit {model}"


def log_audit(uri: str, report: AuditReport, page: str, *, artifacts: str | None = None) -> str:
    """Log an audit: facts as tags, rungs and experiments as metrics, page and record as artifacts.

    Args:
        uri: The store.
        report: The audit.
        page: Its page.
        artifacts: URI of the folder for artifacts; None leaves the choice to the server.

    Returns:
        The id of the audit's run.

    Raises:
        TrackingError: If the store cannot be used.
    """
    connection = StoreConnection(uri)
    client = connection.connect()
    try:
        return _logged(connection, client, report, page, artifacts)
    except mlflow_store.failures() as error:
        raise mlflow_store.unusable(uri, "written", error) from None


def last_audit(uri: str, record: AuditRecord) -> AuditRecord | None:
    """Return the newest logged audit that an audit can be compared with; None without one.

    Args:
        uri: The store.
        record: The audit of now.

    Raises:
        TrackingError: If the store cannot be used.
        ConfigError: If the stored record cannot be read.
    """
    client = mlflow_store.connect(uri)
    try:
        experiment = client.get_experiment_by_name(experiment_name(record.model))
        if experiment is None:
            return None
        wanted = f"tags.`{COMPARABLE}` = '{comparable_digest(record)}' and attributes.status = 'FINISHED'"
        order = ["attributes.start_time DESC"]
        for run in client.search_runs([experiment.experiment_id], wanted, max_results=1, order_by=order):
            with TemporaryDirectory() as folder:
                return read_record(Path(client.download_artifacts(run.info.run_id, RECORD, folder)))
    except mlflow_store.failures() as error:
        raise mlflow_store.unusable(uri, "read", error) from None
    return None


def comparable_digest(record: AuditRecord) -> str:
    """Return 12 hex digits over what two audits must share: model, options, cases and objective."""
    parts: list[Any] = [record.model, record.objective, sorted((case.name, case.digest) for case in record.cases)]
    parts.append({mode: sorted(options.items()) for mode, options in sorted(record.modes.items())})
    return hashlib.sha256(json.dumps(parts, default=list).encode()).hexdigest()[:12]


def _logged(
    connection: StoreConnection, client: MlflowClient, report: AuditReport, page: str, artifacts: str | None
) -> str:
    summary, record = audit_json(report), report.record
    experiment = _experiment(client, record.model, artifacts)
    begin = round(time.time() * 1000)
    name = f"{', '.join(record.labels)} ({time.strftime('%Y-%m-%d %H:%M', time.gmtime(begin / 1000))})"
    run = client.create_run(experiment, begin, _parent_tags(report, summary), name).info
    connection.log(run.run_id, metrics=[("hosts", float(len(record.hosts)), begin, 0)])
    for file, text in ((PAGE, page), (RECORD, record.to_json()), (SUMMARY, json.dumps(summary, indent=1))):
        connection.write_text(run.artifact_uri, text, file)
    for host in record.hosts:
        child = client.create_run(experiment, begin, _host_tags(host, run.run_id), host.label).info
        metrics = [(name, value, begin, 0) for name, value in host_metrics(report, host.label)]
        connection.log(child.run_id, metrics=metrics)
        client.set_terminated(child.run_id)
    client.set_terminated(run.run_id)
    return str(run.run_id)


def _experiment(client: MlflowClient, model: str, artifacts: str | None) -> str:
    name = experiment_name(model)
    found = client.get_experiment_by_name(name)
    if found is None:
        tags = {"mlflow.experimentKind": "custom_model_development", run_tags.ROLE: "audits"}
        return str(client.create_experiment(name, artifact_location=artifacts, tags=tags))
    if found.lifecycle_stage != "active":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _parent_tags(report: AuditReport, summary: dict[str, Any]) -> dict[str, str]:
    record = report.record
    note = [f"**{summary['headline']}**", *(f"- {each['sentence']}" for each in summary["purposes"].values())]
    note += ["", "What to do:", *(f"1. {sentence}" for sentence in summary["what_to_do"])]
    return {
        **_SOURCE,
        run_tags.ROLE: "audit",
        COMPARABLE: comparable_digest(record),
        "model": record.model,
        "headline": summary["headline"],
        "differs": ", ".join(summary["differs"]) or "nothing",
        **{f"same.{level}": each["answer"] for level, each in summary["purposes"].items()},
        run_tags.NOTE: "\n".join(note),
    }


def _host_tags(host: HostRecord, parent: str) -> dict[str, str]:
    facts = Fingerprint(host.fingerprint).as_tags()
    own = {run_tags.PARENT: parent, run_tags.ROLE: "host", "host": host.label, "api.path": host.path}
    effective = {} if host.num_ctx is None else {"num_ctx": str(host.num_ctx)}
    return {**facts, **_SOURCE, **own, **effective}


def host_metrics(report: AuditReport, label: str) -> Iterator[tuple[str, float]]:
    """Yield the metrics of a host: rungs against the first host, its own experiments, covered items.

    Names are `rung/RUNG/MODE`, `own/EXPERIMENT/ARM/MODE` (share of identical texts) and `lv12/CASE/MODE`.
    """
    for row in report.ladder.to_dict("records"):
        if row["host_b"] == label:
            name = _name("rung", row["rung"], row["mode"])
            yield from _finite({name: row.get("figure"), f"{name}/p_adjusted": row["p_adjusted"]})
    for each in effects(report.record):
        if each.host == label and each.n:
            name = _name("own", each.experiment, each.arm, each.mode)
            yield from _finite({name: 1 - each.changed / each.n, f"{name}/coverage": each.score_change})
    for mode in MODES:
        for cell in coverages(report.record, mode):
            if cell.host == label and cell.covered is not None:
                yield _name("lv12", cell.case, mode), float(cell.covered)


def _name(*parts: object) -> str:
    return "/".join(part for part in (_BAD.sub(" ", str(each)).strip(" .") for each in parts) if part)


def _finite(values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, (int, float)) and math.isfinite(value):
            yield name, float(value)
