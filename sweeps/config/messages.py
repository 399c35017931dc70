"""Messages for faults of a sweep's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from objectives.hints import nearest_name
from sweeps.config.tables import LOG_MARK, PromptTable, SweepFile
from sweeps.errors import name_hint


def error_text(details: ErrorDetails) -> str:
    """Return one pydantic error as `key: problem and remedy`."""
    location = [
        part for part in details["loc"] if not str(part).startswith(("function-", "dict[", "list[", "literal["))
    ]
    key = ".".join(map(str, location)).replace(".[", "[")
    kind, given = details["type"], details["input"]
    if kind == "extra_forbidden" and not location:  # a key that looks like a mark removed above
        return f"{details['loc'][-1]}: unknown key; valid: {', '.join(_valid_keys([]))}"
    if kind == "extra_forbidden":
        return f"{key}: unknown key; {name_hint(str(location[-1]), _valid_keys(location[:-1]))}"
    if kind == "missing":
        return f"{key}: is missing" + (f" (the table [{key}] is needed)" if len(location) == 1 else "")
    if kind == "string_pattern_mismatch":
        return f"{key}: {given!r} must start with a letter or digit and have only letters, digits, . _ - (at most 100)"
    if kind == "literal_error":
        expected = details.get("ctx", {}).get("expected", "")
        names = [word.strip().strip("'") for word in expected.replace(" or ", ",").split(",")]
        near = nearest_name(given, names)
        return f"{key}: {given!r} is not one of {expected}" + ("" if near is None else f"; did you mean {near!r}?")
    if kind in ("dict_type", "model_type"):
        return f"{key}: {_table_wanted(key, given)}"
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    shown = "" if isinstance(given, (dict, list)) else f", not {given!r}"
    return f"{key}: {message}{shown}" if kind != "value_error" else f"{key}: {message}"


def _table_wanted(key: str, given: object) -> str:
    """Return the form to write where a table is expected."""
    if key.startswith("engine.hosts."):
        return f'must be an address or a table {{ host = "...", host_file = "..." }}, not {given!r}'
    wanted = f"is a text with {LOG_MARK} in it, or a table" if key.startswith("prompts.") else "is a table"
    return f"{wanted}: write [{key}], once" + ("" if isinstance(given, list) else f", instead of {given!r}")


def _valid_keys(location: list[Any]) -> list[str]:
    """Return the keys that the schema knows at a place."""
    model: type[BaseModel] = SweepFile
    for part in location:
        if part == "prompts":
            return list(PromptTable.model_fields)
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def toml_files_hint(path: Path) -> str:
    """Return a hint at the TOML files in the same folder."""
    names = sorted(_names_in(path.parent))
    return f"; {name_hint(path.name, names)}" if names else ""


def _names_in(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (entry.name for entry in folder.glob("*.toml") if entry.name != "pyproject.toml")
