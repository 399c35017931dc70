"""Live progress of a sweep: rich on a terminal, plain lines elsewhere. Everything goes to stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from sweeps.progress import Standing

if TYPE_CHECKING:
    from rich.console import RenderableType

STAGES = ("floor", "explore", "confirm")
PLAIN_EVERY = 15.0
"""Seconds between progress lines where there is no terminal."""

_SCALE_WIDTH = 50


def standing_line(standing: Standing) -> str:
    """The standing in one line."""
    if standing.baseline_mean is None or standing.band is None:
        return ""
    line = f"baseline {standing.baseline_mean:.3f}, noise band of one trial ±{standing.band:.3f}"
    if standing.best_mean is None:
        return line
    interval = f"[{standing.best_low:.3f}, {standing.best_high:.3f}]"
    return f"{line}; best of {standing.trials} so far {standing.best_mean:.3f} {interval} ({standing.best})"


def scale(standing: Standing, width: int = _SCALE_WIDTH) -> Text:
    """Noise band and best trial's interval on one axis, for a glance: is the best beyond the band?"""
    if standing.baseline_mean is None or standing.band is None:
        return Text("")
    base, band = standing.baseline_mean, standing.band
    ends = [base - band, base + band]
    if standing.best_low is not None and standing.best_high is not None:
        ends += [standing.best_low, standing.best_high]
    low, high = min(ends), max(ends)
    span = max(high - low, 1e-9)

    def at(value: float) -> int:
        return min(width - 1, max(0, round((value - low) / span * (width - 1))))

    cells = [" "] * width
    styles = [""] * width
    for i in range(at(base - band), at(base + band) + 1):
        cells[i], styles[i] = "░", "bright_black"
    if standing.best_mean is not None and standing.best_low is not None and standing.best_high is not None:
        for i in range(at(standing.best_low), at(standing.best_high) + 1):
            cells[i], styles[i] = "─", "cyan"
        cells[at(standing.best_mean)], styles[at(standing.best_mean)] = "●", "bold cyan"
    cells[at(base)], styles[at(base)] = "│", "bold"
    text = Text(f"{low:.2f} ")
    for cell, style in zip(cells, styles, strict=True):
        text.append(cell, style=style)
    return text.append(f" {high:.2f}")


class ProgressView:
    """Shows a running sweep; a context manager.

    Args:
        console: Where to show it.
        quiet: Show warnings only.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet
        self.done = dict.fromkeys(STAGES, 0)
        self.planned = dict.fromkeys(STAGES, 0)
        self.kept = 0
        self._standing = Standing()
        self._stage = "check"
        self._spent: list[float] = []
        self._told = 0.0
        self._bars = Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._tasks = {stage: self._bars.add_task(stage, total=None, left="") for stage in STAGES}
        live = console.is_terminal and not quiet
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4) if live else None

    def __enter__(self) -> ProgressView:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def _render(self) -> RenderableType:
        lines: list[RenderableType] = [self._bars]
        if self._standing.baseline_mean is not None:
            lines += [scale(self._standing), Text(standing_line(self._standing), style="dim")]
        return Group(*lines)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the plan is done at the pace of the last generations; None before the first."""
        if not self._spent:
            return None
        recent = self._spent[-30:]
        missing = sum(self.planned.values()) - sum(self.done.values())
        return missing * sum(recent) / len(recent)

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """The generations planned per stage."""
        self.planned = dict(zip(STAGES, (floor, explore, confirm), strict=True))
        for stage, total in self.planned.items():
            self._bars.update(self._tasks[stage], total=total)

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._stage = name
        if self._live is None and not self.quiet:
            words = {"check": "checking cases, engine and model", "report": "writing report, plots and MLflow"}
            planned = f", {self.planned[name]} generations" if name in STAGES else ""
            self.console.print(f"{name}: {words[name]}" if name in words else f"{name}{planned}", markup=False)

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """A generation is there."""
        self.done[stage] += 1
        if seconds is None:
            self.kept += 1
        else:
            self._spent.append(seconds)
        left = self.seconds_left
        self._bars.update(self._tasks[stage], completed=self.done[stage], left=_time(left))
        for other in STAGES:
            if other != stage:
                self._bars.update(self._tasks[other], left="")
        if self._live is None and not self.quiet and time.monotonic() - self._told > PLAIN_EVERY:
            self._told = time.monotonic()
            self.console.print(
                f"{stage}: {self.done[stage]} of {self.planned[stage]}{_comma(_time(left))}", markup=False
            )

    def standing(self, standing: Standing) -> None:
        """The standing changed."""
        self._standing = standing
        if self._live is None and not self.quiet:
            self.console.print(standing_line(standing), markup=False, soft_wrap=True)

    def note(self, text: str, *, warning: bool = False) -> None:
        """Something a person should know."""
        if warning:
            self.console.print(Text(f"warning: {text}", style="yellow"), soft_wrap=True)
        elif not self.quiet:
            self.console.print(Text(text, style="dim"), soft_wrap=True)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    minutes = seconds / 60
    return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"


def _comma(text: str) -> str:
    return f", {text}" if text else ""
