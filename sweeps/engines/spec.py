"""The specification of an engine: kind, address and settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from typing import Any

from objectives.permission import HOW, permitted
from sweeps.addresses import is_local, server_address, without_password
from sweeps.errors import ConfigError, name_hint

API_KEY = "OLLAMA_API_KEY"
"""The variable whose value servers get as a bearer token."""
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
        headers: Headers of every request to a server; `$NAME` in a value is an environment variable.
        log_dir: Directory for the log of llama.cpp; None for no log.
        allow_remote: Whether prompts may go to a model that the server runs elsewhere.
        source: Place of `options` for error messages, such as `sweep.toml: engine.options`.
    """

    kind: str
    host: str | None = None
    model: str | None = None
    timeout: float = 600.0
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    log_dir: Path | None = None
    allow_remote: bool = False
    source: str | None = None

    def called(self, name: str) -> str:
        """Return a setting's name for error messages: file and key, where it came from a file."""
        return f"{self.source}.{name}" if self.source else f"engine {self.kind}: {name}"

    def at(self, host: str) -> EngineSpec:
        """Return the specification for another server; it gets the headers only if it is the same one."""
        return replace(self, host=host, headers=self.headers if same_server(self.host or "", host) else {})

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with the variables' values.

        Raises:
            ConfigError: If a variable is not set, or empty, or may not be sent to this server.
        """
        if (sent := self._unpermitted()) is not None:
            place = (self.source or "engine").removesuffix(".options")
            raise ConfigError(f"{place}: would {sent}. If you know that server, {HOW}")
        return {name: self._expanded(name, value) for name, value in self.headers.items()}

    def _unpermitted(self) -> str | None:
        """Describe the variables that the server would get without permission; None if there are none.

        This machine and the server of `OLLAMA_HOST` need no permission.
        """
        if not self.host or is_local(without_password(self.host)) or same_server("", self.host):
            return None
        texts = [*self.headers.values(), self.host]
        variables = {name for text in texts for name in re.findall(r"\$\{?([A-Za-z_]\w*)", text)}
        if os.environ.get(API_KEY, "").strip() and self.source:  # a server gets it unless it has a key of its own
            variables.add(API_KEY)
        sent = f"send the variable {', '.join(sorted(variables))} to {without_password(self.host)}"
        return sent if variables and not permitted(sent) else None

    def _expanded(self, name: str, value: str) -> str:
        place = f"{(self.source or 'engine').removesuffix('.options')}.headers.{name}"
        set_ones = {key: text for key, text in os.environ.items() if text.strip()}
        try:
            return Template(value).substitute(set_ones).strip()
        except KeyError as error:
            raise ConfigError(
                f"{place}: the variable {error.args[0]} is not set; set it to the header's value"
            ) from None
        except ValueError:
            raise ConfigError(f"{place}: has a $ without a variable's name; write $NAME, or $$ for a dollar") from None


def same_server(a: str, b: str) -> bool:
    """Whether two addresses name the same port of the same host."""
    try:
        one, other = server_address(a or os.environ.get("OLLAMA_HOST", "")), server_address(b)
    except ValueError:
        return False
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


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
