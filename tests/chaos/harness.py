"""The harness of the chaos suite: a sweep in a process of its own, faults in it, and all that differs afterwards.

The process is a fork of the test's, which spares it the imports. A fault is an action at a step: a commit to ledger,
Optuna's storage or MLflow's store, or a file that is opened to be written, renamed or removed. Steps are counted within
the stage of the sweep in which they happen.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.progress import Silent
from tests.chaos.state import State
from tests.sweeps.forks import wait_for_imports
from tests.sweeps.sweep_files import run, write_sweep

STAGES = ("check", "floor", "explore", "confirm", "report")

ROUNDS = 100
"""Rounds of kills in the long form, each with one in every stage."""

_CAPABILITY_VERSION = 0x20080522
_IGNORE_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux."""

BALLAST = "ballast"

PATIENCE = 300
"""Seconds after which a sweep hangs. It takes three on an idle machine."""

_CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir")


def write(folder: Path, **changes: Any) -> Path:
    """Write the file of the suite's sweep: 36 generations of the scripted engine; a model proposes the last trials."""
    tables: dict[str, dict[str, Any]] = {
        "search": {"sampler": "gp", "batch": 2},
        "budget": {"generations": 36, "floor_seeds": 2, "seeds": 1},
    }
    folder.mkdir(parents=True, exist_ok=True)
    return write_sweep(folder, cases=2, **{**tables, **changes})


@dataclass(frozen=True)
class Ending:
    """The end of a process.

    Attributes:
        how: `done`, `killed`, `refused` (an error with a message for users), `broken` (any other) or `hung`.
        message: The error, or the place of each thread of a process that hung.
        steps: Number of steps by stage; {} of a process that was killed.
        warnings: What the sweep warned of.
    """

    how: str
    message: str = ""
    steps: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Undisturbed:
    """The sweep that nothing disturbs.

    Attributes:
        state: What it leaves.
        steps: Number of steps by stage.
    """

    state: State
    steps: dict[str, int]

    def moment(self, stage: str, number: int) -> int:
        """Return a step of a stage; the rounds spread over all of it."""
        share = (number * 37 + 50) % ROUNDS
        return 1 + share * (self.steps[stage] - 1) // (ROUNDS - 1)


Action = Callable[[], object]
Fault = Callable[["Steps"], object]
"""Prepares a process for its fault."""


class Steps(Silent):
    """Counts the steps of this process by stage, and acts at some of them.

    Args:
        folder: Only files in it count.
    """

    def __init__(self, folder: Path) -> None:
        self.stages, self.count, self.warnings = [""], Counter[str](), list[str]()
        self._folder, self._actions = str(folder.resolve()), list[tuple[str, int, Action]]()
        self._within = threading.local()

    def at(self, stage: str, number: int, action: Action) -> None:
        """Act before the step of that number, from 1, of a stage; at its end if it has fewer steps this time."""
        self._actions.append((stage, number, action))

    def stage(self, name: str) -> None:
        """Begin a stage."""
        ended = self.stages[-1]
        for where, number, action in self._actions:
            if where == ended and number > self.count[where]:
                self._act(action)
        self.stages.append(name)

    def note(self, text: str, *, warning: bool = False) -> None:
        if warning:
            self.warnings.append(text)

    def watch(self) -> None:
        """Begin to count."""
        import sqlalchemy as sa

        sa.event.listen(sa.Engine, "commit", lambda _: self._step())
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (written or event in _CHANGES) and str(arguments[0]).startswith(self._folder):
            self._step()

    def _step(self) -> None:
        if getattr(self._within, "action", False):
            return
        stage = self.stages[-1]
        self.count[stage] += 1
        for where, number, action in self._actions:
            if (where, number) == (stage, self.count[stage]):
                self._act(action)

    def _act(self, action: Action) -> None:
        self._within.action = True
        try:
            action()
        finally:
            self._within.action = False


def die() -> None:
    """Kill this process, as `kill -9` and the kernel's hunt for memory do."""
    os.kill(os.getpid(), signal.SIGKILL)


def respect_modes() -> None:
    """Give up root's right to read and write everything, in this process."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    for place in (0, 1):  # effective and permitted
        sets[place] &= ~_IGNORE_MODES
    assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


def set_mode(folder: Path, *, writable: bool) -> None:
    """Let its owner write a folder and everything in it, or read it only."""
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o700 if writable else 0o500) if path.is_dir() else (0o600 if writable else 0o400))


def fill(disk: Path) -> None:
    """Write a file until nothing more fits on a disk."""
    with (disk / BALLAST).open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def write_nothing_more() -> None:
    """Let each write to a file fail in this process from now on: the kernel refuses it, whoever the user is."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@dataclass(frozen=True)
class Child:
    """A sweep in a process of its own.

    Attributes:
        pid: The process.
        pipe: Where it writes its ending.
    """

    pid: int
    pipe: int

    def end(self) -> Ending:
        """Wait for its end."""
        with os.fdopen(self.pipe, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Ending("killed")
        if status:
            return Ending("hung", told.decode())
        answer = json.loads(told)
        return Ending(answer["how"], answer["message"], answer["steps"], tuple(answer["warnings"]))

    def kill(self) -> Ending:
        """Kill it, unless it has ended."""
        os.kill(self.pid, signal.SIGKILL)
        return self.end()


def at(stage: str, number: int, action: Action) -> Fault:
    """A fault at one step of a stage."""
    return lambda steps: steps.at(stage, number, action)


def nothing(*_: object) -> None:
    """Do nothing."""


def started(path: Path, fault: Fault = nothing, *, before: Action = nothing, ledger_only: bool = False) -> Child:
    """Start a sweep in a process of its own.

    Args:
        path: The sweep's file.
        fault: Prepares the fault.
        before: Called in the process before everything else.
        ledger_only: Leave MLflow and the report out, which take longer than the sweep.
    """
    wait_for_imports()  # a child would wait forever for what such a thread holds
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return Child(child, reading)
    ending = Ending("broken", "ended without an exception")
    try:
        faulthandler.dump_traceback_later(PATIENCE, exit=True, file=writing)
        gc.freeze()  # else the collector writes to each page that is shared with the parent
        before()
        steps = Steps(path.parent / "mlruns")
        fault(steps)
        steps.watch()
        ending = _ended(path, steps, complete=not ledger_only)
    except BaseException as error:  # noqa: BLE001
        ending = Ending("broken", f"{type(error).__name__}: {error}")
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.write(writing, json.dumps(vars(ending)).encode())
        os._exit(0)


def disturbed(path: Path, fault: Fault = nothing, *, before: Action = nothing, ledger_only: bool = False) -> Ending:
    """Run a sweep in a process of its own to its end; arguments as for `started`."""
    return started(path, fault, before=before, ledger_only=ledger_only).end()


def _ended(path: Path, steps: Steps, *, complete: bool) -> Ending:
    how, message = "done", ""
    try:
        run(path, progress=steps, tracking=complete, report=complete)
        steps.stage("end")
    except SweepError as error:
        how, message = "refused", f"{type(error).__name__}: {error}"
    except BaseException as error:  # noqa: BLE001
        how, message = "broken", f"{type(error).__name__}: {error}"
    return Ending(how, message, dict(steps.count), tuple(steps.warnings))
