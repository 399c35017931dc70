"""The specification of an engine: kind, address and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.errors import ConfigError, name_hint

KINDS = ("ollama", "openai", "llamacpp", "scripted")
"""The kinds of engines, by the name that a sweep's file uses."""


@dataclass(frozen=True)
class EngineSpec:
    """Kind, address and settings of an engine to open.

    Attributes:
        kind: One of `KINDS`.
        host: Address of the server for `ollama` and `openai`, by the rules of `OLLAMA_HOST` (which is used when this is
            None); the other kinds have none.
        model: The model that requests will name, for engines that need it early.
        timeout: Seconds that one request may take before `EngineTimeout`.
        options: Settings of the engine itself. `num_gpu`, `num_thread` and `num_batch` go with every request that does
            not set them; `keep_alive`, `attempts` (connection faults, at least 1) and `wait` (seconds before the
            second attempt) are for servers; the scripted engine's are listed in `sweeps.engines.scripted.engine`.
        log_dir: Directory for the log of llama.cpp; None for no log.
        source: Place of `options` for error messages, such as `sweep.toml: engine.options`.
    """

    kind: str
    host: str | None = None
    model: str | None = None
    timeout: float = 600.0
    options: Mapping[str, Any] = field(default_factory=dict)
    log_dir: Path | None = None
    source: str | None = None

    def called(self, name: str) -> str:
        """Return a setting's name for error messages: file and key, where it came from a file."""
        return f"{self.source}.{name}" if self.source else f"engine {self.kind}: {name}"


def check_settings(spec: EngineSpec, known: frozenset[str]) -> None:
    """Refuse settings that the engine does not have.

    Raises:
        ConfigError: With each unknown setting and the known one most like it.
    """
    problems = []
    for name in sorted(set(spec.options) - known):
        hint = name_hint(name, sorted(known))
        problems.append(f"{spec.source or f'engine {spec.kind}'}: unknown setting {name!r}; {hint}")
    if problems:
        raise ConfigError(problems)
