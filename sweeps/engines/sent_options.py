"""The options that a request has in the end: those of its configuration, and those that the engine adds or drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.export.request import openai_options
from sweeps.options import OPTIONS, OptionValue


def sent_options(
    kind: str, settings: Mapping[str, Any], options: Mapping[str, OptionValue], *, thinks: bool = False
) -> dict[str, OptionValue]:
    """Return the options of a request, by Ollama's names, as an engine sends them.

    Args:
        kind: One of `sweeps.engines.spec.KINDS`.
        settings: The engine's own settings (`[engine.options]`), of which options go with every request.
        options: The configuration's options.
        thinks: Whether the model can think, so that Ollama's engine sends its default where `think` is left out.
    """
    if kind == "openai":
        return openai_options(options)
    own = {name: settings[name] for name in OPTIONS if name in settings}
    default = {"think": True} if thinks and kind == "ollama" else {}
    found = {**default, **own, **options}
    return {name: found[name] for name in OPTIONS if name in found}
