import json
import math
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count

import matplotlib.figure
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from objectives.case import Case, Item
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store
from sweeps.tracking.configuration_metrics import decisive_stages, summarise
from sweeps.tracking.experiment_view import CHARTS, STAGES, TABLE, description, swept_options, views
from sweeps.tracking.metric_steps import ordered, points_digest, run_times
from sweeps.tracking.mlflow_tracker import Tracker, TrackingError
from sweeps.tracking.observations_table import readable_table
from sweeps.tracking.run_tags import child_name, split_verdict
from sweeps.workspace.workspace import Workspace

FINGERPRINT = Fingerprint(
    {
        "host": {"os": "Linux", "architecture": "x86_64", "cpu": "AMD EPYC", "memory_gib": 24},
        "engine": {"name": "ollama", "version": "0.32.15"},
        "model": {"name": "qwen2.5:14b", "quantization": "Q4_K_M", "digest": "2049f5674b1e" + "0" * 52},
    }
)
CASES = [Case(name, f"log of {name}", (Item("a", "x", 1), Item("b", "y", 2))) for name in ("pump", "deploy")]
CONFIG = {"study": {"name": "s"}, "budget": {"generations": 40}, "space": {"temperature": {"low": 0, "high": 1}}}


@dataclass
class Configuration:
    model: str = "qwen2.5:14b"
    prompt: str = "brief"
    options: dict = field(default_factory=lambda: {"temperature": 0.8, "top_k": 40})
    key: str = "aaaaaaaaaaaa"


BASELINE = Configuration()
TUNED = Configuration(options={"temperature": 0.2, "top_k": 40}, key="bbbbbbbbbbbb")


def rows(scores, *, configuration=BASELINE, trial=-1, stage="floor", seed=1, finish="stop"):
    """Observations of scores by case: `{"pump": [.1, .2]}`."""
    return pd.DataFrame(
        [
            {
                "study": "s", "configuration": configuration.key, "trial": trial, "stage": stage,
                "host": FINGERPRINT.digest, "case": case, "seed": seed + place, "repeat": 0, "score": score,
                "covered": 1, "items": 2, "forbidden": 0, "lv1": "1/1", "lv2": "0/1", "lv3": "0/0", "lv4": "0/0",
                "lv5": "0/0", "lv12": "1/2", "words": 80 + place, "prompt_tokens": 400, "output_tokens": 100,
                "seconds": 1.5, "finish": finish, "truncated": False, "error": "", "text_sha256": "0" * 64,
                "model": configuration.model, "prompt": configuration.prompt, **configuration.options,
            }
            for case, values in scores.items()
            for place, score in enumerate(values)
        ]
    )  # fmt: skip


def texts_of(observations):
    texts = observations[["configuration", "stage", "case", "seed", "repeat"]].copy()
    texts["text"] = [f"text {case} {seed}" for case, seed in zip(texts["case"], texts["seed"], strict=True)]
    texts["covered"] = [["a"]] * len(texts)
    texts["missed"] = [["b", "c"]] * len(texts)
    return texts


# ---- metrics


def test_summary_worked_out_by_hand():
    # case means .2 and .5; squares within .02 + 0 over 4 - 2 degrees of freedom: variance .01
    metrics = summarise(rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]}))
    assert metrics["mean"] == pytest.approx(0.35)
    assert metrics["sd"] == pytest.approx(0.1)
    assert metrics["se"] == pytest.approx(math.sqrt(0.01 * (1 / 2 + 1 / 2)) / 2)
    # t of two degrees of freedom reaches 4.3027 standard errors
    assert (metrics["mean_low"], metrics["mean_high"]) == pytest.approx((0.134867, 0.565133), abs=1e-5)
    assert metrics["n"] == 4
    assert (metrics["lv1"], metrics["lv2"], metrics["lv12"]) == (1, 0, 0.5)
    assert "lv3" not in metrics  # no such items
    assert metrics["words"] == 80.5
    assert metrics["seconds"] == 1.5
    assert (metrics["cut_off_rate"], metrics["error_rate"], metrics["truncation_rate"]) == (0, 0, 0)
    assert "mean_floor" not in metrics


def test_cases_weigh_the_same_however_many_seeds_they_have():
    assert summarise(rows({"pump": [0.0] * 3, "deploy": [1.0]}))["mean"] == 0.5


def test_no_spread_is_claimed_without_repeats():
    metrics = summarise(rows({"pump": [0.1], "deploy": [0.9]}))
    assert metrics["n"] == 2
    assert "sd" not in metrics
    assert "se" not in metrics


def test_hosts_are_blocks():
    a, b = rows({"pump": [0.1, 0.1]}), rows({"pump": [0.5, 0.5]}).assign(host="other")
    assert summarise(pd.concat([a, b]))["sd"] == pytest.approx(0)


def test_errors_have_no_score_but_are_counted():
    failed = rows({"pump": [math.nan]}, seed=9, finish="error")
    metrics = summarise(pd.concat([rows({"pump": [0.2, 0.4]}), failed]))
    assert metrics["n"] == 2
    assert metrics["mean"] == pytest.approx(0.3)
    assert metrics["error_rate"] == pytest.approx(1 / 3)
    assert summarise(failed)["n"] == 0


def test_a_finalists_metrics_are_of_its_confirm_data():
    explore = rows({"pump": [0.9, 0.9]}, stage="explore")
    confirm = rows({"pump": [0.4, 0.6]}, stage="confirm", seed=100)
    both = pd.concat([explore, confirm])
    metrics = summarise(both)
    assert metrics["mean"] == pytest.approx(0.5)
    assert (metrics["mean_explore"], metrics["mean_confirm"], metrics["n_explore"]) == (0.9, 0.5, 2)
    assert decisive_stages(["explore", "confirm"]) == "confirm"
    assert decisive_stages(["floor", "explore"]) == "floor+explore"


def test_order_is_by_stage_then_case_and_seed_and_later_stages_come_last():
    explore = rows({"pump": [0.2, 0.1], "deploy": [0.3]}, stage="explore")
    confirm = rows({"deploy": [0.5]}, stage="confirm", seed=0)
    first = ordered(explore.sample(frac=1, random_state=3))
    assert list(first["score"]) == [0.3, 0.2, 0.1]
    both = ordered(pd.concat([confirm, explore]))
    assert list(both["stage"]) == ["explore"] * 3 + ["confirm"]
    assert points_digest(both.head(3)) == points_digest(first)
    assert points_digest(both) != points_digest(first)
    changed = first.assign(score=[0.3, 0.2, 0.11])
    assert points_digest(changed) != points_digest(first)


def test_table_shows_score_text_and_missed_items_first():
    observations = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
    shown = readable_table(ordered(observations), texts_of(observations))
    assert list(shown.columns[:5]) == ["case", "seed", "score", "missed", "text"]
    assert list(shown["text"]) == ["text deploy 1", "text deploy 2", "text pump 1", "text pump 2"]
    assert shown["missed"].iloc[0] == "b, c"
    assert "temperature" not in shown.columns  # the same in every row; it is a parameter
    assert len(readable_table(observations, None)) == 4


def test_a_run_lasts_from_its_first_request_to_its_last_answer():
    texts = pd.DataFrame(
        {"created": ["2026-01-01T00:00:10.500+00:00", "2026-01-01T00:00:12+00:00", ""], "seconds": [0.5, 4.0, 9.0]}
    )
    second = 1767225600  # 2026-01-01
    assert run_times(texts) == (1000 * (second + 8), 1000 * (second + 12))
    assert run_times(texts.tail(1)) is None
    assert run_times(texts[["seconds"]]) is None
    assert run_times(None) is None


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


def test_names():
    assert child_name(-1, ["floor", "confirm"]) == "baseline"
    assert child_name(7, ["explore"]) == "trial 07"
    assert child_name(7, ["explore", "confirm"]) == "confirm: trial 07"
    assert child_name(123, []) == "trial 123"


def test_verdict_splits_into_numbers_and_words():
    numbers, words = split_verdict(
        {
            "outcome": "better",
            "effect": 0.1,
            "mde": math.nan,
            "n_per_arm": 40,
            "notes": ("a", "b"),
            "test": "",
            "x": True,
        }
    )
    assert numbers == {"effect": 0.1, "n_per_arm": 40}
    assert words == {"verdict": "better", "verdict.notes": '["a", "b"]', "verdict.x": "true"}


def test_views_have_scores_and_swept_options():
    swept = swept_options(CONFIG, BASELINE)
    made = {name.rpartition(".")[2]: json.loads(value) for name, value in views(swept).items()}
    assert set(made) == {TABLE, CHARTS, STAGES}
    for state in made.values():
        assert state["orderByKey"] == state["selectedColumns"][0] == "metrics.`mean`"
        assert "params.`temperature`" in state["selectedColumns"]
        assert "params.`top_k`" not in state["selectedColumns"]
    assert made[STAGES]["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "stage"}]
    kinds = [chart["type"] for chart in made[CHARTS]["compareRunCharts"]]
    assert kinds == ["BAR", "PARALLEL", "SCATTER", "SCATTER"]


def test_every_view_is_linked_and_every_name_explained():
    text = description("7", "It is better.")
    assert text.startswith("It is better.")
    for name in (TABLE, CHARTS, STAGES):
        assert f"viewStateShareKey={name})" in text
    for name in ("lv12", "se", "mde"):
        assert f"- `{name}`: " in text


# ---- the store

_study = count()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return tmp_path_factory.mktemp("store") / "mlruns"


@pytest.fixture
def tracker(directory):
    return Tracker(f"study {next(_study)}", directory)


def begin(tracker):
    return tracker.start(CONFIG, "[study]\nname = 's'\n", [FINGERPRINT], CASES, BASELINE)


def client_of(tracker):
    return mlflow_store.connect(tracker.uri)


def children_of(tracker):
    found = client_of(tracker).search_runs(
        [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{tracker.run_id}'", order_by=["start_time ASC"]
    )
    return {run.info.run_name: run for run in found}


def artifact(tracker, run_id, name):
    client = client_of(tracker)
    path = client.download_artifacts(run_id, name)
    with open(path, encoding="utf-8") as file:
        return file.read()


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
        figures={"effect": matplotlib.figure.Figure()},
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
    tracker.finish(verdict=first, metrics={"floor_sd": 0.1}, artifacts=files, html="<p>")
    assert tracker.has_run()
    tracker.finish(verdict={"outcome": "worse", "effect": -0.1, "margin": None, "advice": ""}, html="<p>")
    client = client_of(tracker)
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


# ---- opening the store


def test_environment_wins_over_the_configured_uri(monkeypatch, tmp_path):
    assert Tracker("s", tmp_path).uri == f"sqlite:///{tmp_path.resolve().as_posix()}/mlflow.db"
    assert Tracker("s", tmp_path, "postgresql://db/x").uri == "postgresql://db/x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert Tracker("s", tmp_path, "postgresql://db/x").uri == "http://127.0.0.1:9"


def test_telemetry_is_off_unless_the_user_turned_it_on(monkeypatch):
    for name in mlflow_store._ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    mlflow_store.prepare_environment()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_LOGGING_LEVEL"] == "DEBUG"
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    mlflow_store.prepare_environment()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


def test_importing_the_tracker_does_not_import_mlflow():
    code = "import sys, sweeps.tracking.mlflow_tracker, sweeps.cli.ui; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.long  # of what `sweeps run` prints: `test_run.test_run_as_a_newcomer_does_with_tracking_and_report`
def test_the_terminal_stays_quiet(tmp_path, directory):
    """A new database, a run, a child and an end, in a process of their own."""
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from tests.sweeps.tracking.test_mlflow_tracker import *\n"
        "t = Tracker('quiet', Path(sys.argv[1])); begin(t)\n"
        "t.log_configuration(-1, BASELINE, rows({'pump': [.1, .2]})); t.finish(verdict={'outcome': 'better'})\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled; assert is_telemetry_disabled()\n"
        "assert t.warnings == []\n"
    )
    new = tmp_path / "new"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", code, new], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in new.iterdir())
    assert [name for name in names if not name.startswith("mlflow.db-")] == [
        "artifacts",
        "mlflow.db",
    ]
    with sqlite3.connect(new / "mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_folder_that_cannot_be_written(tmp_path):
    file = tmp_path / "mlruns"
    file.write_text("a file")
    with pytest.raises(TrackingError, match="cannot be written"):
        begin(Tracker("s", file))


def test_a_database_that_is_none(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(TrackingError, match="is damaged"):
        begin(Tracker("s", tmp_path))


def test_a_server_that_is_down_is_told_at_once(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{port}")
    with pytest.raises(TrackingError, match="does not answer") as error:
        begin(Tracker("s", tmp_path))
    assert "secret" not in str(error.value)


@pytest.fixture
def server(tmp_path):
    """A real MLflow server, and a way to end it early."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow_store.connect(Workspace.at(tmp_path).runs_url)  # faster than the server makes it
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *(
            "--backend-store-uri",
            Workspace.at(tmp_path).runs_url,
            "--artifacts-destination",
            str(tmp_path / "remote"),
        ),
    ]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(tmp_path / "server.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def end():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    try:
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", end
    finally:
        end()


def test_a_real_server_that_goes_away_during_the_sweep(tmp_path, server):
    url, end = server
    tracker = Tracker("remote", tmp_path / "local", url)
    run_id = begin(tracker)
    observations = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
    child = tracker.log_configuration(-1, BASELINE, observations, texts_of(observations))
    found = children_of(tracker)["baseline"]
    assert found.info.run_id == child
    assert found.data.metrics["mean"] == pytest.approx(0.35)
    assert len(client_of(tracker).get_metric_history(child, "score")) == 4
    assert json.loads(artifact(tracker, child, "observations.json"))["columns"][0] == "case"
    assert Fingerprint.from_json(artifact(tracker, run_id, "fingerprint.json")) == FINGERPRINT
    assert not (tmp_path / "local").exists()
    end()
    tuned = rows({"pump": [0.5]}, configuration=TUNED, trial=0)
    assert tracker.log_configuration(0, TUNED, tuned) is None
    lost = tracker.sync(pd.concat([observations, tuned]), {BASELINE.key: BASELINE, TUNED.key: TUNED})
    assert [" ".join(sentence.split()[:2]) for sentence in lost] == ["trial 00", "the runs"]  # the baseline is there
    tracker.finish(verdict={"outcome": "better"}, html="<p>")
    assert [warning.partition(" was not ")[0] for warning in tracker.warnings] == [
        *("trial 00", "the verdict", "report.html", "the verdict", "the export", "the parent run")
    ]
    assert "does not answer" in tracker.warnings[-1]


@pytest.mark.parametrize(("before", "after"), [("", "127.0.0.1"), ("box, lab", "box, lab,127.0.0.1")])
def test_a_tracking_server_on_this_machine_needs_no_proxy(monkeypatch, before, after):
    import requests

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    mlflow_store.go_without_proxy("http://192.0.2.1:5000")
    assert os.environ["NO_PROXY"] == before
    for _ in range(2):
        mlflow_store.go_without_proxy("http://127.0.0.1:5000")
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == after
    assert requests.utils.get_environ_proxies("http://127.0.0.1:5000/api") == {}
