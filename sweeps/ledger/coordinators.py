"""The coordinators of a ledger: the processes that work on its studies, each with a heartbeat.

A coordinator that has been silent for `LEASE` seconds counts as lost. In PostgreSQL the server's clock decides, so the
clocks of machines do not matter. SQLite has no clock of its own: there a row counts as lost if its number of beats
stays the same for as long.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from sweeps.errors import SweepError
from sweeps.ledger import schema as tables
from sweeps.ledger.database import Database
from sweeps.ledger.records import now
from sweeps.workspace.study_lock import LEASE, RESCORE, busy_error

BEAT = 3.0
"""Seconds between the heartbeats of a coordinator, with PostgreSQL."""

SETTLE = 1.0
"""Seconds until two coordinators that began at once, where a file system cannot lock, see each other."""

FORMER = ""
"""The holder of a task that somebody has given up: anybody may claim it, and it is no new one."""

_NO_LOCK_IN_TIME = "55P03"
"""PostgreSQL's code for a lock that was not free in time."""

_C = tables.coordinators


@dataclass
class Coordinator:
    """A process at work on a study.

    Attributes:
        study: The study.
        database: The ledger's database.
        doing: `RUN` or `RESCORE`.
        id: Its id.
    """

    study: str
    database: Database
    doing: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _hosts: Sequence[str] = ()
    _since: str = field(default_factory=lambda: now("milliseconds"))
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def hosts(self) -> Sequence[str]:
        """The digests of its hosts' fingerprints."""
        return self._hosts

    def offer(self, hosts: Sequence[str]) -> None:
        """Let others know which hosts this one has, by the digests of their fingerprints."""
        if list(hosts) != list(self._hosts):
            self._hosts = list(hosts)
            with self.database.writing_derived() as connection:
                self.beat(connection)

    def beat(self, connection: sa.Connection) -> None:
        """Renew the leases of this coordinator; others may have removed its row after a long silence."""
        beat = {} if self.database.is_sqlite else {"beat": sa.func.clock_timestamp()}
        hosts = json.dumps(list(self._hosts))
        renewed = sa.update(_C).where(_C.c.id == self.id).values(beats=_C.c.beats + 1, hosts=hosts, **beat)
        if connection.execute(renewed).rowcount == 0:
            process = psutil.Process()
            row = {"id": self.id, "study": self.study, "node": platform.node(), "pid": process.pid, "hosts": hosts}
            row |= {"started": process.create_time(), "doing": self.doing, "since": self._since, "beats": 0}
            connection.execute(sa.insert(_C).values(**row, ended=False, wrote=False, **beat))

    def alive(self) -> dict[str, list[str]]:
        """The coordinators of the study that are not lost, this one too, with the digests of their hosts."""
        query = sa.select(_C.c.id, _C.c.hosts).where(_C.c.study == self.study, ~_C.c.ended, is_alive())
        with self.database.reading() as connection:
            found = {row.id: json.loads(row.hosts) for row in connection.execute(query)}
        return dict(sorted({**found, self.id: list(self._hosts)}.items()))

    def keep_beating(self) -> None:
        """Beat until `end`; a ledger that cannot be reached for a moment is tried again."""
        while not self._ended.wait(LEASE / 3 if self.database.is_sqlite else BEAT):
            with suppress(SweepError), self.database.writing_derived() as connection:
                self.beat(connection)

    def has_written(self) -> None:
        """Let the others know that this one has written the study's end to MLflow."""
        with self.database.writing_derived() as connection:
            connection.execute(sa.update(_C).where(_C.c.id == self.id).values(wrote=True))

    def end(self) -> None:
        """Stop beating."""
        self._ended.set()


def is_alive() -> sa.ColumnElement[bool]:
    """Whether a row's coordinator is not lost, by PostgreSQL's clock."""
    return _C.c.beat > sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, LEASE)


class Coordinators:
    """The coordinators of a ledger.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def working(self, study: str, doing: str, *, unlocked: bool = False) -> Iterator[Coordinator]:
        """Count this process among the coordinators of a study, until the block ends or the process dies.

        In PostgreSQL several may run a study; who scores it again must be alone. In SQLite one is alone in any case.

        Args:
            study: The study.
            doing: `RUN` or `RESCORE`.
            unlocked: Whether the folder's file system cannot lock, so that two may begin at the same moment.

        Raises:
            StudyBusyError: If another process works on the study.
        """
        one = Coordinator(study, self._database, doing)
        self._enter(one, alone=self._database.is_sqlite and not unlocked)
        if unlocked:
            time.sleep(SETTLE)
            first = min(self._others(one), key=lambda row: (row.since, row.id), default=None)
            if first is not None and (first.since, first.id) < (one._since, one.id):
                self._leave(one)
                raise _busy(first, doing)
        thread = threading.Thread(target=one.keep_beating, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield one
        finally:
            one.end()
            thread.join()
            with suppress(SweepError):
                self._leave(one)

    def _enter(self, one: Coordinator, *, alone: bool) -> None:
        """Add a row, unless others bar it. In SQLite others from other machines are watched until one moves.

        Args:
            one: The coordinator.
            alone: Whether no other process of this machine can be at work, by the operating system's lock.
        """
        seen: dict[str, int] = {}
        until = time.monotonic() + LEASE
        while True:
            with self._database.writing(immediate=True) as connection:
                barred = self._barred(one, connection, alone=alone, patient=time.monotonic() < until)
                if not barred:
                    one.beat(connection)
                    return
            for row in barred:
                elsewhere = self._database.is_sqlite and row.node != platform.node()
                if not elsewhere or row.beats != seen.setdefault(row.id, row.beats):
                    raise _busy(row, one.doing)
            time.sleep(BEAT / 6)

    def _barred(self, one: Coordinator, connection: sa.Connection, *, alone: bool, patient: bool) -> list[Any]:
        """Return the rows that bar a coordinator; remove those of lost ones, and with the last one all tasks."""
        if not self._database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(one.study))))
        others = self._others(one, connection)
        over = [row.id for row in others if row.node == platform.node() and (alone or _is_over(row))]
        left = [row for row in others if row.id not in over]
        if self._database.is_sqlite:
            barred = left if patient else []
            left = barred
        else:
            barred = [row for row in left if RESCORE in (one.doing, row.doing)]
        of_study = _C.c.study == one.study
        connection.execute(sa.delete(_C).where(of_study, _C.c.id.in_(over) if left else sa.true()))
        if not left:
            connection.execute(sa.delete(tables.tasks).where(tables.tasks.c.study == one.study))
        return barred

    def _others(self, one: Coordinator, connection: sa.Connection | None = None) -> list[Any]:
        """The rows of a study's other coordinators; in PostgreSQL without those that are lost by its clock."""
        query = sa.select(_C).where(_C.c.study == one.study, _C.c.id != one.id, ~_C.c.ended)
        query = query if self._database.is_sqlite else query.where(is_alive())
        if connection is not None:
            return list(connection.execute(query).all())
        with self._database.reading() as own:
            return list(own.execute(query).all())

    def _leave(self, one: Coordinator) -> None:
        """Give up the tasks that are not done; the row of one that ends stays for the others, with `ended`."""
        with self._database.writing_derived() as connection:
            if self._database.is_sqlite:
                connection.execute(sa.delete(_C).where(_C.c.id == one.id))
            else:
                t = tables.tasks
                connection.execute(sa.update(t).where(t.c.holder == one.id, ~t.c.done).values(holder=FORMER))
                connection.execute(sa.update(_C).where(_C.c.id == one.id).values(ended=True))

    def turn(self, study: str, part: str, *, patience: float = 0.0) -> Turn:
        """Return the turn of a part of a study's work, which one coordinator at a time has; see `Turn`."""
        return Turn(self._database, f"{part} {study}", patience=patience)

    def written(self, study: str) -> bool:
        """Whether a coordinator has written the study's end to MLflow, and others still work on it."""
        if self._database.is_sqlite:
            return False
        query = sa.select(sa.func.count()).where(_C.c.study == study, _C.c.wrote)
        with self._database.reading() as connection:
            return bool(connection.scalar(query))


class Turn:
    """The right to do something that one process at a time may do, by a lock of PostgreSQL that ends with its process.

    In SQLite, where a study has one process, it is always there.

    Args:
        database: The ledger's database.
        name: Its name.
        patience: Longest wait for it, in seconds; 0 for any.
    """

    def __init__(self, database: Database, name: str, *, patience: float = 0.0) -> None:
        self._database, self._patience = database, patience
        self._key = sa.func.hashtextextended(name, 0)
        self._held = database.is_sqlite
        self._open = ExitStack()
        self._connection: sa.Connection | None = None

    def take(self, *, wait: bool = False) -> bool:
        """Take it, or keep it.

        Args:
            wait: Wait until it is free, as long as the patience lasts.

        Returns:
            Whether this process has it now.
        """
        if not self._held:
            if self._connection is None:
                self._connection = self._open.enter_context(self._database.apart(patience=self._patience))
            take = sa.func.pg_advisory_lock if wait else sa.func.pg_try_advisory_lock
            with self._database.explained("locked"):
                try:
                    taken = self._connection.scalar(sa.select(take(self._key)))
                    self._held = wait or bool(taken)
                except OperationalError as error:
                    if getattr(error.orig, "sqlstate", None) != _NO_LOCK_IN_TIME:
                        raise
        return self._held

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Wait for it, and let another process have it after the block; the connection stays.

        Yields:
            Whether this process has it: a process that stands still keeps the others for their patience only.
        """
        yield self.take(wait=True)
        if self._held and self._connection is not None:
            with self._database.explained("locked"):
                self._connection.execute(sa.select(sa.func.pg_advisory_unlock(self._key)))
            self._held = False

    def release(self) -> None:
        """Give it to another process, and close the connection; idempotent."""
        self._open.close()
        self._connection, self._held = None, self._database.is_sqlite


def _is_over(row: Any) -> bool:
    """Whether the process of a row of this machine has ended."""
    if row.pid == os.getpid():
        return False
    try:
        process = psutil.Process(row.pid)
        other = abs(process.create_time() - row.started) > 2.0  # the number belongs to another process by now
        return bool(other or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _busy(row: Any, doing: str) -> SweepError:
    return busy_error(row.study, doing, by=row.doing, pid=row.pid, node=row.node, since=row.since)
