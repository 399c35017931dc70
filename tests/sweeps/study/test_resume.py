"""Killed at any moment and started again, a sweep ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.marks import long
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

DELAY = 0.004
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to spare each killed process the imports")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(home: Path) -> SweepResult:
    """The sweep that nobody kills."""
    return run(write_sweep(home, engine={"options": {"delay": DELAY}}, search={"sampler": "gp"}))


def start(path: Path) -> int:
    """Run a sweep in a forked process; its number."""
    child = os.fork()
    if child:
        return child
    try:
        run(path)
    except BaseException as error:  # noqa: BLE001
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def killed_after(child: int, seconds: float) -> bool:
    """Kill a process after a while; whether it was still running then."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def generated(directory: Path) -> tuple[int, int]:
    """Rows of the ledger's generations, and different keys among them."""
    with sqlite3.connect(directory / "ledger.db") as connection:
        query = "SELECT COUNT(*), COUNT(DISTINCT key_sha256) FROM generations"
        rows, keys = connection.execute(query).fetchone()
    return rows, keys


def assert_same(directory: Path, home: Path, whole: SweepResult) -> None:
    result = load_result(directory)
    assert result.status == "done"
    assert steady(result.observations) == steady(whole.observations)
    assert result.verdict == whole.verdict
    assert result.proposals == whole.proposals
    assert optuna_trials(directory) == optuna_trials(home / "mlruns")
    assert generated(directory) == generated(home / "mlruns")


@pytest.mark.parametrize("number", [8, long(20)])
def test_sigkill_at_random_moments(number: int, tmp_path: Path, home: Path, whole: SweepResult) -> None:
    rng = np.random.default_rng(20)
    kills = sweeps = 0
    progress: list[int] = []
    until = time.monotonic() + PATIENCE
    longest = 0.25
    while kills < number:
        assert time.monotonic() < until, f"only {kills} kills in {PATIENCE} s"
        folder = tmp_path / str(sweeps)
        options = {"delay": DELAY, "cases": str(home / "cases")}
        path = (
            folder / "sweep.toml"
            if folder.exists()
            else write_sweep(folder, engine={"options": options}, search={"sampler": "gp"})
        )
        if killed_after(start(path), float(rng.uniform(0.02, longest))):
            kills += 1
            ledger = folder / "mlruns/ledger.db"
            count = _count(ledger)
            if progress and count <= progress[-1]:
                longest += 0.1  # a slow machine needs more time to get anywhere
            progress.append(count)
        else:
            assert_same(folder / "mlruns", home, whole)
            sweeps, progress = sweeps + 1, []
    _, status = os.waitpid(start(path), 0)
    assert status == 0
    assert_same(folder / "mlruns", home, whole)


def _count(ledger: Path) -> int:
    if not ledger.exists():
        return 0
    with sqlite3.connect(ledger) as connection:
        tables = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'generations'").fetchone()[0]
        return int(connection.execute("SELECT COUNT(*) FROM generations").fetchone()[0]) if tables else 0


@pytest.mark.parametrize(("first", "step"), [(35, 9), long(10, 1)])
def test_death_between_any_two_writes(first: int, step: int, tmp_path: Path, home: Path, whole: SweepResult) -> None:
    """The process dies before a commit of ledger or Optuna, each time a few commits further on."""
    import sqlalchemy as sa

    path = write_sweep(tmp_path, engine={"options": {"cases": str(home / "cases")}}, search={"sampler": "gp"})
    deaths = 0
    while deaths < 60:
        child = os.fork()
        if not child:
            left = [first + step * (deaths % 7)]

            def die(_: object, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

            sa.event.listen(sa.Engine, "commit", die)
            try:
                run(path)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WEXITSTATUS(status) != 9:
            break
        deaths += 1
    assert deaths >= 6
    result = run(path)
    assert steady(result.observations) == steady(whole.observations)
    assert result.verdict == whole.verdict
    assert optuna_trials(tmp_path / "mlruns") == optuna_trials(home / "mlruns")


def test_a_process_of_its_own_killed_in_mid_sweep(tmp_path: Path, home: Path, whole: SweepResult) -> None:
    options = {"delay": DELAY, "cases": str(home / "cases")}
    path = write_sweep(tmp_path, engine={"options": options}, search={"sampler": "gp"})
    command = [sys.executable, "-m", "tests.sweeps.run_sweep", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    while _count(tmp_path / "mlruns/ledger.db") < 30 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 30 <= _count(tmp_path / "mlruns/ledger.db") < whole.plan.total
    run(path)
    assert_same(tmp_path / "mlruns", home, whole)


def test_run_again_after_the_end_generates_nothing(home: Path, whole: SweepResult) -> None:
    before = generated(home / "mlruns")
    again = run(home / "sweep.toml")
    assert generated(home / "mlruns") == before
    assert steady(again.observations) == steady(whole.observations)
    assert again.verdict == whole.verdict
    assert json.dumps(again.observations["seconds"].tolist()) == json.dumps(whole.observations["seconds"].tolist())
