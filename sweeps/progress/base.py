"""Progress of a running sweep, apart from how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Standing:
    """The scores of a sweep so far.

    Attributes:
        baseline_mean: Mean score of the baseline over the cases; None before the floor.
        noise_sd: Run-to-run standard deviation within a case; None before the floor.
        band: Half-width of the 95% noise band of one trial's mean around the baseline's; None before the floor.
        best: The changes that the best trial so far makes, in words; "" before the first.
        best_mean: Observed mean score of the best trial.
        best_low: Lower end of its 95% interval.
        best_high: Upper end.
        trials: Trials completed.
        baseline_n: Generations behind the baseline's mean, all of the floor; 0 where that is unknown.
    """

    baseline_mean: float | None = None
    noise_sd: float | None = None
    band: float | None = None
    best: str = ""
    best_mean: float | None = None
    best_low: float | None = None
    best_high: float | None = None
    trials: int = 0
    baseline_n: int = 0


class Progress(Protocol):
    """Is informed while a sweep runs: any object with these methods can be given as `Sweep(progress=...)`."""

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Take the number of generations planned per stage."""
        ...

    def stage(self, name: str) -> None:
        """Take the beginning of a stage: `check`, `floor`, `explore`, `confirm` or `report`."""
        ...

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Take one generation of a stage; `seconds` is None if it came from the ledger."""
        ...

    def standing(self, standing: Standing) -> None:
        """Take the scores so far, whenever they change."""
        ...

    def note(self, text: str, *, warning: bool = False) -> None:
        """Take a message for a person."""
        ...


class Silent:
    """A progress that shows nothing."""

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Ignore the plan."""

    def stage(self, name: str) -> None:
        """Ignore the stage."""

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Ignore the generation."""

    def standing(self, standing: Standing) -> None:
        """Ignore the scores."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Ignore the message."""
