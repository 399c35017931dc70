"""Audits in MLflow, in a real local store."""

import pytest

from sweeps.audits.report.page import render_audit
from sweeps.tracking import mlflow_store
from sweeps.tracking.audit_runs import comparable_digest, experiment_name, host_metrics, last_audit, log_audit
from sweeps.workspace.workspace import Workspace
from tests.sweeps.audits.records import CASES, host, three_machines
from tests.sweeps.audits.report.compared import levels, report

RUNG = {
    "host_a": "wk-01", "host_b": "mbp", "mode": "production", "rung": "same-seed texts", "finding": "differs", "n": 6,
    "figure": 0.25, "p_adjusted": 0.0004, "sentence": "0 of 6.",
}  # fmt: skip
LEVELS = levels(identical=("not met", "met"), equivalent=("met", "met"), same_quality=("met", "met"))


def audited(record=None):
    import pandas as pd

    found = report(record or three_machines(), [RUNG], levels=LEVELS)
    return type(found)(found.record, ladder=pd.DataFrame([RUNG]), levels=LEVELS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with an older and a newer audit, and the id of the newer one's run."""
    workspace = Workspace.at(tmp_path_factory.mktemp("audits"))
    workspace.require_writable()
    artifacts = workspace.artifacts.as_uri()
    log_audit(workspace.runs_url, audited(three_machines(margin=0.1)), "<p>old</p>", artifacts=artifacts)
    found = audited()
    return workspace.runs_url, log_audit(workspace.runs_url, found, render_audit(found), artifacts=artifacts)


def test_the_audit_is_a_run_with_its_hosts_as_children(store):
    uri, run_id = store
    client = mlflow_store.connect(uri)
    run = client.get_run(run_id)
    assert client.get_experiment(run.info.experiment_id).name == experiment_name("qwen2.5:14b")
    assert run.info.status == "FINISHED"
    tags = run.data.tags
    assert (tags["same.identical"], tags["same.same-quality"]) == ("no", "yes")
    assert tags["headline"] == "The same texts for measuring, not in use"
    assert tags["differs"].startswith("Server, API path")
    assert {file.path for file in client.list_artifacts(run_id)} == {"audit.html", "audit.json", "summary.json"}

    found = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    children = {child.info.run_name: child.data for child in found}
    assert set(children) == {"wk-01", "wk-02", "mbp"}
    mbp = children["mbp"]
    assert mbp.tags["engine.version"] == "0.15.6"
    assert mbp.tags["api.path"] == "openai"
    assert mbp.metrics["rung/same-seed texts/production"] == 0.25
    assert mbp.metrics["own/first run/cold/production"] == 0
    assert mbp.metrics["own/first run/cold/production/coverage"] == pytest.approx(-(1 / 5 + 1 / 6) / 2)
    assert mbp.metrics["lv12/c16/production"] == 2
    assert "rung/same-seed texts/production" not in children["wk-01"].metrics


def test_the_last_audit_that_can_be_compared_is_found(store):
    uri, _ = store
    last = last_audit(uri, three_machines(margin=0.2))
    assert last is not None
    assert last.margin == 0.05  # of the newer one
    assert last == audited().record
    assert last_audit(uri, three_machines(cases=CASES[:1])) is None
    assert last_audit(uri, three_machines(model="other")) is None


def test_audits_of_other_cases_options_or_objectives_are_not_comparable():
    record = three_machines()
    same = three_machines(hosts=(host("mbp"),), margin=0.3)
    others = [three_machines(cases=CASES[:1]), three_machines(objective="o2"), three_machines(modes={"baseline": {}})]
    assert comparable_digest(record) == comparable_digest(same)
    assert len({comparable_digest(each) for each in [record, *others]}) == 4


def test_metrics_are_finite_and_named_for_mlflow():
    found = audited()
    names = [name for name, _ in host_metrics(found, "mbp")]
    assert len(names) == len(set(names))
