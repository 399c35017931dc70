"""Progress of a running sweep, apart from how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Scored:
    """A configuration's mean score so far.

    Attributes:
        title: The trial's number or the candidate's name, in words.
        changes: The options that it changes, in words; "" for the baseline.
        mean: Its mean score; NaN without one.
        low, high: Its 95% interval; None where that is not known yet.
        n: Its scored generations.
    """

    title: str
    changes: str
    mean: float
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True)
class Observation:
    """One answer with its score, for people who watch.

    Attributes:
        study: Name of the study.
        stage: `floor`, `explore` or `confirm`.
        trial: Number of the trial, -1 for the baseline.
        title: `baseline`, the trial's number or the candidate's name, in words.
        changes: The options that it changes, in words; "" for the baseline.
        case: The case.
        seed: The seed.
        host: Name of the host.
        score: The score; NaN without one.
        seconds: Seconds of its request; None if it came from the ledger, or failed.
        text: The answer; "" without one.
    """

    study: str
    stage: str
    trial: int
    title: str
    changes: str
    case: str
    seed: int
    host: str
    score: float
    seconds: float | None
    text: str


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
        ranked: The best trials so far, the best first, with their 95% intervals.
        latest: The trials that were completed last, in their order.
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
    ranked: tuple[Scored, ...] = ()
    latest: tuple[Scored, ...] = ()


class Progress(Protocol):
    """Is informed while a sweep runs: any object with these methods can be given as `Sweep(progress=...)`.

    `step` and `observe` may be missing.
    """

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Take the number of generations planned per stage."""
        ...

    def stage(self, name: str) -> None:
        """Take the beginning of a stage: `check`, `floor`, `explore`, `confirm` or `report`."""
        ...

    def step(self, text: str) -> None:
        """Take what happens now within a stage, in a few words, such as `loading model smollm2`."""
        ...

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Take one generation of a stage; `seconds` is None if it came from the ledger."""
        ...

    def observe(self, seen: Observation) -> None:
        """Take one answer with its score, after `advance`."""
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

    def step(self, text: str) -> None:
        """Ignore the step."""

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Ignore the generation."""

    def observe(self, seen: Observation) -> None:
        """Ignore the answer."""

    def standing(self, standing: Standing) -> None:
        """Ignore the scores."""

    def note(self, text: str, *, warning: bool = False) -> None:
        """Ignore the message."""


class Complete(Silent):
    """A progress of a user, which may lack `step` and `observe`.

    Args:
        given: The progress.
    """

    def __init__(self, given: Any) -> None:
        for name in ("plan", "stage", "step", "advance", "observe", "standing", "note"):
            if callable(method := getattr(given, name, None)):
                setattr(self, name, method)
