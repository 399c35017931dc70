"""SQLite databases made by libraries, and messages about damaged ones."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_DAMAGED = ("file is not a database", "malformed")
"""Words in SQLite's message about a file that is not a database, or an incomplete one."""


def is_damaged(reason: str) -> bool:
    """Whether a failure of a database means that its file is damaged."""
    return any(words in reason for words in _DAMAGED)


def damage_of(database: str, reason: str) -> str:
    """Return the message about a damaged database that can be made again from the ledger.

    Args:
        database: Its file, or its SQLAlchemy URL.
        reason: The message of SQLite.
    """
    file = database.removeprefix("sqlite:///")
    return f"{file} is damaged ({reason}): move it away and run the sweep again; it is then rebuilt from the ledger"


_making = threading.Lock()


def place_database(path: Path, make: Callable[[str], object]) -> bool:
    """Have a library make its SQLite database in memory-backed storage, then put it in place in one step.

    MLflow and Optuna make their tables in many steps, each with syncs to disk, which takes seconds on a slow disk. When
    two processes make the same database in place, one of them fails. An existing database is left alone.
    Write-ahead logging lets others read while a sweep writes, and needs one sync per transaction where the default
    needs three.

    Args:
        path: Where the database belongs.
        make: Makes it, given its SQLAlchemy URL.

    Returns:
        Whether there was none before.
    """
    memory = Path("/dev/shm")
    with _making:
        if path.exists():
            return False
        with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
            fresh = Path(folder) / path.name
            make(f"sqlite:///{fresh.as_posix()}")
            with closing(sqlite3.connect(fresh)) as database:
                database.execute("PRAGMA journal_mode = WAL")
            _place(fresh, path)
    return True


def _place(fresh: Path, path: Path) -> None:
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        shutil.copyfile(fresh, beside)
        _put(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _put(beside: Path, path: Path) -> None:
    """Give a file its name, unless another process was quicker; a rename would replace the other's file."""
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            beside.replace(path)
