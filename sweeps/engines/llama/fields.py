"""The fields of a request to llama.cpp, from options by Ollama's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.engines.base import OptionRefused
from sweeps.options import NUMBERS, OPTIONS, RELOAD_OPTIONS, OptionValue, as_number, default_options

HONOURS = frozenset({*OPTIONS, "seed"}) - {"draft_num_predict"}
"""Names of the options that llama.cpp takes."""

# Every option is sent: llama.cpp's own defaults differ from Ollama's (top_p .95, min_p .05), and a GGUF may bring
# others.
_SAMPLING_DEFAULTS: Mapping[str, OptionValue] = {
    **{name: value for name, value in default_options().items() if name not in RELOAD_OPTIONS},
    "typical_p": 1.0,
    "num_predict": -1,
}
_WHOLE = frozenset({"seed", *(name for name, spec in NUMBERS.items() if spec.kind is int)})
_SEED_MAX = 2**32 - 1


def sampling_fields(options: Mapping[str, OptionValue]) -> dict[str, int | float]:
    """Return every option of one request except the reload options, all explicit."""
    merged = {**_SAMPLING_DEFAULTS, **{name: value for name, value in options.items() if name not in RELOAD_OPTIONS}}
    unknown = sorted(set(merged) - HONOURS)
    if unknown:
        raise OptionRefused(f"llamacpp: option {unknown[0]!r} is unknown; leave it out", unknown[0])
    sampling = {
        name: whole(name, value) if name in _WHOLE else float(as_number(value)) for name, value in merged.items()
    }
    # As in Ollama, 0 and negative numbers mean no limit, and a seed below 0 means a random one.
    if sampling["num_predict"] <= 0:
        sampling["num_predict"] = -1
    if not -1 <= sampling.get("seed", 0) < _SEED_MAX:
        raise OptionRefused(f"llamacpp: option seed is {options['seed']}; it must lie in -1..{_SEED_MAX - 1}", "seed")
    return sampling


def thinking_fields(options: Mapping[str, OptionValue]) -> dict[str, Any]:
    """Return `think` as llama.cpp gives it to the model's template; a template without it ignores it."""
    think = options.get("think")
    if think is None:
        return {}
    effort = {"reasoning_effort": think} if isinstance(think, str) else {}
    return {"chat_template_kwargs": {"enable_thinking": bool(think), **effort}}


def whole(name: str, value: OptionValue) -> int:
    """Return an option's value as a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise OptionRefused(f"llamacpp: option {name} must be a whole number, not {value!r}", name)
    return int(value)
