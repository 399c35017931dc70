"""The record of a study: its plan, hosts, looks and the like, and the reader of every older form.

The ledger keeps a record as JSON. `StudyRecord.from_json` reads what any version wrote; all other code sees the current
form alone.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sweeps.errors import SweepError
from sweeps.ledger.damage import is_text, shown_text, study_digest


@dataclass(frozen=True)
class Scoring:
    """The digests that identify a study's scores.

    Attributes:
        case_digests: Digest of each case's rubric, by the case's name; None in records that never had any.
        objective_digest: Digest of the objective.
    """

    case_digests: Mapping[str, str] | None
    objective_digest: str | None

    def as_json(self) -> dict[str, Any]:
        """Return JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class PastScoring:
    """A scoring that another one has replaced.

    Attributes:
        scoring: The scores until then.
        until: When they were replaced, ISO time, UTC.
        fresh: Whether they scored a confirmation. Older versions did not keep this; True then.
    """

    scoring: Scoring
    until: str
    fresh: bool = True

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PastScoring:
        """Read JSON types of any version."""
        return cls(_scoring(record), record.get("until", ""), record.get("fresh", True))

    def as_json(self) -> dict[str, Any]:
        """Return JSON types."""
        return {"until": self.until, "fresh": self.fresh, **self.scoring.as_json()}


@dataclass(frozen=True)
class Look:
    """A look at the confirmation, and its decision.

    Attributes:
        look: Its number, from 1.
        seeds: Seeds per case and arm so far.
        settled: Numbers of the trials that need no more seeds.
        given_up: The trials among them that were given up because a claim is improbable.
        overtaken: The trials among them that left at the end of a run-off, because others were ahead.
        sentences: A sentence per finalist that was looked at.
        trials: The trial of each sentence. None in looks of older versions: each sentence may belong to any trial.
        scoring: The scores that the look was based on, where another scoring has replaced them; None otherwise.
    """

    look: int
    seeds: int
    settled: tuple[int, ...] = ()
    given_up: tuple[int, ...] = ()
    sentences: tuple[str, ...] = ()
    trials: tuple[int, ...] | None = ()
    scoring: Scoring | None = None
    overtaken: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Look:
        """Read JSON types of any version; older ones gave nothing up and did not keep the trials of sentences."""
        return cls(
            record["look"],
            record.get("seeds", 0),
            tuple(record["settled"]),
            tuple(record.get("given_up", ())),
            tuple(record["told"]),
            tuple(record["told_of"]) if "told_of" in record else None,
            _scoring(record["scoring"]) if "scoring" in record else None,
            tuple(record.get("overtaken", ())),
        )

    def as_json(self) -> dict[str, Any]:
        """Return JSON types, with the keys that every version has used."""
        return {
            "look": self.look,
            "seeds": self.seeds,
            "settled": list(self.settled),
            "given_up": list(self.given_up),
            **({"overtaken": list(self.overtaken)} if self.overtaken else {}),
            "told": list(self.sentences),
            **({} if self.trials is None else {"told_of": list(self.trials)}),
            **({} if self.scoring is None else {"scoring": self.scoring.as_json()}),
        }


COMPARISON = "comparison"
"""The kind of a study that compares candidates with the baseline, without a search."""


@dataclass(frozen=True)
class StudyRecord:
    """Plan, hosts, looks and the like of a study; its proposals have a table of their own.

    Attributes:
        plan: The plan (`sweeps.budget.plan.Plan.as_dict`).
        hosts: Address and fingerprints of each host, by its name.
        cases: The cases (`sweeps.results.case_records`).
        case_digests: Digest of each case's rubric, by the case's name.
        objective_digest: Digest of the objective.
        cases_path: Where the cases were read from.
        path: The sweep's file; None for a sweep from Python.
        directory: The folder that relative paths of the sweep start from; None in older records.
        version: The version of slm-sweeps that began the study.
        environment: Environment variables that set the baseline.
        baseline_sources: The source of each value of the baseline (`SweepConfig.sources`); None in older records.
        tracked: Whether the study has runs in MLflow; None in older records.
        honoured: Options that the engine honours; None in records without them.
        narrowing: Parts left out of the space (`sweeps.config.narrowed_space`); None for none.
        pace: Expected seconds of requests (`sweeps.budget.pace.Pace`), with `budget.minutes` only.
        answer_tokens: Expected tokens of an answer when the plan was made, with `budget.tokens` only.
        began: The ledger's newest generation when the study began; 0 in older records.
        seconds: Seconds of the last run by stage, each `wall` and `engine`.
        spent: Seconds of all runs, with `budget.minutes` only.
        spent_until: The newest generation that `spent` includes; None in older records.
        kind: "comparison" of candidates without a search; None for a search.
        first_sets: Sets that the search tries first (`sweeps.config.candidates.FirstSet`); none in older records.
        earlier: Names of the earlier studies whose scores the search knows; none in older records.
        first_trials: Number of trials of the first plan, where the budget was raised since; the sampler keeps to it.
        pruned: Indices of the cases that pruned trials had, by the trial's number; other trials have all of theirs.
        decided: The newest decision about such trials: the first trial of its batch, and its number within the batch.
        finalists: Numbers of the finalists; None until the exploration has ended.
        priors: The search's belief in each finalist's gain (`analysis.Prior`), by trial number.
        confirm_seed: The confirmation's first seed; None until it begins.
        looks: The looks so far.
        confirmed: When the confirmation was complete, ISO time, UTC; None until then.
        scorings: The scorings before the current one.
        judged: Floor and verdict as they were last computed, with what they rest on; `sweeps status` shows them without
            judging. None in older records.
        more: Keys that this version does not know, kept as they are.
    """

    plan: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Mapping[str, Any], ...] = ()
    case_digests: Mapping[str, str] | None = None
    objective_digest: str | None = None
    cases_path: str = ""
    path: str | None = None
    directory: str | None = None
    version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    baseline_sources: Mapping[str, str] | None = None
    tracked: bool | None = None
    honoured: tuple[str, ...] | None = None
    narrowing: Mapping[str, Any] | None = None
    pace: Mapping[str, Any] | None = None
    answer_tokens: float | None = None
    began: int = 0
    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    spent: float | None = None
    spent_until: int | None = None
    kind: str | None = None
    first_sets: tuple[Mapping[str, Any], ...] = ()
    earlier: tuple[str, ...] = ()
    first_trials: int | None = None
    pruned: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    decided: tuple[int, int] = (-1, 0)
    finalists: tuple[int, ...] | None = None
    priors: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    confirm_seed: int | None = None
    looks: tuple[Look, ...] = ()
    confirmed: str | None = None
    scorings: tuple[PastScoring, ...] = ()
    judged: Mapping[str, Any] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def base(self) -> Path | None:
        """The folder that relative paths of the sweep start from; None if it was not kept."""
        if self.directory is not None:
            return Path(self.directory)
        return None if self.path is None else Path(self.path).parent

    @property
    def scoring(self) -> Scoring:
        """The current scoring."""
        return Scoring(self.case_digests, self.objective_digest)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> StudyRecord:
        """Read the record as any version of slm-sweeps wrote it.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: If it is no record of a study.
        """
        kept = dict(record)
        kept.pop("proposals", None)  # until schema 2; see `sweeps.ledger.migrations`
        one = kept.pop("finalist", None)  # the only finalist, in records of versions with a single one
        if "finalists" not in kept and one is not None:
            kept["finalists"] = [one]
        known = {item.name for item in fields(cls)} - {"more"}
        values = {key: value for key, value in kept.items() if key in known and value is not None}
        for key, read in _READERS.items():
            if key in values:
                values[key] = read(values[key])
        return cls(**values, more={key: value for key, value in kept.items() if key not in known})

    def as_json(self) -> dict[str, Any]:
        """Return JSON types, without fields that have no value yet."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "more"}
        values["looks"] = [look.as_json() for look in self.looks]
        values["scorings"] = [past.as_json() for past in self.scorings]
        return {**self.more, **{key: value for key, value in values.items() if value is not None}}


_READERS: dict[str, Callable[[Any], Any]] = {
    "cases": tuple,
    "finalists": tuple,
    "earlier": tuple,
    "first_sets": tuple,
    "honoured": tuple,
    "pruned": lambda pruned: {int(number): tuple(cases) for number, cases in pruned.items()},
    "decided": tuple,
    "priors": lambda priors: {int(number): prior for number, prior in priors.items()},
    "looks": lambda looks: tuple(map(Look.from_json, looks)),
    "scorings": lambda scorings: tuple(map(PastScoring.from_json, scorings)),
}


def _scoring(record: Mapping[str, Any]) -> Scoring:
    return Scoring(record.get("case_digests"), record.get("objective_digest"))


@dataclass(frozen=True)
class StoredStudy:
    """A study as the ledger holds it.

    Attributes:
        name: The study's name.
        identity: Everything that its results depend on (`sweeps.study.identity.identity_of`), as JSON types.
        config: The TOML text.
        record: Its plan, hosts, looks and the like.
        status: `running`, `stopped`, `failed` or `done`.
        created, updated: ISO times, UTC.
        damage: Why identity or record cannot be read, which are empty then; "" where they can.
        tried: Whether its scoring is only tried and is not in the ledger, as in a dry run of a rescore.
    """

    name: str
    identity: Mapping[str, Any]
    config: str
    record: StudyRecord
    status: str
    created: str
    updated: str
    damage: str = ""
    tried: bool = False


class StudyUnreadableError(SweepError):
    """A study's row in the ledger is damaged, or was written by another version.

    Args:
        name: The study's name.
        where: The ledger's URL.
        reason: The part that cannot be read.
    """

    def __init__(self, name: str, where: str, reason: str) -> None:
        super().__init__(
            f"study {name!r} in {where.removeprefix('sqlite:///')} cannot be read ({reason}): its row is damaged, or"
            " was written by another version. The generated texts are kept. Run the same file under another"
            " study.name: texts that it needs again are reused. To see what is damaged:"
            f" sweeps doctor {shlex.quote(name)}"
        )


_REQUIRED = ("plan", "hosts", "cases")
"""Keys that every version has written when it began a study."""


def study_of(row: Any) -> StoredStudy:
    """Read a row of studies. A row that cannot be decoded gets `damage`; other studies stay readable."""
    names = ("name", "config", "status", "created", "updated")
    plain: dict[str, Any] = {name: shown_text(getattr(row, name)) for name in names}
    broken = next((f"its {name} has damaged bytes" for name in names if not is_text(getattr(row, name))), "")
    identity, damage = _decoded(row, "identity")
    kept, damaged = _decoded(row, "record")
    damage = broken or damage
    lost = [key for key in _REQUIRED if key not in kept]
    damaged = damaged or (f"its record has no {', '.join(lost)}" if lost else "")
    record = StudyRecord()
    if not (damage := damage or damaged) and row.sha256 not in (None, study_digest(row._mapping)):
        damage = "its row was changed by a fault: it does not have its digest"
    if not damage:
        try:
            record = StudyRecord.from_json(kept)
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            damage = f"its record: {type(error).__name__}: {error}"
    return StoredStudy(identity=identity, record=record, damage=damage, **plain)


def _decoded(row: Any, name: str) -> tuple[dict[str, Any], str]:
    text = getattr(row, name)
    if not is_text(text):
        return {}, f"its {name} has damaged bytes"
    try:
        value = json.loads(text)
    except ValueError as error:
        return {}, f"its {name}: {error}"
    return (value, "") if isinstance(value, dict) else ({}, f"its {name} is no JSON object")
