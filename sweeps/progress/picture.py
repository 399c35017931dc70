"""A running sweep as data, however it is watched: in its own process, or from the ledger by another one."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from sweeps.progress.base import Observation, Scored, Standing
from sweeps.progress.counts import STAGES, GenerationCounts

_FIRST_WORDS = 300
"""Characters kept of the last text; a display shows fewer."""


@dataclass(frozen=True)
class HostLine:
    """What one host has done.

    Attributes:
        label: Its name for people.
        texts: Texts that it generated in this run.
        seconds: Mean seconds per text; NaN before the first.
        doing: What it did last, such as `confirm, case pump`.
    """

    label: str
    texts: int = 0
    seconds: float = math.nan
    doing: str = ""

    def after(self, seconds: float, doing: str) -> HostLine:
        """The line after one more text."""
        before = 0.0 if math.isnan(self.seconds) else self.seconds * self.texts
        return HostLine(self.label, self.texts + 1, (before + seconds) / (self.texts + 1), doing)


@dataclass(frozen=True)
class Picture:
    """A running sweep.

    Attributes:
        study: Its name.
        stage: The stage: `check`, `floor`, `explore`, `confirm` or `report`; "" before the first.
        step: What happens within the stage, in a few words; "" while texts are generated.
        done, planned: Generations by stage.
        left: The time left in words.
        standing: The scores so far.
        running: The trial that the last text belongs to, with its mean so far.
        hosts: A line per host, in the order of their first texts.
        text: Beginning of the last text.
        case: Case of the last text.
        failed: Number of observations without a score.
    """

    study: str = ""
    stage: str = ""
    step: str = ""
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    planned: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    left: str = ""
    standing: Standing = field(default_factory=Standing)
    running: Scored | None = None
    hosts: tuple[HostLine, ...] = ()
    text: str = ""
    case: str = ""
    failed: int = 0


class Painter(GenerationCounts):
    """Keeps the picture of a sweep up to date from what it is informed of.

    Attributes:
        picture: The picture so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.picture = Picture()
        self._scores: dict[tuple[str, int], list[float]] = {}

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Take the number of generations planned per stage."""
        super().plan(floor, explore, confirm)
        self.picture = replace(self.picture, planned=dict(self.planned))

    def stage(self, name: str) -> None:
        """Take the beginning of a stage."""
        self.picture = replace(self.picture, stage=name, step="")

    def step(self, text: str) -> None:
        """Take what happens now."""
        self.picture = replace(self.picture, step=text)

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Count one generation of a stage."""
        super().advance(stage, seconds=seconds)
        self.picture = replace(self.picture, done=dict(self.done), left=self.time_left, step="")

    def standing(self, standing: Standing) -> None:
        """Take the scores so far."""
        self.picture = replace(self.picture, standing=standing)

    def observe(self, seen: Observation) -> None:
        """Take one observation: the running trial's mean, its host's line, and the text."""
        scores = self._scores.setdefault((seen.stage, seen.trial), [])
        if not math.isnan(seen.score):
            scores.append(seen.score)
        mean = sum(scores) / len(scores) if scores else math.nan
        running = Scored(seen.title, seen.changes, mean, n=len(scores))
        failed = self.picture.failed + math.isnan(seen.score)
        self.picture = replace(self.picture, running=running, failed=failed, study=seen.study)
        if seen.text:
            self.picture = replace(self.picture, text=seen.text[:_FIRST_WORDS], case=seen.case)
        if seen.seconds is not None:
            self._note_host(seen, seen.seconds)

    def _note_host(self, seen: Observation, seconds: float) -> None:
        lines = {line.label: line for line in self.picture.hosts}
        line = lines.get(seen.host, HostLine(seen.host))
        lines[seen.host] = line.after(seconds, f"{seen.stage}, case {seen.case}")
        self.hosts = len(lines)
        self.picture = replace(self.picture, hosts=tuple(lines.values()))
