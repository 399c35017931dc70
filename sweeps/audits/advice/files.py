"""The advice as files: options as env, JSON, Modelfile and TOML; the server as a docker line and a compose file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from analysis.export.export_set import ExportSet
from analysis.export.files import write_together
from analysis.export.formats import FORMATS, MODES, PLACEHOLDER, Format, render
from sweeps.audits.advice.settings import POLICY, Advice, advice
from sweeps.audits.findings import facts_table
from sweeps.audits.record import AuditRecord, HostRecord
from sweeps.errors import SweepError
from sweeps.version import __version__

_SUFFIXES: Mapping[Format, str] = {"env": ".env", "json": ".json", "modelfile": ".Modelfile", "toml": ".toml"}
_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+(?:-rc\d+)?)")


def advice_files(record: AuditRecord, label: str) -> dict[str, str]:
    """Return the files for a host by name: `baseline.*`, `production.*`, `policy.md`, and for Ollama the server's.

    Raises:
        ExportError: If an option or the model's name cannot be written.
    """
    given = advice(record, label)
    export = _export_set(record, given)
    files = {f"{mode}{_SUFFIXES[fmt]}": render(export, fmt, mode, stem=mode) for mode in MODES for fmt in FORMATS}
    files["policy.md"] = policy_text(given)
    if tag := image_tag(record.host(label)):
        files["docker-run.sh"] = docker_run(record.host(label), given, tag)
        files["compose.yaml"] = compose(record.host(label), given, tag)
    return files


def write_advice(record: AuditRecord, folder: Path) -> list[Path]:
    """Write the files of each host, into a folder of its own where there are several; all or none.

    Raises:
        SweepError: If they cannot be written.
    """
    alone = len(record.hosts) == 1
    paths = {
        (folder if alone else folder / plain_name(label)) / name: text
        for label in record.labels
        for name, text in advice_files(record, label).items()
    }
    try:
        return write_together(paths, private=True)
    except OSError as error:
        raise SweepError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None


def plain_name(label: str) -> str:
    """Return a label as the name of a folder."""
    return re.sub(r"[^\w.-]+", "_", label).strip(".") or "host"


def policy_text(given: Advice) -> str:
    """Return the two modes, the versions to pin and the order of requests as a page of Markdown."""
    pins = [f"- {pin.name}: {pin.value}" + (f" ({pin.remark})" if pin.remark else "") for pin in given.pins]
    order = [f"{number}. {sentence}" for number, sentence in enumerate(given.order, start=1)]
    cautions = [f"- {caution}" for caution in given.cautions]
    parts = [f"# Reproducible runs on {given.host}", "## Policy", *POLICY, "## Pin", "\n".join(pins)]
    parts += ["## Order of requests", "\n".join(order)]
    parts += ["## What these settings do not remove", "\n".join(cautions)] if cautions else []
    return "\n\n".join(parts) + "\n"


def image_tag(host: HostRecord) -> str | None:
    """Return the tag of Ollama's image of the host's version; None for other engines and builds without a release."""
    engine = host.fingerprint.get("engine") or {}
    found = _RELEASE.fullmatch(facts_table.engine_version(host))
    if engine.get("name") not in ("ollama", "openai") or found is None:
        return None
    makers = " ".join(str(gpu.get("name")) for gpu in facts_table.gpus(host)).lower()
    return found[1] + ("-rocm" if "amd" in makers or "radeon" in makers else "")


def docker_run(host: HostRecord, given: Advice, tag: str) -> str:
    """Return a shell script that starts this version of the server, reachable from this machine only."""
    words = ["docker", "run", "-d", "--name", "ollama", "-p", "127.0.0.1:11434:11434", "-v", "ollama:/root/.ollama"]
    words += [word for name, value in given.server.items() for word in ("-e", f"{name}={value}")]
    words += {"nvidia": ["--gpus=all"], "amd": ["--device=/dev/kfd", "--device=/dev/dri"]}.get(_maker(host), [])
    line = " ".join(map(shlex.quote, [*words, f"ollama/ollama:{tag}"]))
    return "\n".join(["#!/bin/sh", *_remarks(host), line]) + "\n"


def compose(host: HostRecord, given: Advice, tag: str) -> str:
    """Return a compose file with this version of the server, reachable from this machine only."""
    lines = [
        *_remarks(host),
        "services:",
        "  ollama:",
        f"    image: ollama/ollama:{tag}",
        "    ports:",
        '      - "127.0.0.1:11434:11434"',
        "    volumes:",
        "      - ollama:/root/.ollama",
        "    environment:",
        *(f"      {name}: {json.dumps(value)}" for name, value in given.server.items()),
    ]
    if _maker(host) == "nvidia":
        lines += ["    deploy:", "      resources:", "        reservations:", "          devices:"]
        lines += ["            - driver: nvidia", "              count: all", "              capabilities: [gpu]"]
    if _maker(host) == "amd":
        lines += ["    devices:", "      - /dev/kfd", "      - /dev/dri"]
    return "\n".join([*lines, "volumes:", "  ollama: {}"]) + "\n"


def _maker(host: HostRecord) -> str:
    names = " ".join(str(gpu.get("name")) for gpu in facts_table.gpus(host)).lower()
    if any(word in names for word in ("nvidia", "geforce", "rtx", "tesla", "quadro")):
        return "nvidia"
    return "amd" if "amd" in names or "radeon" in names else ""


def _remarks(host: HostRecord) -> list[str]:
    lines = [f"# The server of {''.join(c if c.isprintable() else ' ' for c in host.label)}, at its version."]
    if (host.fingerprint.get("host") or {}).get("os") == "macOS":
        lines.append("# Docker on a Mac has no GPU: there install this version of Ollama itself, without upgrades.")
    return lines


def _export_set(record: AuditRecord, given: Advice) -> ExportSet:
    host = record.host(given.host)
    pinned = {name: value for name, value in given.options.items() if name not in ("temperature", "seed")}
    model = host.fingerprint.get("model") or {}
    return ExportSet(
        options={**record.modes.get("production", {}), **pinned},
        model=record.model,
        prompt="",
        system=None,
        user=PLACEHOLDER,
        study="",
        configuration="",
        date=host.taken or f"{datetime.now(UTC):%Y-%m-%d}",
        shown_better=False,
        model_digest=_text(model.get("digest")),
        weights_sha256=_text(model.get("weights_sha256")),
        engine=_text((host.fingerprint.get("engine") or {}).get("name")),
        engine_version=facts_table.engine_version(host) or None,
        host_digest=host.digest,
        host=host.label,
        version=__version__,
        cautions=given.cautions,
        purpose="From a reproducibility audit: the settings of the most repeatable run on this host.",
    )


def _text(value: object) -> str | None:
    return str(value) if value else None
