"""Search spaces without options and values that are useless on a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.formatting import option_text
from sweeps.config.candidates import Candidate
from sweeps.config.space import Dimension, Space, Value
from sweeps.config.sweep_config import SweepConfig


@dataclass(frozen=True)
class Narrowing:
    """Options and values removed from a space, with the reasons.

    Attributes:
        dropped: Names removed, with the reason.
        removed: Choices removed, by name.
        notes: Other findings, as sentences.
    """

    dropped: Mapping[str, str] = field(default_factory=dict)
    removed: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Return the narrowing as JSON types, for the study's record."""
        return {"dropped": dict(self.dropped), "removed": {name: list(v) for name, v in self.removed.items()}}

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Narrowing:
        """Read a record of `as_record`; None means that nothing was removed."""
        record = record or {}
        removed = {name: tuple(values) for name, values in record.get("removed", {}).items()}
        return cls(dict(record.get("dropped", {})), removed)

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
        """Return one sentence for each option or value removed."""
        base = config.baseline.values
        lines = [f"space.{name} is dropped{_stays(name, base)}: {why}" for name, why in self.dropped.items()]
        for name, values in self.removed.items():
            left = ", ".join(option_text(v) for v in config.space[name].choices if v not in values)
            lines.append(
                f"space.{name}: {', '.join(map(option_text, values))} would cut a prompt and is removed; left: {left}"
            )
        kept = {candidate.name for candidate in self._candidates(config)}
        gone = [candidate.name for candidate in config.candidates if candidate.name not in kept]
        return lines + [f"candidates.{name} is left out, because nothing else remains of it" for name in gone]


def _stays(name: str, baseline: Mapping[str, Value]) -> str:
    return f" (it stays at the baseline's {option_text(baseline[name])})" if name in baseline else ""


def narrowed(space: Space, narrowing: Narrowing, baseline: Mapping[str, Value]) -> Space:
    """Remove options and values from a space; the baseline's value decides conditions on a dropped option."""
    kept: list[Dimension] = []
    gone = dict(narrowing.dropped)
    for dimension in space:
        choices = tuple(v for v in dimension.choices if v not in narrowing.removed.get(dimension.name, ()))
        when: dict[str, tuple[Value, ...]] = {}
        fixed = choices != dimension.choices and choices == (baseline.get(dimension.name),)
        dead = dimension.name in gone or fixed
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
