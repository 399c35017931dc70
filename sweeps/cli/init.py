"""`sweeps init`: a folder to start from."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import FilePath, echo, json_option
from sweeps.errors import ConfigError, SweepError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PROBE_SECONDS = 5.0
"""Seconds to wait for a server."""

DEFAULT_ADDRESSES = ("http://127.0.0.1:11434", "http://localhost:11434")


@dataclass(frozen=True)
class Found:
    """An engine to write into the file.

    Attributes:
        kind: `ollama` or `llamacpp`.
        model: The model to start with.
        others: Further models of the host.
        host: The address for the file; None for the default.
        note: A message to the user.
        own: The model's own parameters, which count where the file says nothing.
        thinks: Whether the model can think.
    """

    kind: str
    model: str
    others: tuple[str, ...] = ()
    host: str | None = None
    note: str = ""
    own: Mapping[str, object] = field(default_factory=dict)
    thinks: bool = False


@click.command()
@click.argument("directory", metavar="DIR", type=FilePath(file_okay=False))
@click.option(
    "--engine",
    type=click.Choice(["auto", "ollama", "llamacpp"]),
    default="auto",
    show_default=True,
    help="The engine of the file; auto is a running Ollama server, else the embedded engine.",
)
@click.option("--host", help="Address of the Ollama server; by default OLLAMA_HOST, else this machine's.")
@click.option("--model", help="The model; by default the server's first, or the embedded one.")
@json_option
def init(directory: Path, engine: str, host: str | None, model: str | None, as_json: bool) -> None:
    """Create a folder DIR with a commented sweep, a prompt and two sample cases.

    If an Ollama server is running, its address and models are filled in; otherwise the embedded engine is used, and
    a message says what it still needs. Existing files are never overwritten.
    """
    found = find_engine(engine, host, model)
    written = write_folder(directory, found)
    command = f"sweeps check {shlex.quote(str(directory / 'sweep.toml'))}"
    if as_json:
        record = {"record": "init", "engine": found.kind, "model": found.model, "next": command}
        echo(json.dumps(record | {"files": [str(path) for path in written]}, ensure_ascii=False))
        return
    if found.note:
        echo(found.note, err=True)
    for path in written:
        echo(f"wrote {path}", err=True)
    echo(f"engine {found.kind}, model {found.model}. Next:", err=True)
    echo(command)


def find_engine(engine: str, host: str | None, model: str | None) -> Found:
    """Find a running Ollama and its models; otherwise the embedded engine, whether it is installed or not.

    Raises:
        SweepError: If `ollama` was asked for and no server answers, or the model runs elsewhere.
    """
    why = ""
    if engine != "llamacpp":
        server = _ollama(host)
        why = server.why
        if model is not None and model in server.remote:
            from sweeps.engines.remote_models import refusal

            raise refusal(server.address, model, server.remote[model])
        if server.models:
            chosen = model or server.models[0]
            others = tuple(name for name in server.models if name != chosen)
            own, thinks = _facts_of(host, chosen)
            note = "\n".join(filter(None, [server.note, _missing(chosen, server)]))
            return Found("ollama", chosen, others, _host_of(host, server.address), note, own, thinks)
        if engine == "ollama" or host is not None:
            raise SweepError(f"{why}; start the server and pull a model, or use --engine llamacpp")
    from sweeps.engines.embedded_model import EMBEDDED_MODEL

    note = f"{why}; the embedded engine is used" if why else ""
    missing = _missing_for_embedded(model or EMBEDDED_MODEL)
    return Found("llamacpp", model or EMBEDDED_MODEL, note="\n".join(filter(None, [note, missing])))


def _missing(model: str, server: _Server) -> str:
    """What to do where the server has no such model yet; "" where it has."""
    if {model, f"{model}:latest"} & {*server.models, *server.remote}:
        return ""
    has = ", ".join(server.models)
    return f"{server.address} has no model {model!r} that writes texts; it has {has}; get it with `ollama pull {model}`"


def _missing_for_embedded(model: str) -> str:
    """What to install before the embedded engine runs a model; "" if all is there."""
    from importlib.util import find_spec

    from sweeps.engines.embedded_model import BY_HAND, EMBEDDED_MODEL, INSTALL, embedded_model_path

    lines = []
    if find_spec("xllamacpp") is None:
        lines.append(f"the embedded engine is not installed yet: {INSTALL}; or start Ollama, and name it in [engine]")
    if model == EMBEDDED_MODEL and embedded_model_path() is None:
        lines.append(f"its model (98 MB) is fetched at its first use; to install it now: `{BY_HAND}`")
    return "\n".join(lines)


@dataclass(frozen=True)
class _Server:
    """An Ollama server as found.

    Attributes:
        address: Its address.
        models: Names of models that write text and run there.
        remote: Hosts of the models that run elsewhere, by name.
        why: Why it cannot be used; "" if it can.
    """

    address: str = ""
    models: tuple[str, ...] = ()
    remote: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def note(self) -> str:
        """A message about the models that are left out."""
        if not self.remote:
            return ""
        left = ", ".join(f"{name} ({host})" for name, host in self.remote.items())
        return f"left out, because prompts to them would leave that server: {left}"


def _ollama(host: str | None) -> _Server:
    from sweeps.engines.base import EngineError, EngineUnreachable
    from sweeps.engines.ollama import OllamaEngine

    try:
        engine = OllamaEngine(host, timeout=PROBE_SECONDS, attempts=1)
    except ConfigError as error:
        if host is not None:
            raise
        return _Server(why=str(error))  # OLLAMA_HOST is no address, but the folder can still be created
    try:
        names, remote = engine.models(), engine.remote()
    except EngineUnreachable:
        return _Server(engine.address, why=f"no Ollama server answers at {engine.address}")
    except EngineError as error:
        return _Server(engine.address, why=str(error))
    finally:
        engine.close()
    able = [name for name in names if name not in remote and not any(mark in name for mark in _NO_WRITERS)]
    why = "" if able else f"the Ollama server at {engine.address} has no model that writes text" + (
        f" itself (others run elsewhere: {', '.join(remote)})" if remote else ""
    )  # fmt: skip
    return _Server(engine.address, tuple(able), remote, why)


def _facts_of(host: str | None, model: str) -> tuple[Mapping[str, object], bool]:
    """Return a model's own parameters, and whether it can think; a model that is not there yet has neither."""
    from sweeps.engines.base import EngineError
    from sweeps.engines.model_parameters import parse_parameters
    from sweeps.engines.ollama import OllamaEngine

    engine = OllamaEngine(host, timeout=PROBE_SECONDS, attempts=1)
    try:
        parameters = engine.identify(model)["model"].get("parameters_text")
        return parse_parameters(parameters), "thinking" in (engine.capabilities(model) or ())
    except EngineError:
        return {}, False
    finally:
        engine.close()


_NO_WRITERS = ("embed", "minilm", "bge-")
"""Parts of the names of models that give embeddings only."""


def _host_of(given: str | None, address: str) -> str | None:
    """Return the address for the file: as given, else as found through OLLAMA_HOST; None for the default.

    One with a password stays in the variable, out of the file.
    """
    if given is not None:
        return given
    return None if address in DEFAULT_ADDRESSES or "@" in os.environ.get("OLLAMA_HOST", "") else address


def write_folder(directory: Path, found: Found) -> list[Path]:
    """Write the files of the template.

    Raises:
        SweepError: If one of them exists, or cannot be written; nothing is overwritten.
    """
    from sweeps.config.schema import DIRECTIVE, FILE_NAME, schema_text

    lines = [f'kind = "{found.kind}"' + ("    # llama.cpp in process" if found.kind == "llamacpp" else "")]
    if found.kind == "ollama" and found.host:
        lines.append(f"host = {json.dumps(found.host)}")
    elif found.kind == "ollama":
        lines.append('# host = "127.0.0.1:11434"    # by default OLLAMA_HOST, else this address')
    if found.others:
        lines.append(f"# other models on this host: {', '.join(found.others)}")
    study = "".join(c if c.isalnum() and c.isascii() else "-" for c in directory.resolve().name).strip("-") or "sweep"
    values = {
        "study": json.dumps(study[:100]), "engine": "\n".join(lines), "model": json.dumps(found.model),
        "options": "\n".join(_option_lines(found)), "left_out": _LEFT_OUT[found.kind],
    }  # fmt: skip
    texts = {name: text.read_text(encoding="utf-8") for name, text in _template().items()}
    texts["sweep.toml"] = f"{DIRECTIVE}\n" + Template(texts["sweep.toml"]).substitute(values)
    texts[FILE_NAME] = schema_text()
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


_LEFT_OUT = {
    "ollama": "an option left out has the model's own value, else the server's default",
    "llamacpp": "options left out are sent with the default of a current Ollama server",
}
_SENT = {"temperature": "0.8", "top_p": "0.9", "repeat_penalty": "1.1"}
"""Baseline of the embedded engine, which has no model's parameters and no server to ask."""

_ROOM = {
    "num_ctx": "2048       # room for prompt and answer; a prompt that does not fit is refused, never cut",
    "num_predict": "160",
}


def _option_lines(found: Found) -> list[str]:
    """Return the lines of the baseline's options; the model's own are comments, because they count anyway."""
    from analysis.formatting import option_text

    shown = {**(_SENT if found.kind == "llamacpp" else {}), **_ROOM}
    lines = [f"{name} = {value}" for name, value in shown.items() if name not in found.own]
    lines += [f"# {name} = {option_text(value)}    # the model's own" for name, value in sorted(found.own.items())]
    if found.thinks:
        lines.append("think = false        # true needs a larger num_predict, which counts the thought as well")
    return lines


def _template() -> dict[str, Traversable]:
    root = files("sweeps") / "template"
    names = sorted(entry.name for entry in (root / "cases").iterdir() if entry.name.endswith((".toml", ".txt")))
    return {"sweep.toml": root / "sweep.toml"} | {f"cases/{name}": root / "cases" / name for name in names}
