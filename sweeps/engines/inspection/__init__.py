"""Abilities of engines that an audit needs and a sweep does not: unloading, log probabilities, other ways to send."""

from __future__ import annotations

from sweeps.engines import open_engine
from sweeps.engines.base import Engine
from sweeps.engines.inspection.base import PLAIN, Inspector, Way
from sweeps.engines.spec import EngineSpec

__all__ = ["PLAIN", "Inspector", "Way", "inspector", "inspector_of"]


def inspector(spec: EngineSpec) -> Inspector:
    """Open an engine with an inspector; nothing is sent and no model is loaded yet.

    Raises:
        ConfigError: If the kind or one of the settings is unknown.
        NotInstalled: If the engine's library is not installed.
    """
    return inspector_of(open_engine(spec), spec)


def inspector_of(engine: Engine, spec: EngineSpec | None = None) -> Inspector:
    """Return the inspector of an open engine, which it closes at its own end.

    Args:
        engine: The engine.
        spec: Its specification, with which further ones for requests at once are opened.
    """
    if engine.name == "ollama":
        from sweeps.engines.inspection.ollama import OllamaInspector

        return OllamaInspector(engine, spec or EngineSpec("ollama", engine.address))
    if engine.name == "llamacpp":
        from sweeps.engines.inspection.llamacpp import LlamaCppInspector

        return LlamaCppInspector(engine)
    return Inspector(engine)
