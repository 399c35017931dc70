"""Tasks of hosts, and their results."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.engines.base import Prompt
from sweeps.ledger.records import Entry, Place
from sweeps.options import Configuration, OptionValue


@dataclass(frozen=True)
class TaskResult:
    """The result of a task: an entry of the ledger, or an error text.

    Attributes:
        task: The task.
        entry: The generation; None after a failure.
        error: The failure; "" without one.
        kept: Whether the generation was in the ledger already.
        unscored: Why an earlier run of the study could not score it; "" if it could, or did not try.
        observed: Whether the study has this observation already.
        no_memory: Whether its host has no memory for the configuration.
    """

    task: Task
    entry: Entry | None
    error: str = ""
    kept: bool = False
    unscored: str = ""
    no_memory: bool = False
    observed: bool = False


@dataclass(frozen=True)
class Task:
    """One request of a sweep.

    Attributes:
        place: The place of its observation in the study.
        configuration: The configuration to try.
        prompt: The filled prompt.
        host: Index of its host; None for any host. Floor and confirmation use every host equally, so that
            configurations are compared within hosts.
    """

    place: Place
    configuration: Configuration
    prompt: Prompt
    host: int | None = None

    @property
    def options(self) -> dict[str, OptionValue]:
        """All options of the request, the seed included."""
        return {**self.configuration.options, "seed": self.place.seed}
