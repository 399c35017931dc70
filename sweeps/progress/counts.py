"""Generations of a running sweep, counted by stage, and the time that the rest takes."""

from __future__ import annotations

STAGES = ("floor", "explore", "confirm")
"""The stages that generate, in their order."""

_RECENT = 30
"""Generations that the pace is taken from."""


class GenerationCounts:
    """Counts of a running sweep; the base of its displays.

    Attributes:
        done: Generations complete, by stage.
        planned: Generations planned, by stage.
        kept: Those of `done` that came from the ledger.
        hosts: Number of hosts that generate at the same time.
    """

    def __init__(self) -> None:
        self.done = dict.fromkeys(STAGES, 0)
        self.planned = dict.fromkeys(STAGES, 0)
        self.kept = 0
        self.hosts = 1
        self._spent: list[float] = []

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the plan is done at the pace of the last generations; None before the first."""
        if not self._spent:
            return None
        recent = self._spent[-_RECENT:]
        missing = sum(self.planned.values()) - sum(self.done.values())
        return missing * sum(recent) / len(recent) / self.hosts

    @property
    def time_left(self) -> str:
        """The time left in words; "" before the first generation, and when nothing is left."""
        seconds = self.seconds_left
        if not seconds:
            return ""
        if seconds < 90:
            return f"about {seconds:.0f} s left"
        minutes = seconds / 60
        return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Take the number of generations planned per stage."""
        self.planned = dict(zip(STAGES, (floor, explore, confirm), strict=True))

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Count one generation of a stage; `seconds` is None if it came from the ledger."""
        self.done[stage] += 1
        if seconds is None:
            self.kept += 1
        else:
            self._spent.append(seconds)
