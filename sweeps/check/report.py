"""Report of a check: a row per part, and the measurements behind them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.budget.pace import TimeEstimate
from sweeps.budget.plan import Plan
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import SweepError
from sweeps.probes.capacity import Capacity
from sweeps.probes.probe import ProbeResult

READY, WARNING, BLOCKED = "ready", "warning", "blocked"
PARTS = (
    "file",
    "cases",
    "engine",
    "hosts",
    "baseline",
    "study",
    "capacity",
    "options",
    "answers",
    "budget",
    "time",
    "precision",
)


@dataclass(frozen=True)
class Finding:
    """Result of checking one part.

    Attributes:
        found: What was found, in words.
        state: `ready`, `warning` or `blocked`.
        todo: How to mend it; "" where there is nothing to mend.
    """

    found: str
    state: str = READY
    todo: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One line of the table.

    Attributes:
        name: One of `PARTS`.
        state: `ready`, `warning` or `blocked`.
        found: What was found, in words.
        todo: How to mend it; "" where there is nothing to mend.
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
        value: The baseline's value, as it is sent; None where it is not known yet.
        source: `file`, `environment (NAME)`, `model`, `server default (...)` or `ours`; see `SweepConfig.sources`.
        searched: The values that the sweep searches; "" if the value is fixed.
        verdict: Results of the probes; "" where none was made.
        note: A remark on the value, such as a default that differs between versions of the engine.
    """

    name: str
    value: object
    source: str
    searched: str = ""
    verdict: str = ""
    note: str = ""


class PartBlockedError(Exception):
    """A part of the check is blocked, so that those after it cannot be checked."""


@dataclass
class OpenRow:
    """A row whose part is being checked; the check sets its finding."""

    finding: Finding = field(default_factory=lambda: Finding(""))


@dataclass
class ReadinessReport:
    """Findings of a check; parts that were not reached are None or empty.

    `kept` counts the generations that the study has already; `time` is of the others. A study that is `done` has
    neither time nor smallest gain, because nothing is left to generate.
    """

    file: str
    study: str = ""
    rows: list[CheckRow] = field(default_factory=list)
    options: list[OptionRow] = field(default_factory=list)
    probes: dict[str, dict[str, ProbeResult]] = field(default_factory=dict)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    narrowing: Narrowing = field(default_factory=Narrowing)
    capacity: Capacity | None = None
    plan: Plan | None = None
    kept: int = 0
    done: bool = False
    time: TimeEstimate | None = None
    mde: float | None = None
    noise_sd: float | None = None

    @contextmanager
    def row(self, name: str) -> Iterator[OpenRow]:
        """Add a row for one part.

        An error of ours, whose message is written for users, becomes the row's finding.

        Raises:
            PartBlockedError: After such an error.
        """
        row = OpenRow()
        try:
            yield row
        except (SweepError, ValueError) as error:
            if type(error).__module__.partition(".")[0] not in ("objectives", "analysis", "sweeps"):
                raise
            self._add(name, Finding(str(error), BLOCKED))
            raise PartBlockedError(name) from error
        self._add(name, row.finding)

    def _add(self, name: str, finding: Finding) -> None:
        self.rows.append(CheckRow(name, finding.state, finding.found, finding.todo))

    def list_options(self, config: SweepConfig) -> None:
        """List a row per option: the baseline's values, then searched options that the baseline does not use."""
        self.options = []
        for name, value in config.baseline.values.items():
            searched = config.space[name].text() if name in config.space else ""
            known = name not in config.open_options
            source = config.sources.get(name, "file") if known else "model or server, not asked yet"
            self.options.append(OptionRow(name, value if known else None, source, searched))
        for dimension in config.space:
            if dimension.name not in config.baseline.values:
                self.options.append(OptionRow(dimension.name, None, "inactive", dimension.text()))

    def note_options(self, moved: dict[str, str], unsent: dict[str, str]) -> None:
        """Add notes to the options.

        Args:
            moved: Notes for defaults that changed with the engine's version, by option.
            unsent: Notes for options that the engine does not pass on, by option.
        """
        for i, row in enumerate(self.options):
            note = moved.get(row.name, "") if row.source.startswith("server default") else ""
            self.options[i] = replace(row, note=unsent.get(row.name, note))

    def list_probes(self, probes: dict[str, dict[str, ProbeResult]]) -> None:
        """Add the results of probes, also to the rows of their options."""
        self.probes = probes
        for i, row in enumerate(self.options):
            verdicts = {result.verdict for result in probes.get(row.name, {}).values()}
            self.options[i] = replace(row, verdict=", ".join(sorted(verdicts)))

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
            "kept": self.kept,
            "done": self.done,
            "time": self.time.as_dict() if self.time else None,
            "mde": self.mde,
            "noise_sd": self.noise_sd,
        }
