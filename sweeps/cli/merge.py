"""`sweeps merge`: the studies of several folders in one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from sweeps.cli.common import FolderPath, echo, echo_json, json_option, mlruns_option, warn


@click.command()
@click.argument("folders", nargs=-1, required=True, type=FolderPath())
@mlruns_option
@json_option
@click.option("--rename", is_flag=True, help="Name studies apart that were measured differently: STUDY-FOLDER.")
@click.option("--no-tracking", is_flag=True, help="Do not write MLflow's runs.")
def merge(folders: tuple[Path, ...], mlruns: Path, as_json: bool, rename: bool, no_tracking: bool) -> None:
    """Merge the studies of FOLDERS (mlruns of other machines) into this one: ledger, Optuna's trials, MLflow's runs.

    Merging again changes nothing, and adds what the folders have measured since. A study that two machines have
    measured differently under one name is refused, before anything is written.
    """
    from sweeps.merge.folders import merge_folders

    done = merge_folders(folders, mlruns, rename=rename, tracking=not no_tracking, warn=warn)
    if as_json:
        echo_json([asdict(each) for each in done])
        return
    for each in done:
        name = each.study if each.name == each.study else f"{each.study} as {each.name}"
        echo(f"{name}: {each.what} ({each.source})")
