"""The audits of a ledger: each request that they sent, and their finished records.

They are apart from the generations: a text from a cold model, or one of several at once, must never be reused by a
sweep. An audit's texts belong to that audit alone, so that no text passes for a repeat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import is_text, object_in
from sweeps.ledger.database import Database
from sweeps.ledger.records import now, storable

RUNNING, FINISHED = "running", "finished"

RESUMED_WITHIN = timedelta(hours=12)
"""Age up to which an interrupted audit goes on; an older one would mix texts of two states of a host."""


class Audits:
    """The audits, to read and to add.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.insert(tables.audit_parts).on_conflict_do_nothing()

    def begin(self, identity: str, *, again: bool = False) -> int:
        """Return the number of the interrupted audit with this identity, else of a new one.

        Args:
            identity: Digest of everything that the audit's plan depends on.
            again: Begin a new one in any case.
        """
        t = tables.audits.c
        since = (datetime.now(UTC) - RESUMED_WITHIN).isoformat(timespec="seconds")
        open_ones = sa.select(t.id).where(t.identity == identity, t.status == RUNNING, t.created >= since)
        with self._database.writing(immediate=True) as connection:
            number = None if again else connection.scalar(open_ones.order_by(t.id.desc()))
            if number is None:
                values = {"identity": identity, "record": "", "status": RUNNING, "created": now()}
                connection.execute(sa.insert(tables.audits).values(values))
                number = connection.scalar(sa.select(sa.func.max(t.id)).where(t.identity == identity))
        return int(number or 0)

    def parts(self, audit: int, host: str) -> dict[str, dict[str, Any]]:
        """Return what an audit has from a host, by the part's digest."""
        t = tables.audit_parts.c
        query = sa.select(t.part, t.record).where(t.audit == audit, t.host == host)
        with self._database.reading() as connection:
            records = {part: object_in(record) for part, record in connection.execute(query)}
        return {part: record for part, record in records.items() if record is not None}  # a damaged one is asked again

    def add(self, audit: int, host: str, part: str, record: Mapping[str, Any]) -> None:
        """Keep one answer of a host; a part that is there already stays."""
        text = storable(json.dumps(dict(record), ensure_ascii=False))
        row = {"audit": audit, "host": host, "part": part, "record": text, "created": now()}
        with self._database.writing() as connection:
            connection.execute(self._add, row)

    def finish(self, audit: int, record: str) -> None:
        """Keep the record of a finished audit, as JSON text; it is not continued any more."""
        t = tables.audits
        with self._database.writing() as connection:
            connection.execute(sa.update(t).where(t.c.id == audit).values(record=storable(record), status=FINISHED))

    def finished(self) -> list[tuple[str, str]]:
        """Return the finished audits, the newest first, as (time of the beginning, record)."""
        t = tables.audits.c
        query = sa.select(t.created, t.record).where(t.status == FINISHED).order_by(t.id.desc())
        with self._database.reading() as connection:
            return [(created, record) for created, record in connection.execute(query) if is_text(created, record)]
