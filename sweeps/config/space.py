"""The search space: ranges, choices and conditions over options, prompt and model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from analysis.formatting import option_text
from sweeps.options import NUMBERS, OPTIONS, Configuration, OptionValue

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

NAMES = ("model", "prompt", *OPTIONS)
"""Names that `[baseline]` can fix and `[space]` can sweep."""

Value = OptionValue
Param = int | float | str
"""A value as Optuna keeps it."""

Condition = Mapping[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Dimension:
    """One swept name: a range (`low`, `high`, optional `step` or `log`) or `choices`.

    Attributes:
        name: An Ollama option, `prompt` or `model`.
        low: Lower end, included.
        high: Upper end, included.
        step: Distance between allowed values, or None.
        log: Whether the range is searched on a log scale.
        choices: The allowed values, or () for a range.
        when: Other names, with the values at which this one acts; at other values it is left out.
    """

    name: str
    low: float = math.nan
    high: float = math.nan
    step: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()
    when: Condition = field(default_factory=dict)

    def is_active(self, values: Mapping[str, Value]) -> bool:
        """Whether this dimension acts with the given values of the others."""
        return all(values.get(parent) in allowed for parent, allowed in self.when.items())

    def distribution(self) -> BaseDistribution:
        """Return the dimension as an Optuna distribution."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choices:
            return CategoricalDistribution(tuple(map(param, self.choices)))
        if NUMBERS[self.name].kind is int:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: BaseTrial) -> Value:
        """Ask an Optuna trial for a value."""
        if self.choices:
            values = {param(value): value for value in self.choices}
            return values[cast("Param", trial.suggest_categorical(self.name, tuple(values)))]
        if NUMBERS[self.name].kind is int:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return trial.suggest_float(self.name, self.low, self.high, log=self.log, step=self.step)

    def contains(self, value: object) -> bool:
        """Whether a value can be proposed (a step's grid aside)."""
        if self.choices:
            return value in self.choices
        return isinstance(value, (int, float)) and self.low <= value <= self.high

    def has(self, value: Value) -> bool:
        """Whether a value can be proposed, on the grid of a step too."""
        if self.step is None or not isinstance(value, (int, float)):
            return self.contains(value)
        steps = (value - self.low) / self.step
        return self.contains(value) and abs(steps - round(steps)) < 1e-8

    def extremes(self) -> tuple[Value, ...]:
        """Return the ends of a range, or the choices."""
        return self.choices or tuple(NUMBERS[self.name].cast(end) for end in (self.low, self.high))

    @property
    def size(self) -> float:
        """Number of different values; infinite for a continuous range."""
        if self.choices:
            return len(self.choices)
        if self.step is None and NUMBERS[self.name].kind is float:
            return math.inf
        return math.floor((self.high - self.low) / (self.step or 1) + 1e-9) + 1

    def text(self) -> str:
        """Return the dimension in a few words, such as `0.1 .. 1.2` or `20, 40, 80`."""
        if self.choices:
            words = ", ".join(map(option_text, self.choices))
        else:
            extra = (f", step {self.step:.12g}" if self.step else "") + (", log" if self.log else "")
            words = f"{self.low:.12g} .. {self.high:.12g}{extra}"
        if self.when:
            allowed = {parent: " or ".join(map(option_text, values)) for parent, values in self.when.items()}
            words += "; when " + " and ".join(f"{parent} is {values}" for parent, values in allowed.items())
        return words


@dataclass(frozen=True)
class Space:
    """All dimensions, parents before the dimensions that depend on them."""

    dimensions: tuple[Dimension, ...]

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return next(dimension for dimension in self.dimensions if dimension.name == name)

    def __contains__(self, name: object) -> bool:
        return any(dimension.name == name for dimension in self.dimensions)

    @property
    def size(self) -> float:
        """Upper bound of the number of configurations; infinite with a continuous range."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return Optuna distributions by name."""
        return {dimension.name: dimension.distribution() for dimension in self.dimensions}

    def conditions(self) -> dict[str, dict[str, tuple[Param, ...]]]:
        """Return for each conditional dimension its parents, with the params at which it acts."""
        return {
            d.name: {parent: tuple(map(param, allowed)) for parent, allowed in d.when.items()} for d in self if d.when
        }

    def suggest(self, trial: BaseTrial, baseline: Configuration) -> Configuration:
        """Ask a trial for the values of the active dimensions; other values are the baseline's."""
        values: dict[str, Value] = dict(baseline.values)
        for dimension in self.dimensions:
            if dimension.is_active(values):
                values[dimension.name] = dimension.suggest(trial)
            elif dimension.when:
                values.pop(dimension.name, None)
        return configuration_from(values)

    def params_of(self, configuration: Configuration) -> dict[str, Param] | None:
        """Return a configuration as Optuna params; None if it lies outside the space."""
        values = configuration.values
        found: dict[str, Param] = {}
        for dimension in self.dimensions:
            if not dimension.is_active(values):
                continue
            value = values.get(dimension.name)
            if value is None or not dimension.contains(value):
                return None
            found[dimension.name] = param(value)
        return found


def param(value: Value) -> Param:
    """Return a value as Optuna keeps it: texts as JSON, since its storages would give a tuple back as a list."""
    return option_text(value) if isinstance(value, tuple) else value


def params(values: Mapping[str, Value]) -> dict[str, Param]:
    """Return values by name as Optuna keeps them."""
    return {name: param(value) for name, value in values.items()}


def configuration_from(values: Mapping[str, Value]) -> Configuration:
    """Make a configuration from one flat dict of model, prompt and options."""
    options = {name: value for name, value in values.items() if name in OPTIONS}
    return Configuration(str(values["model"]), str(values["prompt"]), options)
