"""How the ledger's store is opened: a SQLite file for writing or for reading only, or any SQLAlchemy URL."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa


def open_store(url: str) -> tuple[sa.Engine, bool]:
    """Return an engine on the store, and whether it can only be read.

    Args:
        url: A SQLAlchemy URL, or the path of a SQLite file (made if missing). A file that may not be written, or stands
            in a folder that may not, is opened for reading.
    """
    if "://" not in url and _may_only_be_read(Path(url)):
        return sa.create_engine("sqlite:///", creator=lambda: _open_to_read(Path(url)), poolclass=sa.QueuePool), True
    engine = sa.create_engine(url if "://" in url else sa.URL.create("sqlite", database=url))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine, False


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """A write-ahead log lets `sweeps status` read while a sweep writes; readers wait for a busy writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _may_only_be_read(path: Path) -> bool:
    """Whether a SQLite file is there, but it or its folder (which takes the log) may not be written."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a SQLite file for reading.

    SQLite shares its log with writers through a file beside it. Where that cannot be made, it must be told that nobody
    writes; which holds unless there is a log already.
    """
    log = path.with_name(f"{path.name}-wal")
    query = "mode=ro" if log.exists() or os.access(path.parent, os.W_OK) else "mode=ro&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{query}", uri=True, timeout=30, check_same_thread=False)
