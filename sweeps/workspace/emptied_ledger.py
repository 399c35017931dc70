"""A ledger that has lost its contents: an empty file beside stores of studies, which must not pass for a new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sweeps.errors import SweepError
from sweeps.workspace.workspace import Workspace

_ONE_PAGE = 4096
"""Bytes of a SQLite file without tables."""


def refuse_emptied(workspace: Workspace) -> None:
    """Refuse an empty ledger file in a folder that holds studies.

    Raises:
        SweepError: With the stores beside it, and what to do.
    """
    file = workspace.ledger_file
    if workspace.storage is not None or not _is_empty(file):
        return
    if beside := list(_stores_of_studies(workspace)):
        raise SweepError(
            f"{file} is empty, but {', '.join(beside)} beside it hold studies: the ledger has lost its contents. Put a"
            " copy of it in its place; or delete the empty file, and everything is generated again"
        )


def _is_empty(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size > _ONE_PAGE:
        return False
    return file.stat().st_size == 0 or not _rows(file, "sqlite_master")


def _stores_of_studies(workspace: Workspace) -> Iterator[str]:
    for file, table in ((workspace.folder / "optuna.db", "trials"), (workspace.runs_file, "runs")):
        if file.is_file() and _rows(file, table):
            yield file.name
    for kind in ("report.html", "observations.csv"):
        if found := sorted(workspace.outputs("x").parent.glob(f"*/{kind}")):
            yield str(found[0].relative_to(workspace.folder))
            return


def _rows(file: Path, table: str) -> bool:
    """Whether a table of a SQLite file has rows; a file that cannot be read counts as one that has."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        return "no such table" not in str(error)
