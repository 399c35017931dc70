"""A study's files, against the ledger, and temporary files of processes that ended early."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.files.spreadsheet_cells import harmless_table
from sweeps.results.result import SweepResult
from sweeps.workspace.sqlite_files import abandoned_folders
from sweeps.workspace.workspace import Workspace

_LEFT = re.compile(r"\..+\.([0-9a-f]{8}-\d+-)?[0-9a-f]{8}\.part|.+\.tmp|\.(?:mlflow|optuna)\.db-\d+")
"""Names of files before they are moved to their place."""

_SETTLED = 60.0
"""Seconds after which a temporary file belongs to no running process."""


def difference(result: SweepResult) -> str:
    """Return which of a finished study's files are missing or outdated; "" where all agree with the ledger."""
    folder = result.folder
    if missing := [name for name in ("report.html", "note.md", "observations.csv") if not (folder / name).is_file()]:
        return f"{', '.join(missing)} missing in {folder}"
    table = (folder / "observations.csv").read_text(encoding="utf-8", errors="replace")
    if table.splitlines() != harmless_table(result.observations).to_csv(index=False).splitlines():
        return f"{folder / 'observations.csv'} does not have the ledger's observations"
    if os.stat(folder / "report.html").st_size == 0:
        return f"{folder / 'report.html'} is empty"
    lost = [name for name in ("production.env", "production.json") if not (folder / name).is_file()]
    return f"{', '.join(lost)} missing in {folder}" if result.exportable and lost else ""


def leftovers(workspace: Workspace) -> Iterator[Path]:
    """The temporary files in a workspace's folder that no process is about to move, and folders of killed processes."""
    yield from abandoned_folders()
    now = time.time()
    for folder in (workspace.folder, workspace.outputs("x").parent, workspace.audits):
        pattern = "*" if folder == workspace.folder else "**/*"
        for path in sorted(folder.glob(pattern)):
            if _LEFT.fullmatch(path.name) and path.is_file() and abs(now - path.stat().st_mtime) > _SETTLED:
                yield path
