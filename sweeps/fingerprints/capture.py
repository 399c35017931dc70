"""Taking fingerprints: facts from the engine, this machine, a host's file and this process."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sweeps.addresses import address_id, is_local, ollama_port, port_of
from sweeps.engines.base import Engine
from sweeps.fingerprints import machine
from sweeps.fingerprints.fingerprint import Fingerprint, FingerprintError, known
from sweeps.fingerprints.machine import UNKNOWN

PACKAGES = ("slm-sweeps", "optuna", "ollama", "xllamacpp", "numpy", "scipy", "scikit-learn", "mlflow")
"""Packages whose versions the client's part records."""


_UNKNOWN_HOST = (
    *("os", "os_version", "kernel", "architecture", "math_library", "cpu", "cpu_physical", "cpu_logical"),
    *("cpu_features", "memory_gib", "gpus", "container", "environment"),
)


def client_facts() -> dict[str, Any]:
    """Describe this process: Python, package versions, the working directory's git commit, the shell's settings.

    The shell's settings (`shell_environment`) are the client's own. A server started elsewhere does not have them.
    """
    shell = machine.numeric_environment(os.environ, *machine.SERVER_ENVIRONMENT, *machine.DEVICE_ENVIRONMENT)
    facts: dict[str, Any] = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": dict(_versions()),
        "shell_environment": shell,
    }
    commit = _git("rev-parse", "--verify", "HEAD")
    if re.fullmatch(r"[0-9a-f]{40,64}", commit or ""):
        status = _git("status", "--porcelain", "--untracked-files=no")
        facts["git_commit"] = commit
        facts["git_dirty"] = UNKNOWN if status is None else bool(status)
    return facts


@cache
def _versions() -> Mapping[str, str]:
    """Versions of the packages when this process first asks: it goes on with what it has imported."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git(*arguments: str) -> str | None:
    try:
        # optional locks off: a status must not disturb the user's own git
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def take(
    engine: Engine | None,
    model: str | None,
    *,
    host_file: str | Path | None = None,
    label: str | None = None,
    client: Mapping[str, Any] | None = None,
) -> Fingerprint:
    """Take the fingerprint of an engine with a model.

    For an engine in this process or on this machine, the host's facts are this machine's. For a remote one they are
    read from `host_file`, else every field is `unknown`; they are never guessed from the client.

    A tunnel (`ssh -L`) makes a remote engine look local. A tunnel run by this user is noticed: the host is then
    unknown, with a warning. Other tunnels are not seen, so give `host_file` with a tunnel: it always wins.

    Args:
        engine: The engine, or None for the host's and client's facts alone.
        model: The model's name on that engine; None only without an engine.
        host_file: A file made on the engine's host by `sweeps fingerprint --out FILE`.
        label: A readable name for the host; no part of the digest.
        client: Facts of this process from an earlier fingerprint, to reuse; no part of the digest.

    Raises:
        FingerprintError: If `host_file` cannot be used.
        ModelMissing: If the engine does not have the model.
        EngineUnreachable: If the engine does not answer.
    """
    identity: Mapping[str, Any] = {} if engine is None else engine.identify(model or "")
    facts = {"engine": dict(identity.get("engine") or {}), "model": dict(identity.get("model") or {})}
    if engine is not None:
        facts["engine"].setdefault("name", engine.name)
    if facts["model"] and model:
        facts["model"].setdefault("name", model)
    if host_file is None:
        host, warnings = _host_of(engine)
    else:
        recorded = Fingerprint.load(host_file)
        host, warnings = _host_from(recorded, facts, str(host_file))
        facts["model"] = {**_tensors_from(recorded, facts["model"]), **facts["model"]}
    if label:
        host["label"] = label
    return Fingerprint({"host": host, **facts, "client": client or client_facts()}, tuple(warnings))


def _host_of(engine: Engine | None) -> tuple[dict[str, Any], list[str]]:
    """Return the host's facts where no file gives them, and warnings."""
    if engine is not None and engine.address == "in process":
        own = machine.numeric_environment(os.environ, *machine.DEVICE_ENVIRONMENT)
        return {
            "source": "this machine",
            **machine.host_facts(environment=own, environment_source="this process"),
        }, []
    if engine is not None and not is_local(engine.address):
        return unknown_host(engine.address), [
            "the engine runs on another machine, whose hardware is unknown here; run `sweeps fingerprint --out FILE` "
            "on that machine and name the file as the host file"
        ]
    port = port_of(engine.address) if engine is not None else ollama_port(os.environ.get("OLLAMA_HOST", ""))
    if engine is not None and (tunnel := machine.tunnel_on(port)):
        return unknown_host(engine.address), [
            f"port {port} of this machine belongs to a tunnel ({tunnel}), so the engine's hardware is unknown here; "
            "run `sweeps fingerprint --out FILE` on its machine and name the file as the host file"
        ]
    found = machine.server_environment(port)
    source = UNKNOWN if found is None else "server process"
    return {"source": "this machine", **machine.host_facts(environment=found, environment_source=source)}, []


def unknown_host(address: str) -> dict[str, Any]:
    """Return the facts of an unknown host, with an `id` made of its address that tells it apart."""
    return {"source": UNKNOWN, "id": address_id(address), **dict.fromkeys(_UNKNOWN_HOST, UNKNOWN)}


def _host_from(
    recorded: Fingerprint, facts: Mapping[str, Mapping[str, Any]], source: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the host's facts from a file, with warnings where the file contradicts the engine."""
    host = dict(recorded.facts["host"])
    if not known(host.get("os")) or not known(host.get("architecture")):
        raise FingerprintError(
            f"{source}: holds no facts of a host; run `sweeps fingerprint --out FILE` on the engine's machine itself"
        )
    warnings = []
    for part, name, remedy in (
        ("engine", "name", ""),
        ("engine", "version", "the host has changed since"),
        ("model", "digest", "the model has changed since"),
    ):
        here, there = facts[part].get(name), recorded.facts[part].get(name)
        same_model = part != "model" or facts[part].get("name") == recorded.facts[part].get("name")
        if known(here) and known(there) and here != there and same_model:
            because = f": {remedy}, or it is another machine's file" if remedy else ": it may be another machine's file"
            warnings.append(
                f"{source}: {part} {name} is {there}, but the engine says {here}{because}; make the file again"
            )
    host["source"] = "host file"
    return host, warnings


def _tensors_from(recorded: Fingerprint, model: dict[str, Any]) -> dict[str, Any]:
    """Return the hash of the model's tensors, which only its own machine can read, from that machine's file."""
    there = recorded.facts["model"]
    same = known(model.get("digest")) and model.get("digest") == there.get("digest")
    return {"tensors_sha256": there["tensors_sha256"]} if same and known(there.get("tensors_sha256")) else {}
