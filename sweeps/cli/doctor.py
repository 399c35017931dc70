"""`sweeps doctor`: ledger, Optuna, MLflow and files, checked against each other."""

from __future__ import annotations

from pathlib import Path

import click

from sweeps.cli.common import echo, echo_json, json_option, mlruns_option
from sweeps.cli.completion import StudyName
from sweeps.cli.trust import trust_option


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@trust_option
@click.option("--fix", is_flag=True, help="Mend what the ledger can mend, and remove left-over temporary files.")
def doctor(study: str | None, mlruns: Path, as_json: bool, fix: bool) -> None:
    """Check the ledger, Optuna's trials, MLflow's runs and the files of STUDY against each other.

    Without STUDY all studies of the folder are checked. Each check prints a line. With --fix, trials, runs, reports and
    exports are written again from the ledger, and a damaged mlflow.db or optuna.db is moved aside first. Texts, scores
    and observations are never changed. Exit codes: 0 all is well or mended, 1 something is wrong, 2 the ledger cannot
    be read.
    """
    from sweeps.doctor.doctor import examine
    from sweeps.workspace.workspace import Workspace

    found = []
    for finding in examine(Workspace.at(mlruns), study, fix=fix):
        found.append(finding)
        if not as_json:
            echo(finding.line)
    if as_json:
        echo_json([finding.as_dict() for finding in found])
    if any(finding.state == "wrong" for finding in found):
        raise click.exceptions.Exit(1)
