"""`sweeps track`: a study's runs in MLflow, written from the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.addresses import without_password
from sweeps.cli.common import echo, echo_json, json_option, mlruns_option, warn
from sweeps.cli.completion import StudyName
from sweeps.cli.trust import trust_option

if TYPE_CHECKING:
    from sweeps.tracking.genai.generation_traces import Traced


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@trust_option
@click.option(
    "--traces",
    type=click.Choice(["failures", "confirm", "all", "none"]),
    help="The generations that get a trace; by default as in the sweep's file.",
)
def track(study: str | None, mlruns: Path, as_json: bool, traces: Traced | None) -> None:
    """Write the runs of STUDY (by default the last one) to MLflow from the ledger, without generating.

    What MLflow lacks is added, what it has stays. Use it after a tracking server was away, for a study that ran with
    --no-tracking, for another server (MLFLOW_TRACKING_URI), or for more traces.
    """
    from sweeps.tracking.replay import track_study

    warnings: list[str] = []

    def warned(text: str) -> None:
        warnings.append(text)
        warn(text)

    store = without_password(track_study(mlruns, study, traces=traces, warn=warned))
    if as_json:
        echo_json({"store": store, "warnings": warnings})
    else:
        echo(f"MLflow's store {store} {'lacks some records' if warnings else 'is up to date'}")
    if warnings:
        raise click.exceptions.Exit(3)
