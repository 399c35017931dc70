"""Studies copied from one ledger into another, with their texts, scores, failures and probes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import study_digest
from sweeps.ledger.database import Database
from sweeps.ledger.studies import refuse_twin
from sweeps.ledger.study_record import StoredStudy

_PART = 500
_PLACE = tuple(column.name for column in tables.observations.primary_key if column.name != "study")


class Copying:
    """Copies between two ledgers. Everything may be copied again: the second time nothing changes.

    Args:
        source: The ledger to read.
        target: The ledger to write.
    """

    def __init__(self, source: Database, target: Database) -> None:
        self._source, self._target = source, target

    def observed(self, database: str, study: str) -> set[tuple[Any, ...]]:
        """What a study has measured, in the `source` or the `target`: places with the keys of their generations."""
        o, g = tables.observations, tables.generations
        columns = [*(o.c[name] for name in _PLACE), g.c.key_sha256, g.c.text_sha256]
        query = sa.select(*columns).join(g, o.c.generation == g.c.id).where(o.c.study == study)
        with (self._source if database == "source" else self._target).reading() as connection:
            return {tuple(row) for row in connection.execute(query)}

    def contents(self, database: str, study: str) -> dict[str, tuple[int, str]]:
        """Return the number and the digest of a study's rows in the `source` or the `target`, by part.

        The digests do not depend on the order of rows, nor on the numbers that a ledger gives to generations.
        """
        s, p, o, g = tables.studies, tables.proposals, tables.observations, tables.generations
        c, f = tables.scores, tables.failures
        of_study = g.c.id.in_(sa.select(o.c.generation).where(o.c.study == study))
        texts = [column for column in g.c if column.name != "id"]
        places = [column for column in o.c if column.name not in ("study", "generation")]
        scores = [column for column in c.c if column.name != "generation"]
        queries = {
            "study": sa.select(s.c.identity, s.c.status, s.c.created, s.c.updated).where(s.c.name == study),
            "proposals": sa.select(p.c.number, p.c.record).where(p.c.study == study),
            "observations": sa.select(*places, g.c.key_sha256)
            .outerjoin(g, o.c.generation == g.c.id)
            .where(o.c.study == study),
            "texts": sa.select(*texts).where(of_study),
            "scores": sa.select(*scores, g.c.key_sha256).join(g, c.c.generation == g.c.id).where(of_study),
            "failures": sa.select(f.c.key_sha256, f.c.kind, f.c.message, f.c.created).where(f.c.study == study),
        }
        with (self._source if database == "source" else self._target).reading() as connection:
            return {part: _digest(connection.execute(query)) for part, query in queries.items()}

    def copy(
        self,
        studies: Sequence[StoredStudy],
        names: Mapping[str, str],
        configs: Mapping[str, str],
        *,
        alone: bool = False,
    ) -> None:
        """Copy studies in one transaction.

        Args:
            studies: Studies of the source.
            names: Their names in the target.
            configs: Their TOML texts in the target.
            alone: Whether texts of other studies stay where they are.
        """
        g, o = tables.generations, tables.observations
        own = sa.select(o.c.generation).where(o.c.study.in_([study.name for study in studies]))
        where = g.c.id.in_(own) if alone else None
        with self._source.reading() as read, self._target.writing() as write:
            newest = int(write.scalar(sa.select(sa.func.max(g.c.id))) or 0)
            numbers = self._copy_generations(read, write, where)
            self._copy_scores(read, write, numbers)
            for row in _rows(read, tables.probes):
                write.execute(self._target.insert(tables.probes).on_conflict_do_nothing(), row)
            for study in studies:
                began = {number: new for number, new in numbers.items() if number <= study.record.began}
                self._copy_study(read, write, study, names[study.name], configs[study.name], numbers)
                self._renumber(write, names[study.name], study, max(began.values(), default=newest), numbers)

    def _copy_generations(self, read: sa.Connection, write: sa.Connection, where: Any) -> dict[int, int]:
        """Copy prompts and generations; returns the target's number of each generation of the source."""
        add_prompt = self._target.insert(tables.prompts).on_conflict_do_nothing()
        used = sa.select(tables.generations.c.prompt_sha256).where(sa.true() if where is None else where)
        for part in _parts(_rows(read, tables.prompts, where=tables.prompts.c.sha256.in_(used))):
            write.execute(add_prompt, part)
        add = self._target.insert(tables.generations).on_conflict_do_nothing()
        keys: dict[int, str] = {}
        for part in _parts(_rows(read, tables.generations, tables.generations.c.id, where=where)):
            keys |= {row["id"]: row["key_sha256"] for row in part}
            write.execute(add, [{name: value for name, value in row.items() if name != "id"} for row in part])
        g = tables.generations.c
        found: dict[str, int] = {}
        for wanted in _parts(keys.values()):
            query = sa.select(g.key_sha256, g.id).where(g.key_sha256.in_(wanted))
            found |= {key: int(number) for key, number in write.execute(query)}
        return {number: found[key] for number, key in keys.items()}

    def _copy_scores(self, read: sa.Connection, write: sa.Connection, numbers: Mapping[int, int]) -> None:
        add = self._target.insert(tables.scores).on_conflict_do_nothing()
        for part in _parts(_rows(read, tables.scores)):
            known = [row | {"generation": numbers[row["generation"]]} for row in part if row["generation"] in numbers]
            if known:
                write.execute(add, known)

    def _copy_study(
        self,
        read: sa.Connection,
        write: sa.Connection,
        study: StoredStudy,
        name: str,
        config: str,
        numbers: Mapping[int, int],
    ) -> None:
        s, p, o, f = tables.studies, tables.proposals, tables.observations, tables.failures
        refuse_twin(write, name, self._target.url)
        row = dict(read.execute(sa.select(s).where(s.c.name == study.name)).mappings().one())
        new = self._target.insert(s)
        changed = {key: new.excluded[key] for key in row if key != "name"}
        write.execute(
            new.on_conflict_do_update(index_elements=[s.c.name], set_=changed), row | {"name": name, "config": config}
        )
        write.execute(sa.delete(p).where(p.c.study == name))
        for part in _parts(_rows(read, p, where=p.c.study == study.name)):
            write.execute(sa.insert(p), [each | {"study": name} for each in part])
        add = self._target.insert(o)
        mend = {key: add.excluded[key] for key in ("configuration", "generation", "error")}
        add = add.on_conflict_do_update(index_elements=self._target.place, set_=mend)
        for each in _rows(read, o, where=o.c.study == study.name):
            number = each["generation"]
            write.execute(add, each | {"study": name, "generation": None if number is None else numbers[number]})
        columns = ("key_sha256", "kind", "message", "created")
        known = {tuple(each) for each in write.execute(sa.select(*(f.c[c] for c in columns)).where(f.c.study == name))}
        for each in _rows(read, f, f.c.id, where=f.c.study == study.name):
            if tuple(each[column] for column in columns) not in known:
                write.execute(sa.insert(f).values({c: each[c] for c in columns} | {"study": name}))

    def _renumber(
        self, write: sa.Connection, name: str, study: StoredStudy, began: int, numbers: Mapping[int, int]
    ) -> None:
        """Let the record name the target's numbers of generations."""
        record = study.record.as_json()
        if "began" in record:
            record["began"] = began if study.record.began else 0
        until = study.record.spent_until
        if until is not None:
            record["spent_until"] = max((new for old, new in numbers.items() if old <= until), default=0)
        s = tables.studies
        stored = write.execute(sa.select(s).where(s.c.name == name)).mappings().one()
        row = {**stored, "record": json.dumps(record)}
        write.execute(sa.update(s).where(s.c.name == name).values(record=row["record"], sha256=study_digest(row)))


def _rows(
    connection: sa.Connection, table: sa.Table, order: Any = None, *, where: Any = None
) -> Iterable[dict[str, Any]]:
    query = sa.select(table)
    query = query if where is None else query.where(where)
    query = query if order is None else query.order_by(order)
    for row in connection.execute(query).mappings():
        yield dict(row)


def _digest(rows: Iterable[Any]) -> tuple[int, str]:
    """The number of rows, and a digest of them in any order."""
    count, total = 0, 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(json.dumps(list(row), default=str).encode()).digest())
    return count, f"{total % 2**256:064x}"


def _parts(rows: Iterable[Any]) -> Iterable[list[Any]]:
    part: list[Any] = []
    for row in rows:
        part.append(row)
        if len(part) == _PART:
            yield part
            part = []
    if part:
        yield part
