"""Fingerprints: everything known about host, engine, model and client that can change the numbers.

Two runs with the same digest may be compared number by number. Two with different digests may not: `diff` shows why.

The fields in the digest (`DIGEST_FIELDS`) and outside it:

* In: the processor, its instruction sets and core counts (they select kernels and the split of sums over threads), the
  C library or, elsewhere, the system's release (exp and log), GPUs with memory and driver (the driver compiles the
  kernels; the memory decides the number of layers there), the server's own settings, the engine's version and build,
  the API path, the settings sent with every request, and the model's digest.
* Out: the kernel and the distribution's name (they compute nothing of a model), the machine's memory (it decides if a
  model fits, not its texts; on Apple's chips it is the GPU's memory, which is in), the container (its C library is in),
  and all facts of the client. The effective num_ctx belongs to each request's options.
* Recorded, shown by `diff` as able to change numbers, but out of the digest (`VOLATILE_FIELDS`): facts known only
  while a model is loaded, such as the GPU share. With them the digest would change at the first request.

Facts never hold user names, home directories, host names, addresses or serial numbers.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from analysis.files.pipes import ENDLESS, is_endless
from sweeps.addresses import scrub
from sweeps.errors import SweepError
from sweeps.fingerprints.standalone import DIGEST_FIELDS, FORMAT, VERSION, digest_of
from sweeps.fingerprints.standalone import known as known  # whoever reads a fingerprint finds it here

PARTS = ("host", "engine", "model", "client")
"""Parts of a fingerprint, in the order in which they are shown."""


VOLATILE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "engine": ("num_ctx", "gpu_share"),
}
"""Fields that can change the numbers but are known only while a model is loaded."""

TAG_LENGTH = 250


class FingerprintError(SweepError):
    """An unusable fingerprint file."""


@dataclass(frozen=True)
class Difference:
    """One field in which two fingerprints differ.

    Attributes:
        field: Its name, such as `host.cpu`.
        a: The value in the first (None where absent).
        b: The value in the second.
        numeric: Whether the field can change the numbers.
    """

    field: str
    a: Any
    b: Any
    numeric: bool


@dataclass(frozen=True)
class Fingerprint:
    """Facts about host, engine, model and client.

    Attributes:
        facts: `host`, `engine`, `model` and `client`, each a dict of JSON types; a part may be empty.
        warnings: Doubts from when it was taken, as sentences; no part of the identity.
    """

    facts: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        clean = {part: scrub(copy.deepcopy(dict(self.facts.get(part) or {}))) for part in PARTS}
        object.__setattr__(self, "facts", clean)

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """12 hex digits over `DIGEST_FIELDS` of host, engine and model."""
        return self._digest_of(*DIGEST_FIELDS)

    @cached_property
    def host_digest(self) -> str:
        """12 hex digits over the host's `DIGEST_FIELDS`."""
        return self._digest_of("host")

    @cached_property
    def model_digest(self) -> str:
        """12 hex digits: the start of the engine's own digest of the model (as `ollama list` shows it), else ours.

        "" without a model.
        """
        if not self.facts["model"]:
            return ""
        own = str(self.facts["model"].get("digest", "")).removeprefix("sha256:")
        return own[:12] if re.fullmatch(r"[0-9a-f]{12,}", own) else self._digest_of("model")

    def _digest_of(self, *parts: str) -> str:
        return digest_of(self.facts, *parts)

    @property
    def summary(self) -> str:
        """One readable line: the host; the engine; the model."""
        parts = [_host_summary(self.facts["host"]), _engine_summary(self.facts["engine"])]
        if model := self.facts["model"]:
            digest = self.model_digest if known(model.get("digest")) else ""
            parts.append(_join(model.get("name"), model.get("quantization"), digest, by=" "))
        return "; ".join(part for part in parts if part)

    def as_tags(self) -> dict[str, str]:
        """Return tags for MLflow: `fingerprint`, `host_digest`, `model_digest` and one per fact, such as `host.cpu`.

        Values have at most `TAG_LENGTH` characters. Of the client's packages only ours is included; the artifact
        `fingerprint.json` holds all facts.
        """
        tags = {"fingerprint": self.digest, "host_digest": self.host_digest, "model_digest": self.model_digest}
        for name, value in self.fields().items():
            if name.startswith("client.packages.") and name != "client.packages.slm-sweeps":
                continue
            tags[re.sub(r"[^\w. /:-]", "_", name)] = readable(value)
        return {name: _shorten(text) for name, text in tags.items() if known(text)}

    def fields(self) -> dict[str, Any]:
        """Return all facts by flat name: `host.cpu`, `client.packages.numpy`, ... Lists stay whole."""
        flat: dict[str, Any] = {}

        def walk(name: str, value: Any) -> None:
            if isinstance(value, dict) and value:
                for key in value:
                    walk(f"{name}.{key}", value[key])
            else:
                flat[name] = value

        for part in PARTS:
            for key, value in self.facts[part].items():
                walk(f"{part}.{key}", value)
        return flat

    def to_json(self) -> str:
        """Write as JSON text (indented, UTF-8 characters kept), with format name and version."""
        record = {
            "format": FORMAT,
            "version": VERSION,
            "digest": self.digest,
            "host_digest": self.host_digest,
            "model_digest": self.model_digest,
            "summary": self.summary,
            "facts": self.facts,
            "warnings": list(self.warnings),
        }
        return json.dumps(record, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, source: str = "the text") -> Fingerprint:
        """Read the text of `to_json`. Digests are computed from the facts again.

        Args:
            text: JSON text.
            source: Its name in errors, such as a file's name.

        Raises:
            FingerprintError: If it is no fingerprint, or one of a newer version.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FingerprintError(
                f"{source}: no JSON ({error}); make it with `sweeps fingerprint --out FILE`"
            ) from None
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise FingerprintError(f"{source}: not a fingerprint; make one with `sweeps fingerprint --out FILE`")
        if record.get("version") != VERSION:
            raise FingerprintError(
                f"{source}: fingerprint version {record.get('version')!r}, but this program reads version {VERSION}; "
                "make it again with this version of slm-sweeps"
            )
        facts, warnings = record.get("facts"), record.get("warnings", [])
        if not isinstance(facts, dict) or not all(isinstance(facts.get(part, {}), dict) for part in PARTS):
            raise FingerprintError(f"{source}: 'facts' must hold {', '.join(PARTS)}, each an object")
        return cls(facts, tuple(map(str, warnings)) if isinstance(warnings, list) else ())

    @classmethod
    def load(cls, path: str | Path) -> Fingerprint:
        """Read a fingerprint's file.

        Raises:
            FingerprintError: If it cannot be read or is no fingerprint.
        """
        if is_endless(path):
            raise FingerprintError(f"{path}: {ENDLESS}; give a file of `sweeps fingerprint --out`")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise FingerprintError(f"{path}: cannot be read ({reason})") from None
        return cls.from_json(text, source=str(path))


def host_label(fingerprints: Mapping[str, Fingerprint], name: str) -> str:
    """Return a host's name for people: the label in its fingerprints or host file, else its name in the sweep's file.

    Args:
        fingerprints: By model.
        name: Its name in the sweep's file, or its address; an engine in this process is on this machine.
    """
    labels = (fingerprint.facts["host"].get("label") for fingerprint in fingerprints.values())
    return next((str(label) for label in labels if known(label)), "this machine" if name == "in process" else name)


def readable(value: Any) -> str:
    """Return a fact's value as one readable line; "" for an absent one."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, dict):
        memory = f"{value['memory_mib']} MiB" if known(value.get("memory_mib")) else ""
        if "name" in value:  # a GPU
            return _join(
                value["name"], memory, *(f"{key} {value[key]}" for key in ("driver", "compute") if key in value)
            )
        return ", ".join(f"{key}={readable(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ("; " if any(isinstance(entry, dict) for entry in value) else " ").join(map(readable, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shorten(text: str) -> str:
    return text if len(text) <= TAG_LENGTH else text[: TAG_LENGTH - 1] + "…"


def _join(*values: Any, by: str = ", ") -> str:
    return by.join(str(value) for value in values if known(value))


def _host_summary(host: Mapping[str, Any]) -> str:
    if not host:
        return ""
    if not known(host.get("cpu")) and not known(host.get("os")):
        return _join("unknown host", host.get("id"), by=" ")
    gpus = [
        _join(
            gpu.get("name"),
            f"{round(gpu['memory_mib'] / 1024)} GB" if isinstance(gpu.get("memory_mib"), int) else "",
            by=" ",
        )
        for gpu in (host.get("gpus") if isinstance(host.get("gpus"), list) else None) or []
        if gpu.get("name") != host.get("cpu")  # Apple's chips are CPU and GPU
    ]
    memory = f"{host['memory_gib']} GB" if known(host.get("memory_gib")) else ""
    version = str(host.get("os_version", ""))
    system = version if host.get("os") == "Linux" and known(version) else _join(host.get("os"), version, by=" ")
    return _join(host.get("label"), host.get("cpu"), memory, *gpus, system)


def _engine_summary(engine: Mapping[str, Any]) -> str:
    known = {"ollama": "Ollama", "openai": "Ollama (/v1)", "llamacpp": "llama.cpp"}
    name = str(engine.get("name", ""))
    return _join(known.get(name, name), engine.get("version"), by=" ")


def in_digest(name: str) -> bool:
    """Whether a fact by flat name (`host.cpu`, `host.environment.OLLAMA_NUM_PARALLEL`) is one of `DIGEST_FIELDS`."""
    return _is_of(DIGEST_FIELDS, name)


def is_numeric(name: str) -> bool:
    """Whether a fact by flat name can change the numbers."""
    return in_digest(name) or _is_of(VOLATILE_FIELDS, name)


def _is_of(fields: Mapping[str, tuple[str, ...]], name: str) -> bool:
    part, _, rest = name.partition(".")
    return rest.split(".")[0] in fields.get(part, ())


def diff(a: Fingerprint, b: Fingerprint) -> list[Difference]:
    """List the fields in which two fingerprints differ; fields that can change the numbers come first.

    A field counts as different if it is absent on one side only.
    """
    left, right = a.fields(), b.fields()
    found = [
        Difference(name, left.get(name), right.get(name), is_numeric(name))
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name) and (known(left.get(name)) or known(right.get(name)))
    ]
    return sorted(found, key=lambda difference: not difference.numeric)
