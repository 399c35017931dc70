"""`sweeps report`: the report, plots and tables of a study."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sweeps.cli.common import echo, echo_json, json_option, mlruns_option, warn
from sweeps.cli.completion import StudyName
from sweeps.workspace.workspace import require_writable


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option("--open", "show", is_flag=True, help="Open the report in the browser.")
def report(study: str | None, mlruns: Path, as_json: bool, show: bool) -> None:
    """Write the report, plots and tables of STUDY (by default the last one) and print the report's path.

    It works at any time; for a running study it shows the results so far.
    """
    from sweeps.results.reader import load_result
    from sweeps.results.report_files import write_outputs

    result = load_result(mlruns, study)
    remedy = f"the report goes there: copy {mlruns} to where you may write, and name the copy with --mlruns"
    require_writable(result.folder, remedy)
    outputs = write_outputs(result, warn=warn)
    if as_json:
        files = {"report": outputs.report, "observations": outputs.observations, "exports": list(outputs.exports)}
        echo_json({**files, "pareto": json.loads(result.pareto.to_json(orient="records"))})
    else:
        echo(outputs.report)
    if show and outputs.report is not None:
        click.launch(outputs.report.resolve().as_uri())
