"""JSON Schema of a sweep's TOML file, for editors: completion, hints, and faults as one types.

It follows from the tables, the options and the rules of `[space]` and `[candidates]`. What needs several values at once
(a prompt that exists, a low below its high) is left to the loader.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from sweeps.config.candidates import MOST_CANDIDATES, RESERVED
from sweeps.config.space import NAMES
from sweeps.config.tables import LOG_MARK, NAME_PATTERN, SweepFile
from sweeps.options import NUMBERS, OPTIONS, ChoiceSpec, NumberSpec, OptionSpec

FILE_NAME = "sweep.schema.json"
"""The file that `sweeps init` writes, and that `#:schema` names."""

DIRECTIVE = f"#:schema ./{FILE_NAME}"
"""The first line of a sweep's file, by which editors find the schema beside it."""

Schema = dict[str, Any]


def schema_text() -> str:
    """The schema as the text of its file."""
    return json.dumps(sweep_schema(), indent=1, ensure_ascii=False) + "\n"


def sweep_schema() -> Schema:
    """The schema, draft 7, which every editor's TOML plugin reads."""
    schema = SweepFile.model_json_schema(ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    _plain(definitions)
    _plain(schema["properties"])
    definitions["BudgetTable"]["anyOf"] = [{"required": [name]} for name in ("generations", "minutes", "tokens")]
    definitions["SearchTable"]["properties"]["batch"]["default"] = "auto"
    definitions["Values"] = _values()
    definitions |= {f"option.{name}": value_of(spec) for name, spec in OPTIONS.items()}
    definitions |= {f"space.{name}": _dimension(name) for name in NAMES}
    definitions["When"] = _when()
    properties = schema["properties"]
    text = {"type": "string", "pattern": "\\{log\\}", "description": f"The user message, with {LOG_MARK} in it."}
    properties["prompts"]["additionalProperties"]["anyOf"][0] = text
    properties["baseline"] = _baseline()
    properties["space"] = {
        "type": "object",
        "description": "The options to search: a value, a list of choices, or a range with low and high.",
        "properties": {name: {"$ref": f"#/definitions/space.{name}"} for name in NAMES},
        "additionalProperties": False,
        "minProperties": 1,
    }
    properties["candidates"] = {
        "type": "object",
        "description": "Named sets to compare with the baseline, or to try first in a search.",
        "additionalProperties": {"$ref": "#/definitions/Values"},
        "propertyNames": {"pattern": NAME_PATTERN, "not": {"pattern": _reserved()}},
        "maxProperties": MOST_CANDIDATES,
    }
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sweep of slm-sweeps",
        "anyOf": [{"required": ["space"]}, {"required": ["candidates"]}],
    }
    return {**schema, **head, "definitions": definitions}


def _plain(part: Any) -> None:
    """Remove titles, which repeat the keys, and null, which TOML lacks; keep descriptions to one paragraph."""
    if isinstance(part, list):
        for each in part:
            _plain(each)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("title"), str):
        del part["title"]
    if "default" in part and part["default"] is None:
        del part["default"]
    if (ways := part.get("anyOf")) and {"type": "null"} in ways:
        left = [way for way in ways if way != {"type": "null"}]
        part |= left[0] if len(left) == 1 else {"anyOf": left}
        if len(left) == 1:
            del part["anyOf"]
    if isinstance(text := part.get("description"), str):
        part["description"] = " ".join(text.split("\n\n")[0].replace("`", "").split())
    for each in part.values():
        _plain(each)


@cache
def _reserved() -> str:
    """The pattern of reserved names, in any case: this dialect of patterns has no flag for that."""
    words = ["".join(f"[{letter}{letter.upper()}]" for letter in word) for word in RESERVED]
    return f"^({'|'.join(words)})$"


def value_of(spec: OptionSpec) -> Schema:
    """The schema of an option's value."""
    schema: Schema = {"description": f"{spec.about} ({spec.range_text})"}
    if isinstance(spec, NumberSpec):
        schema["type"] = "integer" if spec.kind is int else "number"
        schema["exclusiveMinimum" if spec.low_open else "minimum"] = spec.low
        if spec.high is not None:
            schema["maximum"] = spec.high
    elif isinstance(spec, ChoiceSpec):
        schema["enum"] = list(spec.values)
    else:
        schema |= {"type": "array", "items": {"type": "string", "minLength": 1}}
    if spec.default is not None and isinstance(spec, NumberSpec):
        schema["default"] = spec.default
    return schema


def _value(name: str) -> Schema:
    """The schema of one value of an option, a model or a prompt."""
    if name in OPTIONS:
        return {"$ref": f"#/definitions/option.{name}"}
    about = "the model's name on the engine" if name == "model" else f"the name of one of the [{name}s]"
    return {"type": "string", "minLength": 1, "description": about}


def _values() -> Schema:
    return {
        "type": "object",
        "description": "Options by Ollama's names, with prompt and model.",
        "properties": {name: _value(name) for name in NAMES},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _baseline() -> Schema:
    described = "The configuration in use today; options left out come from the environment, the model or the server."
    return {**_values(), "description": described, "minProperties": 0}


def _dimension(name: str) -> Schema:
    """The schema of an entry of `[space]`."""
    value = _value(name)
    choices = {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}
    when = {"$ref": "#/definitions/When"}
    ways: list[Schema] = [choices]
    if name != "stop":  # a list of texts is a list of choices, each of which is a list
        ways.append(value)
    ways.append(_table({"choices": choices, "when": when}, required=["choices"]))
    if name in NUMBERS:
        step: Schema = {"type": "integer" if NUMBERS[name].kind is int else "number", "exclusiveMinimum": 0}
        keys = {"low": value, "high": value, "step": step, "log": {"type": "boolean"}, "when": when}
        ways.append(_table(keys, required=["low", "high"]))
    about = OPTIONS[name].about if name in OPTIONS else f"names of {name}s to try"
    return {"description": about, "anyOf": ways}


def _table(properties: Schema, *, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _when() -> Schema:
    plain = {"type": ["number", "string"]}
    found: Schema = {}
    for name in NAMES:
        one = plain if name in NUMBERS or name not in OPTIONS else _value(name)
        found[name] = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    return {
        "type": "object",
        "description": "The values of other options under which this one is searched, such as {mirostat = [1, 2]}.",
        "properties": found,
        "additionalProperties": False,
    }
