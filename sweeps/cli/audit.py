"""`sweeps audit`: do hosts repeat their texts, what changes them, and are the hosts the same?"""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.audits.progress import AuditProgress
from sweeps.cli.common import (
    FilePath,
    SweepPath,
    echo_json,
    json_option,
    mlruns_option,
    say,
    stderr_console,
    stdout_console,
    terminable,
)
from sweeps.cli.trust import trust_option

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from sweeps.audits.record import AuditRecord
    from sweeps.audits.report.data import AuditReport
    from sweeps.audits.result import Audit
    from sweeps.workspace.workspace import Workspace

LAST = "last"
"""`--against last`: the newest audit in MLflow with the same model, cases and options."""

REQUIRED = ("identical", "equivalent", "same-quality")


@click.command()
@click.argument("file", type=SweepPath(), required=False)
@click.option("--host", "hosts", multiple=True, metavar="NAME=URL", help="A host; with /v1 if that path is used there.")
@click.option(
    "--host-file", "host_files", multiple=True, metavar="NAME=FILE", help="Its fingerprint, if it is another machine."
)
@click.option(
    "--from", "from_", type=FilePath(), multiple=True, metavar="FILE", help="Hosts audited elsewhere (--out)."
)
@click.option("--model", help="The model, in place of the file's; needed for a server without a file.")
@click.option("--engine", type=click.Choice(["ollama", "llamacpp"]), help="The engine, without FILE.")
@click.option(
    "--quick", is_flag=True, help="Fewer than 60 generations for three hosts; settings that reload are left out."
)
@click.option(
    "--bisect", is_flag=True, help="Find the settings that make texts differ (100 to 250 generations a pair)."
)
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Bisect each host against itself with this setting: an option, path, kv_type, in_flight, prompt_order or"
    " defaults.",
)
@click.option("--no-tracking", is_flag=True, help="Do not log to MLflow.")
@click.option("--again", is_flag=True, help="Begin anew instead of continuing an interrupted audit.")
@click.option("--out", type=FilePath(dir_okay=False), help="Write the record to this file, for --from elsewhere.")
@click.option("--against", metavar="FILE", help="What changed since an earlier audit: its record, or the word last.")
@click.option("--require", type=click.Choice(REQUIRED), help="Exit with 1 unless hosts are the same in this way.")
@trust_option
@click.option("--quiet", "-q", is_flag=True, help="Show only warnings and the tables.")
@json_option
@mlruns_option
def audit(
    file: Path | None,
    hosts: tuple[str, ...],
    host_files: tuple[str, ...],
    from_: tuple[Path, ...],
    model: str | None,
    engine: str | None,
    quick: bool,
    bisect: bool,
    changes: tuple[str, ...],
    no_tracking: bool,
    again: bool,
    out: Path | None,
    against: str | None,
    require: str | None,
    quiet: bool,
    as_json: bool,
    mlruns: Path,
) -> int:
    """Audit hosts with the model, prompt, cases and options of FILE, a sweep; without it with two shipped cases.

    Each host is asked at the options that are used and at temperature 0 with a fixed seed. One thing at a time is
    changed, and the texts of equal seeds are compared. Then the hosts are compared with the first one. Every answer is
    kept: after an interruption the same command continues.

    Without --host the file's hosts are audited, else the server at OLLAMA_HOST, else the embedded engine.
    """
    from sweeps.audits.audit import audit as run_audit
    from sweeps.audits.files import PAGE, write_files
    from sweeps.audits.record import read_record
    from sweeps.workspace.workspace import Workspace

    console, workspace = stderr_console(), Workspace.at(mlruns)
    before = read_record(Path(against)) if against and against != LAST else None
    uri = "" if no_tracking and against != LAST else _store(file, workspace)  # refused before anything is generated
    with terminable() as status:
        progress = _Shown(console, quiet=quiet or as_json, bisect=bisect or bool(changes))
        try:
            found = run_audit(
                file,
                model=model,
                hosts=hosts,
                host_files=host_files,
                from_=from_,
                quick=quick,
                again=again,
                bisect=bisect,
                changes=changes,
                engine=engine,
                mlruns=mlruns,
                progress=progress,
            )
        except KeyboardInterrupt:
            progress.end()
            words = [word for word in sys.argv[1:] if word != "--again"]
            say(console, f"stopped; {progress.done} of {progress.total} generations are kept. To go on:")
            console.print(f"  {shlex.join(['sweeps', *words])}", soft_wrap=True)
            raise click.exceptions.Exit(status()) from None
        progress.end()
    if out is not None:
        found.write(out)

    def warn(text: str) -> None:
        say(console, f"warning: {text}")

    if against == LAST and (before := _last(uri, found, warn)) is None:
        warn("--against last: no earlier audit with this model, these cases and options is in MLflow")
    report = found.report(before, required=require or "")
    folder = write_files(report, workspace, warn=warn)
    if not no_tracking:
        _track(uri, report, folder / PAGE, workspace, warn)
    if as_json:
        echo_json(_as_json(found, report) | {"page": str(folder / PAGE)})
    else:
        _show(stdout_console(), report)
        say(console, f"wrote {folder / PAGE}, and beside it the record and settings for each host")
    return _required(found, report, require, console, watched=against is not None)


def _store(file: Path | None, workspace: Workspace) -> str:
    """Return the URI of the MLflow store, as a sweep of the same file has it."""
    from sweeps.config.file import load_config
    from sweeps.tracking.mlflow_store import tracking_uri

    return tracking_uri(workspace, None if file is None else load_config(file).tracking.uri)


def _last(uri: str, found: Audit, warn: Callable[[str], None]) -> AuditRecord | None:
    from sweeps.tracking.audit_runs import last_audit
    from sweeps.tracking.mlflow_store import TrackingError

    try:
        return last_audit(uri, found.record)
    except TrackingError as error:
        warn(str(error))
        return None


def _track(uri: str, report: AuditReport, page: Path, workspace: Workspace, warn: Callable[[str], None]) -> None:
    """Log the audit to MLflow; a store that cannot be used costs no audit."""
    from sweeps.tracking.audit_runs import log_audit
    from sweeps.tracking.mlflow_store import TrackingError

    own = workspace.artifacts.as_uri() if uri == workspace.runs_url else None
    try:
        log_audit(uri, report, page.read_text(encoding="utf-8"), artifacts=own)
    except TrackingError as error:
        warn(str(error))


def _required(found: Audit, report: AuditReport, level: Any, console: Console, *, watched: bool) -> int:
    """Return 1 where a level is not met, between the hosts or, with --against, by a host against itself before."""
    if level is None:
        return 0
    lines = [line for each in report.drift for line in each.broken(level)]
    if len(found.record.hosts) > 1 or not watched:
        lines += found.unmet(level)
    for line in lines:
        say(console, line)
    return 1 if lines else 0


class _Shown(AuditProgress):
    """Progress on stderr: a line that moves on a terminal, otherwise a few lines."""

    def __init__(self, console: Console, *, quiet: bool, bisect: bool = False) -> None:
        self._console, self._quiet, self._bisect = console, quiet, bisect
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self._seconds: dict[str, list[float]] = {}
        self.done = self.total = 0
        self._began, self._told = time.monotonic(), 0.0

    def plan(self, generations: Mapping[str, int], tokens: int) -> None:
        """Show the cost."""
        self._left, self.total = dict(generations), sum(generations.values())
        each = ", ".join(f"{label} {count}" for label, count in generations.items())
        if not self._quiet:
            more = "; then bisections, 100 to 250 generations a pair" if self._bisect else ""
            say(self._console, f"{self.total} generations ({each}), and {tokens} requests for one token{more}")

    def advance(self, host: str, seconds: float | None) -> None:
        """Move on; after the first generation of a host, the time is known."""
        with self._lock:
            self.done += 1
            self._left[host] -= 1
            if seconds is not None:
                self._seconds.setdefault(host, []).append(seconds)
            self._tell()

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print a message."""
        if warning or not self._quiet:
            say(self._console, f"warning: {text}" if warning else text)

    def end(self) -> None:
        """End the line that moves."""
        if self._console.is_terminal and self.done and not self._quiet:
            self._console.print()

    def _tell(self) -> None:
        if self._quiet or not self._seconds:
            return
        now = time.monotonic()
        text = f"{self.done} of {self.total} generations, about {_duration(self._time_left())} left"
        if self.done > self.total:
            text = f"{self.done - self.total} generations of bisections"
        if self._console.is_terminal:
            self._console.print(f"\r{text}   ", end="")
        elif self._told == 0 or now - self._told >= 30:
            say(self._console, text)
            self._told = now

    def _time_left(self) -> float:
        """Return the seconds left: hosts work side by side, so the slowest decides."""
        means = {host: sum(each) / len(each) for host, each in self._seconds.items()}
        usual = sum(means.values()) / len(means)
        return max(left * means.get(host, usual) for host, left in self._left.items())


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _as_json(found: Audit, report: AuditReport) -> dict[str, Any]:
    from sweeps.audits.report.summary import audit_json

    tables = {"experiments": _rows(found.experiments), "ladder": _rows(found.ladder)}
    return {"record": "audit", **audit_json(report), **tables}


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object)
    rows = plain.where(plain.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def _show(console: Console, report: AuditReport) -> None:
    """Print the answers and the tables."""
    from rich.text import Text

    from sweeps.audits.report.summary import audit_summary
    from sweeps.audits.report.terminal import audit_tables

    for part in [*audit_summary(report), *audit_tables(report)]:
        console.print(part, soft_wrap=isinstance(part, Text) and not console.is_terminal)
