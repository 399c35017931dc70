"""Tasks of a study that several coordinators share: each is claimed by one at a time, under its coordinator's lease."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.coordinators import Coordinator, is_alive
from sweeps.ledger.database import Database

_T, _C = tables.tasks, tables.coordinators


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

    def share(self, batch: str, digests: Sequence[str], hosts: Mapping[str, str]) -> None:
        """Add the tasks of a batch in their order; those that are there keep host, holder and state.

        Args:
            batch: Name of the batch, the same in every coordinator.
            digests: The tasks.
            hosts: Digest of the host that has to run a task, for tasks that are dealt to hosts.
        """
        row = {"study": self.coordinator.study, "batch": batch, "done": False}
        rows = [
            row | {"digest": digest, "position": number, "host": hosts.get(digest)}
            for number, digest in enumerate(digests)
        ]
        new = self._database.insert(_T)
        moved = {"batch": new.excluded.batch, "position": new.excluded.position}
        add = new.on_conflict_do_update(index_elements=list(_T.primary_key), set_=moved)
        with self._database.writing() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"batch {batch}"))))
            there = connection.scalar(sa.select(sa.func.count()).where(*self._in(batch)))
            if there != len(rows):
                connection.execute(add, rows)

    def claim(self, batch: str, count: int, *, start: int) -> dict[str, str | None]:
        """Claim tasks of a batch that nobody holds and this coordinator's hosts may run.

        Args:
            batch: The batch.
            count: The most tasks to claim.
            start: Position to begin at; after the last position come those before it.

        Returns:
            The host that has to run it, or None, by the claimed task; {} if there is none.
        """
        others = sa.select(_C.c.id).where(_C.c.study == self.coordinator.study, ~_C.c.ended, is_alive())
        held = _T.c.holder.in_(others.where(_C.c.id != self.coordinator.id))
        offered = sa.exists(others.where(_C.c.hosts.contains(_T.c.host, autoescape=False)))
        mine = self.coordinator.hosts
        free = (
            sa.select(_T.c.digest)
            .where(*self._in(batch), ~_T.c.done, sa.or_(_T.c.holder.is_(None), ~held))
            .where(sa.or_(_T.c.host.is_(None), _T.c.host.in_(mine), ~offered))
            .order_by(_T.c.position < start, _T.c.position)
            .limit(count)
            .with_for_update(skip_locked=True, of=_T)
            .cte("free")
        )
        take = (
            sa.update(_T)
            .where(_T.c.study == self.coordinator.study, _T.c.digest.in_(sa.select(free.c.digest)))
            .values(holder=self.coordinator.id)
            .returning(_T.c.digest, _T.c.host)
        )
        with self._database.writing() as connection:
            return {row.digest: row.host for row in connection.execute(take)}

    def finish(self, digests: Sequence[str]) -> None:
        """Mark tasks whose observations, with their scores, are in the ledger."""
        mine = (_T.c.study == self.coordinator.study, _T.c.digest.in_(list(digests)))
        with self._database.writing() as connection:
            connection.execute(sa.update(_T).where(*mine).values(done=True))

    def reopen(self, digests: Sequence[str]) -> None:
        """Let any coordinator and host claim tasks again that are done, because their results are missing."""
        lost = (_T.c.study == self.coordinator.study, _T.c.digest.in_(list(digests)), _T.c.done)
        with self._database.writing() as connection:
            connection.execute(sa.update(_T).where(*lost).values(done=False, holder=None, host=None))

    def done(self, batch: str) -> set[str]:
        """Return the tasks of a batch that are done."""
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(_T.c.digest).where(*self._in(batch), _T.c.done)))

    def _in(self, batch: str) -> tuple[Any, ...]:
        return _T.c.study == self.coordinator.study, _T.c.batch == batch
