"""JSON objects in the answers of models, which write more around them than they were asked to."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from objectives.reasoning import split
from sweeps.engines.base import EngineProtocolError, excerpt

_FENCE = re.compile(r"```\w*\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_OPENING = re.compile(r"[\[{]")
_LAST_COMMA = re.compile(r",(?=\s*[}\]])")
_STARTS = 20
"""Brackets of a text at which an object may begin."""
_LONGEST = 100_000
"""Characters of the longest text that is searched for an object."""


def parse_json_object(text: str, source: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object in a model's answer.

    It may stand in a fence or between sentences, after a thought, in single quotes, or with a comma too many. A bare
    list is taken for the only list that the schema asks for. What was cut off is not completed.

    Raises:
        EngineProtocolError: If there is none; the message starts with `source` and shows the start of the text.
    """
    wanted = set((schema or {}).get("required", ()))
    other: dict[str, Any] | None = None
    for value in _values(text):
        found = _as_object(value, schema or {})
        if found is not None and wanted <= found.keys():
            return found
        if other is None:
            other = found
    if other is None:
        raise EngineProtocolError(f"{source}: the answer is no JSON object: {excerpt(text)}; raise num_predict")
    return other


def _values(text: str) -> Iterator[Any]:
    """Yield what can be read as JSON, the most literal reading first."""
    whole = _read(text)
    if whole is not None:
        yield whole
        return
    if len(text) > _LONGEST:
        return
    answer = split(text).answer
    for part in [*_FENCE.findall(answer), answer]:
        found = _read(part.strip())
        if found is not None:
            yield found
            continue
        stop = 0
        for opening in islice(_OPENING.finditer(part), _STARTS):
            if opening.start() >= stop:  # not within a value that was read
                found, stop = _read_at(part, opening.start())
                if found is not None:
                    yield found


def _read_at(text: str, start: int) -> tuple[Any, int]:
    """Return the value that begins at a bracket, and the place after it; None and 0 where there is none."""
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        stop = text.rfind("}" if text[start] == "{" else "]") + 1
        found = _read(text[start:stop]) if stop > start else None
        return found, 0 if found is None else stop


def _read(text: str) -> Any:
    """Read a text as JSON, also with a comma too many, or as a literal of Python; None if it is neither."""
    for form in dict.fromkeys([text, _LAST_COMMA.sub("", text)]):
        try:
            return json.loads(form)
        except (ValueError, RecursionError):
            continue
    if not text.startswith(("{", "[")) or len(text) > _LONGEST:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _as_object(value: Any, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value if all(isinstance(key, str) for key in value) else {str(key): part for key, part in value.items()}
    properties = schema.get("properties", {})
    lists = [name for name in schema.get("required", ()) if properties.get(name, {}).get("type") == "array"]
    return {lists[0]: value} if isinstance(value, list) and len(lists) == 1 else None
