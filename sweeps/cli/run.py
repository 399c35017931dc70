"""`sweeps run`: a sweep from its TOML file to its verdict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sweeps.cli.common import (
    F,
    SweepPath,
    echo_json,
    json_option,
    mlruns_option,
    progress_view,
    say,
    stderr_console,
    stdout_console,
    terminable,
)
from sweeps.cli.trust import trust_option

if TYPE_CHECKING:
    from sweeps.progress.counts import GenerationCounts
    from sweeps.results.result import SweepResult
    from sweeps.workspace.workspace import Workspace


def study_options(function: F) -> F:
    """FILE and the options of the commands that run a study."""
    for option in (
        click.option(
            "--strict", is_flag=True, help="Stop where an option has no effect, instead of going on without it."
        ),
        click.option("--no-tracking", is_flag=True, help="Do not log to MLflow."),
        click.option("--verbose", "-v", is_flag=True, help="Print a line for each text."),
        click.option("--quiet", "-q", is_flag=True, help="Show only warnings and the verdict."),
        trust_option,
        json_option,
        mlruns_option,
        click.argument("file", type=SweepPath()),
    ):
        function = option(function)
    return function


@click.command()
@study_options
@click.option(
    "--drop", multiple=True, metavar="NAME=VALUE", help="Go on without a value of the space; may be repeated."
)
def run(
    file: Path,
    mlruns: Path,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    no_tracking: bool,
    strict: bool,
    drop: tuple[str, ...],
) -> None:
    """Run the sweep in FILE, or continue it. Its [candidates] are the first trials of the search.

    Texts that the ledger has are reused, so after an interruption the same command continues where it stopped. With
    --json two records are printed, `launch` and `done`.
    """
    run_study(
        "run", file, mlruns, as_json=as_json, quiet=quiet, verbose=verbose, tracking=not no_tracking, strict=strict,
        drop=drop,
    )  # fmt: skip


def run_study(
    command: Literal["run", "compare"],
    file: Path,
    mlruns: Path,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    tracking: bool,
    strict: bool,
    drop: Sequence[str] = (),
) -> None:
    """Run a study to its verdict and show it; after Ctrl-C say what is kept, and the command that continues.

    Args:
        command: `run` for a search, `compare` for candidates.
        file: The sweep's file.
        mlruns: The folder of the ledger.
        as_json: Print JSON records instead of the panel.
        quiet: Show only warnings and the verdict.
        verbose: Print a line for each text.
        tracking: Whether to log to MLflow.
        strict: See `Sweep`.
        drop: Values of the space to go on without, as `NAME=VALUE`.
    """
    result: SweepResult | None = None
    with terminable() as status:
        with progress_view(quiet=quiet or as_json, verbose=verbose) as view:
            view.step(f"importing, and reading {file.name}")
            from sweeps.study.sweep import Sweep

            sweep = Sweep.from_toml(file, mlruns=mlruns, progress=view, tracking=tracking, strict=strict, drop=drop)
            if as_json:
                launch = {"study": sweep.config.study.name, "file": str(file), "mlruns": str(mlruns)}
                echo_json({"record": "launch", **launch})
            with suppress(KeyboardInterrupt):
                result = sweep.compare() if command == "compare" else sweep.run()
        if result is None:  # said after the live display has ended, which would draw over it
            console = stderr_console()
            kept = _kept(sweep.workspace, sweep.config.study.name, view)
            say(console, f"warning: stopped; {kept}. To go on:", style="yellow")
            again = ["sweeps", command, str(file), *_given(mlruns)]
            again += ["--no-tracking"] * (not tracking) + ["--strict"] * strict
            again += [word for text in drop for word in ("--drop", text)]
            console.print(f"  {shlex.join(again)}", markup=False, soft_wrap=True)
            raise click.exceptions.Exit(status())
    if as_json:
        echo_json({"record": "done", **summary(result)})
    else:
        show(result, kept=view.kept)


def _given(mlruns: Path) -> list[str]:
    """Words that name the folder and the database again, where the command line named them."""
    from sweeps.addresses import without_password
    from sweeps.workspace.workspace import Workspace

    context = click.get_current_context(silent=True)
    storage = context.params.get("storage") if context else None
    words = shlex.split(Workspace.at(mlruns).arguments)
    return words + (["--storage", without_password(storage)] if storage and "--storage" not in words else [])


def _kept(workspace: Workspace, study: str, view: GenerationCounts) -> str:
    """The number of a study's generations by its ledger, because a continued run counts from 0 again."""
    from sweeps.errors import SweepError
    from sweeps.ledger.ledger import Ledger

    kept, planned = sum(view.done.values()), sum(view.planned.values())
    with suppress(SweepError):
        ledger = Ledger(workspace.ledger)
        try:
            kept = ledger.observations.count(study)
        finally:
            ledger.close()
    return f"{kept} of {planned} generations are kept" if planned else f"{kept} generations are kept"


def summary(result: SweepResult) -> dict[str, object]:
    """A finished sweep as JSON types."""
    from sweeps.cli.judge import verdict_record

    folder = result.folder
    exports = sorted(str(path) for path in folder.glob("*.env")) + sorted(str(path) for path in folder.glob("*.json"))
    return {
        "study": result.name,
        "status": result.status,
        **verdict_record(result),
        "baseline_sources": result.config.baseline_sources,
        "observations": len(result.observations),
        "report": str(folder / "report.html"),
        "exports": exports,
    }


def show(result: SweepResult, *, kept: int = 0) -> None:
    """Print the settings to use now, and the next steps, on stdout."""
    from rich.text import Text

    from analysis.report.page import terminal_summary
    from sweeps.results.report_files import report_data

    console = stdout_console()
    exports = sorted(result.folder.glob("*.env")) + sorted(result.folder.glob("*.json")) if result.exportable else []
    # A part that fails here has failed with a warning when the report was written.
    for part in terminal_summary(report_data(result, exports, warn=lambda _: None)):
        console.print(part, soft_wrap=isinstance(part, Text))  # a command stays on one line, so that it can be copied
    if kept:
        came = "1 generation came from the ledger and was"
        if kept > 1:
            came = f"{kept} generations came from the ledger and were"
        say(console, f"{came} not generated again.")
