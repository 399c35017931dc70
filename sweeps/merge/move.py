"""Studies moved between databases: from SQLite to PostgreSQL and back, compared row by row afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.ledger.existing import open_existing, stored_study
from sweeps.ledger.ledger import Ledger
from sweeps.merge.folders import Merged, merge_folders
from sweeps.workspace.study_lock import refuse_busy
from sweeps.workspace.workspace import Workspace


@dataclass(frozen=True)
class Moved:
    """A study that is in the target now, with everything that the source has of it.

    Attributes:
        study: Its name.
        what: `added`, `updated`, or `kept` where the target had everything already.
        rows: Numbers of rows, the same in both, by part: proposals, observations, texts, scores, failures.
    """

    study: str
    what: str
    rows: dict[str, int]


def move_studies(
    source: str | Path | Workspace,
    target: str | Path | Workspace,
    studies: Sequence[str] = (),
    *,
    tracking: bool = True,
    warn: Callable[[str], object] = lambda _: None,
) -> list[Moved]:
    """Move studies to another database: ledger, Optuna's trials and MLflow's runs.

    The source stays as it is. Moving again changes nothing, and adds what the source has got since. Afterwards numbers
    and digests of all rows are compared.

    Args:
        source: Folder, URL or workspace that has the studies.
        target: Folder, URL or workspace to move them to.
        studies: Their names; by default all.
        tracking: Whether to write MLflow's runs; studies that ran without MLflow get none.
        warn: Receiver of warnings.

    Returns:
        What became of each study.

    Raises:
        StudyMissingError: If the source lacks a study.
        StudyBusyError: If a process works on one of them.
        StudiesDifferError: If the target has another study of that name.
        SweepError: If the rows differ afterwards, or a place cannot be read or written.
    """
    here, there = _place(source), _place(target)
    ledger = open_existing(here)
    try:
        for name in studies:
            stored_study(ledger, name)
        for study in ledger.studies.all():
            if not studies or study.name in studies:
                refuse_busy(here, study.name)
        merged = merge_folders([here], there, studies=studies, tracking=tracking, warn=warn)
        other = open_existing(there)
        try:
            return [_compared(each, ledger, other) for each in merged]
        finally:
            other.close()
    finally:
        ledger.close()


def _place(place: str | Path | Workspace) -> Workspace:
    """Return a workspace; a folder means its own ledger, whatever the environment says."""
    if isinstance(place, Workspace) or "://" in str(place):
        return Workspace.at(place)
    return Workspace(Path(place))


def _compared(each: Merged, source: Ledger, target: Ledger) -> Moved:
    copying = source.copying(target)
    before, after = copying.contents("source", each.study), copying.contents("target", each.name)
    if each.what == "kept":  # the target may have gone on since
        before |= {part: after[part] for part in before if after[part][0] > before[part][0] or part == "study"}
    if wrong := [f"{part} {before[part][0]} and {after[part][0]}" for part in before if before[part] != after[part]]:
        raise SweepError(
            f"study {each.study!r} differs after the move: {'; '.join(wrong)} rows in source and target. The source is"
            " unchanged: keep it, and report this as a defect"
        )
    return Moved(each.study, each.what, {part: number for part, (number, _) in after.items() if part != "study"})
