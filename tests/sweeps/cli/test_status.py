"""`sweeps status`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.cli.watched_study import picture_of
from sweeps.results.reader import load_result, open_existing
from sweeps.results.result import SweepResult
from sweeps.tracking.logbook import Logbook
from tests.sweeps.cli.reading import Capture, answer, text
from tests.sweeps.sweep_files import run, write_sweep


def test_status(finished: Path, capsys: Capture) -> None:
    rows = answer(capsys, "status", "--json", "--mlruns", finished / "mlruns")
    assert [row["study"] for row in rows] == ["t", "other"]
    one = answer(capsys, "status", "t", "--json", "--mlruns", finished / "mlruns")
    assert one["done"] == one["planned"] == {"floor": 12, "explore": 30, "confirm": 18}
    assert (one["status"], one["failed"], one["verdict"], one["failures"]) == ("done", 0, "better", [])
    shown = text(capsys, "status", "--mlruns", finished / "mlruns")
    assert "12/12" in shown
    assert "better" in shown
    assert run_command(["status", "--mlruns", str(finished / "mlruns")]) == 0
    assert capsys.readouterr().err == ""  # nothing is left to do


def test_status_counts_what_failed_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    import sqlite3

    from sweeps.engines.scripted.engine import Fault
    from tests.sweeps.scripted_sweeps import engine

    where = ("--mlruns", tmp_path / "mlruns")
    path = write_sweep(tmp_path)
    with pytest.raises(Exception, match="3 requests in a row"):
        run(path, engine=engine(tmp_path, [Fault("timeout", frozenset(range(20, 1000)))]))
    stopped = answer(capsys, "status", "t", "--json", *where)
    assert (stopped["status"], stopped["failed"], stopped["lost"], len(stopped["failures"])) == ("failed", 3, 0, 3)
    assert [row["failed"] for row in answer(capsys, "status", "--json", *where)] == [3]
    command = f"sweeps run {path} --mlruns {tmp_path / 'mlruns'}"
    assert stopped["command"] == command
    for name in ([], ["t"]):
        assert run_command(["status", *name, *map(str, where)]) == 0
        assert capsys.readouterr().err == f"to go on with t: {command}\n"
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


def test_status_reads_the_ledger_alone(finished: Path) -> None:
    code = (
        "import sys; from sweeps.cli import run_command\n"
        "run_command(['status', '--mlruns', sys.argv[1]])\n"
        "print([name for name in ('mlflow', 'optuna', 'pandas', 'scipy', 'sklearn', 'matplotlib')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, finished / "mlruns"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert "better" in lines[1]


def test_floor_and_verdict_of_an_older_study_are_computed(finished: Path, tmp_path: Path, capsys: Capture) -> None:
    import sqlite3

    shutil.copytree(finished / "mlruns", tmp_path / "mlruns")
    kept = answer(capsys, "status", "t", "--json", "--mlruns", finished / "mlruns")
    with closing(sqlite3.connect(tmp_path / "mlruns/ledger.db")) as database, database:
        database.execute("UPDATE studies SET sha256 = NULL, record = json_remove(record, '$.judged')")
    computed = answer(capsys, "status", "t", "--json", "--mlruns", tmp_path / "mlruns")
    assert computed == kept | {"command": computed["command"]}  # which names the folder
    assert kept["noise_sd"] > 0


def test_watch_shows_what_the_sweep_shows(finished: Path, capsys: Capture) -> None:
    assert run_command(["status", "t", "--watch", "--mlruns", str(finished / "mlruns")]) == 0
    shown = capsys.readouterr()
    assert "t: floor 12/12, explore 30/30, confirm 18/18; baseline 0." in shown.err
    assert "best of" in shown.err
    assert "better" in shown.out
    assert run_command(["status", "--watch", "--json"]) == 2


def test_the_picture_of_a_study_in_the_ledger(finished: Path) -> None:
    result = load_result(finished / "mlruns", "t")
    ledger = open_existing(result.workspace)
    picture = picture_of(ledger, result.stored, result.workspace)
    ledger.close()
    assert picture.done == picture.planned == {"floor": 12, "explore": 30, "confirm": 18}
    assert result.floor is not None
    assert picture.standing.baseline_mean == pytest.approx(result.floor.mean)
    assert [trial.mean for trial in picture.standing.ranked] == sorted(
        (trial.mean for trial in picture.standing.ranked), reverse=True
    )
    assert picture.running is not None
    assert picture.text
    assert [line.label for line in picture.hosts] == list(result.hosts)


def test_a_study_is_done_when_its_report_is_written(
    finished: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def killed(_: object, result: SweepResult, **_more: object) -> None:
        os._exit(9 if result.status == "done" else 1)  # MLflow and the report show the end

    monkeypatch.setattr(Logbook, "finish", killed)
    child = os.fork()
    if not child:
        run(finished / "sweep.toml", directory=copy / "mlruns")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    row = answer(capsys, "status", "t", "--json", "--mlruns", copy / "mlruns")
    assert (row["status"], row["verdict"]) == ("interrupted", "better")
    run(finished / "sweep.toml", directory=copy / "mlruns")
    assert answer(capsys, "status", "t", "--json", "--mlruns", copy / "mlruns")["status"] == "done"
