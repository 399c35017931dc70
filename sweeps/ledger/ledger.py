"""The ledger: every request and its full text, kept as soon as it arrives.

Resume is no special mode: the same plan is run again, and what the ledger has is not generated twice. A generation is
keyed by everything that its text depends on, so two studies share generations as well; a text is never passed off as a
repeat, because the repeat index is part of the key.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from sweeps.engines.base import Generation
from sweeps.ledger import schema as tables
from sweeps.ledger.database import LedgerError, _first_failure, make_tables, open_store
from sweeps.ledger.records import Entry, Key, Observed, Place, entry_of, generation_of, now
from sweeps.ledger.study_record import StudyRecord, StudyUnreadableError, study_of

_GENERATION_NUMBER = sa.select(tables.generations.c.id).where(tables.generations.c.key_sha256 == sa.bindparam("key"))
_SCORES = sa.select(tables.scores).where(
    tables.scores.c.objective == sa.bindparam("objective"),
    tables.scores.c.generation.in_(sa.bindparam("generations", expanding=True)),
)
_PLACE = tuple(column.name for column in tables.observations.primary_key)
_FAILED_ELSEWHERE = sa.delete(tables.observations).where(
    *(tables.observations.c[name] == sa.bindparam(f"at_{name}") for name in _PLACE if name != "host"),
    tables.observations.c.host != sa.bindparam("at_host"),
    tables.observations.c.generation.is_(None),
)


class Ledger:
    """Store of generations, scores and studies in SQLite or at any SQLAlchemy URL.

    Every write is one transaction, committed before the call returns, so a killed process loses at most the request
    that was in flight. Writes of the threads of one process take turns: SQLite takes one writer at a time, and a writer
    that finds it taken sleeps and looks again, longer each time, which with four hosts cost each answer three times
    what writing it does. SQLite waits for the disk with each text and each study; observations and scores, which follow
    from the texts, reach it with the next of these, so that a power failure may take the last of them.

    Args:
        url: A SQLAlchemy URL, or the path of a SQLite file (made if missing). A file that may not be written, or stands
            in a folder that may not, is opened for reading.

    Attributes:
        url: The URL.
        read_only: Whether it was opened for reading, so that every write raises `LedgerError`.

    Raises:
        LedgerError: If the store cannot be opened, or was written by a newer version.
    """

    def __init__(self, url: str | Path) -> None:
        text = str(url)
        self.url = text if "://" in text else f"sqlite:///{text}"
        self._engine, self.read_only = open_store(text)
        # Statements are made once: making one costs more than SQLite takes to run it.
        insert: Any = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        self._add_unless_there = {
            table: insert(table).on_conflict_do_nothing()
            for table in (tables.prompts, tables.generations, tables.scores)
        }
        o, new = tables.observations, insert(tables.observations)
        self._add_or_mend = new.on_conflict_do_update(
            index_elements=list(o.primary_key),
            set_={name: new.excluded[name] for name in ("configuration", "generation", "error")},
            where=o.c.generation.is_(None),
        )
        self._prompts: set[str] = set()
        self._turn = threading.RLock()
        with self._told("opened"):
            version = make_tables(self._engine, read_only=self.read_only)
        if version is not None and int(version) > tables.SCHEMA_VERSION:
            raise LedgerError(f"{self.url}: was written by a newer slm-sweeps (schema {version}); upgrade to read it")

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._engine.dispose()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn a database failure into a message: which store, what failed, what to do."""
        try:
            with self._turn if what == "written" else nullcontext():
                yield
        except SQLAlchemyError as error:
            reason = str(_first_failure(error)).splitlines()[0]
            raise LedgerError(
                f"the ledger {self.url} could not be {what}: {reason}; check that its folder exists, is writable and"
                " has free space. What was written is kept: run the same command to go on"
            ) from error

    @contextmanager
    def _derived(self) -> Iterator[sa.Connection]:
        """A transaction of what follows from texts: it does not wait for the disk."""
        with self._told("written"), self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
                connection.commit()
            try:
                with connection.begin():
                    yield connection
            finally:
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA synchronous=FULL")

    def find(self, keys: Iterable[Key]) -> dict[str, Entry]:
        """Generations that are there already, by `Key.sha256`."""
        wanted = [key.sha256 for key in keys]
        found: dict[str, Entry] = {}
        with self._told("read"), self._engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                query = sa.select(tables.generations).where(
                    tables.generations.c.key_sha256.in_(wanted[start : start + 500])
                )
                found |= {row.key_sha256: entry_of(row) for row in connection.execute(query)}
        return found

    def asked_with(self, seeds: range) -> set[tuple[str, str, str, str]]:
        """What was asked for with any of the seeds, on whatever host and with whatever version of its engine.

        Args:
            seeds: Consecutive seeds, at least one.

        Returns:
            Digest of the prompt, options as `Key.options_json`, name of the model and its digest.
        """
        g = tables.generations.c
        query = sa.select(g.prompt_sha256, g.options, g.model, g.model_digest).distinct()
        with self._told("read"), self._engine.connect() as connection:
            return {tuple(row) for row in connection.execute(query.where(g.seed.between(seeds[0], seeds[-1])))}

    def add(self, key: Key, generation: Generation, *, model: str) -> Entry:
        """Keep one generation.

        Where the key is there already (another process was quicker), the entry that is there stays and is returned.
        """
        timing = generation.timing
        # A stream cut within a character leaves half a surrogate pair, which no store and no report can hold.
        text = generation.text.encode(errors="replace").decode()
        row = {
            **{name: getattr(key, name) for name in ("fingerprint", "model_digest", "prompt_sha256", "seed", "repeat")},
            "key_sha256": key.sha256,
            "options": key.options_json,
            "model": model,
            "text": text,
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
            **{
                name: getattr(generation, name)
                for name in ("finish", "prompt_tokens", "output_tokens", "cached_tokens", "truncated")
            },
            "seconds": timing.total,
            **{f"{part}_seconds": getattr(timing, part) for part in ("queue", "load", "prefill", "decode")},
            "effective": json.dumps(dict(generation.effective), sort_keys=True),
            "created": now(),
        }
        prompt = {"sha256": row["prompt_sha256"], "system": key.prompt.system, "user": key.prompt.user}
        with self._told("written"), self._engine.begin() as connection:
            if prompt["sha256"] not in self._prompts:
                connection.execute(self._add_unless_there[tables.prompts], prompt)
            added = connection.execute(self._add_unless_there[tables.generations], row)
            if added.rowcount:
                number = connection.scalar(_GENERATION_NUMBER, {"key": row["key_sha256"]})
                entry = Entry(int(number or 0), generation_of(row), row["text_sha256"])
            else:
                there = tables.generations.c.key_sha256 == row["key_sha256"]
                entry = entry_of(connection.execute(sa.select(tables.generations).where(there)).one())
        self._prompts.add(prompt["sha256"])
        return entry

    def add_failure(self, key: Key, *, study: str, kind: str, message: str) -> None:
        """Keep the record of a request that failed; it is no observation and will be tried again on resume."""
        row = {"key_sha256": key.sha256, "study": study, "kind": kind, "message": message, "created": now()}
        with self._told("written"), self._engine.begin() as connection:
            connection.execute(sa.insert(tables.failures).values(row))

    def failures(self, study: str) -> list[dict[str, str]]:
        """Failed requests of a study, oldest first, as `{kind, message, created}`."""
        query = sa.select(tables.failures).where(tables.failures.c.study == study).order_by(tables.failures.c.id)
        with self._told("read"), self._engine.connect() as connection:
            return [{k: row[k] for k in ("kind", "message", "created")} for row in connection.execute(query).mappings()]

    def scores(self, ids: Iterable[int], objective: str) -> dict[tuple[int, str], tuple[float, dict[str, Any]]]:
        """Kept scores under an objective, by (generation, rubric digest): score and detail."""
        wanted, found = list(ids), {}
        with self._told("read"), self._engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                for row in connection.execute(_SCORES, {"objective": objective, "generations": part}):
                    found[row.generation, row.rubric] = (row.score, json.loads(row.detail))
        return found

    def add_scores(self, rows: Iterable[tuple[int, str, str, float, dict[str, Any]]]) -> None:
        """Keep scores given as (generation, objective digest, rubric digest, score, detail); known ones stay."""
        values = [
            {"generation": g, "objective": o, "rubric": r, "score": s, "detail": json.dumps(d, ensure_ascii=False)}
            for g, o, r, s, d in rows
        ]
        with self._derived() as connection:
            if values:
                connection.execute(self._add_unless_there[tables.scores], values)

    def add_observation(
        self, study: str, place: Place, *, configuration: str, generation: int | None, error: str = ""
    ) -> None:
        """Note that a generation is an observation of a study, or that it could not be had.

        A later call for the same place replaces an error, also one on another host, since a plan asks one host alone
        for each place; an observation that is there stays.
        """
        row = {
            "study": study,
            **{name: getattr(place, name) for name in Place.__dataclass_fields__},
            "configuration": configuration,
            "generation": generation,
            "error": error,
        }
        with self._derived() as connection:
            connection.execute(_FAILED_ELSEWHERE, {f"at_{name}": row[name] for name in _PLACE})
            connection.execute(self._add_or_mend, row)

    def add_unscored(self, study: str, generation: int, *, kind: str, message: str) -> None:
        """Keep the record that a generation could not be scored, and why; its observations in the study say so."""
        o, g = tables.observations, tables.generations
        noted = sa.update(o).where(o.c.study == study, o.c.generation == generation).values(error=f"{kind}: {message}")
        key = sa.select(g.c.key_sha256).where(g.c.id == generation).scalar_subquery()
        row = {"key_sha256": key, "study": study, "kind": kind, "message": message, "created": now()}
        with self._told("written"), self._engine.begin() as connection:
            connection.execute(noted)
            connection.execute(sa.insert(tables.failures).values(row))

    def times_unscored(self, generation: int, *, kind: str) -> int:
        """How often `add_unscored` was called for a generation, in any study."""
        f, g = tables.failures, tables.generations
        query = sa.select(sa.func.count()).select_from(f.join(g, f.c.key_sha256 == g.c.key_sha256))
        with self._told("read"), self._engine.connect() as connection:
            return int(connection.scalar(query.where(g.c.id == generation, f.c.kind == kind)) or 0)

    def observed(self, study: str, stages: Iterable[str], trials: Iterable[int]) -> list[Observed]:
        """A study's observations of some stages and trials that have a generation, in the order of their places."""
        wanted = list(trials)
        o, found = tables.observations, []
        with self._told("read"), self._engine.connect() as connection:
            for start in range(0, len(wanted), 500):
                part = o.c.trial.in_(wanted[start : start + 500])
                query = _with_generations(study).where(part, o.c.stage.in_(list(stages)), o.c.generation.is_not(None))
                for row in connection.execute(query):
                    place = Place(**{name: row._mapping[name] for name in Place.__dataclass_fields__})
                    found.append(Observed(place, row.configuration, entry_of(row), row.error))
        return found

    def observations(self, study: str) -> list[dict[str, Any]]:
        """A study's observations with their generations (not the scores), in the order of their places."""
        with self._told("read"), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(_with_generations(study)).mappings()]

    def newest_generation(self) -> int:
        """Number of the generation that was kept last; 0 where there is none."""
        with self._told("read"), self._engine.connect() as connection:
            return int(connection.scalar(sa.select(sa.func.max(tables.generations.c.id))) or 0)

    def seconds_after(self, study: str, generation: int) -> dict[str, float]:
        """Seconds, by host, of a study's observations whose generations were kept after a given one."""
        o, g = tables.observations, tables.generations
        sums = sa.select(o.c.host, sa.func.sum(g.c.seconds)).join(g, o.c.generation == g.c.id).group_by(o.c.host)
        query = sums.where(o.c.study == study, g.c.id > generation)
        with self._told("read"), self._engine.connect() as connection:
            return {host: float(seconds) for host, seconds in connection.execute(query)}

    def count_observations(self, study: str) -> int:
        """How many observations of a study have a generation."""
        o = tables.observations.c
        query = sa.select(sa.func.count()).where(o.study == study, o.generation.is_not(None))
        with self._told("read"), self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def probes(self, fingerprint: str, engine: str, model: str) -> dict[tuple[str, str], dict[str, Any]]:
        """What probes found on a host, by (option, digest of the contexts it was tried in).

        Args:
            fingerprint: Digest of host, engine and model.
            engine: Kind of the engine, or its API path.
            model: The model's name.
        """
        p = tables.probes
        query = sa.select(p).where(p.c.fingerprint == fingerprint, p.c.engine == engine, p.c.model == model)
        with self._told("read"), self._engine.connect() as connection:
            return {(row.option, row.context): json.loads(row.record) for row in connection.execute(query)}

    def add_probe(
        self, fingerprint: str, engine: str, model: str, *, option: str, context: str, record: Mapping[str, Any]
    ) -> None:
        """Keep what a probe found; a newer result takes the place of an older one."""
        key = {"fingerprint": fingerprint, "engine": engine, "model": model, "option": option, "context": context}
        at = sa.and_(*(tables.probes.c[name] == value for name, value in key.items()))
        values = key | {"record": json.dumps(dict(record)), "created": now()}
        with self._told("written"), self._engine.begin() as connection:
            connection.execute(sa.delete(tables.probes).where(at))
            connection.execute(sa.insert(tables.probes).values(values))

    def study(self, name: str) -> StudyRecord | None:
        """A study by name, or None.

        Raises:
            StudyUnreadableError: If it is damaged.
        """
        with self._told("read"), self._engine.connect() as connection:
            row = connection.execute(sa.select(tables.studies).where(tables.studies.c.name == name)).one_or_none()
        return self._whole(study_of(row)) if row else None

    def _whole(self, study: StudyRecord) -> StudyRecord:
        if study.damage:
            raise StudyUnreadableError(study.name, self.url, study.damage)
        return study

    def studies(self) -> list[StudyRecord]:
        """All studies, newest first; those that are damaged say so (`StudyRecord.damage`)."""
        with self._told("read"), self._engine.connect() as connection:
            return [
                study_of(row)
                for row in connection.execute(sa.select(tables.studies).order_by(tables.studies.c.updated.desc()))
            ]

    def add_study(self, name: str, *, identity: dict[str, Any], config: str, record: dict[str, Any]) -> StudyRecord:
        """Keep a new study with status `running`."""
        time = now("milliseconds")
        row = {
            "name": name,
            "identity": json.dumps(identity),
            "config": config,
            "record": json.dumps(record),
            "status": "running",
            "created": time,
            "updated": time,
        }
        with self._told("written"), self._engine.begin() as connection:
            connection.execute(sa.insert(tables.studies).values(row))
        found = self.study(name)
        assert found is not None
        return found

    def update_study(
        self, name: str, *, status: str | None = None, identity: Mapping[str, Any] | None = None, **changes: Any
    ) -> StudyRecord:
        """Change a study's status and what its results depend on, and merge `changes` into its record, all at once."""
        with self._told("written"), self._engine.begin() as connection:
            query = sa.select(tables.studies).where(tables.studies.c.name == name)
            before = self._whole(study_of(connection.execute(query).one()))
            values = {"record": json.dumps(before.record | changes), "updated": now("milliseconds")}
            values |= {"status": status} if status else {}
            values |= {} if identity is None else {"identity": json.dumps(identity)}
            connection.execute(sa.update(tables.studies).where(tables.studies.c.name == name).values(values))
        new: dict[str, Any] = values | {"record": before.record | json.loads(json.dumps(changes))}
        new |= {} if identity is None else {"identity": json.loads(values["identity"])}
        return replace(before, **new)


def _with_generations(study: str) -> sa.Select[Any]:
    """A study's observations and what was generated for them, in the order of their places."""
    o, g = tables.observations, tables.generations
    return (
        sa.select(o, *(column for column in g.c if column.name not in ("seed", "repeat")))
        .select_from(o.outerjoin(g, o.c.generation == g.c.id))
        .where(o.c.study == study)
        .order_by(o.c.stage, o.c.trial, o.c.host, o.c.case, o.c.seed, o.c.repeat)
    )
