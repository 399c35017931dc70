"""A sweep that another process runs, as its ledger shows it; nothing is locked or written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.fingerprints.changes import fingerprints_from
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.progress import Standing
from sweeps.progress.base import Observation
from sweeps.progress.picture import Painter, Picture
from sweeps.results.reader import result_of
from sweeps.results.result import SweepResult
from sweeps.scoring.growing_table import RunningOffsets
from sweeps.scoring.rows import BASELINE_TRIAL, STAGES
from sweeps.search.trial_scores import penalised, trial_result
from sweeps.study.snapshot import after_batch, after_floor
from sweeps.workspace.workspace import Workspace


def picture_of(ledger: Ledger, study: StoredStudy, workspace: Workspace) -> Picture:
    """Return what a study's own display shows, from the ledger alone."""
    result = result_of(ledger, study, workspace)
    rows = sorted((row for row in result.rows), key=lambda row: row["generation"] or 0)
    painter = Painter()
    painter.plan(*(_planned(result, stage) for stage in STAGES))
    painter.stage(_stage(result, rows))
    painter.standing(standing_of_rows(result))
    texts = {_place(answer): answer["text"] for answer in result.answers}
    hosts = {digest: name for name, models in _hosts(study).items() for digest in models}
    for row in rows:
        seconds = row.get("seconds")
        painter.advance(row["stage"], seconds=None if row["error"] else seconds)
        painter.observe(_observation(result, row, texts.get(_place(row), ""), hosts))
    return replace(painter.picture, study=study.name)


def standing_of_rows(result: SweepResult) -> Standing:
    """The scores so far, as the running sweep computes them."""
    plan, cases = result.plan, [case.name for case in result.cases]
    by_trial: dict[int, list[Mapping[str, Any]]] = {}
    for row in result.rows:
        by_trial.setdefault(row["trial"], []).append(row)
    floor_rows = [row for row in by_trial.get(BASELINE_TRIAL, []) if row["stage"] == "floor"]
    floor = trial_result(floor_rows, cases, None)
    if math.isnan(floor.value) or len(floor_rows) < plan.floor:
        return Standing()
    standing = after_floor(floor, generations_per_trial=None if plan.is_comparison else plan.trial_cases * plan.seeds)
    offsets = RunningOffsets(result.rows).by_case() if plan.is_uneven else None
    results = {}
    for proposal in result.proposals:
        mine = [row for row in by_trial.get(proposal.number, []) if row["stage"] == "explore"]
        if mine:
            found = trial_result(mine, cases, standing.noise_sd, offsets=offsets)
            pruned = proposal.number in result.stored.record.pruned and len(found.cases_with_score) < plan.trial_cases
            found = replace(found, pruned=pruned)
            results[proposal.number] = penalised(found, mine, result.config.constraints)
    return after_batch(standing, result.proposals, results, result.baseline) if results else standing


def _planned(result: SweepResult, stage: str) -> int:
    """Generations planned for a stage; once a stage has ended, those that it took."""
    record, made = result.stored.record, sum(row["stage"] == stage for row in result.rows)
    ended = record.confirmed is not None if stage == "confirm" else record.finalists is not None
    return made if ended else int(getattr(result.plan, stage))


def _stage(result: SweepResult, rows: Sequence[Mapping[str, Any]]) -> str:
    record = result.stored.record
    if record.confirmed is not None:
        return "report" if result.status == "running" else ""
    return "confirm" if record.finalists else rows[-1]["stage"] if rows else "check"


def _hosts(study: StoredStudy) -> dict[str, list[str]]:
    """Digests in the observations table by the host's name."""
    return {
        name: [fingerprint.digest for fingerprint in fingerprints_from(facts).values()]
        for name, facts in study.record.hosts.items()
    }


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("stage", "trial", "host", "case", "seed", "repeat"))


def _observation(result: SweepResult, row: Mapping[str, Any], text: str, hosts: Mapping[str, str]) -> Observation:
    is_baseline = row["trial"] == BASELINE_TRIAL
    name = result.candidates.get(row["configuration"]) or f"trial {row['trial']}"
    return Observation(
        study=result.name,
        stage=row["stage"],
        trial=row["trial"],
        title="baseline" if is_baseline else name,
        changes="" if is_baseline else result.configurations[row["configuration"]].text(result.baseline),
        case=row["case"],
        seed=row["seed"],
        host=hosts.get(row["host"], row["host"]),
        score=row["score"],
        seconds=row.get("seconds"),
        text=text,
    )
