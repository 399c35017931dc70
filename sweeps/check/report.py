"""What a check of a sweep tells."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from sweeps.budget.pace import TimeEstimate
from sweeps.budget.plan import Plan
from sweeps.config.narrowed_space import Narrowing
from sweeps.probes.capacity import Capacity
from sweeps.probes.probe import ProbeResult

READY, WARNING, BLOCKED = "ready", "warning", "blocked"
PARTS = ("file", "cases", "engine", "hosts", "study", "capacity", "options", "answers", "budget", "time", "sight")


@dataclass(frozen=True)
class CheckRow:
    """One line of the table.

    Attributes:
        name: One of `PARTS`.
        state: `ready`, `warning` or `blocked`.
        found: What was found.
        todo: What to do about it; "" where nothing is to be done.
    """

    name: str
    state: str
    found: str
    todo: str = ""


@dataclass(frozen=True)
class OptionRow:
    """One value of the resolved baseline.

    Attributes:
        name: Option, `model` or `prompt`.
        value: What is sent for the baseline.
        source: `file`, `environment (NAME)` or `default`.
        searched: What the sweep searches, "" if the value is fixed.
        verdict: What probes found, "" where none was made.
        note: What is worth knowing of the value, such as a default that other versions of the engine have not.
    """

    name: str
    value: object
    source: str
    searched: str = ""
    verdict: str = ""
    note: str = ""


@dataclass
class CheckReport:
    """What a check found; parts that were not reached are None or empty."""

    file: str
    study: str = ""
    rows: list[CheckRow] = field(default_factory=list)
    options: list[OptionRow] = field(default_factory=list)
    probes: dict[str, dict[str, ProbeResult]] = field(default_factory=dict)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    narrowing: Narrowing = field(default_factory=Narrowing)
    capacity: Capacity | None = None
    plan: Plan | None = None
    time: TimeEstimate | None = None
    mde: float | None = None
    noise_sd: float | None = None

    @property
    def state(self) -> str:
        """The worst state of all rows."""
        states = [row.state for row in self.rows]
        return next((state for state in (BLOCKED, WARNING) if state in states), READY)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {
            "record": "check",
            "file": self.file,
            "study": self.study,
            "state": self.state,
            "checks": [dataclasses.asdict(row) for row in self.rows],
            "options": [dataclasses.asdict(row) for row in self.options],
            "probes": {name: {at: r.as_dict() for at, r in found.items()} for name, found in self.probes.items()},
            "narrowing": self.narrowing.as_record(),
            "hosts": self.hosts,
            "capacity": dataclasses.asdict(self.capacity) | {"room": self.capacity.room} if self.capacity else None,
            "plan": self.plan.as_dict() if self.plan else None,
            "time": self.time.as_dict() if self.time else None,
            "mde": self.mde,
            "noise_sd": self.noise_sd,
        }
