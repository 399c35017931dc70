"""Engines, which generate the texts. Importing this package is cheap: an engine's library loads when it is opened."""

from __future__ import annotations

from sweeps.engines.base import Engine
from sweeps.engines.spec import KINDS, EngineSpec
from sweeps.errors import ConfigError, name_hint

__all__ = ["KINDS", "Engine", "EngineSpec", "open_engine"]


def open_engine(spec: EngineSpec) -> Engine:
    """Open the engine that `spec` describes. Nothing is sent and no model is loaded yet.

    Raises:
        ConfigError: If the kind or one of the settings is unknown.
        NotInstalled: If the engine's library is not installed.
    """
    if spec.kind == "ollama":
        from sweeps.engines.ollama import OllamaEngine

        return OllamaEngine.from_spec(spec)
    if spec.kind == "openai":
        from sweeps.engines.openai import OpenAIEngine

        return OpenAIEngine.from_spec(spec)
    if spec.kind == "llamacpp":
        from sweeps.engines.llamacpp import LlamaCppEngine

        return LlamaCppEngine.from_spec(spec)
    if spec.kind == "scripted":
        from sweeps.engines.scripted.engine import ScriptedEngine

        return ScriptedEngine.from_spec(spec)
    raise ConfigError(f"engine kind {spec.kind!r} is unknown; {name_hint(spec.kind, KINDS)}")
