"""Opening a study from its ledger: neither engine nor cases are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives import Case, Item
from sweeps.config import parse_config
from sweeps.errors import SweepError
from sweeps.explore import Proposal
from sweeps.ledger import Ledger
from sweeps.ledger_records import Entry, Place, generation_of
from sweeps.narrowing import Narrowing
from sweeps.observations import Scored, answer_row, item_texts, observation_row
from sweeps.options import nearest
from sweeps.results import BASELINE_TRIAL, SweepResult

if TYPE_CHECKING:
    from analysis import NoiseFloor


class StudyMissingError(SweepError):
    """There is no such study; the message lists those there are."""


def case_record(case: Case) -> dict[str, Any]:
    """A case as JSON types, as a study keeps it."""
    return {"name": case.name, "title": case.title, "log": case.log, "items": [asdict(item) for item in case.items]}


def case_from_record(record: Mapping[str, Any]) -> Case:
    """The inverse of `case_record`."""
    fields: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
        for item in record["items"]
    ]
    items = tuple(Item(**item) for item in fields)
    return Case(record["name"], record["log"], items, title=record["title"])


def load_result(directory: str | Path, name: str | None = None) -> SweepResult:
    """Open a study from its folder.

    Args:
        directory: The folder of the ledger (`mlruns`).
        name: The study; by default the one that changed last.

    Raises:
        StudyMissingError: If there is no such study, or no ledger.
    """
    directory = Path(directory)
    ledger = Ledger(require_ledger(directory))
    try:
        return read_result(ledger, name, directory)
    finally:
        ledger.close()


def require_ledger(directory: Path) -> Path:
    """The path of a folder's ledger.

    Raises:
        StudyMissingError: If there is none.
    """
    path = directory / "ledger.db"
    if not path.exists():
        raise StudyMissingError(f"no sweep has been run here: {path} does not exist; name the folder with --mlruns")
    return path


def measured_floor(ledger: Ledger, identity: Mapping[str, Any], directory: Path) -> NoiseFloor | None:
    """The noise floor of the last study with the same baseline, cases and objective, if there is one.

    Args:
        ledger: The ledger.
        identity: What makes the study what it is (`sweeps.identity.identity_of`).
        directory: The folder of the ledger.
    """
    wanted = {key: value for key, value in identity.items() if key.startswith(("baseline.", "case ", "objective."))}
    for study in ledger.studies():
        if all(study.identity.get(key) == value for key, value in wanted.items()):
            floor = read_result(ledger, study.name, directory).floor
            if floor is not None:
                return floor
    return None


def read_result(ledger: Ledger, name: str | None, directory: Path) -> SweepResult:
    """As `load_result`, from an open ledger."""
    studies = ledger.studies()
    if not studies:
        raise StudyMissingError(f"the ledger {ledger.url} holds no study yet; start one with: sweeps run FILE.toml")
    record = next((study for study in studies if name in (None, study.name)), None)
    if record is None:
        raise StudyMissingError(f"no study {name!r} in {ledger.url}; {nearest(str(name), [s.name for s in studies])}")
    config = Narrowing.from_record(record.record.get("narrowing")).apply(parse_config(record.config, None))
    cases = [case_from_record(case) for case in record.record["cases"]]
    trials = {BASELINE_TRIAL: config.baseline} | {
        number: Proposal.from_record(number, proposal).configuration
        for number, proposal in enumerate(record.record.get("proposals", []))
    }
    found = ledger.observations(record.name)
    ids = [row["generation"] for row in found if row["generation"] is not None]
    scores = ledger.scores(ids, record.record["objective_digest"])
    digests = record.record["case_digests"]
    items = {case.name: item_texts(case) for case in cases}
    rows, answers = [], []
    for row in found:
        place = Place(**{name: row[name] for name in Place.__dataclass_fields__})
        kept = scores.get((row["generation"], digests.get(place.case, "")))
        scored = None if kept is None else Scored(*kept)
        entry = None if row["generation"] is None else Entry(row["generation"], generation_of(row), row["text_sha256"])
        rows.append(observation_row(record.name, place, trials[place.trial], entry, scored, row["error"]))
        if entry is not None and scored is not None:
            answers.append(answer_row(place, trials[place.trial], entry, scored, items[place.case]))
    return SweepResult(record, config, cases, rows, answers, directory)
