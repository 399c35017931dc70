"""How the ledger's store is opened: a SQLite file for writing or for reading only, or any SQLAlchemy URL."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sweeps.errors import SweepError
from sweeps.ledger import schema as tables


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


def make_tables(engine: sa.Engine, *, read_only: bool) -> str | None:
    """Make the tables that are missing, and return the version of the schema that the store was written with.

    Of several processes that open a new SQLite file at once, one makes them while the others wait.
    """
    with engine.connect() as connection:
        version, complete = _version(connection)
    if read_only or (complete and version is not None):
        return version
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        tables.meta.create_all(connection)
        version, _ = _version(connection)
        if version is None:
            connection.execute(sa.insert(tables.info).values(key="schema", value=str(tables.SCHEMA_VERSION)))
    return version


def _version(connection: sa.Connection) -> tuple[str | None, bool]:
    """The schema's version, None in a new store, and whether all tables of this version are there."""
    names = set(sa.inspect(connection).get_table_names())
    query = sa.select(tables.info.c.value).where(tables.info.c.key == "schema")
    return connection.scalar(query) if "info" in names else None, set(tables.meta.tables) <= names


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """A write-ahead log lets `sweeps status` read while a sweep writes; readers wait for a busy writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    _log_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _log_ahead(cursor: sqlite3.Cursor, patience: float = 30.0) -> None:
    """Switch the write-ahead log on; SQLite does not wait by itself where another process is just doing so."""
    until = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


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


class LedgerError(SweepError):
    """The ledger cannot be opened or written; what it has already is kept."""


def _first_failure(error: BaseException) -> BaseException:
    """Where a chain of database failures began: a full disk, not the savepoint that is gone with it."""
    before = error.__context__
    follows = isinstance(before, SQLAlchemyError) or before is getattr(error, "orig", None)
    return _first_failure(before) if before is not None and follows else error
