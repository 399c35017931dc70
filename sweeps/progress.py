"""What a running sweep tells, apart from how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Standing:
    """Where a sweep stands.

    Attributes:
        baseline_mean: Mean score of the baseline over the cases; None before the floor.
        noise_sd: Run-to-run standard deviation within a case; None before the floor.
        band: Half-width of the 95% noise band of one trial's mean around the baseline's; None before the floor.
        best: What the best trial so far changes, in words; "" before the first.
        best_mean: Its observed mean.
        best_low: Lower end of its 95% interval.
        best_high: Upper end.
        trials: Trials completed.
    """

    baseline_mean: float | None = None
    noise_sd: float | None = None
    band: float | None = None
    best: str = ""
    best_mean: float | None = None
    best_low: float | None = None
    best_high: float | None = None
    trials: int = 0


class Progress(Protocol):
    """Listens to a running sweep."""

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """The generations planned per stage."""
        ...

    def stage(self, name: str) -> None:
        """A stage begins: `check`, `floor`, `explore`, `confirm` or `report`."""
        ...

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """A generation of a stage is there; `seconds` is None where the ledger had it."""
        ...

    def standing(self, standing: Standing) -> None:
        """The standing changed."""
        ...

    def note(self, text: str, *, warning: bool = False) -> None:
        """Something a person should know."""
        ...


class Silent:
    """Progress that tells nobody."""

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Nothing."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Nothing."""

    def standing(self, standing: Standing) -> None:
        """Nothing."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Nothing."""
