"""`sweeps check`: problems of a sweep, found before it runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import SweepPath, echo_json, json_option, mlruns_option, progress_view, stdout_console
from sweeps.cli.trust import trust_option

if TYPE_CHECKING:
    from sweeps.check.report import ReadinessReport

STYLES = {"ready": "green", "warning": "yellow", "blocked": "bold red"}


@click.command()
@click.argument("file", type=SweepPath())
@mlruns_option
@json_option
@click.option("--strict", is_flag=True, help="Stop where a searched option has no effect, instead of dropping it.")
@click.option("--again", is_flag=True, help="Probe options again, even where the ledger has the answer.")
@trust_option
@click.option("--quiet", "-q", is_flag=True, help="Show the table only.")
def check(file: Path, mlruns: Path, as_json: bool, strict: bool, again: bool, quiet: bool) -> int:
    """Check the sweep in FILE: cases, engine, options, length of the prompts, time, and the smallest gain it can find.

    One answer per case is generated with the baseline and kept, so that the sweep need not generate it again. Exits
    with 0 if the sweep can run, with 2 if something blocks it.
    """
    with progress_view(quiet=quiet or as_json) as view:
        view.step(f"importing, and reading {file.name}")
        from sweeps.check.checker import BLOCKED, check_sweep

        report = check_sweep(file, mlruns=mlruns, strict=strict, again=again, progress=view)
    if as_json:
        echo_json(report.as_dict())
    else:
        show(report, mlruns)
    return 2 if report.state == BLOCKED else 0


def show(report: ReadinessReport, mlruns: Path) -> None:
    """Print the tables on stdout, and the next step."""
    from rich.table import Table
    from rich.text import Text

    from analysis.formatting import option_text, source_text
    from sweeps.workspace.workspace import Workspace

    console = stdout_console()
    table = Table(box=None, pad_edge=False)
    todo = ["what to do"] if any(row.todo for row in report.rows) else []  # an empty column takes width from the others
    for column in ("check", "state", "found", *todo):
        table.add_column(column, overflow="fold")
    for row in report.rows:
        shown = [Text(row.state, STYLES[row.state]), Text(row.found), Text(row.todo)]
        table.add_row(row.name, *shown[: 2 + len(todo)])
    console.print(table)
    if report.options:
        options = Table(box=None, pad_edge=False)
        for column in ("option", "baseline", "from", "searched", "probe", "note"):
            options.add_column(column, overflow="fold")
        for option in report.options:
            value = "" if option.value is None else option_text(option.value)
            cells = (
                Text(each) for each in (value, source_text(option.source), option.searched, option.verdict, option.note)
            )
            options.add_row(option.name, *cells)
        console.print()
        console.print(options)
    console.print()
    where = Workspace.at(mlruns).arguments
    next_step = f"start it with: sweeps run {shlex.quote(report.file)}{where}"
    if report.kept:
        next_step = f"go on with: sweeps run {shlex.quote(report.file)}{where}"
    if report.done:
        next_step = f"the study is done; see its verdict with: sweeps judge {shlex.quote(report.study)}{where}"
    console.print(
        f"{report.state}; " + ("fix the blocked rows, then check again" if report.state == "blocked" else next_step),
        markup=False,
        soft_wrap=True,
    )
