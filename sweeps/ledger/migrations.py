"""Migrations of ledgers that older versions made: one function for each version of the schema since the first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import object_in, study_digest
from sweeps.ledger.records import proposal_rows


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring a ledger to the present schema, in the transaction of the connection.

    Args:
        connection: A connection that has locked the ledger, whose missing tables and columns were made.
        version: The ledger's schema version.
    """
    for reached, step in _STEPS.items():
        if reached > version:
            step(connection)
    if version < tables.SCHEMA_VERSION:
        newest = sa.update(tables.info).where(tables.info.c.key == "schema")
        connection.execute(newest.values(value=str(tables.SCHEMA_VERSION)))


def _proposals_get_rows(connection: sa.Connection) -> None:
    """Move the proposals from the records of studies to their own table."""
    s, p = tables.studies, tables.proposals
    for study in connection.execute(sa.select(s.c.name, s.c.record, s.c.created)).all():
        record = _record(study.record)
        if rows := _rows_of(study.name, record, study.created):
            connection.execute(sa.insert(p), rows)
        if "proposals" in record:
            left = {key: value for key, value in record.items() if key != "proposals"}
            connection.execute(sa.update(s).where(s.c.name == study.name).values(record=json.dumps(left)))


def _failed_observations_get_an_index(connection: sa.Connection) -> None:
    """Index the observations without a generation, which each new one may replace."""
    for index in tables.observations.indexes:
        index.create(connection, checkfirst=True)


def _texts_have_any_length(connection: sa.Connection) -> None:
    """Let PostgreSQL take texts that SQLite takes: of any length, also as the name of an observation's case."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables.meta.sorted_tables:
        for column in sa.inspect(connection).get_columns(table.name):
            if isinstance(column["type"], sa.VARCHAR):
                connection.exec_driver_sql(f'ALTER TABLE {table.name} ALTER COLUMN "{column["name"]}" TYPE TEXT')
    for statement in ("DROP INDEX IF EXISTS ix_observations_failed", *tables.PLACE):
        connection.exec_driver_sql(statement)
    _failed_observations_get_an_index(connection)


def _studies_get_digests(connection: sa.Connection) -> None:
    """Give each study the digest of its row, by which a later fault in it is found."""
    s = tables.studies
    for study in connection.execute(sa.select(s)).mappings().all():
        connection.execute(sa.update(s).where(s.c.name == study["name"]).values(sha256=study_digest(study)))


_STEPS: Mapping[int, Callable[[sa.Connection], None]] = {
    2: _proposals_get_rows,
    3: _failed_observations_get_an_index,
    4: _texts_have_any_length,
    5: _studies_get_digests,
}
"""Functions by the schema version that they reach, in order."""


def proposals_beside(connection: sqlite3.Connection) -> None:
    """Put the proposals of an older ledger, which may only be read, into a temporary table of the connection."""
    name, columns = tables.proposals.name, [column.name for column in tables.proposals.columns]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
        return
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute(f"CREATE TEMP TABLE {name} ({', '.join(columns)})")
    for study, text, created in connection.execute("SELECT name, record, created FROM studies").fetchall():
        places = ", ".join(f":{column}" for column in columns)
        connection.executemany(f"INSERT INTO {name} VALUES ({places})", _rows_of(study, _record(text), created))
    connection.commit()


def _record(text: str) -> dict[str, object]:
    """Return a study's record; a damaged one is left as it is, and reported when the study is read."""
    return object_in(text) or {}


def _rows_of(study: str, record: Mapping[str, object], created: str) -> list[dict[str, object]]:
    proposals = record.get("proposals")
    records = proposals if isinstance(proposals, list) else [] if proposals is None else [proposals]
    return proposal_rows(study, 0, records, created)
