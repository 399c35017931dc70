"""The fingerprint of this machine and its Ollama server, by the standard library alone.

On a machine without the package it runs as one file, which `sweeps fingerprint --script` prints:

    sweeps fingerprint --script | ssh wk-01 python3 - --label wk-01 --model qwen2.5:14b > wk-01.json

It writes the JSON of `sweeps fingerprint --out`. The hash of the weights' tensors is left out. No user name, host name,
path, address or serial number is written, and nothing is sent anywhere but to the Ollama server.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.fingerprints import system
from sweeps.fingerprints.system import UNKNOWN

FORMAT = "slm-sweeps fingerprint"
VERSION = 1

DIGEST_FIELDS: Mapping[str, tuple[str, ...]] = {
    "host": (
        "id",  # unknown hosts only: tells two of them apart
        "os",
        "architecture",
        "math_library",
        "cpu",
        "cpu_physical",
        "cpu_logical",
        "cpu_features",
        "gpus",
        "environment",
    ),
    "engine": (
        "name",
        "version",
        "llama_cpp",
        "api",
        "system",
        "devices",
        "settings",
        "threads",
        "decode_threads",
        "batch",
        "num_gpu",
    ),
    "model": ("digest", "weights_sha256", "quantization", "template_sha256"),
}
"""Fields of the digest. A field that is missing, unknown or empty counts as absent."""


def base_url(address: str) -> str:
    """Return the URL of a server on this machine or elsewhere, by Ollama's rules for OLLAMA_HOST."""
    scheme, _, rest = address.strip().strip("\"'").strip().rpartition("://")
    host = rest.split("/")[0].rpartition("@")[2]
    if host.count(":") == 1 or "]" in host:
        host = re.sub(r":\d+$", "", host)
    elif ":" in host:
        host = f"[{host}]"
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return f"{scheme or 'http'}://{host}:{system.port_of(address)}"


def ask(url: str, body: object = None) -> Any:
    """Ask the server, without a proxy."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def server_facts(url: str, model: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts of the server and of a model; without a name those of its only one, or none."""
    engine: dict[str, Any] = {"name": "ollama", "api": "/api/chat", "version": ask(url + "/api/version")["version"]}
    entries = {entry["name"]: entry for entry in ask(url + "/api/tags")["models"]}
    if model is None and len(entries) == 1:
        model = next(iter(entries))
    if model is None:
        return {**engine, "settings": {}}, {}
    name = model if ":" in model.rsplit("/", 1)[-1] else model + ":latest"
    if name not in entries:
        raise SystemExit(
            f"--model {model}: the server has {', '.join(sorted(entries)) or 'no model'}; name one of them"
        )
    running = ask(url + "/api/ps").get("models") or []
    loaded: Mapping[str, Any] = next((entry for entry in running if entry.get("name") == name), {})
    size, in_vram = loaded.get("size"), loaded.get("size_vram")
    engine["num_ctx"] = loaded.get("context_length")
    engine["gpu_share"] = in_vram / size if size and in_vram is not None else None
    return {**engine, "settings": {}}, model_facts(name, entries[name], ask(url + "/api/show", {"model": name}))


def model_facts(name: str, entry: Mapping[str, Any], show: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts of a model; of the modelfile only the hash of the weights' file, since it holds a path."""
    details, info = show.get("details") or {}, show.get("model_info") or {}
    found = re.search(r"^FROM\s+.*sha256[-:]([0-9a-f]{64})\s*$", show.get("modelfile") or "", re.MULTILINE)
    return {
        "name": name,
        "digest": entry.get("digest"),
        "weights_sha256": found.group(1) if found else None,
        "family": details.get("family"),
        "parameters": info.get("general.parameter_count"),
        "parameter_size": details.get("parameter_size"),
        "quantization": details.get("quantization_level"),
        "context_length": info.get(f"{info.get('general.architecture')}.context_length"),
        "template_sha256": sha256(show.get("template")),
        "system_sha256": sha256(show.get("system")),
        "parameters_text": "\n".join(sorted((show.get("parameters") or "").split("\n"))) or None,
    }


def sha256(text: str | None) -> str | None:
    """Return the hash of a text; None for none."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def without_paths(value: Any) -> Any:
    """Take folders and the home directory out of facts; values under `api` are paths of the API."""
    if isinstance(value, Mapping):
        return {key: entry if key == "api" else without_paths(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_paths(entry) for entry in value]
    if not isinstance(value, str):
        return value
    home = os.path.expanduser("~")
    value = value.rstrip("/").rpartition("/")[2] if value[:1] in ("/", "~") else value
    return value.replace(home, "~") if len(home) > 1 else value


def known(value: Any) -> bool:
    """Whether a fact is present: not missing, unknown or empty."""
    return value is not None and value != UNKNOWN and value != "" and value != [] and value != {}


def digest_of(facts: Mapping[str, Mapping[str, Any]], *parts: str) -> str:
    """Return 12 hex digits over the `DIGEST_FIELDS` of some parts."""
    chosen = {
        part: {name: facts[part].get(name) for name in DIGEST_FIELDS[part] if known(facts[part].get(name))}
        for part in parts
    }
    return hashlib.sha256(json.dumps(chosen, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:12]


def main(argv: list[str] | None = None) -> int:
    """Print the fingerprint as JSON, or write it to a file."""
    parser = argparse.ArgumentParser(description="Take the fingerprint of this machine and its Ollama server.")
    parser.add_argument("--host", default=os.environ.get("OLLAMA_HOST", ""), help="address of the server (OLLAMA_HOST)")
    parser.add_argument("--model", help="the model; by default the server's only one")
    parser.add_argument("--label", help="a name for this machine, for people")
    parser.add_argument("--out", help="write to this file instead of the terminal")
    given = parser.parse_args(argv)
    facts: dict[str, Any] = {"host": system.host_facts(system.port_of(given.host)), "engine": {}, "model": {}}
    try:
        facts["engine"], facts["model"] = server_facts(base_url(given.host), given.model)
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        print(f"warning: no Ollama server answers ({error}); only the machine's facts are written", file=sys.stderr)
    if given.label:
        facts["host"]["label"] = given.label
    facts["client"] = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    facts = without_paths(facts)
    digests = {"digest": digest_of(facts, *DIGEST_FIELDS), "host_digest": digest_of(facts, "host")}
    record = {"format": FORMAT, "version": VERSION, **digests, "facts": facts, "warnings": []}
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    print(f"digest {digests['digest']}", file=sys.stderr)
    if given.out:
        Path(given.out).write_text(text, encoding="utf-8")
    else:
        sys.stdout.buffer.write(text.encode("utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
