"""`sweeps run`."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.workspace.workspace import Workspace
from tests.sweeps.cli.reading import VERDICT_KEYS, Capture, drawn_in, text
from tests.sweeps.sweep_files import run, steady, write_sweep


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

    path = write_sweep(tmp_path, verdict={"bar": 0.5})
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
    for loud in ("INFO", "WARNING", "Warning", "alembic"):
        assert loud not in done.stderr
    folder = tmp_path / "mlruns/sweeps/t"
    assert (folder / "report.html").read_text().lstrip().lower().startswith("<!doctype html")
    assert {"noise_band", "confirm", "history", "levels"} <= drawn_in(folder)
    assert (folder / "production.env").is_file()
    result = load_result(tmp_path / "mlruns")
    with (folder / "observations.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(result.observations)
    with closing(sqlite3.connect(tmp_path / "mlruns/mlflow.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
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
    reliable = result.reliability()
    assert reliable is not None
    for prefix, key in (("", result.verdict.configuration), ("baseline_", result.baseline.key)):
        means = reliable.mean_of(key)
        assert means is not None
        shares = [parents[0].data.metrics[f"{prefix}{name}"] for name in ("reached_share", "pass_k")]
        assert shares == pytest.approx([means["share"], means["pass_k"]])
    assert "0.5 or more in " in done.stdout
    assert len(runs) == 1 + 1 + result.plan.trials  # the sweep, the baseline, the trials


def test_sigterm_tells_how_to_go_on(tmp_path: Path) -> None:
    _stop(tmp_path, signal.SIGTERM, 143, "--no-tracking")
    assert load_result(tmp_path / "mlruns").status == "stopped"


@pytest.mark.slow
def test_ctrl_c_tells_how_to_go_on_and_kills_the_mlflow_run(tmp_path: Path, plain_study: SweepResult) -> None:
    import mlflow

    path = _stop(tmp_path, signal.SIGINT, 130)
    kept = load_result(tmp_path / "mlruns")
    assert kept.status == "stopped"
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    parents = [r for r in client.search_runs([experiment.experiment_id]) if "mlflow.parentRunId" not in r.data.tags]
    assert [r.info.status for r in parents] == ["KILLED"]
    assert steady(run(path).observations) == steady(plain_study.observations)


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


@pytest.mark.usefixtures("no_report")
def test_on_a_terminal_the_command_that_continues_stays_below_the_live_display(
    finished: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweeps.progress.console import PlainConsole

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    screen = io.StringIO()
    for place in ("sweeps.cli.common", "sweeps.cli.run"):
        monkeypatch.setattr(
            f"{place}.stderr_console", lambda: PlainConsole(file=screen, force_terminal=True, width=100)
        )
    monkeypatch.setattr("sweeps.progress.live.RichProgress.advance", stop)
    url = f"sqlite:///{copy / 'mlruns' / 'ledger.db'}"
    arguments = [str(finished / "sweep.toml"), "--no-tracking", "--mlruns", str(copy / "mlruns"), "--storage", url]
    assert run_command(["run", *arguments]) == 130
    drawn, shown = screen.getvalue().rsplit("\x1b[?25h", 1)  # the display ends by showing the cursor again
    assert "To go on:" not in drawn
    assert "stopped; " in shown
    command = shown.rpartition("To go on:")[2]
    assert f"  sweeps run {finished / 'sweep.toml'} --mlruns {copy / 'mlruns'} --storage {url} --no-tracking" in command


def _stop(folder: Path, sign: int, code: int, *options: str) -> Path:
    """Start a sweep in a process, send it a signal in its search, see what it says, and return the sweep's file."""
    path = write_sweep(folder, engine={"options": {"delay": 0.1}})  # slow enough for a busy machine to see it
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
    try:
        with sqlite3.connect(f"file:{folder / 'mlruns/ledger.db'}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM observations").fetchone()[0])
    except sqlite3.Error:
        return 0


@pytest.mark.usefixtures("no_report")
def test_nothing_is_cut_on_a_narrow_terminal(finished: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    from sweeps.cli.run import show

    monkeypatch.setenv("COLUMNS", "40")
    shown = text(capsys, "status", "--mlruns", finished / "mlruns")
    assert "…" not in shown
    assert re.search(r"^t +done +12/12 +30/30 +18/18 +0 +\d\.\d{3} +better", shown, re.MULTILINE)
    capsys.readouterr()
    show(replace(load_result(finished / "mlruns", "t"), workspace=Workspace(Path("a-folder/with a long name"))), kept=1)
    shown = capsys.readouterr().out
    assert "  the verdict as JSON: sweeps judge t --json --mlruns 'a-folder/with a long name'\n" in shown
    assert "1 generation came from the ledger and was not generated again.\n" in shown
