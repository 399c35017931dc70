"""One process at a time runs a study or scores it anew: two would generate everything twice.

The lock passes the suite `tests/conformance/study_lock.py`, which states the contract.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from sweeps.errors import SweepError

LOCK_FILE = ".lock"
"""In the study's folder. It stays there; what counts is the operating system's lock on it, which ends with its process,
however that ends."""

PATIENCE = 1.0
"""Seconds to wait for a process that is just ending."""

RUN, RESCORE = "is being run", "is being scored anew"
"""What the holder of a lock does with the study."""

_REMEDY = {RUN: "wait for it, or give this one another study.name", RESCORE: "wait for it to end"}
"""By what one was about to do."""


class StudyBusyError(SweepError):
    """Another process is at work on the study."""


@contextmanager
def study_lock(directory: Path, study: str, doing: str, *, warn: Callable[[str], object]) -> Iterator[None]:
    """Be the only one to work on a study. Other studies of the same folder, and whoever only reads, are not hindered.

    Args:
        directory: The folder of the ledger.
        study: The study.
        doing: `RUN` or `RESCORE`; whoever is refused is told of it.
        warn: Told where the file system cannot lock; the work goes on then.

    Raises:
        StudyBusyError: If somebody else is at work on it.
    """
    import filelock

    path = directory / "sweeps" / study / LOCK_FILE
    lock = filelock.FileLock(path, timeout=PATIENCE, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        _write(path, {"doing": doing, "pid": os.getpid(), "node": platform.node(), "since": datetime.now().isoformat()})
    except filelock.Timeout:
        raise _busy(path, study, doing) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        warn(f"{path} cannot be locked ({reason}), so nothing keeps a second process from study {study!r}")
    try:
        yield
    finally:
        if lock.is_locked:
            _write(path, {})  # whoever is next must not be called by this process's number
            lock.release()


def standing_of(directory: Path, study: str, status: str) -> str:
    """A study's status as it is: `interrupted` where the ledger has it `running`, and nobody is at work on it.

    A process that is killed cannot say so. Where the lock cannot be tried, as in a folder that may only be read, the
    ledger's word counts.
    """
    path = directory / "sweeps" / study / LOCK_FILE
    if status != "running":
        return status
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return status
    return "interrupted" if _is_held(path) is False else status


def refuse_busy(directory: Path, study: str) -> None:
    """Refuse a study that somebody is at work on, as `study_lock` would, without taking it.

    Where the lock cannot be tried, nothing is refused.

    Raises:
        StudyBusyError: If somebody is.
    """
    path = directory / "sweeps" / study / LOCK_FILE
    if _is_held(path):
        raise _busy(path, study, RUN)


def _is_held(path: Path) -> bool | None:
    """Whether somebody has a lock, tried without taking it; None where it cannot be tried."""
    import filelock

    if not path.exists():
        return False
    if not os.access(path, os.W_OK):
        return None
    try:
        with filelock.FileLock(path, timeout=0, fallback_to_soft=False):
            return False
    except filelock.Timeout:
        return True
    except (OSError, NotImplementedError):
        return None


def _busy(path: Path, study: str, doing: str) -> StudyBusyError:
    return StudyBusyError(f"study {study!r} {_holder(path)}; {_REMEDY[doing]}")


def _write(path: Path, record: dict[str, object]) -> None:
    with suppress(OSError):  # where a locked file cannot be written, nobody is told who has it
        path.write_text(json.dumps(record) + "\n", encoding="utf-8")


def _holder(path: Path) -> str:
    """Who has the lock, as `is being run by process 1234 since 12:34`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(record["since"])
        when = f"{since:%H:%M}" if since.date() == datetime.now().date() else f"{since:%Y-%m-%d %H:%M}"
        where = "" if record["node"] == platform.node() else f" on {record['node']}"
        return f"{record['doing']} by process {record['pid']}{where} since {when}"
    except (OSError, ValueError, KeyError, TypeError):
        return "is being run by another process"
