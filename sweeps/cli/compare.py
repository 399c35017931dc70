"""`sweeps compare`: named sets against the baseline, without a search."""

from __future__ import annotations

from pathlib import Path

import click

from sweeps.cli.run import run_study, study_options


@click.command()
@study_options
def compare(
    file: Path, mlruns: Path, as_json: bool, quiet: bool, verbose: bool, no_tracking: bool, strict: bool
) -> None:
    """Compare the [candidates] of FILE with its baseline, without a search: prompts, models or options.

    Baseline and candidates get equal numbers of fresh seeds. Each candidate gets a verdict, and all are ranked. The
    same command continues after an interruption. With --json two records are printed, `launch` and `done`.
    """
    run_study(
        "compare", file, mlruns, as_json=as_json, quiet=quiet, verbose=verbose, tracking=not no_tracking, strict=strict
    )
