"""What a server uses for options that a request leaves out, by engine and version.

Sources: `ollama/ollama` (`api/types.go`, `openai/openai.go` and the release notes of v0.6.7, v0.15.5 and v0.32.10), and
measurements on 0.6.8, 0.32.15 and 0.33.0-rc2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

SERVERS = ("ollama", "openai")
"""Engines that are servers with defaults of their own."""

OPENAI_DEFAULTS: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0}
"""What `/v1` sends for a request without these options, also to a model that has parameters of its own."""

_ALWAYS: Mapping[str, int | float] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
}


def parse_version(text: object) -> tuple[int, ...] | None:
    """Read `0.32.15` or `v0.7.0-rc1` as numbers; None if it is no release (0.0.0 is a user's own build)."""
    found = re.match(r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", str(text))
    version = tuple(int(part or 0) for part in found.groups()) if found else None
    return None if version == (0, 0, 0) else version


def server_defaults(engine: str, version: object) -> dict[str, int | float]:
    """Return the defaults of a server's options, without num_predict, which is no limit at all.

    Args:
        engine: Name of the engine; any but those of `SERVERS` has none here.
        version: Ollama's version; an unknown one counts as current.

    Returns:
        Defaults by option. `num_ctx` is among them only for versions that use one number on every host; later ones
        choose it by the host's memory and settings.
    """
    if engine not in SERVERS:
        return {}
    number = parse_version(version)
    defaults: dict[str, int | float] = {
        **_ALWAYS,
        "repeat_penalty": 1.0 if number is None or number >= (0, 32, 10) else 1.1,
    }
    if number is not None and number < (0, 15, 5):
        defaults["num_ctx"] = 4096 if number >= (0, 6, 7) else 2048
    return {**defaults, **(OPENAI_DEFAULTS if engine == "openai" else {})}
