"""One process at a time works on a study; others may read it, and other studies may run beside it."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest

from sweeps.cli import run_command
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.workspace import study_lock as lock
from sweeps.workspace.study_lock import RESCORE, RUN, StudyBusyError, standing_of, study_lock
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, steady, write_sweep

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to spare the second process the imports")


class Listening(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        if warning:
            self.warnings.append(text)


def begun(directory: Path) -> bool:
    if not (directory / "ledger.db").exists():
        return False
    with sqlite3.connect(directory / "ledger.db") as connection:
        try:
            return bool(connection.execute("SELECT COUNT(*) FROM observations").fetchone()[0])
        except sqlite3.OperationalError:  # no tables yet
            return False


def run_and_stay(path: Path) -> None:
    """Run a sweep whose engine answers no more as soon as there is an observation."""
    answer = ScriptedEngine.generate

    def generate(self: ScriptedEngine, *arguments: Any, **more: Any) -> Any:
        while begun(path.parent / "mlruns"):
            time.sleep(1)
        return answer(self, *arguments, **more)

    ScriptedEngine.generate = generate  # type: ignore[method-assign]
    run(path)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[int]:
    """A process that runs study t, and does not end by itself."""
    path = write_sweep(tmp_path)
    child = os.fork()
    if not child:
        try:
            run_and_stay(path)
        finally:
            os._exit(0)
    until = time.monotonic() + 30
    while not begun(tmp_path / "mlruns"):
        assert time.monotonic() < until, "the other process does not begin"
        time.sleep(0.02)
    yield child
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def generations(directory: Path) -> int:
    with sqlite3.connect(directory / "ledger.db") as connection:
        return int(connection.execute("SELECT COUNT(*) FROM generations").fetchone()[0])


@needs_fork
def test_a_second_process_is_refused(tmp_path: Path, other: int, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--mlruns", str(tmp_path / "mlruns")]
    told = f"study 't' is being run by process {other} since "
    for command in (["run", str(tmp_path / "sweep.toml"), "--json"], ["rescore", "t"], ["rescore", "--dry-run"]):
        capsys.readouterr()
        assert run_command([*command, *where]) == 2
        error = capsys.readouterr().err
        assert told in error
        remedy = "wait for it to end" if command[0] == "rescore" else "wait for it, or give this one another study.name"
        assert remedy in error
    with pytest.raises(StudyBusyError, match=told):
        run(tmp_path / "sweep.toml")
    for command in ("status", "report"):
        assert run_command([command, "t", *where]) == 0


@pytest.mark.parametrize("doing", [RUN, RESCORE])
def test_check_is_blocked_where_run_would_be(tmp_path: Path, capsys: pytest.CaptureFixture[str], doing: str) -> None:
    path = write_sweep(tmp_path)
    with study_lock(Workspace.at(tmp_path / "mlruns"), "t", doing, warn=print):
        assert run_command(["check", str(path), "--mlruns", str(tmp_path / "mlruns"), "--json"]) == 2
    *_, last = json.loads(capsys.readouterr().out)["checks"]
    assert (last["name"], last["state"]) == ("study", "blocked")
    assert f"study 't' {doing} by process {os.getpid()} since " in last["found"]
    assert "wait for it, or give this one another study.name" in last["found"]


@needs_fork
def test_another_study_of_the_folder_may_run(tmp_path: Path, other: int) -> None:
    assert run(write_sweep(tmp_path, file="u.toml", study={"name": "u"})).status == "done"
    assert load_result(tmp_path / "mlruns", "t").status == "running"


@needs_fork
def test_a_study_goes_on_at_once_after_a_kill(tmp_path: Path, other: int, plain_folder: Path) -> None:
    os.kill(other, signal.SIGKILL)
    assert run(tmp_path / "sweep.toml").status == "done"
    assert generations(tmp_path / "mlruns") == generations(plain_folder / "mlruns")


@needs_fork
def test_a_killed_study_is_not_running(tmp_path: Path, other: int, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--mlruns", str(tmp_path / "mlruns")]

    def status() -> str:
        capsys.readouterr()
        assert run_command(["status", "t", "--json", *where]) == 0
        return str(json.loads(capsys.readouterr().out)["status"])

    assert status() == "running"
    holder = (tmp_path / "mlruns/sweeps/t/.lock").read_text()
    assert status() == "running"
    assert (tmp_path / "mlruns/sweeps/t/.lock").read_text() == holder  # whoever asks does not take its place
    os.kill(other, signal.SIGKILL)
    until = time.monotonic() + 10
    while status() != "interrupted" and time.monotonic() < until:
        time.sleep(0.02)
    assert status() == "interrupted"
    for command in (["judge"], ["export", "--format", "env"]):
        assert run_command([*command, *where]) == 2
        assert "(status: interrupted)" in capsys.readouterr().err
    assert run_command(["check", str(tmp_path / "sweep.toml"), *where]) == 0
    assert load_result(tmp_path / "mlruns", "t").status == "running"  # what the ledger has is left as it is
    assert standing_of(Workspace.at(tmp_path / "mlruns"), "t", "stopped") == "stopped"


def test_threads_are_refused_alike(tmp_path: Path) -> None:
    refused: list[str] = []

    class Twice(Silent):
        def stage(self, name: str) -> None:
            def again() -> None:
                try:
                    run(path)
                except StudyBusyError as error:
                    refused.append(str(error))

            if name == "explore":
                thread = threading.Thread(target=again)
                thread.start()
                thread.join()

    path = write_sweep(tmp_path)
    assert run(path, progress=Twice()).status == "done"
    assert len(refused) == 1
    assert f"process {os.getpid()}" in refused[0]
    assert steady(run(path).observations)  # free again


def test_where_nothing_can_be_locked_the_sweep_runs_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    told = Listening()
    assert run(write_sweep(tmp_path), progress=told).status == "done"
    (warning,) = [text for text in told.warnings if "lock" in text]
    assert "No locks available" in warning


def test_who_has_it_is_told_as_far_as_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)

    def refusal() -> str:
        with pytest.raises(StudyBusyError) as caught, study_lock(Workspace.at(tmp_path), "x", RUN, warn=print):
            pass
        return str(caught.value)

    file = tmp_path / "sweeps/x/.lock"
    with study_lock(Workspace.at(tmp_path), "x", RESCORE, warn=print):
        assert f"'x' is being scored again by process {os.getpid()} since" in refusal()
        record = json.loads(file.read_text())
        file.write_text(json.dumps(record | {"node": "elsewhere", "since": "2026-01-02T03:04:05"}))
        assert f"by process {os.getpid()} on elsewhere since 2026-01-02 03:04;" in refusal()
        for broken in ("", "[]", "{}", '{"since": 3}'):
            file.write_text(broken)
            assert "is being run by another process; wait" in refusal()
    with study_lock(Workspace.at(tmp_path), "x", RUN, warn=print):
        pass
    assert json.loads(file.read_text()) == {}
