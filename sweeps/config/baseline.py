"""The `[baseline]` table: the configuration in use today, as far as file and environment name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.config.space import NAMES, Value
from sweeps.errors import name_hint
from sweeps.options import OPTIONS, default_options

VARIABLE_PREFIX = "OLLAMA_"
"""`OLLAMA_TEMPERATURE`, `OLLAMA_TOP_K`, ...: the variables of pipelines that read options from the environment."""

SEED_VARIABLE = "OLLAMA_SEED"

OPEN = "default"
"""Source of a value that neither file nor environment names. Its value stands in until the engine is known."""

NOT_SENT = "not sent"
"""Source of an option that has no value, so that the server uses its own."""


def parse_baseline(
    raw: object, prompts: Sequence[str], environment: Mapping[str, str]
) -> tuple[dict[str, Value], dict[str, str], list[str]]:
    """Read the `[baseline]` table and the environment. Defaults stand in for the other values (`resolved_baseline`).

    Args:
        raw: The table as TOML gives it.
        prompts: Names of the prompts that exist.
        environment: Variables `OLLAMA_` and the option's name in capitals; also `OLLAMA_MODEL`.

    Returns:
        The values, the source of each (`file`, `environment (NAME)` or `OPEN`), and problems.
    """
    if not isinstance(raw, dict):
        return {}, {}, []  # the schema reports a missing or wrong table
    problems = [f"baseline.{name}: {wrong}" for name, value in raw.items() if (wrong := _problem(name, value))]
    values: dict[str, Value] = {name: value for name, value in raw.items() if not _problem(name, value)}
    sources = dict.fromkeys(values, "file")
    found, unusable = _from_environment(environment, set(raw))
    values |= found
    sources |= {name: f"environment ({VARIABLE_PREFIX}{name.upper()})" for name in found}
    problems += unusable
    if "model" not in raw and "model" not in values:
        problems.append("baseline.model: is missing; name the model in use today, such as qwen2.5:14b")
    problems += _choose_prompt(raw, values, prompts)
    defaults = {name: value for name, value in default_options().items() if name not in raw and name not in values}
    return {**values, **defaults}, {**sources, **dict.fromkeys(defaults, OPEN)}, problems


def _choose_prompt(raw: Mapping[str, object], values: dict[str, Value], prompts: Sequence[str]) -> list[str]:
    prompt = values.get("prompt")
    if "prompt" not in raw:
        if len(prompts) == 1:
            values["prompt"] = prompts[0]
            return []
        return [f"baseline.prompt: is missing; name one of the prompts: {', '.join(prompts) or '(none)'}"]
    if isinstance(prompt, str) and prompt not in prompts:
        return [f"baseline.prompt: no prompt {prompt!r} in [prompts]; {name_hint(prompt, prompts)}"]
    return []


def _from_environment(environment: Mapping[str, str], named: set[str]) -> tuple[dict[str, Value], list[str]]:
    """Return options and the model from variables, where the file does not name them."""
    values: dict[str, Value] = {}
    problems = []
    for name in ("model", *OPTIONS):
        variable = f"{VARIABLE_PREFIX}{name.upper()}"
        text = environment.get(variable, "").strip()
        if not text or name in named:
            continue
        value: Any = text if name == "model" else OPTIONS[name].read(text)
        wrong = None if name == "model" else OPTIONS[name].problem(value)
        if wrong:
            problems.append(f"{variable} in the environment: {wrong}")
        else:
            values[name] = value
    return values, problems


def _problem(name: str, value: object) -> str | None:
    if name == "seed":
        return "a baseline is measured with many seeds; set study.seed instead"
    return value_problem(name, value)


def value_problem(name: str, value: object) -> str | None:
    """Describe the fault of an option, prompt or model, as the end of a sentence; None for a valid one."""
    if name not in NAMES:
        return f"no such option; {name_hint(name, NAMES)}"
    if name in OPTIONS:
        return OPTIONS[name].problem(value)
    return None if isinstance(value, str) and value else f"must be a name, not {value!r}"
