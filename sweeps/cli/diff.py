"""`sweeps diff`: two studies of the same cases side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import DIFFERENCE, echo_json, json_option, mlruns_option, say, stdout_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sweeps.results.study_diff import ArmDiff, Change


@click.command()
@click.argument("a")
@click.argument("b")
@mlruns_option
@json_option
@click.option("--margin", type=DIFFERENCE, help="Differences within it count as none, so that equality can be shown.")
def diff(a: str, b: str, mlruns: Path, as_json: bool, margin: float | None) -> None:
    """Compare two studies of the same cases: are their baselines alike, their finalists, and what differs?

    A and B are names of studies, or FOLDER:NAME for a study in another folder than --mlruns.
    """
    from sweeps.results.study_diff import diff_studies

    found = diff_studies(a, b, mlruns=mlruns, margin=margin)
    if as_json:
        echo_json(found.as_dict())
        return
    console = stdout_console()
    for letter, name, answer in (("A", found.a, found.answers[0]), ("B", found.b, found.answers[1])):
        say(console, f"{letter} {name}: {answer}")
    _show_arm(console, found.baselines)
    if found.finalists is None:
        say(console, "\nfinalists: not compared, since one of the studies has none yet")
    else:
        _show_arm(console, found.finalists)
    _show(console, "fingerprints", found.hosts)
    _show(console, "other settings", found.settings)


def _show_arm(console: Console, arm: ArmDiff) -> None:
    from sweeps.results.study_diff import ALIKE

    verdict = arm.verdict
    outcome = "" if verdict is None else f"{ALIKE.get(verdict.outcome, verdict.outcome)}. "
    say(console, f"\n{arm.arm}s: {outcome}{arm.sentence}")
    if arm.shared:
        say(console, f"{arm.shared} texts are in both studies under the same case and seed.")
    _show(console, f"options of the {arm.arm}s", arm.options)


def _show(console: Console, title: str, changes: Sequence[Change]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not changes:
        say(console, f"\n{title}: the same")
        return
    table = Table(box=None, pad_edge=False)
    for column in (title, "A", "B"):
        table.add_column(column, overflow="fold")
    for change in changes:
        table.add_row(*(Text(text) for text in (change.what, change.a, change.b)))
    console.print()
    console.print(table)
