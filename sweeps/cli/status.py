"""`sweeps status`: how far studies are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sweeps.cli.common import echo, echo_json, json_option, mlruns_option, stdout_console
from sweeps.cli.completion import StudyName
from sweeps.errors import SweepError
from sweeps.progress.counts import STAGES
from sweeps.workspace.workspace import Workspace

UNREADABLE = "unreadable"
"""Status of a study from another version, or a damaged one."""

ENDED_EARLY = ("stopped", "failed")
"""Statuses of studies that a command continues."""


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option("--watch", "watched", is_flag=True, help="Show a sweep that another shell runs, until it ends.")
def status(study: str | None, mlruns: Path, as_json: bool, watched: bool) -> None:
    """Show how far STUDY is; without a name, list all studies of the ledger.

    With --watch it shows what the sweep's own display shows, from the ledger; without a name, of the study that changed
    last. Nothing is locked, and Ctrl-C ends the watching alone.

    Failed requests are counted even if a retry was answered. An unreadable study (for example from another version) is
    listed as such; the others are shown normally.
    """
    from sweeps.ledger.database import LedgerError
    from sweeps.ledger.existing import open_existing, stored_study
    from sweeps.ledger.study_record import StudyUnreadableError
    from sweeps.results.study_status import kept_status

    if watched and as_json:
        raise click.UsageError("--watch shows a display, and --json prints one record: give one of them")
    workspace = Workspace.at(mlruns)
    ledger = open_existing(workspace)
    try:
        if watched:
            from sweeps.cli.watch import watch

            current = stored_study(ledger, study)
            watch(ledger, current, workspace)
            study = current.name
        rows = []
        for each in [stored_study(ledger, study)] if study else ledger.studies.all():
            failures = list[dict[str, str]]()
            try:
                failures = ledger.generations.failures(each.name)
                rows.append(kept_status(ledger, each, workspace, len(failures)))
            except (LedgerError, StudyUnreadableError) as error:
                if study:
                    raise
                rows.append({"study": each.name, "status": UNREADABLE, "failed": len(failures), "error": str(error)})
    finally:
        ledger.close()
    if as_json:
        echo_json(rows[0] | {"failures": failures} if study else rows)
    elif study:
        _table(rows)
        _details(rows[0], failures)
        _how_to_go_on(rows)
    elif rows:
        _table(rows)
        _how_to_go_on(rows)
    else:
        where = ledger.url.removeprefix("sqlite:///")
        echo(f"{where} holds no study yet; start one with: sweeps run FILE", err=True)
    if unreadable := [row["error"] for row in rows if "error" in row]:
        raise SweepError("\n".join(unreadable))


def _details(row: dict[str, Any], failures: list[dict[str, Any]]) -> None:
    for failure in failures[-10:]:
        echo(f"{failure['created']} {failure['kind']}: {failure['message']}")
    if len(failures) > 10:
        echo(f"({len(failures)} failed requests in all; the last 10 are shown)")
    if row["budget_tokens"]:
        echo(f"{row['tokens']} of {row['budget_tokens']} tokens of answers (budget.tokens)")
    for limit in row["beyond_limits"]:
        echo(f"the finalist {limit}; so it is not recommended")
    for missing, what in (("lost", "answer"), ("unscored", "score"), ("empty", "answer in the text (empty)")):
        if count := row[missing]:
            has = "has" if count == 1 else "have"
            echo(f"{count} of the {row['observations']} observations so far {has} no {what}")


def _how_to_go_on(rows: list[dict[str, Any]]) -> None:
    """Print the commands that continue, newest first; a note, and no part of the table."""
    for row in [row for row in rows if row["status"] in ENDED_EARLY][:3]:
        echo(f"to go on with {row['study']}: {row['command']}", err=True)


def _verdict(row: dict[str, Any]) -> str:
    """The verdict; of a finalist that is not to be used, however well it scores, that too."""
    limits = ", beyond a limit" if row.get("beyond_limits") else ""
    return f"{row.get('verdict') or ''}{limits}"


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
        table.add_row(row["study"], row["status"], *done, str(row["failed"]), noise, _verdict(row))
    # Nothing is cut for a narrow terminal: verdicts may take two lines, and the terminal breaks longer lines itself.
    verdicts = ["verdict", *map(_verdict, rows)]
    spare = max(map(len, verdicts)) - max(len(word) for verdict in verdicts for word in verdict.split())
    whole = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    console.width = max(console.width, whole - spare)
    console.print(table)
