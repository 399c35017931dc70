"""Ledgers in PostgreSQL that older versions made take texts of any length after the first opening."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place

pytestmark = pytest.mark.postgres


def test_an_older_ledger_loses_its_limits_and_nothing_else(postgres_url: str) -> None:
    ledger = Ledger(postgres_url)
    place = Place("floor", -1, "h", "case", 7)
    ledger.observations.add("s", place, configuration="k", generation=None, error="e")
    with ledger._database.writing() as connection:
        connection.exec_driver_sql("DROP INDEX observations_place")
        connection.exec_driver_sql(
            'ALTER TABLE observations ADD PRIMARY KEY (study, stage, trial, host, "case", seed, repeat)'
        )
        connection.exec_driver_sql("ALTER TABLE observations ALTER COLUMN configuration TYPE VARCHAR(32)")
        connection.exec_driver_sql("ALTER TABLE studies ALTER COLUMN name TYPE VARCHAR(120)")
        connection.execute(sa.update(tables.info).values(value="2"))
    ledger.close()
    for _ in range(2):  # a second opening changes nothing
        again = Ledger(postgres_url)
        again.close()
    long = "".join(map(chr, range(0x4E00, 0x4E00 + 9000)))
    again.observations.add("s", Place("floor", -1, "h", long, 7), configuration="k" * 99, generation=None, error="e")
    assert [row["case"] for row in again.observations.of_study("s")] == ["case", long]
    with again._database.reading() as connection:
        types = {str(column["type"]) for column in sa.inspect(connection).get_columns("studies")}
    assert types == {"TEXT"}
    again.close()
