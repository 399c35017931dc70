"""Offers of an engine beyond the contract of `Engine`: several requests at once, and prompts evaluated once.

A request at the same time must not change a text. So each runs on an engine of its own: the engine's companions, which
load the same model again. An engine without these methods has one request at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from sweeps.engines.base import Engine
from sweeps.options import OptionValue


class WithCompanions(Protocol):
    """An engine that generates several texts at once, and keeps the state of evaluated prompts."""

    def at_once(self, model: str, options: Mapping[str, OptionValue]) -> int:
        """Number of requests, at least 1, that run at once without an effect on each other's texts.

        The engine takes one of them, and each of its companions another one.
        """
        ...

    def companions(self, count: int) -> Sequence[Engine]:
        """Return so many further engines with the same texts and fingerprint; they are closed with this one."""
        ...

    def keeps_prompts(self, tokens: int, *, model: str) -> bool:
        """Whether `warm_up` evaluates a prompt once per load, where all prompts have so many tokens together."""
        ...


def requests_at_once(engine: Engine, model: str, options: Mapping[str, OptionValue]) -> int:
    """Number of requests that an engine takes at once; see `WithCompanions.at_once`."""
    return cast("WithCompanions", engine).at_once(model, options) if hasattr(engine, "at_once") else 1


def companions(engine: Engine, count: int) -> list[Engine]:
    """So many further engines; see `WithCompanions.companions`. Only for engines that take several requests."""
    return list(cast("WithCompanions", engine).companions(count)) if count > 0 else []


def keeps_prompts(engine: Engine, tokens: int, *, model: str) -> bool:
    """Whether an engine evaluates each prompt once; see `WithCompanions.keeps_prompts`."""
    return hasattr(engine, "keeps_prompts") and cast("WithCompanions", engine).keeps_prompts(tokens, model=model)
