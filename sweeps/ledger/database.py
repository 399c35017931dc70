"""The ledger's database: the only file that knows how SQLite and other databases differ."""

from __future__ import annotations

import os
import shlex
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateColumn

from sweeps.addresses import database_address
from sweeps.errors import SweepError
from sweeps.ledger import schema as tables
from sweeps.ledger.damage import decoded
from sweeps.ledger.migrations import migrate, proposals_beside
from sweeps.workspace.postgres import MAKING_TABLES
from sweeps.workspace.sqlite_files import is_damaged

POLL = 0.02
"""Seconds between two looks at the database, where it cannot tell that something has changed."""


class LedgerError(SweepError):
    """The ledger cannot be opened or written; its contents are kept."""


class Database:
    """Connections to the ledger's tables, one transaction at a time.

    Writes of the threads of one process take turns. SQLite has one writer at a time; a thread that finds it busy sleeps
    longer each time. With four hosts, an answer then took three times as long as its write.

    Args:
        url: A SQLAlchemy URL, or the path of a SQLite file (made if missing). A file that may not be written, or stands
            in a folder that may not, is opened for reading.

    Attributes:
        url: The URL, without user name, password and options.
        read_only: Whether it was opened for reading, so that every write raises `LedgerError`.

    Raises:
        LedgerError: If the database cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str) -> None:
        self.url = _shown(url) if "://" in url else f"sqlite:///{url}"
        with self.explained("opened"):
            self._engine, self.read_only = _open(url)
        # One message to PostgreSQL and back for a statement; a transaction takes one more to begin and one to end.
        self._single = self._engine if self.is_sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._turn = threading.RLock()
        with self.explained("opened"):
            version = _make_tables(self._engine, read_only=self.read_only)
        if version is not None and int(version) > tables.SCHEMA_VERSION:
            raise LedgerError(f"{self.url}: was written by a newer slm-sweeps (schema {version}); upgrade to read it")

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self._engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._engine.dispose()

    def insert(self, table: sa.Table) -> Any:
        """Return an insert that can handle existing rows (`on_conflict_do_nothing`)."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # a tenth of a second, which every command would pay

        return postgresql.insert(table)

    @property
    def place(self) -> list[Any]:
        """The columns that identify an observation, as the database's key has them."""
        columns = list(tables.observations.primary_key)
        return columns if self.is_sqlite else [sa.func.md5(c) if c.name == "case" else c for c in columns]

    def by_bytes(self, column: sa.Column[str]) -> sa.ColumnElement[str]:
        """Return a column of texts to order by, in the order of code points: other databases order by a language."""
        return column if self.is_sqlite else sa.collate(column, "C")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with; in PostgreSQL each statement sees what is committed when it begins.

        Raises:
            LedgerError: If the database fails.
        """
        with self.explained("read"), self._single.connect() as connection:
            yield connection

    @contextmanager
    def listening(self, channel: str) -> Iterator[Callable[[float], None]]:
        """Listen to a channel of PostgreSQL, on a connection of its own.

        Args:
            channel: Its name, an identifier.

        Yields:
            Waits for a message, at most so many seconds. Other drivers than psycopg do not tell: there it sleeps.

        Raises:
            LedgerError: If the database fails.
        """
        with self.explained("read"), self._single.connect() as connection:
            connection.exec_driver_sql(f"LISTEN {channel}")
            raw: Any = connection.connection.driver_connection
            try:
                yield partial(_wait, raw) if hasattr(raw, "notifies") and callable(raw.notifies) else _sleep
            finally:
                with suppress(SQLAlchemyError):  # the next use of the database says what is wrong
                    connection.exec_driver_sql(f"UNLISTEN {channel}")

    @contextmanager
    def apart(self, *, patience: float = 0.0) -> Iterator[sa.Connection]:
        """A connection of its own, which closes at the end, for locks that last as long as it.

        Args:
            patience: Longest wait for a lock, in seconds; 0 for any.

        Raises:
            LedgerError: If the database fails.
        """
        wanted = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
        settings = (wanted | {"lock_timeout": round(1000 * patience)}).items()
        with self.explained("locked"), self._single.connect() as connection:
            connection.detach()  # a lost machine's lock is freed, and so is that of a connection that closes
            connection.execute(sa.select(*(sa.func.set_config(name, str(value), False) for name, value in settings)))
            yield connection

    @contextmanager
    def writing(self, *, immediate: bool = False) -> Iterator[sa.Connection]:
        """A transaction, committed at the end.

        Args:
            immediate: Keep other writers out from the start, for a write that depends on an earlier read. SQLite locks
                the file; other databases lock rows by `with_for_update`.

        Raises:
            LedgerError: If the database fails.
        """
        with self.explained("written"), self._turn, self._engine.begin() as connection:
            if immediate and self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def writing_one(self) -> Iterator[sa.Connection]:
        """A transaction of one statement, which PostgreSQL commits by itself.

        Raises:
            LedgerError: If the database fails.
        """
        with self.explained("written"), self._turn, self._single.begin() as connection:
            yield connection

    @contextmanager
    def writing_derived(self) -> Iterator[sa.Connection]:
        """A transaction of rows that are derived from texts: it does not wait for the disk."""
        if not self.is_sqlite:
            with self.writing() as connection:
                yield connection
            return
        with self.explained("written"), self._turn, self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
            connection.commit()
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.exec_driver_sql("PRAGMA synchronous=FULL")

    @contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """Turn a database failure into a message: which ledger, what failed, what to do."""
        try:
            yield
        except UnicodeError as error:  # a damaged text that would be written
            raise LedgerError(f"the ledger {self.url} could not be {action}: {_DAMAGED_TEXT}") from error
        except (SQLAlchemyError, ImportError) as error:
            reason = str(_first_failure(error)).splitlines()[0]
            raise LedgerError(
                f"the ledger {self.url} could not be {action}: {reason}; {self._remedy(reason)}"
            ) from error

    def _remedy(self, reason: str) -> str:
        """Return the remedy for a failure of the database."""
        if not self.url.startswith(("sqlite", "postgres")):
            return "use SQLite (leave the URL out) or PostgreSQL (postgresql+psycopg://USER@HOST/DATABASE)"
        if "No module named" in reason:
            return 'install the driver: pip install "slm-sweeps[postgres]"'
        if is_damaged(reason):
            return damaged_ledger(self.url.removeprefix("sqlite:///"))
        place = "its folder exists, is writable and has free space"
        if not self.url.startswith("sqlite"):
            place = "the URL is right, and its server runs and accepts the user"
        return f"check that {place}. Everything written so far is kept. Run the same command to go on"


def _wait(connection: Any, seconds: float) -> None:
    """Wait for a message to a psycopg connection that listens."""
    import psycopg

    try:
        for _ in connection.notifies(timeout=seconds, stop_after=1):
            pass
    except psycopg.Error:  # the next use of the database says what is wrong
        _sleep(seconds)


def _sleep(seconds: float) -> None:
    time.sleep(min(seconds, POLL))


_DAMAGED_TEXT = "it holds a text that is damaged; to find out which: sweeps doctor"


def damaged_ledger(file: str) -> str:
    """Return the remedy for a damaged ledger file."""
    return (
        "the file is damaged or of another program. Restore it from a copy, or rescue its rows:"
        f" sqlite3 {shlex.quote(file)} .recover | sqlite3 rescued.db; put rescued.db in its place, and run: sweeps"
        " doctor"
    )


def _shown(url: str) -> str:
    """Return the address of a ledger without passwords, or refuse it."""
    try:
        return database_address(url)
    except ValueError as error:
        raise LedgerError(f"the ledger's URL {error}") from None


def _open(url: str) -> tuple[sa.Engine, bool]:
    """Open the database, and return also whether it can only be read."""
    if "://" not in url and _may_only_be_read(Path(url)):
        return sa.create_engine("sqlite:///", creator=lambda: _open_to_read(Path(url)), poolclass=sa.QueuePool), True
    _make_private(url)
    engine = sa.create_engine(url if "://" in url else sa.URL.create("sqlite", database=url))
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine, False


def _make_private(url: str) -> None:
    """Make a new file of a ledger readable by its owner alone: it has all prompts and texts. SQLite makes 0644."""
    path = url if "://" not in url else sa.make_url(url).database if url.startswith("sqlite:") else None
    if path and path != ":memory:" and not path.startswith("file:"):
        with suppress(OSError):  # an existing file keeps its mode; other failures are those of opening it
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _make_tables(engine: sa.Engine, *, read_only: bool) -> str | None:
    """Make the missing tables, and return the schema version of the database.

    When several processes open a new database at once, one makes the tables and the others wait.
    """
    with engine.connect() as connection:
        version, complete = _version(connection)
    if read_only or (version is not None and (int(version) > tables.SCHEMA_VERSION or _is_current(version, complete))):
        return version
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MAKING_TABLES})")
        tables.meta.create_all(connection)
        _add_later_columns(connection)
        version, _ = _version(connection)
        if version is None:
            connection.execute(sa.insert(tables.info).values(key="schema", value=str(tables.SCHEMA_VERSION)))
        else:
            migrate(connection, int(version))
    return version


def _is_current(version: str, complete: bool) -> bool:
    return complete and int(version) == tables.SCHEMA_VERSION


def _version(connection: sa.Connection) -> tuple[str | None, bool]:
    """The schema's version, None in a new store, and whether all tables of this version are there."""
    names = set(sa.inspect(connection).get_table_names())
    query = sa.select(tables.info.c.value).where(tables.info.c.key == "schema")
    complete = set(tables.meta.tables) <= names and not _missing_columns(connection)
    value = connection.scalar(query) if "info" in names else None
    if value is not None and not value.isdecimal():
        raise LedgerError(f"the version of the ledger's tables is {value!r}: {_DAMAGED_TEXT}")
    return value, complete


def _missing_columns(connection: sa.Connection) -> list[sa.Column[Any]]:
    """Return the columns that came after the ledger was made."""
    inspector = sa.inspect(connection)
    there = {
        (name, column["name"])
        for name in {column.table.name for column in tables.LATER}
        for column in inspector.get_columns(name)
    }
    return [column for column in tables.LATER if (column.table.name, column.name) not in there]


def _add_later_columns(connection: sa.Connection) -> None:
    for column in _missing_columns(connection):
        connection.exec_driver_sql(_adding(column, connection.dialect))


def _adding(column: sa.Column[Any], dialect: sa.Dialect) -> str:
    """Return the statement that adds a column to its table."""
    return f"ALTER TABLE {column.table.name} ADD COLUMN {CreateColumn(column).compile(dialect=dialect)}"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """Set up a connection: a write-ahead log lets `sweeps status` read while a sweep writes; writers wait in turn."""
    connection.text_factory = decoded
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    _log_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _log_ahead(cursor: sqlite3.Cursor, patience: float = 30.0) -> None:
    """Switch the write-ahead log on; SQLite itself does not wait where another process is doing so."""
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
    """Whether a SQLite file exists, but it or its folder (for the log) may not be written."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a SQLite file for reading.

    SQLite shares its log with writers through a file beside it. Where that file cannot be made, the `immutable` flag
    declares that nobody writes; it is set only where no log exists.
    """
    log = path.with_name(f"{path.name}-wal")
    query = "mode=ro" if log.exists() or os.access(path.parent, os.W_OK) else "mode=ro&immutable=1"
    return _completed(
        sqlite3.connect(f"{path.absolute().as_uri()}?{query}", uri=True, timeout=30, check_same_thread=False)
    )


def _completed(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return the connection, whose tables appear with the columns that an older ledger lacks."""
    connection.text_factory = decoded
    if not connection.execute(f"PRAGMA table_info({tables.generations.name})").fetchall():
        return connection
    proposals_beside(connection)
    for table in (tables.generations, tables.studies):
        there = {row[1] for row in connection.execute(f"PRAGMA main.table_info({table.name})")}
        later = [_default(column) for column in tables.LATER if column.table is table and column.name not in there]
        if later:  # a temporary view goes before the table of its name
            columns = ", ".join(["*", *later])
            connection.execute(f"CREATE TEMP VIEW {table.name} AS SELECT {columns} FROM main.{table.name}")
    connection.commit()
    return connection


def _default(column: sa.Column[Any]) -> str:
    """Return the value of a column that an older ledger lacks, with the column's name."""
    return f"{'NULL' if column.nullable else repr('')} AS {column.name}"


def _first_failure(error: BaseException) -> BaseException:
    """Return the first failure of a chain: a full disk, not the savepoint that is lost with it."""
    before = error.__context__
    follows = isinstance(before, SQLAlchemyError) or before is getattr(error, "orig", None)
    return _first_failure(before) if before is not None and follows else error
