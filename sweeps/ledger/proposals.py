"""The proposals of a ledger's studies: a row for each, added once and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import is_text, unsealed
from sweeps.ledger.database import Database
from sweeps.ledger.records import now, proposal_rows

_P, _S = tables.proposals, tables.studies
_CHANGED = sa.update(_S).where(_S.c.name == sa.bindparam("of")).values(updated=sa.bindparam("at"))


class Proposals:
    """The proposals, to read and to add.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = sa.insert(_P)

    def of(self, study: str) -> list[Mapping[str, Any]]:
        """Return a study's proposals by number, as JSON types.

        Raises:
            ValueError: If a row is damaged, or missing.
        """
        return [proposal_record(number, text) for number, text in enumerate(self.texts_of(study))]

    def texts_of(self, study: str) -> list[str]:
        """As `of`, each proposal as its JSON text.

        Raises:
            ValueError: If a row is missing.
        """
        query = sa.select(_P.c.number, _P.c.record).where(_P.c.study == study).order_by(_P.c.number)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        if [row.number for row in rows] != list(range(len(rows))):
            raise ValueError("proposals are missing")
        return [row.record for row in rows]

    def add(self, study: str, first: int, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep proposals in one transaction; the study counts as changed.

        Args:
            study: The study.
            first: Number of the first one.
            records: The proposals, each `values`, `params` and, of a candidate, `name`.

        Raises:
            LedgerError: If the study has one of these numbers already, or they cannot be written.
        """
        time = now("milliseconds")
        if rows := proposal_rows(study, first, records, time):
            with self._database.writing() as connection:
                connection.execute(self._add, rows)
                connection.execute(_CHANGED, {"of": study, "at": time})

    def since(self, study: str, first: int) -> list[Mapping[str, Any]]:
        """Return a study's proposals from a number on, as JSON types.

        Raises:
            ValueError: If one is damaged.
        """
        later = sa.select(_P.c.number, _P.c.record).where(_P.c.study == study, _P.c.number >= first)
        with self._database.reading() as connection:
            return [proposal_record(*row) for row in connection.execute(later.order_by(_P.c.number))]

    def settle(self, study: str, first: int, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Keep proposals, unless another coordinator has kept some from `first` on, or has ended the search.

        Args:
            study: The study.
            first: Number of the first one.
            records: The proposals, as for `add`.

        Returns:
            The proposals from `first` on that the study has now; [] where the search has ended without them.
        """
        time = now("milliseconds")
        later = sa.select(_P.c.number, _P.c.record).where(_P.c.study == study, _P.c.number >= first)
        with self._database.writing(immediate=True) as connection:
            locked = sa.select(_S.c.record).where(_S.c.name == study).with_for_update()
            ended = json.loads(str(connection.scalar(locked))).get("finalists")
            rows = connection.execute(later.order_by(_P.c.number)).all()
            if not rows and not ended:
                connection.execute(self._add, proposal_rows(study, first, records, time))
                connection.execute(_CHANGED, {"of": study, "at": time})
                rows = connection.execute(later.order_by(_P.c.number)).all()
        return [proposal_record(row.number, row.record) for row in rows]


def proposal_record(number: int, text: str) -> Mapping[str, Any]:
    """A proposal's record in a row of the table, as it was given, without the digest that it got there.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        record = json.loads(text)
    except ValueError as error:
        raise ValueError(f"proposal {number}: {error}") from None
    if not is_text(text):
        raise ValueError(f"proposal {number} has damaged bytes")
    if not isinstance(record, dict) or "values" not in record:
        raise ValueError(f"proposal {number} has no values")
    if (own := unsealed(number, record)) is None:
        raise ValueError(f"proposal {number} is not as it was written")
    return own
