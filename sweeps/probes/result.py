"""Results of probes, and the cost of probing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sweeps.options import OPTIONS, OptionValue
from sweeps.probes.contexts import TEXT_OPTIONS

VERDICTS = ("alive", "inert", "refused", "clamped", "untestable")
DEAD = ("inert", "refused")
"""Verdicts of options that a sweep need not search."""

PROBE_TOKENS = 24
"""Tokens of one generation of a probe: enough for an extreme to show, and cheap on a large model."""

PROBEABLE = ("seed", *OPTIONS)


@dataclass(frozen=True)
class ProbeResult:
    """The result of probing one option.

    Attributes:
        option: The option.
        verdict: One of `VERDICTS`.
        reference: The value before the move; None where there is none.
        extreme: The value after the move.
        changed: Pairs of prompt and seed in which the text (or, for num_predict, the length) changed.
        tried: Pairs tried.
        self_changed: Pairs in which the repeated reference gave another text; then changes prove nothing.
        self_tried: Pairs in which the reference was repeated.
        effective: The value that the engine reports to have applied.
        context: `baseline`, `sweep` (in reach of the space) or `open` (no option hides it).
        why: The explanation.
        fact: A known fact that explains it, with the source; "" without one.
        cached: Whether it is an earlier result under the same fingerprint.
    """

    option: str
    verdict: str
    reference: OptionValue | None = None
    extreme: OptionValue | None = None
    changed: int = 0
    tried: int = 0
    self_changed: int = 0
    self_tried: int = 0
    effective: OptionValue | None = None
    context: str = ""
    why: str = ""
    fact: str = ""
    cached: bool = False

    @property
    def evidence(self) -> str:
        """The evidence in a few words."""
        if not self.tried:
            return ""
        noise = f"; the reference itself {self.self_changed} of {self.self_tried}" if self.self_changed else ""
        return f"changed {self.changed} of {self.tried}{noise}"

    @property
    def explanation(self) -> str:
        """The explanation and the known fact."""
        return "; ".join(part for part in (self.why, self.fact) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types, with the evidence in words."""
        return asdict(self) | {"evidence": self.evidence}


@dataclass(frozen=True)
class ProbeCost:
    """The cost of probing.

    Attributes:
        low: Generations if every option acts at once.
        high: Generations if none does.
        loads: Loads of the model besides the first.
    """

    low: int
    high: int
    loads: int

    @property
    def text(self) -> str:
        """The cost in words."""
        loads = f" and {self.loads} loads of the model" if self.loads else ""
        return f"{self.low} to {self.high} generations of {PROBE_TOKENS} tokens{loads}"

    def time_text(self, seconds: float) -> str:
        """Return the time in words, from the seconds of one generation."""
        low, high = math.ceil(self.low * seconds), math.ceil(self.high * seconds)
        span = f"{low}" if low == high else f"{low} to {high}"
        return f"one generation of a probe takes {seconds:.2g} s, so probing takes about {span} s"


def probe_cost(options: Iterable[str]) -> ProbeCost:
    """Return the cost of probing these options on one model, before any request."""
    names = list(options)
    texts = sum(name in TEXT_OPTIONS or name == "seed" for name in names)
    reloads = sum(name in OPTIONS and OPTIONS[name].reload for name in names)
    other = ("num_predict" in names) + 2 * reloads
    base = 4 if texts or other else 0
    return ProbeCost(base + 2 * texts + other, 2 * base + 12 * texts + other, 2 * reloads)
