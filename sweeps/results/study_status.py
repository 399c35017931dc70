"""The status of a study, from the ledger's rows alone: neither pandas nor scipy is imported, which takes seconds."""

from __future__ import annotations

import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from objectives.reasoning import split
from sweeps.budget.plan import Plan
from sweeps.budget.tokens import tokens_of
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import COMPARISON, StoredStudy, StudyRecord, StudyUnreadableError
from sweeps.progress.counts import STAGES
from sweeps.scoring.answers import CUT, EMPTY, KEEP, UNSCORED, scored_digest
from sweeps.search.trial_rows import count_trials
from sweeps.version import __version__
from sweeps.workspace.study_lock import standing_of
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult

Row = Mapping[str, Any]


def kept_status(ledger: Ledger, study: StoredStudy, workspace: Workspace, failed: int = 0) -> dict[str, Any]:
    """The status of a study from the ledger's rows; the study is read whole only if nobody has judged it yet.

    Args:
        ledger: The ledger.
        study: The study.
        workspace: Where it is.
        failed: Number of its failed requests.

    Raises:
        StudyUnreadableError: If its record is damaged, or of another version.
    """
    if study.damage:
        raise StudyUnreadableError(study.name, ledger.url, study.damage)
    try:
        ledger.proposals.of(study.name)  # raises if one is damaged
        if not _looks_whole(study):
            from sweeps.results.reader import read_result

            return status_of(read_result(ledger, study.name, workspace), failed)
        rows = list(_rows_of(ledger, study))
        judged = study.record.judged or {}
        if study.status != "running" and not _is_current(judged, study.record, rows):
            from sweeps.results.reader import read_result

            judged = judged_of(read_result(ledger, study.name, workspace))
        return _status(study, rows, judged, workspace, failed)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise StudyUnreadableError(study.name, ledger.url, f"{type(error).__name__}: {error}") from error


def _looks_whole(study: StoredStudy) -> bool:
    """Whether the configuration has its form; reading the study whole says what is wrong otherwise."""
    try:
        tomllib.loads(study.config)
    except tomllib.TOMLDecodeError:
        return False
    return True


def command_of(study: StoredStudy, workspace: Workspace) -> str:
    """Return the command that runs a study again or goes on with it; SWEEP.toml stands for a file that is not known."""
    command = "compare" if study.record.kind == COMPARISON else "run"
    return f"sweeps {command} {shlex.quote(study.record.path or 'SWEEP.toml')}{workspace.arguments}"


def status_of(result: SweepResult, failed: int = 0) -> dict[str, Any]:
    """The status of a study that was read whole; see `kept_status`."""
    return _status(result.stored, result.rows, judged_of(result), result.workspace, failed)


def judged_of(result: SweepResult) -> dict[str, Any]:
    """Floor and verdict of a study for its record (`StudyRecord.judged`), with what they are based on."""
    floor, verdict = result.floor, result.verdict
    return {
        **_basis(result.stored.record, result.rows),
        "floor": None if floor is None else {"sd": floor.sd, "mean": floor.mean, "n": floor.n},
        "verdict": None if verdict is None else verdict.outcome,
        "beyond_limits": [] if verdict is None else result.limits.broken(verdict.configuration),
    }


def with_judged(result: SweepResult) -> Callable[[StudyRecord], StudyRecord]:
    """Return the change of a study's record to the floor and the verdict that a result has.

    Both are computed here, since a record is locked for other coordinators while it changes.
    """
    judged = judged_of(result)
    return lambda record: replace(record, judged=judged)


def finished_rows(
    ledger: Ledger,
    study: StoredStudy | None,
    workspace: Workspace,
    narrowing: Row,
    *,
    hosts: Collection[str],
    keep_trials: bool,
) -> Sequence[Row] | None:
    """Return the rows of a search with nothing left to generate, score or keep; None for any other.

    Its verdict was computed by this version from these very scores, and Optuna's storage has each of its trials.

    Args:
        ledger: The ledger.
        study: The study; None if there is none yet.
        workspace: Where it is.
        narrowing: The parts left out of its space in this run.
        hosts: Names of the hosts of this run; new ones are not in the study yet.
        keep_trials: Whether Optuna's storage has to have its trials.
    """
    from sweeps.results.reader import read_result

    if study is None:
        return None
    record, judged = study.record, study.record.judged or {}
    is_over = study.status == "done" and record.confirmed is not None and record.finalists and judged.get("verdict")
    if not is_over or workspace.is_shared or record.scorings or narrowing != record.narrowing:
        return None
    if set(hosts) - set(record.hosts):
        return None
    trials = len(ledger.proposals.texts_of(study.name))
    if keep_trials and count_trials(workspace.trials_url, study.name) != trials:
        return None
    if judged.get("scored") != ledger.observations.size(study.name):
        return None
    rows = read_result(ledger, study.name, workspace).rows
    return rows if _is_current(judged, record, rows) and not any(row["error"] for row in rows) else None


def _basis(record: StudyRecord, rows: Iterable[Row]) -> dict[str, Any]:
    return {
        "version": __version__,
        "scoring": record.scoring.as_json(),
        "scored": sum(row["error"] == "" for row in rows),
        "confirmed": record.confirmed,
    }


def _is_current(judged: Row, record: StudyRecord, rows: Sequence[Row]) -> bool:
    """Whether floor and verdict rest on these very scores; without any score there is nothing to judge."""
    basis = _basis(record, rows)
    return not basis["scored"] or {name: judged.get(name) for name in basis} == basis


def _rows_of(ledger: Ledger, study: StoredStudy) -> Iterator[dict[str, Any]]:
    """Stage, error, finish and tokens of each observation, as `sweeps.scoring.rows.observation_row` has them."""
    record, reasoning = study.record, study.identity.get("objective.reasoning", KEEP)
    scored = ledger.observations.scored(study.name, record.objective_digest or "")
    digests = record.case_digests or {}
    for row in (row for part in ledger.observations.parts_of_study(study.name) for row in part):
        error, finish = row["error"], "error"
        if row["generation"] is not None:
            text = split(row["text"]).answer if reasoning == CUT else row["text"]
            is_whole = text == row["text"]
            if (row["generation"], scored_digest(digests.get(row["case"], ""), is_whole=is_whole)) in scored:
                error, finish = "", row["finish"] if text.strip() else EMPTY
            else:
                error = error or f"{UNSCORED}: no score yet"
        tokens = None if row["generation"] is None else row["output_tokens"]
        yield {"stage": row["stage"], "error": error, "finish": finish, "output_tokens": tokens}


def _status(study: StoredStudy, rows: Sequence[Row], judged: Row, workspace: Workspace, failed: int) -> dict[str, Any]:
    """The status as JSON types.

    `lost` counts observations without an answer, `unscored` observations with an answer but no score, `empty`
    observations whose text is blank or only thought, `done` observations with answer and score. A retry answered most
    of the `failed` requests. `tokens` are those of all answers, `budget_tokens` the budget; None without. `command` is
    the one that goes on. `beyond_limits` has the limits that keep a finalist from use, however well it scores.
    """
    record, plan, floor = study.record, Plan.from_record(study.record.plan), judged.get("floor")
    measured = Counter(row["stage"] for row in rows)
    done = Counter(row["stage"] for row in rows if not row["error"])
    unscored = sum(row["error"].startswith(UNSCORED) for row in rows)
    planned = {stage: getattr(plan, stage) for stage in STAGES}
    if record.finalists is not None:  # the search is over; greedy sets need one seed only
        planned |= {stage: measured[stage] for stage in ("floor", "explore")}
    if record.confirmed is not None:  # a settled finalist needed no more, and a greedy one needs one seed
        planned["confirm"] = measured["confirm"]
    return {
        "study": study.name,
        "status": standing_of(workspace, study.name, study.status),
        "done": {stage: done[stage] for stage in STAGES},
        "planned": planned,
        "failed": failed,
        "observations": len(rows),
        "lost": len(rows) - done.total() - unscored,
        "unscored": unscored,
        "empty": sum(row["finish"] == EMPTY for row in rows),
        "tokens": tokens_of(rows),
        "budget_tokens": study.identity.get("budget.tokens"),
        "noise_sd": None if floor is None else floor["sd"],
        "baseline_mean": None if floor is None else floor["mean"],
        "baseline_mean_from": None if floor is None else {"stage": "floor", "n": floor["n"]},
        "verdict": judged.get("verdict"),
        "beyond_limits": list(judged.get("beyond_limits", ())),
        "updated": study.updated,
        "command": command_of(study, workspace),
    }
