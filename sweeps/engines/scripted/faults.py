"""Faults of the scripted engine: kinds, and the requests at which they occur."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sweeps.engines.base import Prompt
from sweeps.errors import ConfigError
from sweeps.options import OptionValue

FAULTS = (
    "unreachable",
    "timeout",
    "protocol",
    "model-missing",
    "option-refused",
    "prompt-too-long",
    "repeat",
    "empty",
    "cut-prompt",
    "version-change",
    "digest-change",
)
"""Kinds of faults. The last two change the facts of `identify` from that request on; the request itself succeeds."""


@dataclass
class Fault:
    """A fault and the requests that meet it.

    Attributes:
        kind: One of `FAULTS`.
        at: Indices of the requests that meet it, counted from 0 over all calls of `generate`; None for all.
        when: A further condition on the request.
        times: Most times that it occurs; None for no limit.
    """

    kind: str
    at: frozenset[int] | None = None
    when: Callable[[Request], bool] | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ConfigError(f"fault {self.kind!r} is unknown; it must be one of {', '.join(FAULTS)}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `kind@3,5-7`, or `kind` alone for every request.

        Raises:
            ConfigError: If the text has neither form.
        """
        kind, at, places = text.partition("@")
        if not at:
            return cls(kind)
        indices: set[int] = set()
        for place in places.split(","):
            found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", place)
            if found is None:
                raise ConfigError(f"fault {text!r}: {place!r} is no request index; write it like `unreachable@3,5-7`")
            indices |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
        return cls(kind, frozenset(indices))


@dataclass(frozen=True)
class Request:
    """One call of `generate`."""

    index: int
    prompt: Prompt
    options: Mapping[str, OptionValue]
    model: str
