"""The checks of a folder and its studies, and the mending of what the ledger can mend."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sweeps.doctor import mlflow_runs, optuna_trials, study_files
from sweeps.doctor.finding import Finding
from sweeps.errors import SweepError
from sweeps.ledger.damage import DAMAGED
from sweeps.ledger.database import damaged_ledger
from sweeps.ledger.existing import open_existing, stored_study
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.results.explored_trials import write_trials
from sweeps.results.reader import read_result
from sweeps.results.result import SweepResult
from sweeps.scoring.answers import UNSCORED
from sweeps.workspace.sqlite_files import damage_in, damaged_pages
from sweeps.workspace.study_lock import StudyBusyError, refuse_busy, standing_of
from sweeps.workspace.workspace import Workspace


def examine(workspace: Workspace, study: str | None = None, *, fix: bool = False) -> Iterator[Finding]:
    """Check a folder, and one of its studies or all of them; each finding comes as soon as it is known.

    Observations, texts and scores are never changed. What is derived from them can be written again: Optuna's trials,
    MLflow's runs, report, tables and exports.

    Args:
        workspace: The folder.
        study: The study; all by default.
        fix: Mend what the ledger can mend, and remove temporary files of processes that ended early.

    Raises:
        SweepError: If there is no ledger, or no such study, or the ledger's file is damaged.
    """
    file = workspace.ledger_file
    if workspace.storage is None and (damage := damaged_pages(file)):
        raise SweepError(f"{file}: {damage}; {damaged_ledger(str(file))}")
    ledger = open_existing(workspace)
    try:
        yield Finding("ledger", "ok", ledger.url.removeprefix("sqlite:///"))
        yield from _stores(workspace, fix)
        for stored in [_named(ledger, study)] if study else ledger.studies.all():
            yield from _of_study(ledger, stored, workspace, fix)
    finally:
        ledger.close()
    yield from _leftovers(workspace, fix)


def _named(ledger: Ledger, study: str) -> StoredStudy:
    """Return a study by name, also a damaged one."""
    return next((each for each in ledger.studies.all() if each.name == study), None) or stored_study(ledger, study)


def _stores(workspace: Workspace, fix: bool) -> Iterator[Finding]:
    """The files of MLflow and Optuna: a damaged one is moved aside, so that it is made again."""
    for name, file in (("Optuna", workspace.folder / "optuna.db"), ("MLflow", workspace.runs_file)):
        damage = damage_in(file)
        if not damage and name == "Optuna" and file.is_file():
            damage = optuna_trials.contradictions(file)
        if damage:
            text = f"{file.name} is damaged ({damage})"
            if fix:
                aside = _moved_aside(file)
                yield Finding(name, "mended", f"{text}; it is now {aside.name}, and is made again from the ledger")
            else:
                yield Finding(name, "wrong", f"{text}; --fix makes it again from the ledger")


def _moved_aside(file: Path) -> Path:
    aside = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    for ending in ("", "-wal", "-shm"):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


def _of_study(ledger: Ledger, stored: StoredStudy, workspace: Workspace, fix: bool) -> Iterator[Finding]:
    name = stored.name
    try:
        if stored.damage:
            raise SweepError(f"{stored.damage}; run its file under another study.name: the texts are reused")
        result = read_result(ledger, name, workspace)
    except SweepError as error:
        yield Finding("study", "wrong", str(error), name)
        return
    again = f"sweeps run {shlex.quote(stored.record.path or 'SWEEP.toml')}"
    try:
        refuse_busy(workspace, name)
    except StudyBusyError as error:
        yield Finding("study", "ok", f"{error}; its other stores are checked when it has ended", name)
        return
    texts = _texts(result, again)
    yield texts
    if (standing := standing_of(workspace, name, stored.status)) != "done":
        yield Finding("study", "ok", f"it is {standing}; to go on: {again}", name)
    elif texts.state == "ok":
        yield from _derived(result, fix)


def _texts(result: SweepResult, again: str) -> Finding:
    """Whether each observation has a whole text and a score."""
    errors = [row["error"] for row in result.rows if row["error"]]
    damaged = sum(error.startswith(DAMAGED) for error in errors)
    unscored = sum(error.startswith(UNSCORED) for error in errors)
    if damaged:
        text = f"{damaged} of {len(result.rows)} are damaged in the ledger; to generate them again: {again}"
        return Finding("texts", "wrong", text, result.name)
    if unscored:
        text = f"{unscored} of {len(result.rows)} have no score; to score them: {again}"
        return Finding("texts", "wrong", text, result.name)
    failed = f", {len(errors)} of them failed requests" if errors else ""
    return Finding("texts", "ok", f"{len(result.rows)} observations{failed}", result.name)


def _derived(result: SweepResult, fix: bool) -> Iterator[Finding]:
    """What can be written again from the ledger."""
    if not result.is_comparison and _keeps_trials(result.workspace):
        yield _checked("Optuna", result, partial(optuna_trials.difference, result), write_trials, fix)
    if result.stored.record.tracked is not False:
        yield _checked("MLflow", result, partial(mlflow_runs.difference, result), _track, fix)
    yield _checked("report", result, partial(study_files.difference, result), _write, fix)


def _keeps_trials(workspace: Workspace) -> bool:
    """Whether trials are kept in a storage: Python programs may do without."""
    return workspace.trials is not None or any(workspace.folder.glob("optuna.db*"))


def _checked(
    check: str, result: SweepResult, difference: Callable[[], str], mend: Callable[[SweepResult], object], fix: bool
) -> Finding:
    try:
        wrong = difference()
        if wrong and fix:
            mend(result)
            if left := difference():
                return Finding(check, "wrong", f"{left}, also after mending", result.name)
            return Finding(check, "mended", wrong, result.name)
    except (SweepError, OSError) as error:
        return Finding(check, "wrong", str(error), result.name)
    if wrong:
        return Finding(check, "wrong", f"{wrong}; --fix writes it again from the ledger", result.name)
    return Finding(check, "ok", "agrees with the ledger", result.name)


def _track(result: SweepResult) -> None:
    from sweeps.tracking.replay import track_study

    _without_warnings(partial(track_study, result.workspace, result.name))


def _write(result: SweepResult) -> None:
    from sweeps.results.report_files import write_outputs

    _without_warnings(partial(write_outputs, result))


def _without_warnings(mend: Callable[..., object]) -> None:
    """Mend something; what it would only warn of is an error here."""
    problems: list[str] = []
    mend(warn=problems.append)
    if problems:
        raise SweepError("; ".join(problems))


def _leftovers(workspace: Workspace, fix: bool) -> Iterator[Finding]:
    found = list(study_files.leftovers(workspace))
    if not found:
        yield Finding("temporary files", "ok", "none are left over")
        return
    home = workspace.folder
    names = ", ".join(str(path.relative_to(home) if path.is_relative_to(home) else path) for path in found[:5])
    text = f"{len(found)} left over by processes that ended early ({names})"
    if fix:
        for path in found:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        yield Finding("temporary files", "mended", f"{text}, removed")
    else:
        yield Finding("temporary files", "wrong", f"{text}; --fix removes them")
