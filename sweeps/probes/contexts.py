"""Contexts in which an option can act, and the extremes to move it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.formatting import option_text
from sweeps.config.space import Space
from sweeps.options import NUMBERS, OPTIONS, OptionValue, as_number, default_options

Options = Mapping[str, OptionValue]

NEUTRAL: Options = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "repeat_last_n": 64,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
}
"""Sampling from the whole distribution: no option hides another one's effect."""

COMPANIONS: Mapping[str, Options] = {
    "repeat_last_n": {"repeat_penalty": 1.5},
    "mirostat": {"mirostat_tau": 1.0, "mirostat_eta": 0.1},
    "mirostat_tau": {"mirostat": 2, "mirostat_eta": 0.1},
    "mirostat_eta": {"mirostat": 2, "mirostat_tau": 3.0},
}
"""Options that another option needs besides `NEUTRAL` in order to act."""

EXTREMES: Mapping[str, tuple[OptionValue, OptionValue]] = {
    "temperature": (0.0, 2.0),
    "top_k": (1, 0),
    "top_p": (0.01, 1.0),
    "min_p": (0.9, 0.0),
    "typical_p": (0.05, 1.0),
    "repeat_penalty": (1.8, 1.0),
    "repeat_last_n": (0, 64),
    "presence_penalty": (2.0, -2.0),
    "frequency_penalty": (2.0, -2.0),
    "mirostat": (2, 0),
    "mirostat_tau": (0.1, 10.0),
    "mirostat_eta": (1.0, 0.001),
    "draft_num_predict": (0, 16),
    "think": (False, True),
    "stop": (("e",), (" ",)),
    "num_gpu": (0, 1),
    "num_thread": (1, 2),
    "num_batch": (32, 64),
}
"""The extreme to move an option to, and a second one for references at or near the first. A server that knows the
option uses each value unchanged."""

TEXT_OPTIONS = tuple(name for name in EXTREMES if not OPTIONS[name].reload)
"""Options whose effect shows in the text at a fixed seed, apart from the seed itself."""

_PENALTIES = {"repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


@dataclass(frozen=True)
class Level:
    """One context in which an option is tried.

    Attributes:
        name: `baseline` (unchanged), `sweep` (in reach of the space) or `open` (no option hides it).
        options: All options without num_predict and the seed.
    """

    name: str
    options: Options


def extreme_for(option: str, reference: OptionValue | None) -> OptionValue:
    """Return the first extreme, or the second if the reference is near the first."""
    first, second = EXTREMES[option]
    if option not in NUMBERS or reference is None:
        return second if reference == first else first
    first, second, reference = as_number(first), as_number(second), as_number(reference)
    width = 20 if option == "top_k" else abs(first - second)  # top_k 0 stands for all tokens
    return second if abs(first - reference) < 0.25 * width and reference != second else first


def complete(options: Options) -> dict[str, OptionValue]:
    """Add the defaults of inactive options, which a baseline leaves out."""
    return {**default_options(), **options}


def levels(option: str, baseline: Options, space: Space) -> list[Level]:
    """Return the contexts in which to try an option, the nearest to the user's own first, without duplicates.

    The first is left out if it is known to hide the option, and the sweep can reach a context that does not.
    """
    opened = {**{k: v for k, v in NEUTRAL.items() if k != option}, **COMPANIONS.get(option, {})}
    start = complete(baseline)
    start.pop("num_predict")
    if "typical_p" in start and option != "typical_p":
        opened["typical_p"] = 1.0
    reached = {**start, **{name: _reach(name, value, start, space) for name, value in opened.items()}}
    if option in space:
        for parent, allowed in space[option].when.items():
            value = allowed[0]
            if parent in OPTIONS and reached.get(parent) not in allowed:
                reached[parent] = value
    found = [Level("baseline", start), Level("sweep", reached), Level("open", {**start, **opened})]
    if reason(option, start) and not reason(option, reached):
        found = found[1:]
    return [level for i, level in enumerate(found) if level.options not in [each.options for each in found[:i]]]


def _reach(name: str, value: OptionValue, baseline: Options, space: Space) -> OptionValue:
    """Return the value in reach of the sweep that is nearest to the wanted one."""
    if name not in space:
        return baseline[name]
    dimension = space[name]
    if dimension.contains(value):
        return value
    wanted = as_number(value)
    return min(map(as_number, dimension.extremes()), key=lambda end: abs(end - wanted))


def reason(option: str, options: Options) -> str:
    """Return why the other options hide an option's effect; "" if they are not known to hide it."""
    mirostat = options.get("mirostat", 0)
    if option in ("mirostat_tau", "mirostat_eta"):
        return "" if mirostat else "mirostat is 0"
    if mirostat and option in ("top_k", "top_p", "min_p", "typical_p"):
        return f"mirostat {mirostat} replaces top_k, top_p, min_p and typical_p"
    if option in _PENALTIES:
        return "" if options.get("repeat_last_n", 64) else "repeat_last_n is 0, so the penalties see no token"
    if option == "repeat_last_n":
        off = all(options.get(name, value) == value for name, value in _PENALTIES.items())
        return "no penalty is set (repeat_penalty 1, presence_penalty 0, frequency_penalty 0)" if off else ""
    if option in ("mirostat", "num_predict", "draft_num_predict", "think", "stop") or mirostat:
        return ""
    for name, value in (("temperature", 0), ("top_k", 1), ("top_p", 0)):
        if name != option and options.get(name) == value:
            return f"decoding is greedy: {name} is {value}, so the likeliest token is always taken"
    return ""


def value_text(value: OptionValue | None) -> str:
    """Return a value in short: numbers without superfluous digits; "" for None."""
    if value is None:
        return ""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:g}" if plain else option_text(value)


def difference(options: Options, baseline: Options) -> str:
    """Return the differences of a context from the baseline, in words."""
    start = complete(baseline)
    return ", ".join(f"{name} {value_text(value)}" for name, value in options.items() if start.get(name) != value)
