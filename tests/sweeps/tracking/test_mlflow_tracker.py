"""Runs of a study in MLflow: what they have, and how they are corrected."""

import json
import math
import os
import sqlite3
import time
from contextlib import closing
from itertools import count

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_tracker import Tracker, TrackingError
from tests.sweeps.tracking.tracked import (
    BASELINE,
    CASES,
    CONFIG,
    FINGERPRINT,
    TUNED,
    Configuration,
    artifact,
    begin,
    children_of,
    client_of,
    rows,
    texts_of,
)

_study = count()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return tmp_path_factory.mktemp("store") / "mlruns"


@pytest.fixture
def tracker(directory):
    return Tracker(f"study {next(_study)}", directory)


def test_parent_run(tracker):
    run_id = begin(tracker)
    run = client_of(tracker).get_run(run_id)
    assert run.info.run_name == tracker.study
    assert run.info.status == "RUNNING"
    assert run.data.params == {"model": "qwen2.5:14b", "prompt": "brief", "temperature": "0.8", "top_k": "40"}
    assert run.data.tags["host.cpu"] == "AMD EPYC"
    assert run.data.tags["fingerprint"] == FINGERPRINT.digest
    assert run.data.tags["config.budget.generations"] == "40"
    dataset = run.inputs.dataset_inputs[0]
    assert json.loads(dataset.dataset.profile)["num_rows"] == 2
    assert [(tag.key, tag.value) for tag in dataset.tags] == [("mlflow.data.context", "evaluation")]
    assert "tests" not in dataset.dataset.source  # no path of the running script
    assert artifact(tracker, run_id, "config.toml") == "[study]\nname = 's'\n"
    assert Fingerprint.from_json(artifact(tracker, run_id, "fingerprint.json")) == FINGERPRINT
    experiment = client_of(tracker).get_experiment(tracker.experiment_id)
    assert experiment.artifact_location == tracker.workspace.artifacts.as_uri()


def test_child_run(tracker):
    begin(tracker)
    observations = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]}, configuration=TUNED, trial=7, stage="explore")
    run_id = tracker.log_configuration(7, TUNED, observations, texts_of(observations))
    run = children_of(tracker)["trial 07"]
    assert run.info.run_id == run_id
    assert run.info.status == "FINISHED"
    assert run.info.end_time is not None
    assert run.data.params == {"model": "qwen2.5:14b", "prompt": "brief", "temperature": "0.2", "top_k": "40"}
    assert run.data.metrics["mean"] == pytest.approx(0.35)
    assert run.data.metrics["sd"] == pytest.approx(0.1)
    tags = run.data.tags
    assert (tags["trial"], tags["stage"], tags["slm_sweeps.configuration"]) == ("7", "explore", TUNED.key)
    assert (tags["host"], tags["model_digest"], tags["engine.version"]) == (
        FINGERPRINT.digest,
        "2049f5674b1e",
        "0.32.15",
    )
    history = client_of(tracker).get_metric_history(run_id, "score")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.5), (2, 0.1), (3, 0.3)]
    assert len({point.timestamp for point in history}) == 4
    stored = json.loads(artifact(tracker, run_id, "observations.json"))
    assert stored["columns"][:5] == ["case", "seed", "score", "missed", "text"]
    assert stored["data"][0][:5] == ["deploy", 1, 0.5, "b, c", "text deploy 1"]
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "observations.json", "type": "table"}]


def test_a_run_has_the_times_of_its_generations(tracker):
    begin(tracker)
    observations = rows({"pump": [0.1, 0.3]})
    texts = texts_of(observations).assign(created="2026-01-01T00:01:00.000+00:00", seconds=[20.0, 2.5])
    child = client_of(tracker).get_run(tracker.log_configuration(-1, BASELINE, observations, texts)).info
    assert (child.end_time - child.start_time, child.end_time) == (20_000, 1767225660_000)
    later = rows({"pump": [0.2]}, stage="confirm", seed=9)
    both = pd.concat([observations, later])
    more = pd.concat([texts, texts_of(later).assign(created="2026-01-01T00:03:00+00:00", seconds=1.0)])
    assert tracker.log_configuration(-1, BASELINE, both, more) == child.run_id
    assert client_of(tracker).get_run(child.run_id).info.end_time == 1767225780_000


def test_mlflow_reads_the_table_as_its_own(tracker, monkeypatch):
    begin(tracker)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)  # `load_table` looks nowhere else
    observations = rows({"pump": [0.1, 0.3]})
    run_id = tracker.log_configuration(-1, BASELINE, observations, texts_of(observations))
    loaded = client_of(tracker).load_table(tracker.experiment_id, "observations.json", run_ids=[run_id])
    assert list(loaded["score"]) == pytest.approx([0.1, 0.3])


def test_confirm_data_updates_the_same_child(tracker):
    begin(tracker)
    explore = rows({"pump": [0.9, 0.8]}, configuration=TUNED, trial=3, stage="explore")
    first = tracker.log_configuration(3, TUNED, explore)
    confirm = rows({"pump": [0.5, 0.7]}, configuration=TUNED, trial=3, stage="confirm", seed=100)
    second = tracker.log_configuration(3, TUNED, pd.concat([explore, confirm]), texts_of(pd.concat([explore, confirm])))
    assert first == second
    assert list(children_of(tracker)) == ["confirm: trial 03"]
    run = client_of(tracker).get_run(first)
    assert run.data.metrics["mean"] == pytest.approx(0.6)
    assert run.data.metrics["mean_explore"] == pytest.approx(0.85)
    assert run.data.tags["stage"] == "explore+confirm"
    history = client_of(tracker).get_metric_history(first, "score")
    assert [(point.step, point.value) for point in history] == [(0, 0.9), (1, 0.8), (2, 0.5), (3, 0.7)]
    assert len(json.loads(artifact(tracker, first, "observations.json"))["data"]) == 4


def test_logging_the_same_again_changes_nothing(tracker):
    begin(tracker)
    observations = rows({"pump": [0.1, 0.3]})
    run_id = tracker.log_configuration(-1, BASELINE, observations)
    before = client_of(tracker).get_run(run_id)
    assert tracker.log_configuration(-1, BASELINE, observations.sample(frac=1, random_state=1)) == run_id
    after = client_of(tracker).get_run(run_id)
    assert after.to_dictionary() == before.to_dictionary()
    assert len(client_of(tracker).get_metric_history(run_id, "score")) == 2


def test_scoring_anew_replaces_the_child(tracker):
    begin(tracker)
    first = tracker.log_configuration(-1, BASELINE, rows({"pump": [0.1, 0.3]}))
    second = tracker.log_configuration(-1, BASELINE, rows({"pump": [0.1, 0.4]}))
    assert first != second
    assert [run.info.run_id for run in children_of(tracker).values()] == [second]
    assert [point.value for point in client_of(tracker).get_metric_history(second, "score")] == [0.1, 0.4]


def test_resuming_goes_on_with_the_same_runs(tracker):
    run_id = begin(tracker)
    child = tracker.log_configuration(-1, BASELINE, rows({"pump": [0.1, 0.3]}))
    tracker.kill()
    assert client_of(tracker).get_run(run_id).info.status == "KILLED"
    again = Tracker(tracker.study, tracker.workspace)
    assert begin(again) == run_id
    assert again.log_configuration(-1, BASELINE, rows({"pump": [0.1, 0.3]})) == child
    more = pd.concat([rows({"pump": [0.1, 0.3]}), rows({"pump": [0.2]}, seed=3)])
    assert again.log_configuration(-1, BASELINE, more) == child
    assert list(children_of(again)) == ["baseline"]
    assert len(client_of(again).get_metric_history(child, "score")) == 3
    again.finish(verdict={"outcome": "equivalent"})
    run = client_of(again).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert len(run.inputs.dataset_inputs) == 1
    assert again.warnings == []


def test_a_crash_between_metrics_and_tags_leaves_no_doubles(tracker):
    begin(tracker)
    observations = rows({"pump": [0.1, 0.3]})
    child = tracker.log_configuration(-1, BASELINE, observations)
    client_of(tracker).delete_tag(child, "slm_sweeps.points")  # as if the process had died before writing it
    again = Tracker(tracker.study, tracker.workspace)
    begin(again)
    assert again.log_configuration(-1, BASELINE, observations) == child
    assert len(client_of(again).get_metric_history(child, "score")) == 2
    assert len(client_of(again).get_metric_history(child, "mean")) == 1


def test_a_changed_baseline_is_told(tracker):
    begin(tracker)
    again = Tracker(tracker.study, tracker.workspace)
    again.start(CONFIG, "", [FINGERPRINT], CASES, TUNED)
    assert "temperature" in again.warnings[0]


def test_failed_and_killed_runs(tracker):
    run_id = begin(tracker)
    failed = tracker.log_configuration(0, TUNED, rows({"pump": [math.nan]}, finish="error"), status="FAILED")
    running = tracker.log_configuration(1, BASELINE, rows({"pump": [0.5]}), status="RUNNING")
    done = tracker.log_configuration(2, BASELINE, rows({"pump": [0.5]}))
    tracker.fail()
    status = {run: client_of(tracker).get_run(run).info.status for run in (run_id, failed, running, done)}
    assert status == {run_id: "FAILED", failed: "FAILED", running: "FAILED", done: "FINISHED"}


def test_finish_writes_verdict_report_plots_and_exports(tracker, tmp_path):
    run_id = begin(tracker)
    export = tmp_path / "best.env"
    export.write_text("OLLAMA_TEMPERATURE=0.2\n")
    plot = tmp_path / "effect.png"
    plot.write_bytes(b"picture")
    tracker.finish(
        verdict={
            "outcome": "better",
            "effect": 0.1,
            "ci_low": 0.02,
            "ci_high": 0.18,
            "sentence": "Yes.",
        },
        metrics={"engine_share": 0.97},
        note_markdown="## better",
        artifacts=[export],
        html="<h1>report</h1>",
        plots=[plot],
    )
    run = client_of(tracker).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"effect": 0.1, "ci_low": 0.02, "ci_high": 0.18, "engine_share": 0.97}
    assert run.data.tags["verdict"] == "better"
    assert run.data.tags["verdict.sentence"] == "Yes."
    assert run.data.tags["mlflow.note.content"] == "## better"
    client = client_of(tracker)
    names = {entry.path for folder in ("", "plots", "exports") for entry in client.list_artifacts(run_id, folder)}
    assert {"report.html", "plots/effect.png", "exports/best.env", "config.toml", "fingerprint.json"} <= names
    assert tracker.warnings == []


def test_a_later_verdict_leaves_nothing_of_an_earlier_one(tracker, tmp_path):
    run_id = begin(tracker)
    files = [tmp_path / "production.env", tmp_path / "production.json"]
    for file in files:
        file.write_text("better")
    first = {"outcome": "better", "effect": 0.1, "margin": 0.02, "advice": "Use it."}
    plots = [tmp_path / "history.png", tmp_path / "levels.png"]
    for plot in plots:
        plot.write_bytes(b"picture")
    tracker.finish(verdict=first, metrics={"floor_sd": 0.1}, artifacts=files, html="<p>", plots=plots)
    assert tracker.has_run()
    tracker.finish(
        verdict={"outcome": "worse", "effect": -0.1, "margin": None, "advice": ""}, html="<p>", plots=plots[1:]
    )
    client = client_of(tracker)
    assert [file.path for file in client.list_artifacts(run_id, "plots")] == ["plots/levels.png"]
    run = client.get_run(run_id)
    assert run.data.metrics["effect"] == -0.1
    assert math.isnan(run.data.metrics["margin"])
    assert run.data.metrics["floor_sd"] == 0.1
    assert {name: value for name, value in run.data.tags.items() if name.startswith("verdict")} == {"verdict": "worse"}
    assert client.list_artifacts(run_id, "exports") == []
    tracker.finish(verdict=first, artifacts=files[:1], html="<p>")
    tracker.finish(verdict=first)  # without a report nothing is known of exports
    assert [file.path for file in client.list_artifacts(run_id, "exports")] == ["exports/production.env"]
    assert tracker.warnings == []


def test_a_store_is_not_made_by_asking_for_a_run(tmp_path):
    assert not Tracker("s", tmp_path / "mlruns").has_run()
    assert not (tmp_path / "mlruns").exists()


def test_failures_of_the_database_show_no_traceback_of_mlflow(tmp_path, caplog, capfd):
    from mlflow.exceptions import MlflowException

    client = mlflow_store.connect(f"sqlite:///{tmp_path / 'own.db'}")
    with closing(sqlite3.connect(tmp_path / "own.db")) as database:
        database.execute("ALTER TABLE experiments RENAME TO away")
        database.commit()
    with pytest.raises(MlflowException, match="no such table: experiments"):
        client.search_experiments()
    assert [record for record in caplog.records if record.name.startswith("mlflow.store")] == []
    assert "Traceback" not in capfd.readouterr().err


def test_a_missing_export_is_a_warning_and_the_run_still_ends(tracker, tmp_path):
    run_id = begin(tracker)
    tracker.finish(verdict={"outcome": "worse"}, artifacts=[tmp_path / "gone.env"], html="<p>")
    assert client_of(tracker).get_run(run_id).info.status == "FINISHED"
    assert len(tracker.warnings) == 1
    assert "gone.env" in tracker.warnings[0]


def test_more_entities_than_one_request_takes(tracker):
    begin(tracker)
    many = rows({"pump": [step / 2000 for step in range(1500)]})
    wide = Configuration(options={f"option_{number}": number for number in range(150)})
    run_id = tracker.log_configuration(0, wide, many)
    assert tracker.warnings == []
    run = client_of(tracker).get_run(run_id)
    assert len(run.data.params) == 152
    assert run.data.tags["slm_sweeps.points"].startswith("1500:")
    assert client_of(tracker).get_metric_history(run_id, "score")[-1].step == 1499


def test_a_store_that_breaks_is_a_warning_and_sync_makes_it_good(tracker, monkeypatch):
    begin(tracker)
    baseline, tuned = (
        rows({"pump": [0.1, 0.3]}),
        rows({"pump": [0.5, 0.6]}, configuration=TUNED, trial=0, stage="explore"),
    )
    with monkeypatch.context() as broken:

        def full(*_arguments, **_more):
            raise OSError(28, "No space left on device")

        broken.setattr(tracker._connection.client, "log_batch", full)
        assert tracker.log_configuration(-1, BASELINE, baseline) is None
        assert tracker.log_configuration(0, TUNED, tuned) is None
        tracker.finish(verdict={"outcome": "better"})
    assert len(tracker.warnings) == 3
    assert all("No space left" in warning for warning in tracker.warnings)
    every = pd.concat([baseline, tuned])
    configurations = {BASELINE.key: BASELINE, TUNED.key: TUNED}
    assert tracker.sync(every, configurations, texts_of(every)) == []
    assert [warning.partition(":")[0] for warning in tracker.warnings] == ["the verdict was not logged to MLflow"]
    found = children_of(tracker)
    assert set(found) == {"baseline", "trial 00"}
    assert found["trial 00"].data.metrics["mean"] == pytest.approx(0.55)
    before = {name: run.to_dictionary() for name, run in found.items()}
    assert tracker.sync(every, configurations, texts_of(every)) == []
    assert {name: run.to_dictionary() for name, run in children_of(tracker).items()} == before


def test_sync_corrects_the_means_of_trials_that_lack_cases(tracker):
    begin(tracker)
    baseline = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.7]})
    easy = rows({"deploy": [0.7]}, configuration=TUNED, trial=0, stage="explore")
    tracker.log_configuration(-1, BASELINE, baseline)
    tracker.log_configuration(0, TUNED, easy, offsets={"pump": -0.1, "deploy": 0.1})
    assert children_of(tracker)["trial 00"].data.metrics["mean"] == pytest.approx(0.6)
    every, configurations = pd.concat([baseline, easy]), {BASELINE.key: BASELINE, TUNED.key: TUNED}
    assert tracker.sync(every, configurations) == []  # of the baseline, deploy is .2 easier than the mean of the cases
    found = children_of(tracker)
    assert found["trial 00"].data.metrics["mean"] == pytest.approx(0.5)
    assert found["baseline"].data.metrics["mean"] == pytest.approx(0.4)
    run_id = found["trial 00"].info.run_id
    for _ in range(2):  # once corrected, a mean is left alone
        history = client_of(tracker).get_metric_history(run_id, "mean")
        assert [point.value for point in history] == pytest.approx([0.6, 0.5])
        assert tracker.sync(every, configurations) == []


def test_a_clock_that_went_back_leaves_no_stale_number(tracker, monkeypatch):
    begin(tracker)
    baseline = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.7]})
    easy = rows({"deploy": [0.7]}, configuration=TUNED, trial=0, stage="explore")
    tracker.log_configuration(0, TUNED, easy, offsets={"pump": -0.1, "deploy": 0.1})
    tracker.finish(verdict={"effect": 0.2})
    day_before = time.time() - 86_400
    monkeypatch.setattr(time, "time", lambda: day_before)
    again = Tracker(tracker.study, tracker.workspace)
    begin(again)
    every, configurations = pd.concat([baseline, easy]), {BASELINE.key: BASELINE, TUNED.key: TUNED}
    assert again.sync(every, configurations) == []
    again.finish(verdict={"effect": 0.1})
    found = children_of(again)
    assert found["trial 00"].data.metrics["mean"] == pytest.approx(0.5)
    assert found["baseline"].data.metrics["mean"] == pytest.approx(0.4)
    assert client_of(again).get_run(again.run_id).data.metrics["effect"] == 0.1


def test_a_failed_request_that_is_answered_later_changes_the_mean(tracker):
    begin(tracker)
    first = rows({"pump": [0.5, math.nan]})
    tracker.log_configuration(-1, BASELINE, first)
    tracker.log_configuration(-1, BASELINE, rows({"pump": [0.5, 0.1]}))
    assert children_of(tracker)["baseline"].data.metrics["mean"] == pytest.approx(0.3)


def test_a_locked_or_damaged_store_is_named_with_its_remedy(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    error = MlflowException("(raised as a result of Query-invoked autoflush)\nmore")
    error.__context__ = sqlite3.OperationalError("database is locked")
    assert "mlflow.db is locked by another process" in str(mlflow_store.unusable(uri, "written", error))
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    assert "mlflow.db is damaged" in str(mlflow_store.unusable(uri, "read", KeyError("x")))
    assert mlflow_store.is_failure(KeyError("x"), uri)
    assert not mlflow_store.is_failure(KeyError("x"), "sqlite:///" + str(tmp_path / "none.db"))


def test_defects_of_ours_are_not_swallowed(tracker):
    begin(tracker)
    with pytest.raises(KeyError):
        tracker.log_configuration(-1, BASELINE, rows({"pump": [0.1]}).drop(columns=["score"]))


def test_a_deleted_experiment_is_told(tracker):
    begin(tracker)
    client_of(tracker).delete_experiment(tracker.experiment_id)
    with pytest.raises(TrackingError, match="restore"):
        begin(Tracker(tracker.study, tracker.workspace))


def test_several_hosts(directory):
    other = Fingerprint(
        {"host": {"os": "macOS", "architecture": "arm64", "cpu": "Apple M4"}, "engine": {"name": "ollama"}}
    )
    tracker = Tracker("several hosts", directory)
    run_id = tracker.start(CONFIG, "", [FINGERPRINT, other], CASES, BASELINE)
    tags = client_of(tracker).get_run(run_id).data.tags
    assert tags["fingerprint"] == f"{FINGERPRINT.digest} {other.digest}"
    assert tags["engine.name"] == "ollama"  # in common
    assert "host.cpu" not in tags
    assert len(json.loads(artifact(tracker, run_id, "fingerprint.json"))) == 2
    mixed = pd.concat([rows({"pump": [0.1]}), rows({"pump": [0.2]}).assign(host=other.digest)])
    child = tracker.log_configuration(-1, BASELINE, mixed)
    assert set(client_of(tracker).get_run(child).data.tags["host"].split()) == {FINGERPRINT.digest, other.digest}
