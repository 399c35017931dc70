"""`sweeps fingerprint`: show, save or compare facts that can change the numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import FilePath, echo, only_model, warn
from sweeps.engines.spec import KINDS
from sweeps.errors import SweepError

if TYPE_CHECKING:
    from rich.table import Table

    from sweeps.fingerprints.fingerprint import Difference, Fingerprint


@click.command("fingerprint")
@click.option("--engine", "kind", type=click.Choice(KINDS), help="Include this engine (ollama with --host or --model).")
@click.option("--host", help="Address of the engine's server, as in OLLAMA_HOST.")
@click.option("--model", help="Include this model; by default the engine's only one.")
@click.option("--host-file", type=FilePath(), help="Facts about the engine's machine, written there with --out.")
@click.option("--label", help="A name for this host, for people; not part of the digest.")
@click.option("--out", type=FilePath(dir_okay=False), help="Write the fingerprint to this file.")
@click.option("--diff", "files", type=FilePath(), nargs=2, help="Compare two fingerprint files.")
@click.option("--script", is_flag=True, help="Print a script that does the same with Python alone, for other machines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fingerprint(
    kind: str | None,
    host: str | None,
    model: str | None,
    host_file: Path | None,
    label: str | None,
    out: Path | None,
    files: tuple[Path, Path] | None,
    script: bool,
    as_json: bool,
) -> None:
    """Show the facts about host, engine and model that can change the numbers, with their digest.

    Without an engine only the host's facts are shown. For a sweep on a remote server, run this command with --out on
    the server's machine, and give the file as the sweep's host file. Nothing private is recorded: no user or host
    names, paths, addresses or serial numbers.

    A tunnel (ssh -L) makes a remote server look local: give --host-file with it.

    On a machine without this package, the script that --script prints writes the same file with Python alone, as in
    sweeps fingerprint --script | ssh wk-01 python3 - --label wk-01 > wk-01.json
    """
    if script:
        from sweeps.fingerprints.script import script_text

        echo(script_text(), nl=False)
        return
    from sweeps.fingerprints.fingerprint import Fingerprint, diff

    if files:
        found = diff(*(Fingerprint.load(file) for file in files))
        _print_differences(found, files, as_json)
        return
    taken = _take(kind, host, model, host_file, label)
    for warning in taken.warnings:
        warn(warning)
    if out is not None:
        _write(out, taken.to_json())
        echo(f"wrote {out} ({taken.summary})", err=True)
    if as_json:
        echo(taken.to_json(), nl=False)
    elif out is None:
        _print_table(taken)


def _take(
    kind: str | None, host: str | None, model: str | None, host_file: Path | None, label: str | None
) -> Fingerprint:
    from sweeps.fingerprints.capture import take

    if kind is None and (host or model):
        kind = "ollama"
    if kind is None:
        return take(None, None, host_file=host_file, label=label)
    from sweeps.engines import open_engine
    from sweeps.engines.spec import EngineSpec

    engine = open_engine(EngineSpec(kind=kind, host=host, model=model, timeout=60.0, allow_remote=True))
    try:
        return take(engine, model or only_model(engine), host_file=host_file, label=label)
    finally:
        engine.close()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SweepError(f"--out {path}: cannot be written ({error.strerror or error})") from None


def _print_table(taken: Fingerprint) -> None:
    from rich.text import Text

    from sweeps.fingerprints.fingerprint import in_digest, readable
    from sweeps.fingerprints.machine import UNKNOWN

    table = _table("", "field", "value")
    part = ""
    for name, value in taken.fields().items():
        first, _, rest = name.partition(".")
        text = readable(value)
        if text:
            if first != part:
                table.add_section()
            mark = "*" if in_digest(name) else ""
            field = Text(name) if first == part else Text.assemble((first, "bold"), f".{rest}")
            table.add_row(mark, field, text, end_section=False)
            part = first
    _show(table)
    echo(f"digest {taken.digest} over the fields marked *; host {taken.host_digest}", nl=False)
    echo(f", model {taken.model_digest}" if taken.model_digest else "")
    echo(taken.summary)
    if taken.facts["host"].get("source") == UNKNOWN:
        echo("the host's hardware is unknown; nothing of this machine was put in its place")


def _print_differences(found: list[Difference], files: tuple[Path, Path], as_json: bool) -> None:
    from sweeps.fingerprints.fingerprint import readable

    if as_json:
        rows = [{"field": d.field, "a": d.a, "b": d.b, "numeric": d.numeric} for d in found]
        echo(json.dumps({"numeric": any(d.numeric for d in found), "differences": rows}, ensure_ascii=False))
        return
    if not found:
        echo("no difference")
        return
    table = _table("", "field", str(files[0]), str(files[1]))
    for d in found:
        table.add_row("*" if d.numeric else "", d.field, readable(d.a) or "-", readable(d.b) or "-")
    _show(table)
    numeric = sum(d.numeric for d in found)
    echo(
        f"{numeric} of {len(found)} can change the numbers (marked *): do not compare results across them"
        if numeric
        else "none of these can change the numbers"
    )


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _show(table: Table) -> None:
    from sweeps.progress.console import PlainConsole

    # piped output is for programs and logs, which have no width
    PlainConsole(width=None if PlainConsole().is_terminal else 160).print(table)
