"""A tracked study as MLflow's users meet it: one sweep for all tests."""

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from sweeps.config.tables import PromptTable
from sweeps.options import Configuration
from sweeps.tracking import mlflow_store
from sweeps.tracking.genai.prompt_versions import model_config, template_of
from sweeps.tracking.moved_folder import mend_locations
from sweeps.tracking.replay import track_study
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return write_sweep(tmp_path_factory.mktemp("tracked"), tracking={"traces": "confirm"})


@pytest.fixture(scope="module")
def result(path):
    return run(path, tracking=True)


@pytest.fixture(scope="module")
def client(result):
    return mlflow_store.connect(result.workspace.runs_url)


@pytest.fixture(scope="module")
def experiment(client):
    return client.get_experiment_by_name("t")


@pytest.fixture(scope="module")
def runs(client, experiment):
    return {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}


@pytest.fixture(scope="module")
def traces(client, experiment, runs):
    """Traces of the finalist and of the baseline."""
    every = client.search_traces(locations=[experiment.experiment_id], max_results=100)
    arms = [next(run for name, run in runs.items() if name.startswith("confirm")), runs["baseline"]]
    return [[t for t in every if t.info.trace_metadata["mlflow.sourceRun"] == arm.info.run_id] for arm in arms]


def contents(directory):
    """Everything that MLflow's database has of runs, traces, prompts and data sets."""
    tables = ("runs", "metrics", "latest_metrics", "params", "tags", "inputs", "trace_info", "assessments", "spans")
    tables += ("model_versions", "registered_model_aliases", "evaluation_dataset_records", "experiment_tags")
    with closing(sqlite3.connect(directory / "mlflow.db")) as database:
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables}


def test_the_first_columns_and_the_description_answer(result, client, experiment, runs):
    tags = client.get_experiment(experiment.experiment_id).tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "mean"
    assert tags["mlflow.note.content"].startswith(result.verdict.sentence)
    assert json.loads(tags["mlflow.sharedViewState.scores"])["selectedColumns"][0] == "metrics.`mean`"
    assert [name for name, each in runs.items() if "mlflow.runColor" in each.data.tags] == ["baseline"]
    for name, each in runs.items():
        if name != "t":
            metrics, shown = each.data.metrics, each.data.tags["mlflow.source.name"]
            mean, low, high = (f"{metrics[key]:.3f}" for key in ("mean", "mean_low", "mean_high"))
            n, stage, words = metrics["n"], each.data.tags["stage"], metrics["words"]
            assert shown.startswith(f"{mean} ({low} to {high}) · n {n:.0f} · {stage} · {words:.0f} words · ")
            assert each.data.tags["interval"] == f"{mean} ({low} to {high})"
            assert each.inputs.dataset_inputs[0].dataset.name == "t: 3 cases"
    judged = [name for name, each in runs.items() if each.data.tags.get("verdict") and name != "t"]
    assert judged == [name for name in runs if name.startswith("confirm")]


def test_runs_last_as_long_as_their_generations(result, runs):
    for name, each in runs.items():
        if name != "t":
            trial = -1 if name == "baseline" else int(name.split()[-1])
            own = [row for row in result.rows if row["trial"] == trial]
            assert each.info.end_time - each.info.start_time >= 1000 * max(row["seconds"] for row in own) - 2
    assert runs["baseline"].info.end_time > min(r.info.start_time for n, r in runs.items() if n.startswith("trial"))


def test_traces_have_prompt_answer_options_timings_and_score(result, traces):
    rows = {(row["trial"], row["case"], row["seed"]): row for row in result.rows if row["stage"] == "confirm"}
    answers = {(each["trial"], each["case"], each["seed"]): each for each in result.answers}
    assert sum(map(len, traces)) == len(rows)
    for trace in [trace for arm in traces for trace in arm]:
        tags, request = trace.info.tags, trace.data.spans[0]
        key = int(tags["trial"]), tags["case"], int(tags["seed"])
        row, answer = rows[key], answers[key]
        (case,) = (case for case in result.cases if case.name == tags["case"])
        assert request.inputs["messages"] == [{"role": "user", "content": f"Summarise:\n{case.log}"}]
        assert request.inputs["options"] == {**result.trials[key[0]].options, "seed": key[2]}
        assert request.outputs == answer["text"]
        assert request.attributes["output_tokens"] == row["output_tokens"]
        assert trace.info.execution_duration == round(1000 * row["seconds"])
        assert {span.name for span in trace.data.spans} == {"request", "prefill", "decode"}
        found = {each.name: each.value for each in trace.info.assessments}
        assert found["score"] == row["score"]
        assert found.get("covered", []) == answer["covered"]
        assert found.get("missed", []) == answer["missed"]


def test_mlflows_own_comparison_pairs_baseline_and_finalist(result, traces, runs, monkeypatch):
    finalist, baseline = ([t.info.tags["mlflow.eval.requestId"] for t in arm] for arm in traces)
    assert sorted(finalist) == sorted(baseline)
    assert len(set(finalist)) == len(finalist)
    import mlflow

    if not hasattr(mlflow.genai, "compare_evaluations"):
        pytest.skip(f"mlflow {mlflow.__version__} has no compare_evaluations; it came with 3.18")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", result.workspace.runs_url)
    name = next(name for name in runs if name.startswith("confirm"))
    ids = {"candidate_run_id": runs[name].info.run_id, "baseline_run_id": runs["baseline"].info.run_id}
    compared = mlflow.genai.compare_evaluations(**ids).scorers["score"]
    assert compared.n_paired == len(finalist)
    assert compared.diff == pytest.approx(result.verdict.effect)


def test_prompts_are_versions_and_the_export_is_the_one_in_production(result, client, experiment, runs):
    exported = client.get_prompt_version_by_alias("t.brief", "production")
    finalist = result.finalist.configuration
    assert exported.template == "Summarise:\n{{log}}"
    assert exported.commit_message == result.verdict.sentence
    assert exported.model_config["temperature"] == finalist.options["temperature"]
    assert exported.model_config["max_tokens"] == finalist.options["num_predict"]
    assert exported.model_config["model_name"] == "scripted"
    first = client.get_prompt_version("t.brief", 1)
    assert (first.template, first.model_config) == (exported.template, None)
    linked = [json.loads(run.data.tags["mlflow.linkedPrompts"]) for name, run in runs.items() if name != "t"]
    assert linked == [[{"name": "t.brief", "version": "1"}]] * (len(runs) - 1)
    (listed,) = client.search_prompts(f"experiment_id = '{experiment.experiment_id}'")
    assert listed.name == "t.brief"


def test_the_cases_are_an_evaluation_dataset(result, client, experiment):
    (dataset,) = client.search_datasets(experiment_ids=[experiment.experiment_id])
    records, _ = client._tracking_client.store._load_dataset_records(dataset.dataset_id)
    logs = {case.name: case.log for case in result.cases}
    assert {record.inputs["case"]: record.inputs["log"] for record in records} == logs
    assert "[1] Plan gamma number 1 was chosen." in {item for r in records for item in r.expectations["items"]}


def test_a_finished_study_run_again_changes_nothing(path, result, runs):
    before = contents(result.directory)
    assert len(runs) == result.plan.trials + 2  # with the baseline and the sweep itself
    run(path, tracking=True)
    assert contents(result.directory) == before


@pytest.fixture
def copied(result, tmp_path):
    """A copy of the study's folder in another place."""
    shutil.copytree(result.directory, tmp_path / "elsewhere" / "mlruns")
    return Workspace.at(tmp_path / "elsewhere" / "mlruns")


@pytest.mark.usefixtures("no_report")
def test_a_copied_folder_has_its_own_artifacts_and_track_adds_what_is_missing(result, copied, runs):
    before = contents(result.directory)
    assert (mend_locations(copied), mend_locations(copied)) == (1, 0)
    client = mlflow_store.connect(copied.runs_url)
    found = client.get_run(runs["baseline"].info.run_id)
    assert found.info.artifact_uri.startswith(copied.artifacts.as_uri() + "/")
    assert {file.path for file in client.list_artifacts(found.info.run_id)} == {"observations.json"}
    client.delete_run(found.info.run_id)
    warnings = []
    for _ in range(2):
        assert track_study(copied, traces="all", warn=warnings.append) == copied.runs_url
        now = {each.info.run_name: each for each in client.search_runs([found.info.experiment_id])}
        assert set(now) == set(runs)
        assert now["baseline"].info.run_id != found.info.run_id
        assert now["baseline"].info.start_time == found.info.start_time
        assert now["baseline"].data.metrics == found.data.metrics
    traces = client.search_traces(locations=[found.info.experiment_id], include_spans=False, max_results=500)
    deleted = found.info.run_id
    assert sum(trace.info.trace_metadata["mlflow.sourceRun"] != deleted for trace in traces) == len(result.rows)
    assert not warnings
    assert contents(result.directory) == before  # the original has not changed


def test_templates_and_model_configurations():
    assert template_of(PromptTable(user="Sum up {log}", system="Be brief")) == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Sum up {{log}}"},
    ]
    limitless = Configuration("m", "p", {"num_predict": -1, "top_k": 0, "temperature": 0, "min_p": 0.1})
    assert model_config(limitless) == {
        **{"provider": "ollama", "model_name": "m", "temperature": 0},
        **{"num_predict": -1, "top_k": 0, "min_p": 0.1},
    }


def test_traces_fetch_nothing(traces):
    """MLflow fetches a list of prices for traces that have tokens, unless they have costs or its address is empty."""
    assert os.environ["MLFLOW_MODEL_CATALOG_URI"] == ""
    for trace in (trace for arm in traces for trace in arm):
        assert trace.data.spans[0].attributes["mlflow.llm.cost"]["total_cost"] == 0
