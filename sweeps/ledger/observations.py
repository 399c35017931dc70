"""The observations of a ledger: the places of generations in studies, and their scores."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.damage import DAMAGED_ERROR, is_text, is_whole, object_in
from sweeps.ledger.database import Database
from sweeps.ledger.records import Observed, Place, entry_of, now, storable

_SCORES = sa.select(tables.scores).where(
    tables.scores.c.objective == sa.bindparam("objective"),
    tables.scores.c.generation.in_(sa.bindparam("generations", expanding=True)),
)
_PLACE = tuple(column.name for column in tables.observations.primary_key)
_OF_REQUEST = ("key_sha256", "fingerprint", "model_digest", "prompt_sha256", "options", "seed", "repeat")
"""Columns of a generation's request; its observation and configuration have the same."""

_PART = 250
"""Rows to read at a time."""

_FAILED_ELSEWHERE = sa.delete(tables.observations).where(
    *(tables.observations.c[name] == sa.bindparam(f"at_{name}") for name in _PLACE if name != "host"),
    tables.observations.c.host != sa.bindparam("at_host"),
    tables.observations.c.generation.is_(None),
)


Score = tuple[int, str, str, float, dict[str, Any]]
"""A score to keep: generation, digests of objective and rubric, score and detail."""

Added = tuple[Place, str, int | None, str]
"""An observation to keep: place, key of the configuration, generation (None after a failure) and error."""


class Observations:
    """The observations and scores, to read and to add.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Statements are made once: making one costs more than SQLite takes to run it.
        self._add_score = database.insert(tables.scores).on_conflict_do_nothing()
        o, new = tables.observations, database.insert(tables.observations)
        self._add_or_mend = new.on_conflict_do_update(
            index_elements=database.place,
            set_={name: new.excluded[name] for name in ("configuration", "generation", "error")},
            where=o.c.generation.is_(None),
        )
        self._damaged_scores = set[tuple[int, str, str]]()

    def scores(self, ids: Iterable[int], objective: str) -> dict[tuple[int, str], tuple[float, dict[str, Any]]]:
        """Return scores and details under an objective, by (generation, rubric digest); damaged ones are left out."""
        wanted = list(ids)
        found: dict[tuple[int, str], tuple[float, dict[str, Any]]] = {}
        if not wanted:
            return found
        with self._database.reading() as connection:
            for start in range(0, len(wanted), _PART):
                part = wanted[start : start + _PART]
                for row in connection.execute(_SCORES, {"objective": objective, "generations": part}):
                    detail = object_in(row.detail)
                    if detail is None or not isinstance(row.score, float):
                        self._damaged_scores.add((row.generation, row.objective, row.rubric))
                    else:
                        found[row.generation, row.rubric] = (row.score, detail)
        return found

    def scored(self, study: str, objective: str) -> set[tuple[int, str]]:
        """Return which generations of a study have a score under an objective, as (generation, rubric digest).

        As `scores`, without the damaged ones; SQLite checks the details itself, which takes a tenth of the time.
        """
        o, s = tables.observations, tables.scores
        detail: sa.ColumnElement[Any] = s.c.detail
        if self._database.is_sqlite:  # NaN, which its JSON lacks, is left to be checked here
            damaged = (sa.func.typeof(detail) != "text", detail), (sa.not_(sa.func.json_valid(detail)), detail)
            detail = sa.case(*damaged, (sa.func.json_type(detail) == "object", "{}"), else_=detail)
        own = sa.select(o.c.generation).where(o.c.study == study)
        query = sa.select(s.c.generation, s.c.rubric, s.c.score, detail)
        with self._database.reading() as connection:
            found = connection.execute(query.where(s.c.objective == objective, s.c.generation.in_(own)))
            return {
                (generation, rubric)
                for generation, rubric, score, text in found
                if isinstance(score, float) and (text == "{}" or object_in(text) is not None)
            }

    def add_scores(self, rows: Iterable[Score]) -> None:
        """Keep scores; known whole ones stay."""
        self.add_all("", (), rows)

    def add(self, study: str, place: Place, *, configuration: str, generation: int | None, error: str = "") -> None:
        """Keep an observation of a study: its generation, or the error instead of one.

        A later call for the same place replaces an error, also on another host, since a plan asks one host alone for
        each place. An existing observation stays.
        """
        self.add_all(study, [(place, configuration, generation, error)])

    def add_all(self, study: str, observed: Iterable[Added], scores: Iterable[Score] = ()) -> None:
        """Keep observations of a study, as by `add`, and scores, as by `add_scores`, in one transaction."""
        rows = [
            {"study": study, **vars(place), "configuration": key, "generation": generation, "error": storable(error)}
            for place, key, generation, error in observed
        ]
        values = [
            {"generation": g, "objective": o, "rubric": r, "score": s, "detail": json.dumps(d, ensure_ascii=False)}
            for g, o, r, s, d in scores
        ]
        if not rows and not values:
            return
        with self._database.writing_derived() as connection:
            if rows:
                connection.execute(_FAILED_ELSEWHERE, [{f"at_{name}": row[name] for name in _PLACE} for row in rows])
                connection.execute(self._add_or_mend, rows)
            for row in values if self._damaged_scores else ():
                if (row["generation"], row["objective"], row["rubric"]) in self._damaged_scores:
                    mine = (tables.scores.c[name] == row[name] for name in ("generation", "objective", "rubric"))
                    connection.execute(sa.delete(tables.scores).where(*mine))
            if values:
                connection.execute(self._add_score, values)

    def add_unscored(self, study: str, generation: int, *, kind: str, message: str) -> None:
        """Keep the reason why a generation has no score, also with its observations in the study."""
        o, g = tables.observations, tables.generations
        message = storable(message)
        noted = sa.update(o).where(o.c.study == study, o.c.generation == generation).values(error=f"{kind}: {message}")
        key = sa.select(g.c.key_sha256).where(g.c.id == generation).scalar_subquery()
        row = {"key_sha256": key, "study": study, "kind": kind, "message": message, "created": now()}
        with self._database.writing() as connection:
            connection.execute(noted)
            connection.execute(sa.insert(tables.failures).values(row))

    def times_unscored(self, generation: int, *, kind: str) -> int:
        """Return the number of calls of `add_unscored` for a generation, in all studies."""
        f, g = tables.failures, tables.generations
        query = sa.select(sa.func.count()).select_from(f.join(g, f.c.key_sha256 == g.c.key_sha256))
        with self._database.reading() as connection:
            return int(connection.scalar(query.where(g.c.id == generation, f.c.kind == kind)) or 0)

    def answered(self, study: str, stages: Iterable[str], trials: Iterable[int]) -> list[Observed]:
        """Return the observations of some stages and trials that have a generation, in the order of their places."""
        wanted = list(trials)
        o, found = tables.observations, []
        with self._database.reading() as connection:
            for start in range(0, len(wanted), 500):
                part = o.c.trial.in_(wanted[start : start + 500])
                query = self._with_generations(study).where(
                    part, o.c.stage.in_(list(stages)), o.c.generation.is_not(None)
                )
                for row in connection.execute(query):
                    if not (is_whole(row._mapping) and _has_place(row._mapping)):
                        continue
                    place = Place(**{name: row._mapping[name] for name in Place.__dataclass_fields__})
                    found.append(Observed(place, row.configuration, entry_of(row), row.error))
        return found

    def failed(self, study: str, stages: Iterable[str], trials: Iterable[int]) -> list[tuple[Place, str]]:
        """Return the observations of some stages and trials that have no generation, with their errors."""
        o = tables.observations
        query = sa.select(o).where(o.c.study == study, o.c.stage.in_(list(stages)), o.c.generation.is_(None))
        wanted = set(trials)
        with self._database.reading() as connection:
            rows = [row for row in connection.execute(query).mappings() if row["trial"] in wanted]
        return [(Place(**{name: row[name] for name in Place.__dataclass_fields__}), row["error"]) for row in rows]

    def of_study(self, study: str, stages: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return a study's observations with their generations (not the scores), in the order of their places.

        Args:
            study: The study.
            stages: Only observations of these stages; all by default.

        One whose generation is damaged has none, and an error that says so. One whose place is damaged is left out.
        """
        return [row for part in self.parts_of_study(study, stages) for row in part]

    def parts_of_study(
        self, study: str, stages: Iterable[str] | None = None, trials: Collection[int] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """As `of_study`, some hundreds of observations at a time: the texts of a long study need much memory.

        `trials` are the numbers of the trials to read, at most some thousands; all by default.
        """
        query = self._with_generations(study)
        if trials is not None:
            query = query.where(tables.observations.c.trial.in_(list(trials)))
        if stages is not None:
            query = query.where(tables.observations.c.stage.in_(list(stages)))
        with self._database.reading() as connection:
            for part in connection.execute(query).mappings().partitions(_PART):
                rows = [dict(row) for row in part if _has_place(row)]
                for row in rows:
                    if row["generation"] is not None and not is_whole(row):
                        row |= {"generation": None, "error": DAMAGED_ERROR}
                yield rows

    def configurations(self, study: str) -> dict[int, set[str]]:
        """Return the keys of the configurations in a study's observations, by trial."""
        o, found = tables.observations, dict[int, set[str]]()
        query = sa.select(o.c.trial, o.c.configuration).where(o.c.study == study).distinct()
        with self._database.reading() as connection:
            for trial, key in connection.execute(query):
                found.setdefault(trial, set()).add(key)
        return found

    def free_lost(self) -> int:
        """Free observations and scores from generations that are lost, as after `.recover`; returns how many.

        SQLite gives a lost number to the next generation. Its text must not pass for the lost one.
        """
        o, s, there = tables.observations, tables.scores, sa.select(tables.generations.c.id)
        dangling = o.c.generation.is_not(None) & o.c.generation.not_in(there)
        count = sa.select(sa.func.count())
        queries = count.select_from(o).where(dangling), count.select_from(s).where(s.c.generation.not_in(there))
        with self._database.reading() as connection:
            lost = sum(int(connection.scalar(query) or 0) for query in queries)
        if lost:
            with self._database.writing() as connection:
                connection.execute(sa.update(o).where(dangling).values(generation=None, error=DAMAGED_ERROR))
                connection.execute(sa.delete(s).where(s.c.generation.not_in(there)))
        return lost

    def count(self, study: str) -> int:
        """Return the number of observations of a study that have a generation."""
        return sum(self.count_by_stage(study).values())

    def size(self, study: str) -> int:
        """Return the number of all observations of a study, failed ones included."""
        o = tables.observations
        with self._database.reading() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(o).where(o.c.study == study)) or 0)

    def count_by_stage(self, study: str) -> dict[str, int]:
        """Return the numbers of observations of a study that have a generation, by stage."""
        o = tables.observations.c
        query = sa.select(o.stage, sa.func.count()).where(o.study == study, o.generation.is_not(None)).group_by(o.stage)
        with self._database.reading() as connection:
            return {str(stage): int(number) for stage, number in connection.execute(query)}

    def _with_generations(self, study: str) -> sa.Select[Any]:
        """Select a study's observations and their generations, in the order of their places."""
        o, g, by_bytes = tables.observations, tables.generations, self._database.by_bytes
        return (
            sa.select(o, *(column for column in g.c if column.name not in _OF_REQUEST))
            .select_from(o.outerjoin(g, o.c.generation == g.c.id))
            .where(o.c.study == study)
            .order_by(by_bytes(o.c.stage), o.c.trial, by_bytes(o.c.host), by_bytes(o.c.case), o.c.seed, o.c.repeat)
        )


def _has_place(row: Mapping[str, Any] | sa.RowMapping) -> bool:
    """Whether a row of observations names its place; bytes that are no text could not be shown."""
    return is_text(row["stage"], row["host"], row["case"], row["configuration"])
