"""Search spaces without options and values that are useless on a host."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.formatting import option_text
from sweeps.config.candidates import Candidate
from sweeps.config.space import Dimension, Space, Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.options import NUMBERS, RELOAD_OPTIONS, as_number


@dataclass(frozen=True)
class TooLarge:
    """A value that a host has no memory for.

    Attributes:
        name: The swept name: `model` or an option that loads the model.
        value: The value.
        reason: The failure, with host and model.
        highest: For a range, its new upper end; None for a value of choices.
    """

    name: str
    value: Value
    reason: str
    highest: Value | None = None


@dataclass(frozen=True)
class Narrowing:
    """Options and values removed from a space, with the reasons.

    Attributes:
        dropped: Names removed, with the reason.
        removed: Choices removed, by name.
        notes: Other findings, as sentences.
        highest: New upper ends of ranges, by name.
        reasons: Why values left, by name and the value's text; choices without a reason would cut a prompt.
    """

    dropped: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    highest: Mapping[str, Value] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """Return the narrowing as JSON types, for the study's record."""
        record = {"dropped": dict(self.dropped), "removed": {name: list(v) for name, v in self.removed.items()}}
        more = {"highest": dict(self.highest), "reasons": {name: dict(v) for name, v in self.reasons.items()}}
        return record | {name: value for name, value in more.items() if value}

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Narrowing:
        """Read a record of `as_record`; None means that nothing was removed."""
        record = record or {}
        removed = {name: tuple(values) for name, values in record.get("removed", {}).items()}
        return cls(
            dict(record.get("dropped", {})),
            removed,
            highest=dict(record.get("highest", {})),
            reasons=dict(record.get("reasons", {})),
        )

    def without(self, found: TooLarge, config: SweepConfig) -> Narrowing:
        """Return the narrowing that leaves out one more value; for a range, all values above its new end.

        Raises:
            ConfigError: If the value is not searched, or the baseline has it.
        """
        where, name, text = config.path or "<text>", found.name, option_text(found.value)
        if name not in config.space or not config.space[name].contains(found.value):
            held = config.space[name].text() if name in config.space else "it is not in [space]"
            raise ConfigError(f"{where}: {name}={text} cannot be dropped, since it is not searched ({held})")
        if config.baseline.values.get(name) == found.value:
            raise ConfigError(
                f"{where}: baseline.{name} = {text} cannot be dropped, since everything is compared with it"
                f" ({found.reason}); give the baseline another {name}, under another study.name"
            )
        reasons = {**self.reasons, name: {**self.reasons.get(name, {}), text: found.reason}}
        dimension = config.space[name]
        if dimension.choices:
            values = tuple(dict.fromkeys([*self.removed.get(name, ()), found.value]))
            return replace(self, removed={**self.removed, name: values}, reasons=reasons)
        end = below(dimension, found.value) if found.highest is None else _on_grid(dimension, found.highest)
        before = self.highest.get(name)
        highest = end if before is None else min(as_number(end), as_number(before))
        return replace(self, highest={**self.highest, name: highest}, reasons=reasons)

    def apply(self, config: SweepConfig) -> SweepConfig:
        """Return the sweep with the narrowed space and the same baseline.

        Candidates lose the values that left the space; those that are the baseline then are left out.
        """
        space = narrowed(config.space, self, config.baseline.values)
        return replace(config, space=space, candidates=tuple(self._candidates(config)))

    def _candidates(self, config: SweepConfig) -> Iterator[Candidate]:
        seen = {config.baseline}
        for candidate in config.candidates:
            own = candidate.values
            if any(own.get(name) in values for name, values in self.removed.items()):
                continue
            kept = replace(candidate, values={name: value for name, value in own.items() if name not in self.dropped})
            configuration = kept.configuration(config.baseline)
            if configuration not in seen:
                yield kept
            seen.add(configuration)

    def lines(self, config: SweepConfig) -> list[str]:
        """Return one sentence for each option, value or part of a range that was removed."""
        base = config.baseline.values
        lines = [f"space.{name} is dropped{_stays(name, base)}: {why}" for name, why in self.dropped.items()]
        for name, values in self.removed.items():
            left = ", ".join(option_text(v) for v in config.space[name].choices if v not in values)
            reasons = self.reasons.get(name, {})
            cut = [option_text(value) for value in values if option_text(value) not in reasons]
            if cut:
                lines.append(f"space.{name}: {', '.join(cut)} would cut a prompt and is removed; left: {left}")
            texts = [option_text(value) for value in values if option_text(value) in reasons]
            lines += [f"space.{name}: {text} is removed, left: {left}. {reasons[text]}" for text in texts]
        for name, end in self.highest.items():
            reason = list(self.reasons.get(name, {"": ""}).values())[-1]
            lines.append(f"space.{name}: the range ends at {option_text(end)}. {reason}")
        kept = {candidate.name for candidate in self._candidates(config)}
        gone = [candidate.name for candidate in config.candidates if candidate.name not in kept]
        return lines + [f"candidates.{name} is left out, because nothing else remains of it" for name in gone]


BY_USER = "It was dropped with --drop."


def parse_drop(text: str, config: SweepConfig) -> TooLarge:
    """Read `NAME=VALUE`, a value to leave out of the space; of a range, also everything above it leaves.

    Raises:
        ConfigError: If the name is not searched, has no such value, or is a range of an option that costs no memory.
    """
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    where = f"--drop {text}"
    if not equals or name not in config.space:
        searched = ", ".join(dimension.name for dimension in config.space)
        raise ConfigError(f"{where}: {name!r} is not searched; write NAME=VALUE with one of {searched}")
    dimension = config.space[name]
    for choice in dimension.choices:
        if option_text(choice) == value or _same_number(choice, value):
            return TooLarge(name, choice, BY_USER)
    if not dimension.choices:
        if name not in RELOAD_OPTIONS:
            raise ConfigError(
                f"{where}: space.{name} is a range, from which only memory takes values; narrow [space] under another"
                " study.name"
            )
        try:
            number = NUMBERS[name].cast(float(value))
        except (ValueError, OverflowError):
            raise ConfigError(f"{where}: {value!r} is no number") from None
        if dimension.contains(number):
            return TooLarge(name, number, BY_USER)
    raise ConfigError(f"{where}: space.{name} has no {value}; it has {dimension.text()}")


def _same_number(choice: Value, text: str) -> bool:
    try:
        return not isinstance(choice, (bool, str, tuple)) and float(text) == choice
    except ValueError:
        return False


def below(dimension: Dimension, value: Value) -> Value:
    """Return the largest value of a range below a value."""
    step = dimension.step or (1 if NUMBERS[dimension.name].kind is int else 1e-4 * abs(as_number(value)))
    return _on_grid(dimension, as_number(value) - step)


def between(dimension: Dimension, fits: Value, too_large: Value) -> Value:
    """Return the middle of a value that fits and a larger one that does not, by the range's own scale."""
    low, high = as_number(fits), as_number(too_large)
    middle = math.sqrt(low * high) if dimension.log and low > 0 else (low + high) / 2
    return _on_grid(dimension, min(middle, as_number(below(dimension, too_large))))


def _on_grid(dimension: Dimension, value: Value) -> Value:
    """Return the largest value of a range's grid that is at most the value."""
    number = as_number(value)
    step = dimension.step or (1 if NUMBERS[dimension.name].kind is int else None)
    if step is not None:
        number = dimension.low + step * math.floor((number - dimension.low) / step + 1e-9)
    return NUMBERS[dimension.name].cast(number)


def _stays(name: str, baseline: Mapping[str, Value]) -> str:
    return f" (it stays at the baseline's {option_text(baseline[name])})" if name in baseline else ""


def narrowed(space: Space, narrowing: Narrowing, baseline: Mapping[str, Value]) -> Space:
    """Remove options and values from a space; the baseline's value decides conditions on a dropped option."""
    kept: list[Dimension] = []
    gone = dict(narrowing.dropped)
    for dimension in (_up_to(each, narrowing.highest.get(each.name)) for each in space):
        choices = tuple(v for v in dimension.choices if v not in narrowing.removed.get(dimension.name, ()))
        when: dict[str, tuple[Value, ...]] = {}
        fixed = choices != dimension.choices and choices == (baseline.get(dimension.name),)
        dead = dimension.name in gone or fixed or (not dimension.choices and not dimension.low < dimension.high)
        for parent, allowed in dimension.when.items():
            left = tuple(v for v in allowed if v not in narrowing.removed.get(parent, ()))
            if parent in gone:
                dead = dead or baseline.get(parent) not in allowed
            else:
                when[parent] = left
                dead = dead or not left
        if dead:
            gone.setdefault(dimension.name, "")
        else:
            kept.append(replace(dimension, choices=choices, when=when))
    return Space(tuple(kept))


def _up_to(dimension: Dimension, highest: Value | None) -> Dimension:
    return dimension if highest is None else replace(dimension, high=min(dimension.high, as_number(highest)))
