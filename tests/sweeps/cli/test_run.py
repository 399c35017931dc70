"""`sweeps run` and what is asked of a study afterwards."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from tests.sweeps.sweep_files import run, steady, write_sweep

Capture = pytest.CaptureFixture[str]
VERDICT_KEYS = {
    "verdict", "effect", "ci_low", "ci_high", "p_value", "n_per_arm", "mde", "baseline_mean", "finalist_mean",
    "noise_sd", "configuration",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two finished studies: `other`, and then `t`, shown better."""
    folder = tmp_path_factory.mktemp("finished")
    run(write_sweep(folder, file="other.toml", study={"name": "other", "seed": 8}))
    run(write_sweep(folder))
    return folder


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study in which nothing matters."""
    folder = tmp_path_factory.mktemp("null")
    run(write_sweep(folder, engine={"options": {"surface": "flat"}}))
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(finished / "mlruns", tmp_path / "mlruns")
    return tmp_path


def answer(capsys: Capture, *arguments: object, code: int = 0) -> Any:
    """The one JSON value that a command prints."""
    capsys.readouterr()
    assert run_command([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return json.loads(out)


def text(capsys: Capture, *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert run_command([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


@pytest.mark.usefixtures("no_report")
def test_run_json_prints_launch_and_done_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path)
    capsys.readouterr()
    assert run_command(["run", str(path), "--mlruns", str(tmp_path / "mlruns"), "--json", "--no-tracking"]) == 0
    out, err = capsys.readouterr()
    launch, done = map(json.loads, out.splitlines())
    assert launch["record"] == "launch"
    assert launch["study"] == done["study"] == "t"
    assert done["record"] == "done"
    assert done.keys() >= VERDICT_KEYS
    assert done["status"] == "done"
    assert done["observations"] == 60
    assert "Traceback" not in err


@pytest.mark.timeout(120)
def test_run_as_a_newcomer_does_with_tracking_and_report(tmp_path: Path) -> None:
    import mlflow

    path = write_sweep(tmp_path)
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-c", "from sweeps.cli import main; main()", "run", path.name]
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[3]), environment.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Use the new settings: temperature 1.2 → " in done.stdout
    assert "Better than the baseline" in done.stdout
    assert "sweeps ui" in done.stdout
    assert "mlruns/sweeps/t/report.html" in done.stdout
    assert "mlruns/sweeps/t/production.env" in done.stdout
    assert "floor" in done.stderr
    assert "noise band" in done.stderr
    folder = tmp_path / "mlruns/sweeps/t"
    assert (folder / "report.html").read_text().lstrip().lower().startswith("<!doctype html")
    assert (folder / "production.env").is_file()
    result = load_result(tmp_path / "mlruns")
    with (folder / "observations.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(result.observations)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
    assert len(parents) == 1
    assert parents[0].info.status == "FINISHED"
    assert result.verdict is not None
    assert result.floor is not None
    noise = {name: parents[0].data.metrics[name] for name in ("noise_sd", "floor_sd")}
    assert noise == pytest.approx({"noise_sd": result.verdict.noise_sd, "floor_sd": result.floor.sd})
    assert noise["noise_sd"] != pytest.approx(noise["floor_sd"])  # so that the one cannot stand in for the other
    assert len(runs) == 1 + 1 + result.plan.trials  # the sweep, the baseline, the trials


def test_sigterm_tells_how_to_go_on(tmp_path: Path) -> None:
    _stop(tmp_path, signal.SIGTERM, 143, "--no-tracking")
    assert load_result(tmp_path / "mlruns").status == "stopped"


def test_ctrl_c_tells_how_to_go_on_and_kills_the_mlflow_run(tmp_path: Path) -> None:
    import mlflow

    path = _stop(tmp_path, signal.SIGINT, 130)
    kept = load_result(tmp_path / "mlruns")
    assert kept.status == "stopped"
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    parents = [r for r in client.search_runs([experiment.experiment_id]) if "mlflow.parentRunId" not in r.data.tags]
    assert [r.info.status for r in parents] == ["KILLED"]
    whole = run(write_sweep(tmp_path / "whole"))
    assert steady(run(path).observations) == steady(whole.observations)


@pytest.mark.usefixtures("no_report")
def test_what_was_kept_before_counts_when_a_run_is_stopped_again(
    finished: Path, copy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    options = ["--no-tracking", "--strict", "--quiet", "--mlruns", str(copy / "mlruns")]
    for stopped, many in (("advance", "60 of 60"), ("plan", "60")):  # the latter before anything is planned
        monkeypatch.setattr(f"sweeps.progress.plain.PlainProgress.{stopped}", stop)
        assert run_command(["run", str(finished / "sweep.toml"), *options]) == 130
        err = capsys.readouterr().err
        assert f"stopped; {many} generations are kept. To go on:" in err
    assert err.endswith(f"  sweeps run {finished / 'sweep.toml'} --mlruns {copy / 'mlruns'} --no-tracking --strict\n")


def _stop(folder: Path, sign: int, code: int, *options: str) -> Path:
    """Start a sweep in a process, send it a signal in its search, see what it says, and return the sweep's file."""
    path = write_sweep(folder, engine={"options": {"delay": 0.05}})
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[3]), environment.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", "from sweeps.cli import main; main()", "run", path.name, *options]
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None and _observations(folder) < 14:
        time.sleep(0.02)
    process.send_signal(sign)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "generations are kept" in err
    assert err.endswith("  " + " ".join(["sweeps run sweep.toml", *options]) + "\n")
    return path


def _observations(folder: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{folder / 'mlruns/ledger.db'}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM observations").fetchone()[0])
    except sqlite3.Error:
        return 0


def test_status(finished: Path, capsys: Capture) -> None:
    rows = answer(capsys, "status", "--json", "--mlruns", finished / "mlruns")
    assert [row["study"] for row in rows] == ["t", "other"]
    one = answer(capsys, "status", "t", "--json", "--mlruns", finished / "mlruns")
    assert one["done"] == one["planned"] == {"floor": 12, "explore": 30, "confirm": 18}
    assert (one["status"], one["failed"], one["verdict"], one["failures"]) == ("done", 0, "better", [])
    shown = text(capsys, "status", "--mlruns", finished / "mlruns")
    assert "12/12" in shown
    assert "better" in shown


@pytest.mark.usefixtures("no_report")
def test_nothing_is_cut_on_a_narrow_terminal(finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from sweeps.cli.run import show

    monkeypatch.setenv("COLUMNS", "40")
    shown = text(capsys, "status", "--mlruns", finished / "mlruns")
    assert "…" not in shown
    assert re.search(r"^t +done +12/12 +30/30 +18/18 +0 +\d\.\d{3} +better", shown, re.MULTILINE)
    capsys.readouterr()
    show(replace(load_result(finished / "mlruns", "t"), directory=Path("a-folder/with a long name")), kept=1)
    shown = capsys.readouterr().out
    assert "  see every trial in MLflow: sweeps ui --mlruns 'a-folder/with a long name'\n" in shown
    assert "1 generation came from the ledger and was not generated again.\n" in shown


def test_status_counts_what_failed_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    import sqlite3

    from sweeps.engines.scripted.engine import Fault
    from tests.sweeps.study.test_study import engine

    where = ("--mlruns", tmp_path / "mlruns")
    path = write_sweep(tmp_path)
    with pytest.raises(Exception, match="3 requests in a row"):
        run(path, engine=engine(tmp_path, [Fault("timeout", frozenset(range(20, 1000)))]))
    stopped = answer(capsys, "status", "t", "--json", *where)
    assert (stopped["status"], stopped["failed"], stopped["lost"], len(stopped["failures"])) == ("failed", 3, 0, 3)
    assert [row["failed"] for row in answer(capsys, "status", "--json", *where)] == [3]
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
        connection.execute("DELETE FROM failures")
        connection.execute("DELETE FROM scores WHERE generation = (SELECT max(generation) FROM scores)")
    unscored = answer(capsys, "status", "t", "--json", *where)  # stopped between a text and its score
    assert (unscored["failed"], unscored["lost"], unscored["unscored"]) == (0, 0, 1)
    assert sum(unscored["done"].values()) == sum(stopped["done"].values()) - 1
    assert f"1 of the {unscored['observations']} observations so far has no score" in text(
        capsys, "status", "t", *where
    )
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
        connection.execute("UPDATE observations SET error = 'EngineTimeout: late', generation = NULL WHERE seed % 2")
    lost = answer(capsys, "status", "t", "--json", *where)
    assert lost["done"]["floor"] < stopped["done"]["floor"]
    done = sum(stopped["done"].values())
    assert 0 < lost["lost"] == done - sum(lost["done"].values()) - lost["unscored"]
    shown = text(capsys, "status", "t", *where)
    assert f"{lost['lost']} of the {done} observations so far have no answer" in shown


def test_judge_a_study(finished: Path, capsys: Capture) -> None:
    verdict = answer(capsys, "judge", "t", "--json", "--mlruns", finished / "mlruns")
    assert verdict.keys() >= VERDICT_KEYS
    assert verdict["verdict"] == "better"
    assert verdict["ci_low"] < verdict["effect"] < verdict["ci_high"]
    assert math.isclose(verdict["finalist_mean"] - verdict["baseline_mean"], verdict["effect"], abs_tol=1e-12)
    assert verdict["configuration"]["model"] == "scripted"
    assert verdict["n_per_arm"] == 9
    assert verdict["recommended"] == "finalist"
    assert verdict["use_now"]["settings"] == "new"
    assert verdict["use_now"]["text"].startswith("Use the new settings: temperature 1.2 → ")
    shown = text(capsys, "judge", "t", "--mlruns", finished / "mlruns")
    assert shown.splitlines()[0] == verdict["use_now"]["text"]
    assert "better:" in shown
    assert verdict["configuration_key"] not in shown  # a person reads `the finalist`
    wide = answer(capsys, "judge", "t", "--json", "--alpha", "0.001", "--mlruns", finished / "mlruns")
    assert wide["ci_low"] < verdict["ci_low"]


def test_a_baseline_belongs_to_a_file(finished: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert run_command(["judge", "t", "--baseline", "other", "--mlruns", str(finished / "mlruns")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--baseline other: belongs to a CSV file; study 't' is judged against its own baseline" in err
    own = load_result(finished / "mlruns", "t").baseline.key
    assert "better:" in text(capsys, "judge", "t", "--baseline", own, "--mlruns", finished / "mlruns")


def test_judge_names_finalists_and_baseline_in_words(tmp_path: Path, capsys: Capture) -> None:
    result = run(
        write_sweep(tmp_path, baseline={"temperature": 0.0}, confirm={"finalists": 2}, budget={"generations": 72})
    )
    shown = text(capsys, "judge", "--mlruns", tmp_path / "mlruns")
    for finalist in result.finalists:
        assert f"finalist (trial {finalist.number}): " in shown
        assert f": Trial {finalist.number} " in shown
    assert "The baseline is greedy" in shown
    assert not any(key in shown for key in result.configurations)
    assert "the finalist" not in shown


@pytest.mark.parametrize(
    ("gain", "expect", "code"),
    [(True, "better", 0), (True, "worse", 1), (False, "better", 1), (False, "not-distinguishable", 0)],
)
def test_expectations_are_exit_codes(
    finished: Path, null: Path, capsys: Capture, gain: bool, expect: str, code: int
) -> None:
    text(capsys, "judge", "--expect", expect, "--mlruns", (finished if gain else null) / "mlruns", code=code)


def test_judge_before_the_confirmation_is_complete_is_refused(copy: Path, capsys: Capture) -> None:
    import sqlite3

    with sqlite3.connect(copy / "mlruns/ledger.db") as connection:
        record = json.loads(connection.execute("SELECT record FROM studies WHERE name = 't'").fetchone()[0])
        del record["confirmed"]
        connection.execute("UPDATE studies SET record = ?, status = 'stopped' WHERE name = 't'", [json.dumps(record)])
        connection.execute("DELETE FROM observations WHERE study = 't' AND stage = 'confirm' AND seed % 3 = 0")
    capsys.readouterr()
    assert run_command(["judge", "t", "--mlruns", str(copy / "mlruns")]) == 2
    assert "confirmation" in capsys.readouterr().err


def scores_file(folder: Path) -> Path:
    path = folder / "scores.csv"
    rows = [
        (c, case, seed, base + 0.01 * ((seed + j) % 5))
        for c, base in (("a", 0.3), ("b", 0.6))
        for j, case in enumerate("xy")
        for seed in range(5)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("configuration", "case", "seed", "score"), *rows])
    return path


def test_judge_any_table(tmp_path: Path, capsys: Capture) -> None:
    path = scores_file(tmp_path)
    (verdict,) = answer(capsys, "judge", path, "--baseline", "a", "--json")
    assert verdict["outcome"] == "better"
    assert math.isclose(verdict["effect"], 0.3, abs_tol=1e-9)
    assert verdict["n_per_arm"] == 10
    assert verdict["use_now"]["text"] == "Use b instead of a"
    assert text(capsys, "judge", path, "--baseline", "a").splitlines()[0] == "Use b instead of a"
    assert text(capsys, "judge", path, "--baseline", "b").splitlines()[0] == "Keep b: a is worse"
    text(capsys, "judge", path, "--baseline", "b", "--expect", "better", code=1)
    text(capsys, "judge", path, "--baseline", "b", "--expect", "worse")
    for either in (["worse", "equivalent"], ["equivalent", "worse"]):
        text(capsys, "judge", path, "--baseline", "b", *(f"--expect={each}" for each in either))
    text(capsys, "judge", path, "--baseline", "b", "--expect=better", "--expect=equivalent", code=1)


def test_a_test_is_chosen_by_name_and_brings_its_claim(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    from analysis.comparison.compare import TESTS
    from sweeps.cli.judge import TESTS as OFFERED

    assert OFFERED == TESTS  # written out there, so that the command line starts without numpy
    path = scores_file(tmp_path)
    chosen = answer(capsys, "judge", path, "--baseline", "a", "--test", "pooled", "--json")
    assert (chosen[0]["test"], chosen[0]["claim"]) == ("stratified pooled t", "these-cases")
    for what in ([str(path), "--baseline", "a"], ["t", "--mlruns", str(finished / "mlruns")]):
        capsys.readouterr()
        assert run_command(["judge", *what, "--test", "paired"]) == 2  # fewer than 6 cases
        assert "a claim for new cases takes at least 6" in capsys.readouterr().err
        assert run_command(["judge", *what, "--test", "welch", "--claim", "new-cases"]) == 2
        assert "--test welch answers --claim these-cases, not --claim new-cases" in capsys.readouterr().err


def test_labels_of_a_table_are_names_whatever_they_look_like(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "scores.csv"
    scores = {"0.80": [0.3, 0.32, ""], "None": [0.6, 0.62, "NaN"], "0.8": [0.5, 0.54, 0.52]}
    rows = [
        (label, case, "host", seed, score)
        for label, values in scores.items()
        for case in ("NA", "007", "7")
        for seed, score in enumerate(values)
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("configuration", "case", "host", "seed", "score"), *rows])
    verdicts = answer(capsys, "judge", path, "--baseline", "0.80", "--json")
    assert {v["configuration"]: v["effect"] for v in verdicts} == pytest.approx({"0.8": 0.21, "None": 0.3})
    assert {(v["cases"], v["n_baseline"]) for v in verdicts} == {(3, 6)}
    assert run_command(["judge", str(path)]) == 2
    assert "the labels are: 0.8, 0.80, None" in capsys.readouterr().err
    path.write_text(path.read_text().replace("None,007", ",007"))
    assert run_command(["judge", str(path), "--baseline", "0.80"]) == 2
    assert "configuration is empty in rows 13, 14, 15" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        ([], None, "name the baseline with --baseline; the labels are: a, b"),
        (["--baseline", "c"], None, "no baseline 'c'"),
        (["--baseline", "a"], "", "is not a CSV table"),
        (
            ["--baseline", "a"],
            "configuration,case,seed,scroe\na,x,1,0.5\n",
            "missing column 'score' (is it 'scroe' here?)",
        ),
        (["--baseline", "a"], "configuration,case,seed,score\na,x,1,50\nb,x,1,60\n", "Divide percentages by 100"),
    ],
)
def test_judge_a_table_that_cannot_be(
    tmp_path: Path, capsys: Capture, arguments: list[str], content: str | None, words: str
) -> None:
    path = scores_file(tmp_path)
    if content is not None:
        path.write_text(content)
    capsys.readouterr()
    assert run_command(["judge", str(path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert str(path) in err


def test_export_what_is_shown_better(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    done = answer(capsys, "export", "t", "--out", tmp_path, "--json", "--mlruns", finished / "mlruns")
    assert done["shown_better"] is True
    env = next(Path(path) for path in done["files"] if path.endswith(".env")).read_text()
    finalist = load_result(finished / "mlruns", "t").finalist
    assert finalist is not None
    assert f"OLLAMA_TEMPERATURE={finalist.configuration.options['temperature']}" in env
    options = json.loads(next(Path(path) for path in done["files"] if path.endswith(".json")).read_text())
    assert "t" in json.dumps(options)
    verdict = load_result(finished / "mlruns", "t").verdict
    assert verdict is not None
    known = ("level", "n_per_arm", "n_finalist", "n_baseline")
    assert [options["provenance"][name] for name in known] == [getattr(verdict, name) for name in known]
    assert f"{100 * verdict.level:.3g}% interval [" in env.splitlines()[0]
    command = ["bash", "-c", 'set -a; . "$0"; printf %s "$OLLAMA_TEMPERATURE"']
    file = next(path for path in done["files"] if path.endswith(".env"))
    sourced = subprocess.run([*command, file], capture_output=True, text=True, check=True)
    assert float(sourced.stdout) == finalist.configuration.options["temperature"]


def test_the_folder_of_an_export_has_one_name(finished: Path, tmp_path: Path) -> None:
    result = load_result(finished / "mlruns", "t")
    for number, files in enumerate((result.export(["env"], out=tmp_path / "0"), result.export(folder=tmp_path / "1"))):
        assert {path.parent for path in files} == {tmp_path / str(number)}


def test_export_refuses_what_is_not_shown_better_unless_forced(null: Path, tmp_path: Path, capsys: Capture) -> None:
    arguments = ["export", "--out", str(tmp_path / "out"), "--mlruns", str(null / "mlruns")]
    capsys.readouterr()
    assert run_command(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--force" in err
    assert not list(tmp_path.rglob("*.env"))
    files = text(capsys, *arguments, "--force").split()
    assert "not" in Path(files[0]).read_text().lower()
    assert answer(capsys, *arguments, "--force", "--json")["shown_better"] is False


def test_plan_from_a_study_and_from_numbers(finished: Path, capsys: Capture) -> None:
    made = answer(capsys, "plan", "t", "--gain", "0.1", "--json", "--mlruns", finished / "mlruns")
    assert made
    small = answer(capsys, "plan", "--gain", "0.2", "--noise-sd", "0.1", "--cases", "6", "--json")
    large = answer(capsys, "plan", "--gain", "0.05", "--noise-sd", "0.1", "--cases", "6", "--json")
    assert large["generations"] > small["generations"]
    assert "generations" in text(capsys, "plan", "--gain", "0.1", "--noise-sd", "0.1", "--cases", "6")


def test_a_report_of_a_study_that_is_not_finished(tmp_path: Path, capsys: Capture) -> None:
    from sweeps.engines.scripted.engine import Fault
    from tests.sweeps.study.test_study import engine

    path = write_sweep(tmp_path)
    with pytest.raises(Exception, match="in a row"):
        run(path, engine=engine(tmp_path, [Fault("unreachable", frozenset(range(45, 1000)))]))
    done = answer(capsys, "report", "--json", "--mlruns", tmp_path / "mlruns")
    assert Path(done["report"]).is_file()
    assert done["exports"] == []


def test_current_settings_stay_where_nothing_is_shown_better(null: Path, capsys: Capture) -> None:
    from sweeps.cli.run import show

    result = load_result(null / "mlruns")
    show(result)
    panel = capsys.readouterr().out
    record = answer(capsys, "judge", "--json", "--mlruns", null / "mlruns")["use_now"]
    assert panel.splitlines()[1].strip("│ ").startswith("Keep your current settings: ")
    assert record["text"].startswith("Keep your current settings: ")
    assert (record["settings"], record["change"]) == ("current", [])
    assert text(capsys, "judge", "--mlruns", null / "mlruns").splitlines()[0] == record["text"]
    assert "--force" not in panel
    assert "use the finalist" not in panel.lower()
    assert ("If you want to gamble" in panel) == bool(record["gamble"]) == (result.recommended != result.baseline)


def test_a_study_without_a_verdict_says_why_and_keeps_the_settings(copy: Path) -> None:
    result = load_result(copy / "mlruns", "t")
    kept = replace(result.stored.record, confirmed=None)
    same = "every trial with a score has these same settings, so there was nothing to confirm"
    open_ = "there is no verdict yet, because the confirmation is not complete (status: stopped)"
    for finalists, status, why in (((), "done", same), (None, "stopped", open_)):
        stored = replace(result.stored, record=replace(kept, finalists=finalists), status=status)
        assert replace(result, stored=stored).use_now.text == f"Keep your current settings: {why}"
    unscored = [{**row, "score": None} for row in result.rows]
    stored = replace(result.stored, record=replace(kept, finalists=()))
    none = replace(result, rows=unscored, stored=stored)
    assert none.use_now.why == "no trial of the search has a score, so there was nothing to confirm"
