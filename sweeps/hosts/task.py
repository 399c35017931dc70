"""Tasks of hosts, and their results."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.engines.base import Prompt
from sweeps.ledger.records import Entry, Place
from sweeps.options import Configuration, OptionValue


@dataclass(frozen=True)
class TaskResult:
    """What became of a task: an entry of the ledger, or an error text.

    Attributes:
        task: The task.
        entry: The generation, None where there is none.
        error: What failed, "" where nothing did.
        kept: Whether the generation was in the ledger before.
        unscored: Why an earlier run of the study could not score it, "" where it could or did not try.
    """

    task: Task
    entry: Entry | None
    error: str = ""
    kept: bool = False
    unscored: str = ""


@dataclass(frozen=True)
class Task:
    """One request that a plan asks for.

    Attributes:
        place: Where its observation belongs.
        configuration: What is tried.
        prompt: The filled prompt.
        host: Index of the host that it belongs to, None where any will do. Floor and confirmation need every host
            alike, so that configurations are compared within hosts.
    """

    place: Place
    configuration: Configuration
    prompt: Prompt
    host: int | None = None

    @property
    def options(self) -> dict[str, OptionValue]:
        """All options as they are sent, the seed included."""
        return {**self.configuration.options, "seed": self.place.seed}
