"""Settings of the scripted engine: its surfaces, and the settings that a file may hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objectives.case import Case
from objectives.own_modules import import_named, unpermitted_code
from objectives.permission import HOW
from sweeps.engines.spec import check_settings
from sweeps.errors import ConfigError, name_hint
from sweeps.options import OPTIONS, OptionValue, as_number

if TYPE_CHECKING:
    from sweeps.engines.spec import EngineSpec

ExpectedCoverage = Callable[[Mapping[str, OptionValue]], float]
"""Function from options to the expected share of items in a text, in [0, 1]."""

_NUMBERS = ("noise", "delay", "load_seconds", "thought_words")
_TEXTS = ("faults", "inert", "models")
_KNOWN = frozenset({"surface", "cases", *_NUMBERS, *_TEXTS})


def demo_surface(options: Mapping[str, OptionValue]) -> float:
    """A smooth hill: best (0.85) at temperature 0.35, repeat_penalty 1.05 and top_p 0.9; lower further away."""
    temperature = as_number(options.get("temperature", 0.8))
    penalty = as_number(options.get("repeat_penalty", 1.1))
    top_p = as_number(options.get("top_p", 0.9))
    distance = ((temperature - 0.35) / 0.55) ** 2 + ((penalty - 1.05) / 0.2) ** 2 + ((top_p - 0.9) / 0.5) ** 2
    return 0.1 + 0.75 * math.exp(-0.7 * distance)


SURFACES: Mapping[str, ExpectedCoverage] = {"demo": demo_surface, "flat": lambda _: 0.5}
"""Surfaces by the name that a sweep's file uses."""


def read_settings(spec: EngineSpec) -> dict[str, Any]:
    """Return a specification's settings in the types that the engine expects.

    Raises:
        ConfigError: With every unusable setting, by file and key.
    """
    check_settings(spec, _KNOWN)
    settings, problems = {}, []
    for name, value in spec.options.items():
        try:
            settings[name] = _read(name, value)
        except ValueError as error:
            problems.append(f"{spec.called(name)} {error}")
    if problems:
        raise ConfigError(problems)
    return settings


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a surface or writer: that of a file, or module and name in the code."""
    named = next((name for name, surface in SURFACES.items() if surface is function), None)
    kind = type(function)  # an object that can be called has no name of its own
    return named or f"{function.__module__}:{getattr(function, '__qualname__', kind.__qualname__)}"


def digest_of(cases: Sequence[Case]) -> str:
    """Return 12 hex digits over the logs and the items that are not forbidden; "" without cases."""
    parts = [[case.log, [item.text for item in case.items if not item.forbidden]] for case in cases]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12] if parts else ""


def _read(name: str, value: Any) -> Any:
    """Return one setting; the text of a ValueError continues the setting's name."""
    if name in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ValueError(f"must be a number from 0, not {value!r}")
        return float(value)
    if name in _TEXTS:
        return _texts(name, value)
    return _surface(value) if name == "surface" else _cases(value)


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"must be a list of texts, not {value!r}")
    if name == "inert" and (unknown := [text for text in value if text not in OPTIONS and text != "seed"]):
        raise ValueError(f"names {unknown[0]!r}, which is no option; {name_hint(unknown[0], OPTIONS)}")
    if name == "models" and not value:
        raise ValueError("must name at least one model")
    return list(value)


def _cases(value: Any) -> Sequence[Case]:
    from objectives.case_files import CaseError, load_cases

    if not isinstance(value, (str, Path)):
        raise ValueError(f"must be the folder of the cases, not {value!r}")
    try:
        return load_cases(Path(value))
    except CaseError as error:
        raise ValueError(f"cannot be read: {error}") from None


def _surface(setting: Any) -> ExpectedCoverage:
    if callable(setting):
        return setting  # type: ignore[no-any-return]
    if isinstance(setting, str) and setting in SURFACES:
        return SURFACES[setting]
    module, _, function = str(setting).partition(":")
    if (code := unpermitted_code(module)) is not None:
        raise ValueError(f"{setting!r} would run the code of {code} with your rights. Read it, then {HOW}")
    try:
        found = getattr(import_named(module), function)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        why = str(error)
    else:
        if callable(found):
            return found  # type: ignore[no-any-return]
        why = f"{function} is no function"
    raise ValueError(
        f"must be one of {', '.join(SURFACES)} or an importable `package.module:function`, not {setting!r} ({why})"
    )
