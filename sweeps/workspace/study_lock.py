"""The lock of a study: one process at a time runs it or scores it again; two would generate everything twice.

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
from typing import Any

from sweeps.errors import SweepError
from sweeps.workspace.workspace import Workspace

PATIENCE = 1.0
"""Seconds to wait for a process that is just ending."""

LEASE = 15.0
"""Seconds of silence after which a coordinator is lost, and others take over its tasks."""

RUN, RESCORE = "is being run", "is being scored again"
"""The work of the process that holds the lock."""

_REMEDY = {RUN: "wait for it, or give this one another study.name", RESCORE: "wait for it to end"}
"""The remedy, by the work that was refused."""


class StudyBusyError(SweepError):
    """Another process works on the study."""


@contextmanager
def study_lock(workspace: Workspace, study: str, doing: str, *, warn: Callable[[str], object]) -> Iterator[None]:
    """Keep other processes from working on a study. Other studies of the workspace, and readers, are not affected.

    The lock file stays in the study's folder. The operating system's lock on it counts, which ends with its process,
    also when that is killed.

    Args:
        workspace: Where the study is.
        study: The study's name.
        doing: `RUN` or `RESCORE`; the message of a refused process names it.
        warn: Called with a message where the file system cannot lock; the work goes on then.

    Raises:
        StudyBusyError: If another process works on it.
    """
    import filelock

    path = workspace.lock(study)
    lock = filelock.FileLock(path, timeout=PATIENCE, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        _write(path, {"doing": doing, "pid": os.getpid(), "node": platform.node(), "since": datetime.now().isoformat()})
    except filelock.Timeout:
        raise _busy(path, study, doing) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        warn(f"{path} cannot be locked ({reason}): a row in the ledger keeps other processes from study {study!r}")
    try:
        yield
    finally:
        if lock.is_locked:
            _write(path, {})  # the next holder must not be reported with this process's number
            lock.release()


def standing_of(workspace: Workspace, study: str, status: str) -> str:
    """Return a study's true status: `interrupted` where the ledger has it `running` but no process works on it.

    A killed process cannot write its status. Where the lock cannot be tried, as in a folder that may only be read, the
    ledger's word counts.
    """
    path = workspace.lock(study)
    if status != "running":
        return status
    if workspace.is_shared:
        return status if _coordinator(workspace, study) is not None else "interrupted"
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return status
    return "interrupted" if _is_held(path) is False else status


def refuse_busy(workspace: Workspace, study: str) -> None:
    """Refuse a study that another process works on, as `study_lock` would, without locking it.

    Where the lock cannot be tried, nothing is refused.

    Raises:
        StudyBusyError: If another process works on it.
    """
    path = workspace.lock(study)
    if workspace.is_shared:
        other = _coordinator(workspace, study)
        if other is not None and other["by"] != RUN:  # those that run it share their work
            raise busy_error(study, RUN, **other)
    elif _is_held(path):
        raise _busy(path, study, RUN)


def _is_held(path: Path) -> bool | None:
    """Whether a process holds a lock, without locking it; None where that cannot be tried."""
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


_WORKING = """
SELECT doing AS by, pid, node, since FROM coordinators WHERE study = :study AND NOT ended
AND beat > clock_timestamp() - make_interval(secs => :silence) ORDER BY doing DESC, since LIMIT 1
"""


def _coordinator(workspace: Workspace, study: str) -> dict[str, Any] | None:
    """Return a coordinator of a study in PostgreSQL, one that scores it again before others; None if there is none.

    Where the database cannot be asked, the ledger itself reports it.
    """
    import sqlalchemy as sa

    assert workspace.storage is not None
    engine = sa.create_engine(workspace.storage, poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            row = connection.execute(sa.text(_WORKING), {"study": study, "silence": LEASE}).mappings().one_or_none()
    except sa.exc.SQLAlchemyError:
        return None
    return None if row is None else dict(row)


def _busy(path: Path, study: str, doing: str) -> StudyBusyError:
    return StudyBusyError(f"study {study!r} {_holder(path)}; {_REMEDY[doing]}")


def busy_error(study: str, doing: str, *, by: str, pid: int, node: str, since: str) -> StudyBusyError:
    """Return the error of a process that is refused.

    Args:
        study: The study.
        doing: The work that is refused.
        by: The work of the other process.
        pid: Its number.
        node: Its machine.
        since: ISO time of its begin.
    """
    return StudyBusyError(f"study {study!r} {_described(by, pid, node, since)}; {_REMEDY[doing]}")


def _write(path: Path, record: dict[str, object]) -> None:
    with suppress(OSError):  # where a locked file cannot be written, its holder stays unknown
        path.write_text(json.dumps(record) + "\n", encoding="utf-8")


def _holder(path: Path) -> str:
    """The holder of the lock, as `is being run by process 1234 since 12:34`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return _described(record["doing"], record["pid"], record["node"], record["since"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "is being run by another process"


def _described(doing: str, pid: int, node: str, since: str) -> str:
    began = datetime.fromisoformat(since).astimezone()
    when = f"{began:%H:%M}" if began.date() == datetime.now().date() else f"{began:%Y-%m-%d %H:%M}"
    where = "" if node == platform.node() else f" on {node}"
    return f"{doing} by process {pid}{where} since {when}"
