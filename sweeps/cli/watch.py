"""`sweeps status --watch`: a sweep that another process runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sweeps.cli.common import echo, stderr_console
from sweeps.errors import SweepError
from sweeps.workspace.study_lock import standing_of

if TYPE_CHECKING:
    from sweeps.ledger.ledger import Ledger
    from sweeps.ledger.study_record import StoredStudy
    from sweeps.progress.picture import Picture
    from sweeps.workspace.workspace import Workspace

EVERY = 1.0
"""Seconds between two looks at the ledger."""


def watch(ledger: Ledger, study: StoredStudy, workspace: Workspace, *, every: float = EVERY) -> None:
    """Show a study until no process runs it any more: live on a terminal, a line per change elsewhere.

    Only the ledger is read, so that the sweep is not held up.

    Args:
        ledger: The ledger.
        study: The study.
        workspace: Where it is.
        every: Seconds between two looks.

    Raises:
        SweepError: If the study is gone.
    """
    console = stderr_console()
    if not console.is_terminal:
        _watch_lines(ledger, study, workspace, every)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(f"{study.name}  importing", style="cyan"), console=console, auto_refresh=False) as live:
        from sweeps.progress.render import render

        for picture in _pictures(ledger, study, workspace, every):
            live.update(render(picture, console.width), refresh=True)


def _watch_lines(ledger: Ledger, study: StoredStudy, workspace: Workspace, every: float) -> None:
    from sweeps.progress.plain import standing_line

    shown = ""
    for picture in _pictures(ledger, study, workspace, every):
        counts = ", ".join(f"{stage} {done}/{picture.planned[stage]}" for stage, done in picture.done.items())
        line = "; ".join(filter(None, [counts, picture.left, standing_line(picture.standing)]))
        if line != shown:
            echo(f"{picture.study}: {line}", err=True)
        shown = line


def _pictures(ledger: Ledger, study: StoredStudy, workspace: Workspace, every: float) -> Iterator[Picture]:
    """A picture for each change of the study, until no process runs it."""
    from sweeps.cli.watched_study import picture_of

    seen: tuple[str, int] | None = None
    while True:
        now = ledger.studies.get(study.name)
        if now is None:
            raise SweepError(f"study {study.name!r} is no longer in the ledger")
        state = (now.updated, ledger.generations.newest())
        if changed := state != seen:
            yield picture_of(ledger, now, workspace)
            seen = state
        if now.status != "running" or (not changed and standing_of(workspace, now.name, now.status) != "running"):
            return
        time.sleep(every)
