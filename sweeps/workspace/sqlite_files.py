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

from analysis.files.unfinished import abandoned, remove_abandoned, unfinished
from sweeps.errors import SweepError

_DAMAGED = (
    "file is not a database",
    "malformed",
    "no such table",
    "Could not decode to UTF-8",
    "codec can't decode",
    "Can't locate revision",
)
"""Words in messages about a file that is not a database, or an incomplete one, or one with broken texts."""


def is_damaged(reason: str) -> bool:
    """Whether a failure of a database means that its file is damaged."""
    return any(words in reason for words in _DAMAGED)


def is_locked(reason: str) -> bool:
    """Whether a failure of a database means that another process holds it."""
    return "is locked" in reason


def cause_of(error: BaseException) -> BaseException:
    """Return SQLite's own error behind a library's, whose first line may say something else; else the error."""
    seen = set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        if isinstance(each, sqlite3.Error):
            return each
        each = getattr(each, "orig", None) or each.__cause__ or each.__context__
    return error


def damage_in(path: Path) -> str:
    """Return the damage of a SQLite file: of its pages, or a text that cannot be decoded; "" for a whole one.

    The file is read whole.
    """
    if found := damaged_pages(path):
        return found
    if not path.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for _ in database.execute(f'SELECT * FROM "{table}"'):
                    pass
    except sqlite3.Error as error:
        return _damage(error)
    return ""


def damaged_pages(path: Path) -> str:
    """Return the damage of a SQLite file's pages; "" for whole ones, and for a file that is locked or missing."""
    if not path.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
            return "" if found == "ok" else found.replace("\n", " ")
    except sqlite3.Error as error:
        return _damage(error)


def _damage(error: sqlite3.Error) -> str:
    """Return the damage that an error means; "" for a file that is locked, or may not be read."""
    reason = str(error)
    return "" if isinstance(error, sqlite3.OperationalError) and not is_damaged(reason) else reason


class DamagedStoreError(SweepError):
    """A database is damaged that can be made again from the ledger.

    Attributes:
        reason: What the database's library says.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def damage_of(database: str, reason: str) -> str:
    """Return the message about a damaged database that can be made again from the ledger.

    Args:
        database: Its file, or its SQLAlchemy URL.
        reason: The message of SQLite.
    """
    file = database.removeprefix("sqlite:///")
    return (
        f"{file} is damaged ({reason}): move it away and run the sweep again; it is then rebuilt from the ledger."
        " `sweeps doctor --fix` does both"
    )


def lock_of(database: str, reason: str) -> str:
    """Return the message about a database that another process holds; arguments as for `damage_of`."""
    file = database.removeprefix("sqlite:///")
    return f"{file} is locked by another process ({reason}): end that process, then run the same command again"


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
    with _making:
        for each in (path, _workshop()):
            remove_abandoned(each)
        if path.exists():
            return False
        folder = unfinished(_workshop())
        folder.mkdir(mode=0o700)
        try:
            fresh = folder / path.name
            make(f"sqlite:///{fresh.as_posix()}")
            with closing(sqlite3.connect(fresh)) as database:
                database.execute("PRAGMA journal_mode = WAL")
            _place(fresh, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return True


def _workshop() -> Path:
    """The name from which the temporary folders of `place_database` have theirs, so that they can be recognized."""
    memory = Path("/dev/shm")
    return (memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())) / "slm-sweeps"


def abandoned_folders() -> list[Path]:
    """Return the temporary folders of `place_database` that killed processes left in memory-backed storage."""
    return abandoned(_workshop())


def _place(fresh: Path, path: Path) -> None:
    beside = unfinished(path)
    try:
        shutil.copyfile(fresh, beside)
        beside.chmod(0o600)  # it will have prompts and texts
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
