"""The `[space]` table of a sweep's file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.formatting import option_text
from sweeps.config.space import NAMES, Condition, Dimension, Space, Value
from sweeps.errors import name_hint
from sweeps.options import ACTIVE_WHEN, NUMBERS, OPTIONS, NumberSpec

_KEYS = ("low", "high", "step", "log", "choices", "when")


def parse_space(
    raw: Mapping[str, Any], *, prompts: Sequence[str], baseline: Mapping[str, Value]
) -> tuple[Space, list[str]]:
    """Read the `[space]` table.

    Args:
        raw: The table as TOML gives it: name to number or text (fixed), list (choices) or table (range or choices,
            with an optional `when`).
        prompts: Names of the prompts that exist.
        baseline: The baseline's values, which conditions may name as well.

    Returns:
        The space and the problems found, each as `space.KEY: problem`. The space is usable only without problems.
    """
    problems: list[str] = []
    found: dict[str, Dimension] = {}
    for name, entry in raw.items():
        if name == "seed":
            problems.append("space.seed: cannot be swept: repeats draw fresh seeds; set study.seed to repeat them")
        elif name not in NAMES:
            problems.append(f"space.{name}: no such option; {name_hint(name, NAMES)}")
        else:
            dimension, wrong = _parse_dimension(name, entry, prompts)
            problems += wrong
            if dimension:
                found[name] = dimension
    problems += _check_conditions(found, baseline)
    if not raw:
        problems.append("space: is empty; name at least one option, such as temperature = {low = 0.1, high = 1.2}")
    return Space(tuple(_parents_first(found))), problems


def _parse_dimension(name: str, entry: object, prompts: Sequence[str]) -> tuple[Dimension | None, list[str]]:
    """Return one entry of `[space]` as a dimension, and its problems."""
    table: Mapping[str, Any] = {"choices": entry if isinstance(entry, list) else [entry]}
    if isinstance(entry, Mapping):
        table = entry
    where = f"space.{name}"
    problems = [f"{where}.{key}: unknown key; {name_hint(key, _KEYS)}" for key in table if key not in _KEYS]
    when, wrong = _parse_when(where, name, table.get("when", {}))
    problems += wrong
    is_range = bool({"low", "high", "step", "log"} & set(table))
    if "choices" in table and is_range:
        problems.append(f"{where}: has both choices and a range; keep one")
    elif "choices" in table:
        choices, wrong = _parse_choices(where, name, table["choices"], prompts)
        if wrong and name in NUMBERS and not isinstance(entry, (list, Mapping)):
            form = "must be a range { low = ..., high = ... }, a list of values, or one value"
            wrong = [f"{where}: {form}, not {entry!r}; a value {NUMBERS[name].problem(entry)}"]
        problems += wrong
        return (None if problems else Dimension(name, choices=choices, when=when)), problems
    elif name not in NUMBERS:
        values = "names" if name in ("model", "prompt") else f"values; each is {OPTIONS[name].range_text}"
        problems.append(f"{where}: needs choices, as a list of {values}")
    elif not {"low", "high"} <= set(table):
        problems.append(f"{where}: needs low and high, or choices")
    else:
        problems += _range_problems(where, NUMBERS[name], table)
    if problems:
        return None, problems
    low, high, step = table["low"], table["high"], table.get("step")
    return Dimension(name, float(low), float(high), step, bool(table.get("log", False)), when=when), []


def _parse_choices(where: str, name: str, raw: object, prompts: Sequence[str]) -> tuple[tuple[Value, ...], list[str]]:
    if not isinstance(raw, list) or not raw:
        return (), [f"{where}.choices: must be a list of at least one value, not {raw!r}"]
    problems = []
    for position, value in enumerate(raw):
        at = f"{where}[{position}]"
        if name in OPTIONS:
            wrong = OPTIONS[name].problem(value)
            problems += [f"{at}: {wrong}"] if wrong else []
        elif not isinstance(value, str) or not value:
            problems.append(f"{at}: must be a name, not {value!r}")
        elif name == "prompt" and value not in prompts:
            problems.append(f"{at}: no prompt {value!r} in [prompts]; {name_hint(value, prompts)}")
    if problems:
        return (), problems
    values: list[Value] = [OPTIONS[name].cast(value) for value in raw] if name in OPTIONS else list(raw)
    if len(set(values)) != len(values):
        problems.append(f"{where}.choices: a value appears twice in {raw!r}; keep one")
    return tuple(values), problems


def _range_problems(where: str, spec: NumberSpec, table: Mapping[str, Any]) -> list[str]:
    low, high, step, log = table["low"], table["high"], table.get("step"), table.get("log", False)
    problems = [f"{where}.{key}: {wrong}" for key in ("low", "high") if (wrong := spec.problem(table[key]))]
    if not isinstance(log, bool):
        problems.append(f"{where}.log: must be true or false, not {log!r}")
    if step is not None and (isinstance(step, bool) or not isinstance(step, (int, float)) or not 0 < step < math.inf):
        problems.append(f"{where}.step: must be a number above 0, not {step!r}")
    elif step is not None and spec.kind is int and step != int(step):
        problems.append(f"{where}.step: must be a whole number, not {step!r}")
    if problems:
        return problems
    if low > high:
        return [f"{where}: low {low} is above high {high}; swap them"]
    if low == high:
        return [f"{where}: low and high are both {low}; to fix the option, put it into [baseline]"]
    if log:
        return _log_problems(where, low, step)
    return [] if step is None else _step_problems(where, low, high, step)


def _log_problems(where: str, low: float, step: float | None) -> list[str]:
    if step is not None:
        return [f"{where}: has both log and step; keep one"]
    return [f"{where}.low: must be above 0 on a log scale, not {low}"] if low <= 0 else []


def _step_problems(where: str, low: float, high: float, step: float) -> list[str]:
    """Return the problems of a step. Optuna would silently lower a high that is off the grid."""
    if step > high - low:
        return [f"{where}.step: {step} is wider than the range, {low} to {high}; use a smaller one"]
    last = low + math.floor((high - low) / step + 1e-9) * step
    if abs(last - high) <= 1e-9 * max(1.0, abs(high)):
        return []
    return [f"{where}.high: {high} is not low plus a multiple of step; use {last:g} or {last + step:g}"]


def _parse_when(where: str, name: str, raw: object) -> tuple[Condition, list[str]]:
    """Return the `when` table, completed by the conditions that the option has by nature, and its problems."""
    if not isinstance(raw, Mapping):
        return {}, [f"{where}.when: must be a table such as {{mirostat = [1, 2]}}, not {raw!r}"]
    problems, when = [], {}
    for parent, values in raw.items():
        listed = values if isinstance(values, list) else [values]
        if parent not in NAMES:
            problems.append(f"{where}.when.{parent}: no such option; {name_hint(parent, NAMES)}")
        elif parent == name:
            problems.append(f"{where}.when.{parent}: an option cannot depend on itself; remove it")
        elif not listed:
            problems.append(f"{where}.when.{parent}: lists no value; name at least one")
        elif wrong := [fault for value in listed if (fault := _unfit(parent, value))]:
            problems.append(f"{where}.when.{parent}: {wrong[0]}")
        else:
            when[parent] = tuple(tuple(value) if isinstance(value, list) else value for value in listed)
    for parent, allowed in ACTIVE_WHEN.get(name, {}).items():
        when.setdefault(parent, allowed)
    return when, problems


def _unfit(parent: str, value: object) -> str | None:
    """Return the fault of a value that a condition names; numbers may lie outside the option's range."""
    if parent in OPTIONS and parent not in NUMBERS:
        return OPTIONS[parent].problem(value)
    fits = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return None if fits else f"must be numbers or names, not {value!r}"


def _check_conditions(found: Mapping[str, Dimension], baseline: Mapping[str, Value]) -> list[str]:
    """Return the problems of conditions that can never hold or that form a circle."""
    problems = []
    for dimension in found.values():
        for parent, allowed in dimension.when.items():
            at = f"space.{dimension.name}"
            if parent in found:
                if not any(found[parent].contains(value) for value in allowed):
                    problems.append(f"{at}.when.{parent}: {list(allowed)} is outside space.{parent}; use its values")
            elif baseline.get(parent) not in allowed:
                problems.append(
                    f"{at}: acts only when {parent} is {' or '.join(map(option_text, allowed))}, but {parent} is not"
                    f" swept and the baseline has {baseline.get(parent)!r}; sweep {parent} or set it in [baseline]"
                )
    if len(list(_parents_first(found))) < len(found):
        problems.append(
            "space: conditions (when) form a circle; remove one of: " + ", ".join(n for n, d in found.items() if d.when)
        )
    return problems


def _parents_first(found: Mapping[str, Dimension]) -> Iterator[Dimension]:
    """Sort dimensions, parents first; dimensions in a circle are left out."""
    done: set[str] = set()
    waiting = dict(found)
    while ready := [d for d in waiting.values() if all(p in done or p not in found for p in d.when)]:
        for dimension in ready:
            done.add(dimension.name)
            del waiting[dimension.name]
            yield dimension
