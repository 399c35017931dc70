"""Tables from stores of MLflow and Optuna that are not ours."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

import analysis
from analysis.observations.table import TableError
from sweeps import read_table
from sweeps.tracking import mlflow_store


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("optuna") / "study.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="temperatures", storage=f"sqlite:///{path}", direction="maximize")
    choices = {"temperature": optuna.distributions.CategoricalDistribution([0.2, 0.8])}
    for number in range(8):
        study.enqueue_trial({"temperature": [0.2, 0.8][number % 2]})
        trial = study.ask(choices)
        value = trial.params["temperature"] + 0.01 * (number % 3)
        for case in range(2):
            trial.report(value + 0.1 * case, case)
        study.tell(trial, value)
    study.tell(study.ask(choices), state=optuna.trial.TrialState.FAIL)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)  # before it has parameters
    return path


def test_a_study_is_read_as_its_saved_table(storage: Path, tmp_path: Path) -> None:
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{storage}")
    study.trials_dataframe().to_csv(tmp_path / "trials.csv")
    saved = analysis.read_table(tmp_path / "trials.csv", source="optuna")
    for what in (storage, f"sqlite:///{storage}"):
        table = read_table(what, source="optuna", study="temperatures")
        assert table[["configuration", "seed", "score", "finish"]].equals(
            saved[["configuration", "seed", "score", "finish"]]
        )
    steps = read_table(storage, source="optuna", columns={"case": "step"})
    assert len(steps) == 16
    assert set(steps["case"]) == {"0", "1"}
    with pytest.raises(TableError, match=r"study.db: no study 'temperature'; did you mean 'temperatures'\?"):
        read_table(storage, source="optuna", study="temperature")


def test_stores_that_are_not_there_are_not_made(tmp_path: Path) -> None:
    for source in ("mlflow", "optuna"):
        with pytest.raises(TableError, match=r"x\.db: no such"):
            read_table(tmp_path / "x.db", source=source)
    (tmp_path / "y.db").write_text("no database")
    with pytest.raises(TableError, match=r"y\.db: cannot be opened as storage of Optuna"):
        read_table(tmp_path / "y.db", source="optuna")
    assert [path.name for path in tmp_path.iterdir()] == ["y.db"]


def test_runs_and_traces_of_mlflow(tmp_path: Path) -> None:
    from mlflow.entities import Expectation, Feedback, TraceInfo, TraceLocation, TraceState

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow_store.connect(uri)
    runs = client.create_experiment("runs", artifact_location=str(tmp_path))
    for model, level in (("small", 0.4), ("large", 0.8)):
        for case in ("a", "b"):
            for seed in (1, 2):
                run = client.create_run(runs)
                for name, value in (("model", model), ("case", case), ("seed", seed)):
                    client.log_param(run.info.run_id, name, value)
                client.log_metric(run.info.run_id, "accuracy", level + 0.01 * seed)
                client.set_terminated(
                    run.info.run_id, "FAILED" if (model, case, seed) == ("small", "b", 2) else "FINISHED"
                )
    table = read_table(tmp_path / "mlflow.db", source="mlflow")
    assert len(table) == 8
    large = table[(table["configuration"] == "large") & (table["case"] == "a")]
    assert dict(zip(large["seed"], large["score"], strict=True)) == pytest.approx({"1": 0.81, "2": 0.82})
    assert (table["finish"] == "error").sum() == 1

    traces = client.create_experiment("traces", artifact_location=str(tmp_path))
    for model in ("small", "large"):
        run = client.create_run(traces, run_name=model)
        for case in ("x", "y"):
            trace = f"tr-{model}-{case}"
            known = {"mlflow.sourceRun": run.info.run_id, "mlflow.traceInputs": f'{{"question": "{case}"}}'}
            info = TraceInfo(
                trace, TraceLocation.from_experiment_id(traces), 1795865378285, TraceState.OK, trace_metadata=known
            )
            client._tracing_client.store.start_trace(info)
            client._tracing_client.log_assessment(trace, Feedback(name="exact", value=model == "large"))
            client._tracing_client.log_assessment(trace, Expectation(name="expected_response", value="Paris"))
    with pytest.raises(TableError, match="several experiments: runs, traces; choose one with --experiment"):
        read_table(tmp_path / "mlflow.db", source="mlflow")
    table = read_table(uri, source="mlflow", experiment="traces")
    assert sorted(zip(table["configuration"], table["case"], table["score"], strict=True)) == [
        ("large", "x", 1.0), ("large", "y", 1.0), ("small", "x", 0.0), ("small", "y", 0.0),
    ]  # fmt: skip
    with pytest.raises(TableError, match=r"no experiment 'trace'; did you mean 'traces'\?"):
        read_table(uri, source="mlflow", experiment="trace")
