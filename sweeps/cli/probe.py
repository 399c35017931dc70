"""`sweeps probe`: the options that have an effect on a host."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import (
    SweepPath,
    allow_remote_option,
    echo_json,
    json_option,
    mlruns_option,
    no_number,
    only_model,
    say,
    stderr_console,
    stdout_console,
)
from sweeps.cli.trust import trust_option
from sweeps.engines.spec import KINDS
from sweeps.errors import ConfigError, name_hint
from sweeps.options import LOAD_SETTINGS
from sweeps.workspace.workspace import Workspace

if TYPE_CHECKING:
    from sweeps.config.sweep_config import SweepConfig
    from sweeps.engines.spec import EngineSpec
    from sweeps.options import NumberSpec
    from sweeps.probes.probe import ProbeResult

STYLES = {"alive": "green", "inert": "bold red", "refused": "bold red", "clamped": "yellow", "untestable": "yellow"}
EXPENSIVE = LOAD_SETTINGS
"""Options that are probed only if named: each reloads the model, and a text need not show them."""


@click.command()
@click.argument("file", type=SweepPath(), required=False)
@mlruns_option
@json_option
@click.option("--engine", "kind", type=click.Choice(KINDS), help="Engine without FILE.  [default: ollama]")
@click.option("--host", help="Address of the engine's server, as in OLLAMA_HOST.")
@click.option("--model", help="The model; by default the file's, or the engine's only one.")
@allow_remote_option
@click.option("--option", "-o", "names", multiple=True, help="Probe only this option; may be given several times.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="Send this value of another option with each probe; may be given several times.",
)
@trust_option
@click.option("--again", is_flag=True, help="Probe again, even where the ledger has the answer.")
def probe(
    file: Path | None,
    mlruns: Path,
    as_json: bool,
    kind: str | None,
    host: str | None,
    model: str | None,
    allow_remote: bool,
    names: tuple[str, ...],
    values: tuple[str, ...],
    again: bool,
) -> None:
    """Find out which options have an effect on a host, with a model and through an API path.

    At a fixed seed each option is moved to an extreme value; if the option has an effect, the text changes. With FILE
    the sweep's engine, baseline and space are used. Results are reused until version, model or hardware change.
    """
    from sweeps.config.file import load_config
    from sweeps.engines.spec import EngineSpec

    config = None if file is None else load_config(file)
    if config is not None and (kind or host or allow_remote):
        raise click.UsageError("--engine, --host and --allow-remote do not go with FILE, which has an [engine]")
    spec = EngineSpec(kind or "ollama", host, model, allow_remote=allow_remote)
    if config is not None:
        from sweeps.hosts.sweep_hosts import engine_specs

        spec = engine_specs(config)[0]
        model = model or config.baseline.model
    record, results = _probe(spec, model, names, read_values(values), config, mlruns, again)
    if as_json:
        echo_json(record | {"options": [result.as_dict() for result in results]})
        return
    show(record, results)


def _probe(
    spec: EngineSpec,
    model: str | None,
    names: Sequence[str],
    values: dict[str, Any],
    config: SweepConfig | None,
    mlruns: Path,
    again: bool,
) -> tuple[dict[str, Any], list[ProbeResult]]:
    from sweeps.config.resolved_baseline import resolved_baseline
    from sweeps.engines import open_engine
    from sweeps.fingerprints.capture import take
    from sweeps.hosts.baseline import served_model
    from sweeps.ledger.ledger import Ledger
    from sweeps.probes.probe import PROBEABLE
    from sweeps.probes.probe import probe as run_probe

    console = stderr_console()
    wanted = list(names) or [name for name in PROBEABLE if name not in EXPENSIVE]
    workspace = Workspace.at(mlruns)
    workspace.require_writable()
    engine = open_engine(spec)
    ledger = Ledger(workspace.ledger)
    try:
        model = model or only_model(engine)
        host_file = config.engine.all_hosts[0][1] if config is not None else None
        path = config.directory / host_file if config is not None and host_file else None
        fingerprint = take(engine, model, host_file=path)
        baseline = {}
        if config is not None:
            config, _ = resolved_baseline(config, [served_model(engine, model, fingerprint, config)])
            baseline = dict(config.baseline.options)
        results = run_probe(
            engine, model, wanted, baseline | values, space=None if config is None else config.space,
            fingerprint=fingerprint, ledger=ledger, again=again, timeout=spec.timeout,
            announce=lambda text: say(console, text),
        )  # fmt: skip
    finally:
        ledger.close()
        engine.close()
    facts = {"engine": engine.name, "address": engine.address, "model": model}
    return {"record": "probe", **facts, "fingerprint": fingerprint.digest, "summary": fingerprint.summary}, results


def read_values(texts: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` texts as options.

    Raises:
        ConfigError: If a name is no option, or a value is not valid for it.
    """
    from sweeps.options import NUMBERS, OPTIONS

    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in OPTIONS:
            raise ConfigError(f"--set {text}: no option {name!r}; {name_hint(name, OPTIONS)}")
        read = _number(text, NUMBERS[name], value) if name in NUMBERS else OPTIONS[name].read(value)
        if wrong := OPTIONS[name].problem(read):
            raise ConfigError(f"--set {text}: {name} {wrong}")
        values[name] = read
    return values


def _number(text: str, spec: NumberSpec, value: str) -> float:
    try:
        return spec.kind(value)
    except ValueError:
        raise ConfigError(f"--set {text}: {no_number(value, whole=spec.kind is int)}") from None


def show(record: dict[str, Any], results: Sequence[ProbeResult]) -> None:
    """Print the table on stdout."""
    from rich.table import Table
    from rich.text import Text

    from sweeps.probes.contexts import value_text

    console = stdout_console()
    say(console, record["summary"])
    table = Table(box=None, pad_edge=False)
    for column in ("option", "verdict", "from", "to", "evidence", "applied"):
        table.add_column(column, overflow="fold")
    reasons: dict[str, list[str]] = {}
    for result in results:
        moved = (value_text(value) for value in (result.reference, result.extreme))
        applied = value_text(result.effective)
        verdict = Text(result.verdict, STYLES[result.verdict])
        table.add_row(result.option, verdict, *moved, result.evidence, applied)
        if result.explanation and result.verdict != "alive":
            reasons.setdefault(result.explanation, []).append(result.option)
    console.print(table)
    for reason, names in reasons.items():
        say(console, f"{', '.join(names)}: {reason}")
    if kept := sum(result.cached for result in results):
        console.print(f"{kept} of {len(results)} were probed earlier on this host (--again probes them again)")
