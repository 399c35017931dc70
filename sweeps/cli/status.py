"""`sweeps status`: how far studies are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import echo_json, json_option, mlruns_option, stdout_console
from sweeps.errors import SweepError
from sweeps.progress.counts import STAGES
from sweeps.workspace.study_lock import standing_of
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.results.result import SweepResult

UNREADABLE = "unreadable"
"""Status of a study from another version, or a damaged one."""


@click.command()
@click.argument("study", required=False)
@mlruns_option
@json_option
def status(study: str | None, mlruns: Path, as_json: bool) -> None:
    """Show how far STUDY is; without a name, list all studies of the ledger.

    Failed requests are counted even if a retry was answered. An unreadable study (for example from another version) is
    listed as such; the others are shown normally.
    """
    from sweeps.ledger.study_record import StudyUnreadableError
    from sweeps.results.reader import open_existing, read_result

    workspace = Workspace.at(mlruns)

    ledger = open_existing(workspace)
    try:
        rows = []
        for name in [study] if study else [record.name for record in ledger.studies.all()]:
            failures = ledger.generations.failures(name)
            try:
                rows.append(status_record(read_result(ledger, name, workspace), len(failures)))
            except StudyUnreadableError as error:
                if study:
                    raise
                rows.append({"study": name, "status": UNREADABLE, "failed": len(failures), "error": str(error)})
    finally:
        ledger.close()
    if as_json:
        echo_json(rows[0] | {"failures": failures} if study else rows)
    elif study:
        _table(rows)
        _details(rows[0], failures)
    elif rows:
        _table(rows)
    else:
        where = ledger.url.removeprefix("sqlite:///")
        click.echo(f"{where} holds no study yet; start one with: sweeps run FILE", err=True)
    if unreadable := [row["error"] for row in rows if "error" in row]:
        raise SweepError("\n".join(unreadable))


def _details(row: dict[str, Any], failures: list[dict[str, Any]]) -> None:
    for failure in failures[-10:]:
        click.echo(f"{failure['created']} {failure['kind']}: {failure['message']}")
    if len(failures) > 10:
        click.echo(f"({len(failures)} failed requests in all; the last 10 are shown)")
    for missing, what in (("lost", "answer"), ("unscored", "score"), ("empty", "answer in the text (empty)")):
        if count := row[missing]:
            has = "has" if count == 1 else "have"
            click.echo(f"{count} of the {row['observations']} observations so far {has} no {what}")


def status_record(result: SweepResult, failed: int = 0) -> dict[str, Any]:
    """The progress of a study as JSON types.

    Args:
        result: The study.
        failed: Number of its failed requests; a retry answered most of them. `lost` counts observations without an
            answer, `unscored` observations with an answer but no score, `empty` observations whose text is blank or
            only thought, `done` observations with answer and score.
    """
    from sweeps.scoring.scorer import UNSCORED

    table = result.observations
    missing, unscored = table["error"] != "", table["error"].astype(str).str.startswith(UNSCORED)
    measured = {stage: int((table["stage"] == stage).sum()) for stage in STAGES}
    counts = table[~missing].groupby("stage").size()
    verdict, record = result.verdict, result.stored.record
    done = {stage: int(counts.get(stage, 0)) for stage in STAGES}
    planned = {stage: getattr(result.plan, stage) for stage in STAGES}
    if record.finalists is not None:  # the search is over; greedy sets need one seed only
        planned |= {stage: measured[stage] for stage in ("floor", "explore")}
    if record.confirmed is not None:  # a settled finalist needed no more, and a greedy one needs one seed
        planned["confirm"] = measured["confirm"]
    return {
        "study": result.name,
        "status": standing_of(result.workspace, result.name, result.status),
        "done": done,
        "planned": planned,
        "failed": failed,
        "observations": len(table),
        "lost": int((missing & ~unscored).sum()),
        "unscored": int(unscored.sum()),
        "empty": int((table["finish"] == "empty").sum()),
        "noise_sd": None if result.floor is None else result.floor.sd,
        "baseline_mean": None if result.floor is None else result.floor.mean,
        "baseline_mean_from": None if result.floor is None else {"stage": "floor", "n": result.floor.n},
        "verdict": None if verdict is None else verdict.outcome,
        "updated": result.stored.updated,
    }


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.measure import Measurement
    from rich.table import Table

    console = stdout_console()
    table = Table(box=None, pad_edge=False)
    for name in ("study", "status", *STAGES, "failed", "floor sd", "verdict"):
        table.add_column(name, no_wrap=name != "verdict")
    for row in rows:
        if row["status"] == UNREADABLE:
            table.add_row(row["study"], UNREADABLE, *("" for _ in STAGES), str(row["failed"]), "", "")
            continue
        done = [f"{row['done'][stage]}/{row['planned'][stage]}" for stage in STAGES]
        noise = "" if row["noise_sd"] is None else f"{row['noise_sd']:.3f}"
        table.add_row(row["study"], row["status"], *done, str(row["failed"]), noise, row["verdict"] or "")
    # Nothing is cut for a narrow terminal: verdicts may take two lines, and the terminal breaks longer lines itself.
    verdicts = ["verdict", *(row.get("verdict") or "" for row in rows)]
    spare = max(map(len, verdicts)) - max(len(word) for verdict in verdicts for word in verdict.split())
    whole = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    console.width = max(console.width, whole - spare)
    console.print(table)
