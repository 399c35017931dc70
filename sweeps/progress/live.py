"""Progress as a live display on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from sweeps.progress.base import Standing
from sweeps.progress.counts import STAGES, GenerationCounts
from sweeps.progress.plain import at_words, standing_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_SCALE_WIDTH = 50


class RichProgress(GenerationCounts):
    """Shows a running sweep with bars per stage; a context manager that ends the display.

    Args:
        console: Where to show it; stderr by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._standing = Standing()
        self._bars = Bars(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
        )
        self._tasks = {stage: self._bars.add_task(stage, total=None, left="") for stage in STAGES}
        self._live = Live(get_renderable=self._render, console=self.console, refresh_per_second=4)

    def __enter__(self) -> RichProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        lines: list[RenderableType] = [self._bars]
        if self._standing.baseline_mean is not None:
            lines += [
                scale(self._standing),
                Text(at_words(standing_line(self._standing), self.console.width), style="dim"),
            ]
        return Group(*lines)

    def plan(self, floor: int, explore: int, confirm: int) -> None:
        """Give the bars their lengths."""
        super().plan(floor, explore, confirm)
        for stage, total in self.planned.items():
            self._bars.update(self._tasks[stage], total=total)

    def stage(self, name: str) -> None:
        """Change nothing: the bars show the stage."""

    def advance(self, stage: str, *, seconds: float | None) -> None:
        """Move a stage's bar on, with the time left beside it."""
        super().advance(stage, seconds=seconds)
        self._bars.update(self._tasks[stage], completed=self.done[stage], left=self.time_left)
        for other in STAGES:
            if other != stage:
                self._bars.update(self._tasks[other], left="")

    def standing(self, standing: Standing) -> None:
        """Show the scores so far below the bars."""
        self._standing = standing

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print a message above the bars."""
        text = f"warning: {text}" if warning else text
        if self.console.is_terminal:
            text = at_words(text, self.console.width)
        self.console.print(Text(text, style="yellow" if warning else "dim"), soft_wrap=True)


def scale(standing: Standing, width: int = _SCALE_WIDTH) -> Text:
    """Noise band and best trial's interval on one axis, to see at a glance whether the best lies beyond the band."""
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
