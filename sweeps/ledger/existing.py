"""Ledgers and studies that exist, and messages about those that do not. This import is cheap."""

from __future__ import annotations

from pathlib import Path

from sweeps.errors import SweepError, name_hint
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.workspace.emptied_ledger import refuse_emptied
from sweeps.workspace.workspace import Workspace


class StudyMissingError(SweepError):
    """There is no such study; the message lists the existing ones."""


def open_existing(workspace: Workspace) -> Ledger:
    """Open the ledger of a workspace that has one.

    Raises:
        StudyMissingError: If there is none.
        SweepError: If it has lost its contents.
    """
    if not workspace.has_ledger:
        there = ", ".join(map(str, _ledgers_near(workspace.folder)))
        raise StudyMissingError(
            f"no sweep has been run here: {workspace.ledger_file} does not exist; name the folder with --mlruns"
            + (f"; there are sweeps in: {there}" if there else "")
        )
    refuse_emptied(workspace)
    return Ledger(workspace.ledger)


def _ledgers_near(folder: Path) -> list[Path]:
    """Return folders with a ledger inside a folder, beside it, and in folders beside it; at most three."""
    found = [place for start, form in ((folder, "*"), (folder.parent, "*"), (folder.parent, "*/mlruns"))
             for place in sorted(start.glob(f"{form}/ledger.db"))]  # fmt: skip
    return list(dict.fromkeys(place.parent for place in found))[:3]


def stored_study(ledger: Ledger, name: str | None) -> StoredStudy:
    """Return a study as the ledger holds it; without a name, the last one that changed.

    Raises:
        StudyMissingError: If there is no such study; the message lists the existing ones.
        StudyUnreadableError: If its row is damaged.
    """
    record = next(iter(ledger.studies.all()), None) if name is None else ledger.studies.get(name)
    if record is None:
        names = [study.name for study in ledger.studies.all()]
        if not names:
            raise StudyMissingError(f"the ledger {ledger.url} holds no study yet; start one with: sweeps run FILE.toml")
        raise StudyMissingError(f"no study {name!r} in {ledger.url}; {name_hint(str(name), names)}")
    return record
