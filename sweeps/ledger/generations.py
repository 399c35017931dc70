"""The generations of a ledger: every request and its text, and the requests that failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from sweeps.engines.base import Generation
from sweeps.ledger import schema as tables
from sweeps.ledger.damage import is_whole, shown_text
from sweeps.ledger.database import Database
from sweeps.ledger.records import Entry, Key, entry_of, generation_of, now, storable, text_sha256


class Generations:
    """The generations, to read and to add.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Statements are made once: making one costs more than SQLite takes to run it.
        self._add_prompt = database.insert(tables.prompts).on_conflict_do_nothing()
        self._add_generation = (
            database.insert(tables.generations).on_conflict_do_nothing().returning(tables.generations.c.id)
        )
        self._prompts: set[str] = set()

    def find(self, keys: Iterable[Key]) -> dict[str, Entry]:
        """Return the generations that the ledger has for these keys, by `Key.sha256`; damaged ones are left out."""
        wanted = [key.sha256 for key in keys]
        found: dict[str, Entry] = {}
        with self._database.reading() as connection:
            for start in range(0, len(wanted), 500):
                query = sa.select(tables.generations).where(
                    tables.generations.c.key_sha256.in_(wanted[start : start + 500])
                )
                rows = connection.execute(query)
                found |= {row.key_sha256: entry_of(row) for row in rows if is_whole(row._mapping)}
        return found

    def having(self, keys: Iterable[Key]) -> set[str]:
        """Return the `Key.sha256` of those keys that the ledger has a generation for, which may be a damaged one."""
        wanted, column = [key.sha256 for key in keys], tables.generations.c.key_sha256
        found: set[str] = set()
        with self._database.reading() as connection:
            for start in range(0, len(wanted), 500):
                found.update(connection.scalars(sa.select(column).where(column.in_(wanted[start : start + 500]))))
        return found

    def asked_with(self, seeds: range) -> set[tuple[str, str, str, str]]:
        """Return the requests with any of the seeds, on all hosts and versions of engines.

        Args:
            seeds: Consecutive seeds, at least one.

        Returns:
            Digest of the prompt, options as `Key.options_json`, name of the model and its digest.
        """
        g = tables.generations.c
        query = sa.select(g.prompt_sha256, g.options, g.model, g.model_digest).distinct()
        with self._database.reading() as connection:
            return {tuple(row) for row in connection.execute(query.where(g.seed.between(seeds[0], seeds[-1])))}

    def add(self, key: Key, generation: Generation, *, model: str) -> Entry:
        """Keep one generation.

        If the ledger has the key already (another process was quicker), the existing entry stays and is returned. A
        damaged one is replaced, and loses its scores unless its text is the same again.
        """
        timing = generation.timing
        row = {
            **{name: getattr(key, name) for name in ("fingerprint", "model_digest", "prompt_sha256", "seed", "repeat")},
            "key_sha256": key.sha256,
            "options": key.options_json,
            "model": model,
            "text": storable(generation.text),
            "text_sha256": text_sha256(generation),
            "thought": storable(generation.thought),
            "thinking_tokens": generation.thinking_tokens,
            **{
                name: getattr(generation, name)
                for name in ("finish", "prompt_tokens", "output_tokens", "cached_tokens", "truncated")
            },
            "seconds": timing.total,
            **{f"{part}_seconds": getattr(timing, part) for part in ("queue", "load", "prefill", "decode")},
            "effective": json.dumps(dict(generation.effective), sort_keys=True),
            "created": now("milliseconds"),
        }
        system = None if key.prompt.system is None else storable(key.prompt.system)
        prompt = {"sha256": row["prompt_sha256"], "system": system, "user": storable(key.prompt.user)}
        known = prompt["sha256"] in self._prompts
        with self._database.writing_one() if known else self._database.writing() as connection:
            if not known:
                connection.execute(self._add_prompt, prompt)
            number = connection.scalar(self._add_generation, row)
        self._prompts.add(prompt["sha256"])
        if number is None:
            return self._kept(row)
        return Entry(int(number), generation_of(row), row["text_sha256"], row["created"])

    def _kept(self, row: Mapping[str, Any]) -> Entry:
        """Return the generation that the ledger has in place of another one, which replaces it where it is damaged."""
        there = tables.generations.c.key_sha256 == row["key_sha256"]
        with self._database.writing() as connection:
            kept = connection.execute(sa.select(tables.generations).where(there)).one()
            return entry_of(kept if is_whole(kept._mapping) else self._replaced(connection, kept, row))

    def _replaced(self, connection: sa.Connection, damaged: sa.Row[Any], row: Mapping[str, Any]) -> sa.Row[Any]:
        """Write a generation in the place of a damaged one, and return its row."""
        t = tables.generations
        connection.execute(sa.update(t).where(t.c.id == damaged.id).values(row))
        if damaged.text_sha256 != row["text_sha256"]:
            connection.execute(sa.delete(tables.scores).where(tables.scores.c.generation == damaged.id))
        return connection.execute(sa.select(t).where(t.c.id == damaged.id)).one()

    def add_failure(self, key: Key, *, study: str, kind: str, message: str) -> None:
        """Keep the record of a failed request; it is no observation, and the request is repeated on resume."""
        row = {"key_sha256": key.sha256, "study": study, "kind": kind, "message": storable(message), "created": now()}
        with self._database.writing() as connection:
            connection.execute(sa.insert(tables.failures).values(row))

    def failures(self, study: str) -> list[dict[str, str]]:
        """Return the failed requests of a study, oldest first, as `{kind, message, created}`."""
        query = sa.select(tables.failures).where(tables.failures.c.study == study).order_by(tables.failures.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            return [{k: shown_text(row[k]) for k in ("kind", "message", "created")} for row in rows]

    def newest(self) -> int:
        """Return the number of the newest generation; 0 if there is none."""
        with self._database.reading() as connection:
            return int(connection.scalar(sa.select(sa.func.max(tables.generations.c.id))) or 0)

    def seconds_after(self, study: str, generation: int) -> dict[str, float]:
        """Return seconds by host of a study's observations whose generations are newer than the given one."""
        o, g = tables.observations, tables.generations
        sums = sa.select(o.c.host, sa.func.sum(g.c.seconds)).join(g, o.c.generation == g.c.id).group_by(o.c.host)
        query = sums.where(o.c.study == study, g.c.id > generation)
        with self._database.reading() as connection:
            return {host: float(seconds) for host, seconds in connection.execute(query)}
