"""Stores that cannot be used: what is wrong and what to do, in `check` as in `run`."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.results.reader import load_result
from tests.marks import long
from tests.sweeps.sweep_files import run, write_sweep

pytestmark = pytest.mark.usefixtures("no_report")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "400")


def told(capsys: Capture, code: int, *arguments: object) -> str:
    capsys.readouterr()
    assert run_command(list(map(str, arguments))) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out + err


@pytest.mark.parametrize(("name", "begun"), [long("optuna.db", False), ("optuna.db", True), ("mlflow.db", False)])
def test_a_damaged_store_is_moved_away_and_made_anew(tmp_path: Path, capsys: Capture, name: str, begun: bool) -> None:
    path, where = write_sweep(tmp_path), ("--mlruns", tmp_path / "mlruns")
    file = tmp_path / "mlruns" / name
    if begun:
        run(path)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"this is not a database, but long enough to be looked at " * 50)
    more = () if name == "mlflow.db" else ("--no-tracking",)
    error = told(capsys, 2, "run", path, *where, "--quiet", *more)
    assert f"{name} is damaged (" in error
    assert "file is not a database" in error
    assert "move it away and run the sweep again" in error
    assert "free space" not in error
    file.rename(tmp_path / "away")
    told(capsys, 0, "run", path, *where, "--quiet", *more)
    assert file.read_bytes().startswith(b"SQLite format 3")
    assert load_result(tmp_path / "mlruns").status == "done"


def test_an_unreadable_study_hides_no_other(tmp_path: Path, two: Path, capsys: Capture) -> None:
    where = ("--mlruns", tmp_path / "mlruns")
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as database:
        database.execute("UPDATE studies SET record = json_remove(record, '$.cases') WHERE name = 'bad'")
    shown = told(capsys, 2, "status", *where)
    assert re.search(r"^good +done +12/12 ", shown, re.MULTILINE)
    assert re.search(r"^bad +unreadable ", shown, re.MULTILINE)
    assert "study 'bad' in " in shown
    assert (
        "ledger.db cannot be read (its record has no cases): its row is damaged, or was written by another version"
        in shown
    )
    capsys.readouterr()
    assert run_command(["status", "--json", *map(str, where)]) == 2
    rows = {row["study"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["good"]["status"], rows["bad"]["status"]) == ("done", "unreadable")
    told(capsys, 0, "status", "good", *where)
    for command in ("status", "judge", "report"):
        assert "cannot be read (its record has no cases)" in told(capsys, 2, command, "bad", *where)
    run(write_sweep(tmp_path, file="more.toml", study={"name": "more"}))  # its floor is not looked for in vain


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two studies that are done, to be copied."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("bad", "good"):
        run(write_sweep(folder, file=f"{name}.toml", study={"name": name}))
    return folder


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("record = substr(record, 1, 200)", "its record: "),
        long("identity = substr(identity, 1, 20)", "its identity: "),
        long("record = '[]'", "its record is no JSON object"),
        ("record = json_remove(record, '$.plan')", "its record has no plan"),
        ("record = json_remove(record, '$.hosts')", "its record has no hosts"),
        ("config = substr(config, 1, 40)", "its row was changed by a fault"),
        ("config = substr(config, 1, 40), sha256 = NULL", "ConfigError: "),  # of an older version
    ],
)
def test_a_damaged_study_concerns_itself_alone(
    tmp_path: Path, two: Path, capsys: Capture, change: str, reason: str
) -> None:
    where = ("--mlruns", tmp_path / "mlruns")
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    paths = {name: tmp_path / f"{name}.toml" for name in ("bad", "good")}
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as database:
        database.execute(f"UPDATE studies SET {change} WHERE name = 'bad'")
    for command in (("judge",), ("judge", "good"), ("status", "good"), ("plan", "--gain", "0.1")):
        told(capsys, 0, *command, *where)
    told(capsys, 0, "run", paths["good"], *where, "--no-tracking", "--quiet")
    shown = told(capsys, 2, "run", paths["bad"], *where, "--no-tracking", "--quiet")
    assert "study 'bad' in " in shown
    assert f"cannot be read ({reason}" in shown
    assert "under another study.name" in shown
    if "hosts" in reason:  # only a run needs them
        return
    assert f"cannot be read ({reason}" in told(capsys, 2, "judge", "bad", *where)
    shown = told(capsys, 2, "status", *where)
    assert re.search(r"^good +done ", shown, re.MULTILINE)
    assert re.search(r"^bad +unreadable ", shown, re.MULTILINE)
    assert "Traceback" not in told(capsys, 2, "check", paths["bad"], *where)


def test_the_ui_tells_of_a_damaged_store(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database " * 100)
    error = told(capsys, 2, "ui", "--mlruns", tmp_path, "--no-open")
    assert "mlflow.db is damaged (file is not a database): move it away" in error
    assert "starting" not in error


@pytest.mark.parametrize(
    ("uri", "words"), [("bogus://me:secret@x", "knows no bogus://"), ("http://me:secret@[x", "is no address")]
)
def test_check_and_run_refuse_the_same_tracking_store(
    uri: str, words: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.cli.trust.answers_file", lambda: tmp_path / "trusted.json")
    path = write_sweep(tmp_path, tracking={"uri": uri})
    where = ("--mlruns", tmp_path / "mlruns", "--quiet")
    told(capsys, 2, "check", path, *where, "--trust")
    checked = json.loads(told(capsys, 2, "check", path, *where, "--json"))
    assert [(row["name"], row["state"]) for row in checked["checks"]] == [("file", "blocked")]
    assert words in checked["checks"][0]["found"]
    error = told(capsys, 2, "run", path, *where)
    assert checked["checks"][0]["found"] in error
    assert "secret" not in error


@pytest.mark.usefixtures("no_report")
def test_a_tracking_server_that_is_away_stops_no_sweep(tmp_path: Path, capsys: Capture) -> None:
    path = write_sweep(tmp_path, tracking={"uri": "http://127.0.0.1:9"})
    where = ("--mlruns", tmp_path / "mlruns")
    checked = json.loads(told(capsys, 0, "check", path, *where, "--quiet", "--json"))
    state = {row["name"]: row for row in checked["checks"]}["file"]
    assert state["state"] == "warning"
    assert "does not answer" in state["found"]
    shown = told(capsys, 0, "run", path, *where)
    assert "The sweep goes on; its runs are written at its end" in shown
    assert "sweeps track t" in shown
    assert "does not answer" in told(capsys, 2, "track", "t", *where)


def test_an_empty_ledger_holds_no_study_yet(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "ledger.db").touch()
    assert "holds no study yet" in told(capsys, 0, "status", "--mlruns", tmp_path)
    assert json.loads(told(capsys, 0, "status", "--mlruns", tmp_path, "--json")) == []
