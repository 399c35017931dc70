"""Tasks of a study that several coordinators share: each is claimed by one at a time, under its coordinator's lease."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.coordinators import FORMER, Coordinator, is_alive
from sweeps.ledger.database import Database

_T, _C = tables.tasks, tables.coordinators
_IN_BATCH = _T.c.study == sa.bindparam("of_study"), _T.c.batch == sa.bindparam("of_batch")


class Claim(NamedTuple):
    """A task that a coordinator has claimed.

    Attributes:
        host: Digest of the host that has to run it; None for any host.
        is_new: Whether nobody claimed it before, so that the study cannot have a generation from its batch.
    """

    host: str | None
    is_new: bool


class Claims:
    """The shared tasks of one coordinator's study, in PostgreSQL.

    A task is named by a digest of its place, so that no name is too long for an index. Its claim lasts as long as its
    coordinator beats; after that anybody may claim it.

    Args:
        database: The ledger's database.
        coordinator: This process.
    """

    def __init__(self, database: Database, coordinator: Coordinator) -> None:
        self._database, self.coordinator = database, coordinator
        self._channel = f"sweeps_{hashlib.sha256(coordinator.study.encode()).hexdigest()[:32]}"
        # Statements are made once: making one costs more than PostgreSQL takes to run it.
        self._claim, self._finish = _claiming(), _finishing()
        self._done = sa.select(_T.c.digest).where(*_IN_BATCH, _T.c.done)

    def share(self, batch: str, positions: Mapping[str, int], hosts: Mapping[str, str]) -> None:
        """Add tasks of a batch; those that are there keep host, holder and state.

        Args:
            batch: Name of the batch, the same in every coordinator.
            positions: The place of each task in the order of the batch.
            hosts: Digest of the host that has to run a task, for tasks that are dealt to hosts.
        """
        row = {"study": self.coordinator.study, "batch": batch, "done": False}
        rows = [
            row | {"digest": digest, "position": position, "host": hosts.get(digest)}
            for digest, position in positions.items()
        ]
        new = self._database.insert(_T)
        moved = {"batch": new.excluded.batch, "position": new.excluded.position}
        add = new.on_conflict_do_update(index_elements=list(_T.primary_key), set_=moved)
        with self._database.writing() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"batch {batch}"))))
            there = connection.scalar(sa.select(sa.func.count()).where(*_IN_BATCH), self._of(batch))
            if there != len(rows):
                connection.execute(add, rows)

    def claim(self, batch: str, count: int, *, start: int, but: Sequence[str] = ()) -> dict[str, Claim]:
        """Claim tasks of a batch that nobody holds and this coordinator's hosts may run.

        Args:
            batch: The batch.
            count: The most tasks to claim.
            start: Position to begin at; after the last position come those before it.
            but: Tasks that this coordinator has in hand.

        Returns:
            The claims by task; {} if there is none to claim.
        """
        mine = {"own": self.coordinator.id, "own_hosts": list(self.coordinator.hosts)}
        values = self._of(batch) | mine | {"count": count, "start": start, "but": list(but)}
        with self._database.writing_one() as connection:
            return {row.digest: Claim(row.host, row.holder is None) for row in connection.execute(self._claim, values)}

    def finish(self, digests: Sequence[str]) -> None:
        """Mark tasks whose observations, with their scores, are in the ledger, and wake those who wait for them."""
        values = {"of_study": self.coordinator.study, "digests": list(digests), "channel": self._channel}
        with self._database.writing_one() as connection:
            connection.execute(self._finish, values)

    def others(self) -> AbstractContextManager[Callable[[float], None]]:
        """Listen to the other coordinators: the callable waits until one finishes tasks, at most so many seconds."""
        return self._database.listening(self._channel)

    def reopen(self, digests: Sequence[str]) -> None:
        """Let any coordinator and host claim tasks again that are done, because their results are missing."""
        lost = (_T.c.study == self.coordinator.study, _T.c.digest.in_(list(digests)), _T.c.done)
        with self._database.writing_one() as connection:
            connection.execute(sa.update(_T).where(*lost).values(done=False, holder=FORMER, host=None))

    def done(self, batch: str) -> set[str]:
        """Return the tasks of a batch that are done."""
        with self._database.reading() as connection:
            return set(connection.scalars(self._done, self._of(batch)))

    def _of(self, batch: str) -> dict[str, Any]:
        return {"of_study": self.coordinator.study, "of_batch": batch}


def _texts(name: str) -> sa.BindParameter[Sequence[str]]:
    """A parameter of any number of texts; PostgreSQL plans a statement once, whatever their number."""
    return sa.bindparam(name, type_=sa.ARRAY(sa.Text))


def _claiming() -> sa.Executable:
    """The statement that claims tasks which nobody holds, and which a coordinator's hosts may run."""
    others = sa.select(_C.c.id).where(_C.c.study == sa.bindparam("of_study"), ~_C.c.ended, is_alive())
    held = _T.c.holder.in_(others.where(_C.c.id != sa.bindparam("own")))
    offered = sa.exists(others.where(_C.c.hosts.contains(_T.c.host, autoescape=False)))
    free = (
        sa.select(_T.c.digest, _T.c.holder)
        .where(*_IN_BATCH, ~_T.c.done, sa.or_(_T.c.holder.is_(None), ~held))
        .where(sa.or_(_T.c.host.is_(None), _T.c.host == sa.any_(_texts("own_hosts")), ~offered))
        .where(_T.c.digest != sa.all_(_texts("but")))
        .order_by(_T.c.position < sa.bindparam("start"), _T.c.position)
        .limit(sa.bindparam("count"))
        .with_for_update(skip_locked=True, of=_T)
        .cte("free")
    )
    return (
        sa.update(_T)
        .where(_T.c.study == sa.bindparam("of_study"), _T.c.digest == free.c.digest)
        .values(holder=sa.bindparam("own"))
        .returning(_T.c.digest, _T.c.host, free.c.holder)
    )


def _finishing() -> sa.Select[Any]:
    """The statement that marks tasks as done, and wakes those who listen."""
    those = _T.c.study == sa.bindparam("of_study"), _T.c.digest == sa.any_(_texts("digests"))
    done = sa.update(_T).where(*those).values(done=True).returning(_T.c.digest).cte("finished")
    return sa.select(sa.func.pg_notify(sa.bindparam("channel"), "")).add_cte(done)
