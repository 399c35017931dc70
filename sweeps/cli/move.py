"""`sweeps move`: studies from one database to another."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from sweeps.cli.common import FolderPath, echo, echo_json, json_option, warn
from sweeps.cli.completion import StudyName
from sweeps.workspace.workspace import STORAGE_VARIABLE, Workspace


@click.command()
@click.argument("studies", metavar="[STUDY]...", type=StudyName(), nargs=-1)
@click.option("--from", "source", metavar="PLACE", help="Folder or URL that has the studies.  [default: --mlruns]")
@click.option("--to", "target", metavar="PLACE", help="Folder or URL to move to.  [default: SWEEPS_STORAGE]")
@click.option(
    "--mlruns", type=FolderPath(), default=Path("mlruns"), show_default=True, help="Folder of reports and artifacts."
)
@click.option("--no-tracking", is_flag=True, help="Do not write MLflow's runs.")
@json_option
def move(
    studies: tuple[str, ...], source: str | None, target: str | None, mlruns: Path, no_tracking: bool, as_json: bool
) -> None:
    """Move STUDIES (by default all) to another database, such as from SQLite to PostgreSQL, and compare all rows.

    Ledger, Optuna's trials and MLflow's runs are moved. The source stays as it is, and moving again adds only what is
    new. Nothing is moved that a process works on.
    """
    from sweeps.merge.move import move_studies

    target = target or os.environ.get(STORAGE_VARIABLE, "").strip()
    if not target:
        raise click.UsageError(
            "name the place to move to: --to postgresql+psycopg://USER@HOST/DATABASE, or --to FOLDER"
        )

    here, there = (_place(each, mlruns) for each in (source or str(mlruns), target))
    moved = move_studies(here, there, studies, tracking=not no_tracking, warn=warn)
    if as_json:
        echo_json([asdict(each) for each in moved])
        return
    for each in moved:
        rows = ", ".join(f"{number} {part}" for part, number in each.rows.items())
        echo(f"{each.study}: {each.what}; compared and equal: {rows}")


def _place(place: str, mlruns: Path) -> Workspace:
    return Workspace(mlruns).stored_at(place) if "://" in place else Workspace(Path(place))
