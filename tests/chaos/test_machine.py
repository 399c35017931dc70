"""Kills, full disks, folders that may only be read, clocks that jump, and several coordinators: none leaves a trace.

After each fault the same command ends with what the undisturbed sweep has: the same observations and texts, verdict,
trials in Optuna and runs in MLflow. A round of the long form is the same at other moments.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sweeps.workspace.sqlite_files import abandoned_folders
from tests.chaos import clock
from tests.chaos.harness import (
    BALLAST,
    ROUNDS,
    STAGES,
    Action,
    Ending,
    Steps,
    Undisturbed,
    at,
    die,
    disturbed,
    fill,
    nothing,
    respect_modes,
    set_mode,
    started,
    write,
    write_nothing_more,
)
from tests.chaos.state import differences, state_of
from tests.marks import long
from tests.sweeps.forks import needs_fork

pytestmark = [needs_fork, pytest.mark.timeout(1800), pytest.mark.slow]

Whole = Callable[[bool], Undisturbed]

SHORT = (0, ("confirm",))
LONG = [long(number, STAGES) for number in (0, 1, 2, 3)]
"""Moments of faults other than kills. The short form does without MLflow and report."""


def assert_same(path: Path, whole: Undisturbed) -> None:
    """The sweep has left what the undisturbed one has."""
    assert differences(state_of(path.parent / "mlruns"), whole.state) == []
    assert abandoned_folders() == []


def assert_ends(path: Path, whole: Undisturbed, *, before: Action = nothing, ledger_only: bool = False) -> None:
    """The same command ends without a warning, and the sweep has left what the undisturbed one has."""
    ending = disturbed(path, before=before, ledger_only=ledger_only)
    assert (ending.how, ending.warnings) == ("done", ()), ending
    assert_same(path, whole)


def assert_refused(ending: Ending, *words: str) -> None:
    """The sweep ended with a message, not with a traceback."""
    assert ending.how == "refused", ending
    for word in words:
        assert word in ending.message


def assert_stopped(ending: Ending, path: Path, whole: Undisturbed) -> None:
    """The sweep ended with a message, or with warnings of what was not written, or it had nothing more to open."""
    assert ending.how in ("refused", "done"), ending
    if ending.how == "done" and not ending.warnings:
        assert_same(path, whole)


@pytest.mark.parametrize(("number", "quick"), [(0, True), *(long(number, False) for number in range(ROUNDS))])
def test_a_kill_in_each_stage(number: int, quick: bool, tmp_path: Path, whole: Whole) -> None:
    right = whole(quick)
    path = write(tmp_path)
    for stage in STAGES:
        step = right.moment(stage, number)
        ending = disturbed(path, at(stage, step, die), ledger_only=quick)
        assert ending.how == "killed", (stage, step, ending)
    assert_ends(path, right, ledger_only=quick)


@pytest.mark.parametrize("kills", [2, long(20)])
def test_kills_at_random_moments(kills: int, tmp_path: Path, whole: Whole) -> None:
    """They hit a write of the database itself as well, and a request that is under way."""
    right = whole(True)
    rng, killed, path = np.random.default_rng(20), 0, write(tmp_path / "0", engine={"options": {"delay": 0.004}})
    for number in range(4 * kills):
        child = started(path, ledger_only=True)
        time.sleep(rng.uniform(0.05, 1.0))
        ending = child.kill()
        killed += ending.how == "killed"
        if ending.how == "done" or killed == kills:
            assert_ends(path, right, ledger_only=True)
            path = write(tmp_path / str(number + 1), engine={"options": {"delay": 0.004}})
        if killed == kills:
            return
    pytest.fail(f"only {killed} kills")


@pytest.mark.long
def test_a_kill_of_the_command(tmp_path: Path, whole: Whole) -> None:
    right = whole(False)
    path = write(tmp_path)
    command = [sys.executable, "-m", "sweeps", "run", str(path), "--mlruns", str(tmp_path / "mlruns")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if "explore" in line:
            break
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert_ends(path, right)


@pytest.mark.parametrize(("number", "stages"), [SHORT, *LONG])
def test_a_disk_that_takes_nothing_more(number: int, stages: Sequence[str], tmp_path: Path, whole: Whole) -> None:
    quick = len(stages) == 1
    path, right = write(tmp_path), whole(quick)
    for stage in stages:
        fault = at(stage, right.moment(stage, number), write_nothing_more)
        assert_stopped(disturbed(path, fault, ledger_only=quick), path, right)
    assert_ends(path, right, ledger_only=quick)


@pytest.mark.parametrize(("number", "stages"), LONG)
def test_a_full_disk(number: int, stages: Sequence[str], small_disk: Path, whole: Whole) -> None:
    right = whole(False)
    path = write(small_disk)
    for stage in stages:
        assert_stopped(disturbed(path, at(stage, right.moment(stage, number), partial(fill, small_disk))), path, right)
        (small_disk / BALLAST).unlink()
    assert_ends(path, right)


@pytest.mark.parametrize(("number", "stages"), LONG)
def test_a_folder_that_may_only_be_read_from_now_on(
    number: int, stages: Sequence[str], tmp_path: Path, whole: Whole
) -> None:
    right = whole(False)
    path, mlruns = write(tmp_path), tmp_path / "mlruns"
    for stage in stages:
        fault = at(stage, right.moment(stage, number), partial(set_mode, mlruns, writable=False))
        assert_stopped(disturbed(path, fault, before=respect_modes), path, right)
        before = {file: file.stat().st_mtime_ns for file in mlruns.rglob("*")}
        assert_refused(disturbed(path, before=respect_modes), "cannot be written")
        assert {file: file.stat().st_mtime_ns for file in mlruns.rglob("*")} == before
        set_mode(mlruns, writable=True)
    assert_ends(path, right, before=respect_modes)


JUMPS = {"a day back": -86_400.0, "a day on": 86_400.0, "to 1970": -1.7e9}


@pytest.mark.parametrize("jump", [long(jump) for jump in JUMPS])
@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_clock_that_is_wrong_after_a_kill(stage: str, jump: str, tmp_path: Path, whole: Whole) -> None:
    right = whole(False)
    path = write(tmp_path)
    assert disturbed(path, at(stage, right.moment(stage, 0), die)).how == "killed"
    assert_ends(path, right, before=partial(clock.set_clock, JUMPS[jump]))


@pytest.mark.parametrize("number", [long(number) for number in range(4)])
def test_a_clock_that_jumps_in_each_stage(number: int, tmp_path: Path, whole: Whole) -> None:
    right = whole(False)
    path = write(tmp_path)

    def jumps(steps: Steps) -> None:
        for index, stage in enumerate(STAGES):
            seconds = list(JUMPS.values())[(index + number) % len(JUMPS)]
            steps.at(stage, right.moment(stage, number), partial(clock.set_clock, seconds))

    ending = disturbed(path, jumps)
    assert (ending.how, ending.warnings) == ("done", ()), ending
    assert_same(path, right)


@pytest.mark.parametrize("number", [0, *map(long, range(1, 10))])
def test_coordinators_that_begin_together(number: int, tmp_path: Path, whole: Whole) -> None:
    right = whole(True)
    path = write(tmp_path, engine={"options": {"delay": 0.02}})
    endings = [child.end() for child in [started(path, ledger_only=True) for _ in range(2 + number % 3)]]
    assert sorted(ending.how for ending in endings) == ["done", *["refused"] * (1 + number % 3)]
    for ending in endings:
        if ending.how == "refused":
            assert_refused(ending, "StudyBusyError", "is being run by process")
    assert_same(path, right)
