"""The `[candidates]` tables: named sets to compare with the baseline, or to try first in a search."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.config.baseline import value_problem
from sweeps.config.space import NAMES, Dimension, Param, Space, Value, configuration_from, params
from sweeps.config.tables import NAME_PATTERN
from sweeps.errors import name_hint
from sweeps.options import ACTIVE_WHEN, OPTIONS, Configuration, default_options

RESERVED = ("baseline", "finalist")
"""Names that reports use for something else."""

MOST_CANDIDATES = 20
"""Largest number of candidates; also the largest number of finalists of a search."""


@dataclass(frozen=True)
class Candidate:
    """A named set.

    Attributes:
        name: Its name.
        values: What the file names: options, `prompt`, `model`; the rest is the baseline's.
    """

    name: str
    values: Mapping[str, Value]

    def configuration(self, baseline: Configuration, space: Space | None = None) -> Configuration:
        """The whole configuration. An option that acts only in the candidate gets its default if nobody names it.

        Args:
            baseline: The configuration in use today.
            space: The space of the search that tries it: such an option that is not searched is not sent, as in every
                trial of the search.
        """
        hidden = {
            name: value
            for name, value in default_options().items()
            if name in ACTIVE_WHEN and (space is None or name in space)
        }
        return configuration_from({**hidden, **baseline.values, **self.values})

    def params_in(self, space: Space, baseline: Configuration) -> dict[str, Param] | None:
        """The candidate as Optuna params; None if the space cannot propose it."""
        configuration = self.configuration(baseline, space)
        params, values = space.params_of(configuration), configuration.values
        if params is None or any(not space[name].has(values[name]) for name in params):
            return None
        kept = {name: value for name, value in baseline.values.items() if name not in space}
        proposed = configuration_from({**kept, **{name: values[name] for name in params}})
        return params if proposed == configuration else None


@dataclass(frozen=True)
class FirstSet(Candidate):
    """A set that a search tries first although the file does not name it (`sweeps.config.first_sets`).

    Attributes:
        origin: The source of its values, for people.
    """

    origin: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return JSON types, for the study's record."""
        return {"name": self.name, "values": params(self.values), "origin": self.origin}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> FirstSet:
        """Read the result of `as_record`."""
        values: dict[str, Any] = {
            name: OPTIONS[name].read(value) if name in OPTIONS and isinstance(value, str) else value
            for name, value in record["values"].items()
        }
        return cls(record["name"], _cast(values), record["origin"])


def parse_candidates(raw: object, *, prompts: Sequence[str]) -> tuple[tuple[Candidate, ...], list[str]]:
    """Read the `[candidates]` tables.

    Args:
        raw: The tables by name, as TOML gives them.
        prompts: Names of the prompts that exist.

    Returns:
        The candidates, in the file's order, and problems, each as `candidates.KEY: problem`.
    """
    if not isinstance(raw, Mapping):
        return (), []  # the schema reports a wrong table
    problems = []
    if len(raw) > MOST_CANDIDATES:
        problems.append(f"candidates: there are {len(raw)}; name at most {MOST_CANDIDATES}")
    for name, table in raw.items():
        problems += [f"candidates.{name or chr(34) * 2}{wrong}" for wrong in _problems(name, table, prompts)]
    if problems:
        return (), problems
    return tuple(Candidate(str(name), _cast(table)) for name, table in raw.items()), []


def _cast(table: Mapping[str, Value]) -> dict[str, Value]:
    """Values in the types of their options, so that equal settings are equal."""
    return {name: OPTIONS[name].cast(value) if name in OPTIONS else value for name, value in table.items()}


def _problems(name: str, table: object, prompts: Sequence[str]) -> Iterator[str]:
    """Yield the faults of one candidate, each as the end of `candidates.NAME`."""
    if not re.match(NAME_PATTERN, name):
        yield ": a name must start with a letter or digit and have only letters, digits, . _ - (at most 100)"
    if name.lower() in RESERVED:
        yield f": the name {name!r} is reserved; choose another"
    if not isinstance(table, Mapping):
        in_table = f"; write [candidates.{name}]" if name not in NAMES else "; write [candidates.NAME] above it"
        yield f": is a table of options, prompt and model, not {table!r}{in_table}"
        return
    if not table:
        yield ": is empty; name an option, a prompt or a model that differs from the baseline"
    for key, value in table.items():
        if key == "seed":
            yield ".seed: candidates are compared on many seeds; set study.seed instead"
        elif wrong := value_problem(key, value):
            yield f".{key}: {wrong}"
        elif key == "prompt" and value not in prompts:
            yield f".prompt: no prompt {value!r} in [prompts]; {name_hint(str(value), prompts)}"


def equal_candidates(candidates: Sequence[Candidate], baseline: Configuration) -> list[str]:
    """Describe candidates that are the baseline, or another candidate; there is nothing to compare."""
    problems, seen = [], {baseline: "the baseline"}
    for candidate in candidates:
        configuration = candidate.configuration(baseline)
        other = seen.get(configuration)
        if other is not None:
            hidden = [name for name in candidate.values if name not in configuration.values]
            why = f", because {' and '.join(hidden)} {'acts' if len(hidden) == 1 else 'act'} only with mirostat"
            problems.append(
                f"candidates.{candidate.name}: has the same settings as {other}{why if hidden else ''}; change a value,"
                " or take it out"
            )
        seen.setdefault(configuration, f"candidates.{candidate.name}")
    return problems


def values_compared(candidates: Sequence[Candidate], baseline: Configuration) -> Space:
    """The values of baseline and candidates as a space, a dimension for each name in which any two differ.

    It is not searched: it says which options to probe, which models and prompts are used, and what reloads the model.
    """
    every = [baseline.values, *(candidate.configuration(baseline).values for candidate in candidates)]
    dimensions = []
    for name in NAMES:
        found = tuple(dict.fromkeys(values[name] for values in every if name in values))
        if len(found) > 1 or (found and any(name not in values for values in every)):
            dimensions.append(Dimension(name, choices=found, when=ACTIVE_WHEN.get(name, {})))
    return Space(tuple(dimensions))
