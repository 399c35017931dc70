"""Ollama's options (names, types, ranges, defaults) and the configuration made of them.

Most options are numbers; `think` is one of a few values, and `stop` a list of texts. The ranges hold the values that a
server uses unchanged. Outside them a server would turn a negative temperature into 0 and a top_p above 1 into 1, and
refuse a repeat_penalty of 0 or less. The defaults are those of a current Ollama server. They are written out because
servers change theirs (repeat_penalty was 1.1 up to v0.32.9).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from analysis.formatting import option_text

Number = int | float

OptionValue = Number | str | tuple[str, ...]
"""A number, true or false, a word, or texts in order."""

SIGNIFICANT_DIGITS = 4
"""Digits kept of a float that a sampler proposes: more than any sampler of text can tell apart, and readable."""


class OptionSpec(Protocol):
    """One option: its name, its values and its default."""

    @property
    def name(self) -> str:
        """Ollama's name."""
        ...

    @property
    def default(self) -> OptionValue | None:
        """Value sent when neither baseline nor space names the option; None: sent only if named or resolved."""
        ...

    @property
    def reload(self) -> bool:
        """Whether a change makes the server load the model again."""
        ...

    @property
    def about(self) -> str:
        """Short description, shown to users."""
        ...

    @property
    def range_text(self) -> str:
        """The accepted values in words."""
        ...

    def problem(self, value: object) -> str | None:
        """Describe the fault of a value, as the end of a sentence; None for a valid value."""
        ...

    def cast(self, value: OptionValue) -> OptionValue:
        """Return a valid value in the option's own type."""
        ...

    def read(self, text: str) -> object:
        """Return the value that a text means (a variable, a flag), or the text itself; `problem` judges either."""
        ...


@dataclass(frozen=True)
class NumberSpec:
    """An option that is a number.

    Attributes:
        name: Ollama's name.
        kind: `int` or `float`.
        low: Smallest value that a server uses unchanged.
        high: Largest value that a server uses unchanged; None for no limit.
        default: See `OptionSpec`.
        about: See `OptionSpec`.
        reload: See `OptionSpec`.
        low_open: Whether `low` itself is refused.
    """

    name: str
    kind: type[int] | type[float]
    low: float
    high: float | None
    default: Number | None
    about: str
    reload: bool = False
    low_open: bool = False

    def problem(self, value: object) -> str | None:
        """See `OptionSpec.problem`."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"must be {'a whole number' if self.kind is int else 'a number'}, not {value!r}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"must be finite, not {value!r}"
        if self.kind is int and value != int(value):
            return f"must be a whole number, not {value!r}"
        below = value <= self.low if self.low_open else value < self.low
        if below or (self.high is not None and value > self.high):
            return f"must be {self.range_text}, not {value!r}"
        return None

    @property
    def range_text(self) -> str:
        """See `OptionSpec.range_text`."""
        above = f"above {self.low:g}" if self.low_open else f"at least {self.low:g}"
        return above if self.high is None else f"{above} and at most {self.high:g}"

    def cast(self, value: OptionValue) -> Number:
        """See `OptionSpec.cast`; floats are rounded to `SIGNIFICANT_DIGITS`."""
        number = as_number(value)
        if self.kind is int:
            return round(number)
        return float(f"{number:.{SIGNIFICANT_DIGITS}g}") + 0.0  # -0.0 would be another configuration than 0.0

    def read(self, text: str) -> object:
        """See `OptionSpec.read`."""
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return text


@dataclass(frozen=True)
class ChoiceSpec:
    """An option that is one of a few values: true, false or words.

    Attributes:
        name: Ollama's name.
        values: The values.
        default: See `OptionSpec`.
        about: See `OptionSpec`.
        reload: See `OptionSpec`.
    """

    name: str
    values: tuple[bool | str, ...]
    default: bool | str | None
    about: str
    reload: bool = False

    def problem(self, value: object) -> str | None:
        """See `OptionSpec.problem`."""
        known = any(value == each and type(value) is type(each) for each in self.values)
        return None if known else f"must be {self.range_text}, not {value!r}"

    @property
    def range_text(self) -> str:
        """See `OptionSpec.range_text`."""
        return f"one of {', '.join(json.dumps(value) for value in self.values)}"

    def cast(self, value: OptionValue) -> OptionValue:
        """See `OptionSpec.cast`."""
        return value

    def read(self, text: str) -> object:
        """See `OptionSpec.read`."""
        return next((value for value in self.values if option_text(value) == text.strip().lower()), text)


@dataclass(frozen=True)
class TextsSpec:
    """An option that is a list of texts, kept as a tuple.

    Attributes:
        name: Ollama's name.
        about: See `OptionSpec`.
        default: See `OptionSpec`.
        reload: See `OptionSpec`.
    """

    name: str
    about: str
    default: tuple[str, ...] | None = None
    reload: bool = False

    def problem(self, value: object) -> str | None:
        """See `OptionSpec.problem`."""
        if not isinstance(value, (list, tuple)):
            return f'must be {self.range_text} such as ["END"], not {value!r}'
        wrong = [text for text in value if not isinstance(text, str) or not text]
        return f"must be {self.range_text}, not with {wrong[0]!r} in it" if wrong else None

    @property
    def range_text(self) -> str:
        """See `OptionSpec.range_text`."""
        return "a list of texts that are not empty"

    def cast(self, value: OptionValue) -> tuple[str, ...]:
        """See `OptionSpec.cast`."""
        return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)

    def read(self, text: str) -> object:
        """See `OptionSpec.read`: a JSON list, also in the quotes that docker leaves around it; else one text."""
        try:
            value = json.loads(text[1:-1] if text.startswith("'[") and text.endswith("]'") else text)
        except (ValueError, RecursionError):
            return [text]
        return value if isinstance(value, list) else [text]


def as_number(value: OptionValue) -> Number:
    """Return the value of an option that is a number.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(value, (int, float)):
        return value
    raise TypeError(f"no number: {value!r}")


def whole(options: Mapping[str, OptionValue], name: str) -> int:
    """Return an option that is a whole number.

    Raises:
        KeyError: If the options do not have it.
        TypeError: If its value is no number.
    """
    return int(as_number(options[name]))


def texts(options: Mapping[str, OptionValue], name: str) -> list[str]:
    """Return an option that is a list of texts; empty where the options do not have it."""
    value = options.get(name)
    return list(value) if isinstance(value, (list, tuple)) else []


def table_value(value: OptionValue) -> Number | str:
    """Return an option's value as a cell of a table: a number, else its text."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else option_text(value)


_SPECS: tuple[OptionSpec, ...] = (
    NumberSpec("temperature", float, 0, 10, 0.8, "flattens (above 1) or sharpens the distribution; 0 is greedy"),
    NumberSpec("top_k", int, 0, 1_000_000, 40, "samples from the k likeliest tokens; 0 is all"),
    NumberSpec("top_p", float, 0, 1, 0.9, "samples from the likeliest tokens that make up this probability"),
    NumberSpec("min_p", float, 0, 1, 0.0, "drops tokens below this share of the likeliest one's probability"),
    NumberSpec("typical_p", float, 0, 1, None, "samples the tokens that are most typical in likelihood; 1 is off"),
    NumberSpec("repeat_penalty", float, 0, 10, 1.0, "penalises tokens seen recently; 1 is off", low_open=True),
    NumberSpec("repeat_last_n", int, 0, 1_000_000, 64, "how many recent tokens the penalties look at; 0 is off"),
    NumberSpec("presence_penalty", float, -2, 2, 0.0, "penalises tokens that occurred; 0 is off"),
    NumberSpec("frequency_penalty", float, -2, 2, 0.0, "penalises tokens by how often they occurred; 0 is off"),
    NumberSpec("mirostat", int, 0, 2, 0, "adaptive sampling 1 or 2; 0 is off (removed from Ollama in v0.7.0)"),
    NumberSpec("mirostat_tau", float, 0, 100, 5.0, "mirostat's target surprise", low_open=True),
    NumberSpec("mirostat_eta", float, 0, 1, 0.1, "mirostat's learning rate", low_open=True),
    NumberSpec("num_ctx", int, 256, 10_000_000, 4096, "context window in tokens, prompt and answer", reload=True),
    NumberSpec("num_predict", int, -1, 10_000_000, 512, "most tokens to generate; -1 is no limit"),
    NumberSpec("num_gpu", int, -1, 10_000, None, "layers on the GPU", reload=True),
    NumberSpec("num_thread", int, 1, 1024, None, "CPU threads", reload=True),
    NumberSpec("num_batch", int, 1, 1_000_000, None, "prompt tokens evaluated at once", reload=True),
    NumberSpec("draft_num_predict", int, 0, 1024, None, "tokens drafted ahead by a model's draft head; 0 is off"),
    ChoiceSpec("think", (False, True, "low", "medium", "high"), None, "whether, or how much, the model thinks first"),
    TextsSpec("stop", "texts at which the answer ends"),
)

OPTIONS: Mapping[str, OptionSpec] = {spec.name: spec for spec in _SPECS}
"""Every option that can be fixed or swept, by Ollama's name. The seed is not among them: every repeat has its own."""

NUMBERS: Mapping[str, NumberSpec] = {spec.name: spec for spec in _SPECS if isinstance(spec, NumberSpec)}
"""Options that are numbers, which alone can have a range."""

RELOAD_OPTIONS = tuple(spec.name for spec in _SPECS if spec.reload)
"""Options whose change makes a server load the model again, the slowest first."""

LOAD_SETTINGS = tuple(name for name in RELOAD_OPTIONS if name != "num_ctx")
"""Reload options that decide a model's speed, not its context."""


def default_options() -> dict[str, OptionValue]:
    """Return the values sent for options that a baseline does not name."""
    return {name: spec.default for name, spec in OPTIONS.items() if spec.default is not None}


ACTIVE_WHEN: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "mirostat_tau": {"mirostat": (1, 2)},
    "mirostat_eta": {"mirostat": (1, 2)},
}
"""Options that act only at certain values of another one; otherwise a configuration leaves them out."""


def canonical_options(options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Return options in their own types and in table order, without the inactive ones.

    Args:
        options: Valid options by name, without the seed.

    Returns:
        A new dict; equal settings give equal dicts (`{"temperature": 1}` and `{"temperature": 1.0}` do).

    Raises:
        KeyError: If a name is not in `OPTIONS`.
    """
    unknown = set(options) - set(OPTIONS)
    if unknown:
        raise KeyError(f"unknown option {min(unknown)!r}")
    cast = {name: spec.cast(options[name]) for name, spec in OPTIONS.items() if name in options}
    return {
        name: value
        for name, value in cast.items()
        if all(cast.get(parent, 0) in values for parent, values in ACTIVE_WHEN.get(name, {}).items())
    }


@dataclass(frozen=True)
class Configuration:
    """Model, prompt and options: everything that a sweep can change, apart from seed and case.

    Attributes:
        model: The model's name on the host.
        prompt: Name of the prompt in the sweep's configuration.
        options: Options by Ollama's names, made canonical.
    """

    model: str
    prompt: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", canonical_options(self.options))

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """12 hex digits: the name of this configuration in ledger, MLflow and exports."""
        text = json.dumps([self.model, self.prompt, dict(self.options)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def columns(self) -> Mapping[str, Number | str | None]:
        """Its columns in a table of observations: key, model, prompt and every option (None where it has no value)."""
        names: dict[str, Number | str | None] = {"configuration": self.key, "model": self.model, "prompt": self.prompt}
        names |= dict.fromkeys(OPTIONS)
        return names | {name: table_value(value) for name, value in self.options.items()}

    @property
    def values(self) -> dict[str, OptionValue]:
        """Model, prompt and options in one flat dict, as they stand in a table."""
        return {"model": self.model, "prompt": self.prompt, **self.options}

    @property
    def is_greedy(self) -> bool:
        """Whether the seed has no effect: temperature 0 without mirostat."""
        return self.options.get("temperature") == 0 and not self.options.get("mirostat")

    def differences(self, other: Configuration) -> dict[str, tuple[object, object]]:
        """Return the names that differ, each with (value here, value there); None where a side has no value."""
        mine, theirs = self.values, other.values
        names = list(dict.fromkeys([*mine, *theirs]))
        return {name: (mine.get(name), theirs.get(name)) for name in names if mine.get(name) != theirs.get(name)}

    def text(self, relative_to: Configuration | None = None) -> str:
        """One readable line, such as `temperature 0.35, top_k 20`; with a reference, only the differences from it."""
        if relative_to is None:
            parts = [f"{name} {option_text(value)}" for name, value in self.values.items()]
        else:
            changed = self.differences(relative_to).items()
            parts = [f"{name} {option_text(mine)}" for name, (mine, _) in changed if mine is not None]
        return ", ".join(parts) or "as the baseline"
