"""The scripted engine of a sweep's test, its requests, and what a sweep reports on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.engines.scripted.engine import Fault, Request, ScriptedEngine, demo_surface
from sweeps.progress import Silent, Standing


def measured(requests: Sequence[Request]) -> list[Request]:
    """Requests for scores: no warm-ups, and none of the check's."""
    return [r for r in requests if r.prompt.user.startswith("Summarise:\nLog") and r.options["num_predict"] != 1]


def engine(folder: Path, faults: Sequence[Fault] = (), **settings: Any) -> ScriptedEngine:
    from objectives import load_cases

    cases = load_cases(folder / "cases")
    return ScriptedEngine(cases, **{"surface": demo_surface, "noise": 0.1, "faults": faults, **settings})


class Listener(Silent):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.planned: tuple[int, ...] = ()
        self.done: dict[str, int] = {}
        self.last = Standing()
        self.notes: list[tuple[str, bool]] = []

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        self.planned = (floor, explore, confirm)

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def advance(self, stage: str, *, seconds: float | None) -> None:
        self.done[stage] = self.done.get(stage, 0) + 1

    def standing(self, standing: Standing) -> None:
        self.last = standing

    def note(self, text: str, *, warning: bool = False) -> None:
        self.notes.append((text, warning))
