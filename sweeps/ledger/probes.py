"""The results of probes in a ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import object_in
from sweeps.ledger.database import Database
from sweeps.ledger.records import now


class Probes:
    """The results of probes, to read and to add.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_host(self, fingerprint: str, engine: str, model: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the results of a host, by (option, digest of the contexts that it was tried in), without damaged ones.

        Args:
            fingerprint: Digest of host, engine and model.
            engine: Kind of the engine, or its API path.
            model: The model's name.
        """
        p = tables.probes
        query = sa.select(p).where(p.c.fingerprint == fingerprint, p.c.engine == engine, p.c.model == model)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        known = ((row.option, row.context, object_in(row.record)) for row in rows)
        return {
            (option, context): record for option, context, record in known if record
        }  # a damaged one is probed again

    def add(
        self, fingerprint: str, engine: str, model: str, *, option: str, context: str, record: Mapping[str, Any]
    ) -> None:
        """Keep the result of a probe; it replaces an older one."""
        key = {"fingerprint": fingerprint, "engine": engine, "model": model, "option": option, "context": context}
        at = sa.and_(*(tables.probes.c[name] == value for name, value in key.items()))
        values = key | {"record": json.dumps(dict(record)), "created": now()}
        with self._database.writing() as connection:
            connection.execute(sa.delete(tables.probes).where(at))
            connection.execute(sa.insert(tables.probes).values(values))
