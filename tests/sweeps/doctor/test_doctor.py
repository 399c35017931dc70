"""`sweeps doctor`: each fault is found, and mended from the ledger."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sweeps.results.reader import load_result
from sweeps.workspace import sqlite_files
from tests.analysis.files.test_unfinished import left_by_the_dead
from tests.sweeps.cli.reading import Capture, answer, text
from tests.sweeps.ledger.test_damage import OF_BAD, flip
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

ORPHANS = "UPDATE trial_params SET trial_id = 99 WHERE param_id = 2"

CHECKS = ["ledger", "texts", "Optuna", "MLflow", "report", "temporary files"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study with runs in MLflow and a report, to be copied."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    folder = tmp_path_factory.mktemp("whole")
    run(write_sweep(folder, study={"name": "bad"}), tracking=True, report=True)
    return folder


@pytest.fixture(autouse=True)
def own_workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where databases are made: what others leave is not seen here."""
    monkeypatch.setattr(sqlite_files, "_workshop", lambda: tmp_path / "slm-sweeps")
    return tmp_path


@pytest.fixture
def mlruns(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home / "mlruns", tmp_path / "mlruns"))


def states(capsys: Capture, mlruns: Path, *more: str, code: int) -> dict[str, str]:
    """The states by check; there is one line for each check."""
    found = answer(capsys, "doctor", "--json", "--mlruns", mlruns, *more, code=code)
    return {each["check"]: each["state"] for each in found}


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0


def break_all(mlruns: Path) -> None:
    """One fault for each check of what can be made again."""
    change(mlruns / "optuna.db", "UPDATE trial_values SET value = value - 0.1 WHERE trial_value_id = 1")
    stale = "UPDATE latest_metrics SET value = value + 0.2 WHERE key = 'mean' AND run_uuid = ({})"
    named = "SELECT run_uuid FROM runs WHERE name = 'baseline'"
    one = "SELECT run_uuid FROM runs WHERE name LIKE 'trial %' LIMIT 1"
    gone = f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ({one})"
    change(mlruns / "mlflow.db", stale.format(named), gone)
    (mlruns / "sweeps/bad/report.html").unlink()
    left = mlruns / "sweeps/bad/.report.html.0123abcd.part"
    left.write_text("half a")
    os.utime(left, (0, 0))
    if hasattr(os, "fork"):
        left_by_the_dead(sqlite_files._workshop(), folder=True)


def test_a_whole_study_is_well(mlruns: Path, capsys: Capture) -> None:
    assert states(capsys, mlruns, code=0) == dict.fromkeys(CHECKS, "ok")
    assert "ok      bad: Optuna: agrees with the ledger" in text(capsys, "doctor", "bad", "--mlruns", mlruns)


def test_each_fault_is_found_and_mended(mlruns: Path, capsys: Capture) -> None:
    before, trials = load_result(mlruns, "bad"), optuna_trials(mlruns, "bad")
    break_all(mlruns)
    wrong = {"ledger": "ok", "texts": "ok"}
    expected = {check: wrong.get(check, "wrong") for check in CHECKS}
    assert states(capsys, mlruns, code=1) == expected
    mended = {check: "mended" if state == "wrong" else "ok" for check, state in expected.items()}
    mended["report"] = "ok"  # MLflow's runs are written with the report
    assert states(capsys, mlruns, "--fix", code=0) == mended
    assert states(capsys, mlruns, code=0) == dict.fromkeys(CHECKS, "ok")
    assert optuna_trials(mlruns, "bad") == trials
    after = load_result(mlruns, "bad")
    assert steady(after.observations) == steady(before.observations)


def test_damaged_stores_are_moved_aside_and_made_again(mlruns: Path, capsys: Capture) -> None:
    for name in ("mlflow.db", "optuna.db"):
        file = mlruns / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    found = answer(capsys, "doctor", "--json", "--fix", "--mlruns", mlruns)  # the first to open them in this process
    mended = [(each["check"], each["study"]) for each in found if each["state"] == "mended"]
    assert mended == [("Optuna", None), ("MLflow", None), ("Optuna", "bad"), ("MLflow", "bad")]
    assert states(capsys, mlruns, code=0) == dict.fromkeys(CHECKS, "ok")
    assert {path.name.partition(".damaged-")[0] for path in mlruns.glob("*.damaged-*")} >= {"mlflow.db", "optuna.db"}


def test_trials_that_contradict_each_other_are_made_again(mlruns: Path, capsys: Capture) -> None:
    trials = optuna_trials(mlruns, "bad")
    change(mlruns / "optuna.db", "DELETE FROM trial_params WHERE param_id = 1", ORPHANS)
    assert states(capsys, mlruns, code=1)["Optuna"] == "wrong"
    assert states(capsys, mlruns, "--fix", code=0)["Optuna"] == "mended"
    assert states(capsys, mlruns, code=0) == dict.fromkeys(CHECKS, "ok")
    assert optuna_trials(mlruns, "bad") == trials


def test_texts_are_left_to_a_run(mlruns: Path, capsys: Capture) -> None:
    flip(mlruns / "ledger.db", "generations", "text", OF_BAD.format("explore"))
    kept = (mlruns / "ledger.db").read_bytes()
    assert states(capsys, mlruns, "--fix", code=1) == {"ledger": "ok", "texts": "wrong", "temporary files": "ok"}
    assert "1 of 60 are damaged in the ledger; to generate them again: sweeps run" in text(
        capsys, "doctor", "--mlruns", mlruns, code=1
    )
    assert (mlruns / "ledger.db").read_bytes() == kept


def test_a_damaged_study_or_ledger_is_told(mlruns: Path, capsys: Capture) -> None:
    change(mlruns / "ledger.db", "UPDATE studies SET record = substr(record, 1, 200)")
    assert states(capsys, mlruns, "bad", code=1) == {"ledger": "ok", "study": "wrong", "temporary files": "ok"}
    file = mlruns / "ledger.db"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    text(capsys, "doctor", "--mlruns", mlruns, code=2)
    text(capsys, "doctor", "--mlruns", mlruns / "none", code=2)
