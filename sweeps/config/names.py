"""Names of models, prompts and cases: one plain line each, so that exports, MLflow and the terminal can hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MODEL_VARIABLE = "OLLAMA_MODEL"


def name_problems(raw: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return the faults of the names in a sweep's tables, each as `KEY: problem`.

    Only texts are judged; other values are the business of the tables' parsers.

    Args:
        raw: The tables as TOML gives them.
        environment: Variables, of which `OLLAMA_MODEL` may name the baseline's model.
    """
    return [f"{where}: {wrong}" for where, name, quotes in _names(raw, environment) if (wrong := fault(name, quotes))]


def _names(raw: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Every name in the tables, with its place before it, and whether it may hold quotes after it."""
    tables = {table: entries for table, entries in raw.items() if isinstance(entries, Mapping)}
    yield from ((f"prompts.{name!r}", name, True) for name in tables.get("prompts", {}))
    baseline = tables.get("baseline", {})
    model = baseline.get("model", environment.get(_MODEL_VARIABLE, "").strip())
    if isinstance(model, str) and model:
        yield ("baseline.model" if "model" in baseline else f"{_MODEL_VARIABLE} in the environment"), model, False
    space = tables.get("space", {}).get("model", [])
    choices = space.get("choices", []) if isinstance(space, Mapping) else space
    for position, choice in enumerate(choices if isinstance(choices, list) else [choices]):
        if isinstance(choice, str) and choice:
            yield f"space.model[{position}]", choice, False


def fault(name: str, quotes: bool = True) -> str:
    """Return the fault of a name, as the end of a sentence; "" for a usable one.

    Args:
        name: The name.
        quotes: Whether it may hold quotes; a model's may not, because a Modelfile cannot write them.
    """
    if name != name.strip():
        return f"must be a name without blanks around it, not {name!r}"
    if not name.isprintable():
        code = next(f"U+{ord(char):04X}" for char in name if not char.isprintable())
        return f"must be a name of one plain line, not {name!r}; an export cannot hold the character {code}"
    if not quotes and '"' in name:
        return f"must be a name without quotes, not {name!r}; a Modelfile cannot hold it"
    return ""
