"""The next steps name MLflow only where the study has runs in it."""

from __future__ import annotations

import json
import shlex
import sqlite3
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from sweeps.results.report_files import commands
from tests.sweeps.sweep_files import run, write_sweep

MLFLOW = "see every trial in MLflow"


def test_a_run_without_tracking_does_not_point_to_mlflow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_sweep(tmp_path, cases=2, budget={"generations": 40, "floor_seeds": 2}, search={"probe": False})
    mlruns = tmp_path / "mlruns"
    assert run_command(["run", str(path), "--mlruns", str(mlruns), "--no-tracking", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "MLflow" not in shown
    assert "read the report" in shown
    result = load_result(mlruns)
    assert MLFLOW not in commands(result)
    for name in ("report.html", "note.md"):
        assert MLFLOW not in (result.folder / name).read_text()
    assert MLFLOW in commands(run(path, tracking=True))
    assert MLFLOW in commands(run(path)), "its runs are still there"


def test_a_study_of_an_older_version_may_have_runs(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, cases=2, budget={"generations": 40, "floor_seeds": 2}, search={"probe": False})
    run(path)
    with sqlite3.connect(tmp_path / "mlruns" / "ledger.db") as database:
        record = json.loads(database.execute("SELECT record FROM studies").fetchone()[0])
        assert record.pop("tracked") is False
        database.execute("UPDATE studies SET sha256 = NULL, record = ?", [json.dumps(record)])
    database.close()
    assert MLFLOW in commands(load_result(tmp_path / "mlruns"))


def test_the_next_steps_name_the_place_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPS_STORAGE", f"sqlite:///{tmp_path / 'else where.db'}")
    path = write_sweep(tmp_path, cases=2, budget={"generations": 40, "floor_seeds": 2}, search={"probe": False})
    steps = commands(run(path))
    where = f"--mlruns {tmp_path / 'mlruns'} --storage 'sqlite:///{tmp_path / 'else where.db'}'"
    assert steps["the verdict as JSON"] == f"sweeps judge t --json {where}"
    assert steps["run it again or continue"] == f"sweeps run {path} {where}"
    monkeypatch.delenv("SWEEPS_STORAGE")
    assert run_command(shlex.split(steps["the verdict as JSON"])[1:]) == 0
