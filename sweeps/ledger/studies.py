"""The studies of a ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import study_digest
from sweeps.ledger.database import Database, LedgerError
from sweeps.ledger.records import now
from sweeps.ledger.study_record import StoredStudy, StudyRecord, StudyUnreadableError, study_of

_ALL = sa.select(tables.studies)


class Studies:
    """The studies, to read, add and change.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> StoredStudy | None:
        """Return a study by name, or None.

        Raises:
            StudyUnreadableError: If it is damaged.
        """
        with self._database.reading() as connection:
            row = connection.execute(_ALL.where(tables.studies.c.name == name)).one_or_none()
        return self._whole(study_of(row)) if row else None

    def all(self) -> list[StoredStudy]:
        """Return all studies, newest first; damaged ones have `damage`."""
        with self._database.reading() as connection:
            return [study_of(row) for row in connection.execute(_ALL.order_by(tables.studies.c.updated.desc()))]

    def refuse_twin(self, name: str) -> None:
        """Refuse a name that differs from a stored study's in upper and lower case only.

        Raises:
            LedgerError: If there is such a study.
        """
        with self._database.reading() as connection:
            refuse_twin(connection, name, self._database.url)

    def add(self, name: str, *, identity: Mapping[str, Any], config: str, record: StudyRecord) -> StoredStudy:
        """Keep a new study with status `running`.

        Raises:
            LedgerError: If there is one of this name, or of one that differs in upper and lower case only.
        """
        time = now("milliseconds")
        row = {
            "name": name,
            "identity": json.dumps(dict(identity)),
            "config": config,
            "record": json.dumps(record.as_json()),
            "status": "running",
            "created": time,
            "updated": time,
        }
        with self._database.writing() as connection:
            refuse_twin(connection, name, self._database.url)
            connection.execute(sa.insert(tables.studies).values(**row, sha256=study_digest(row)))
        found = self.get(name)
        assert found is not None
        return found

    def update(
        self,
        name: str,
        change: Callable[[StudyRecord], StudyRecord] | None = None,
        *,
        status: str | None = None,
        identity: Mapping[str, Any] | None = None,
        config: str | None = None,
    ) -> StoredStudy:
        """Change a study's record, status, identity and TOML text in one transaction.

        The row is locked from the read on, so updates of several processes follow one another and none is lost.

        Args:
            name: The study.
            change: Makes the new record from the stored one; it may be called for a record that another process wrote.
            status: The new status.
            identity: The new identity.
            config: The new TOML text.

        Returns:
            The study as it is stored now.

        Raises:
            StudyUnreadableError: If it is damaged.
            LedgerError: If it cannot be written.
        """
        ours = tables.studies.c.name == name
        with self._database.writing(immediate=True) as connection:
            row = connection.execute(_ALL.where(ours).with_for_update()).one()
            stored = self._whole(study_of(row))
            record = stored.record if change is None else change(stored.record)
            values: dict[str, Any] = {"record": json.dumps(record.as_json()), "updated": now("milliseconds")}
            values |= {"status": status} if status else {}
            values |= {} if identity is None else {"identity": json.dumps(dict(identity))}
            values |= {} if config is None else {"config": config}
            whole = study_digest({**row._mapping, **values})
            connection.execute(sa.update(tables.studies).where(ours).values(**values, sha256=whole))
        read: dict[str, Any] = {"record": StudyRecord.from_json(json.loads(values["record"]))}
        read |= {} if identity is None else {"identity": json.loads(values["identity"])}
        return replace(stored, **(values | read))

    def _whole(self, study: StoredStudy) -> StoredStudy:
        if study.damage:
            raise StudyUnreadableError(study.name, self._database.url, study.damage)
        return study


def refuse_twin(connection: sa.Connection, name: str, url: str) -> None:
    """Refuse a name that differs from a study's in upper and lower case only; `url` is the ledger's, for the error."""
    for other in connection.scalars(sa.select(tables.studies.c.name)):
        if other != name and other.casefold() == name.casefold():
            raise LedgerError(
                f"study.name {name!r}: {url} has a study {other!r}, and some file systems take the folders of both for"
                f" one. Write {other!r}, or choose another name"
            )
