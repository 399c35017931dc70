"""Progress as a live display on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sweeps.progress.base import Observation
from sweeps.progress.console import PlainConsole
from sweeps.progress.picture import Painter
from sweeps.progress.plain import at_words, observation_line
from sweeps.progress.render import render

if TYPE_CHECKING:
    from rich.console import RenderableType


class RichProgress(Painter):
    """Shows a running sweep: stages, running trial, best trials and hosts; a context manager that ends the display.

    Args:
        console: Where to show it; stderr by default.
        verbose: Print a line for each text as well.
    """

    def __init__(self, console: Console | None = None, *, verbose: bool = False) -> None:
        super().__init__()
        self.console = console or PlainConsole(stderr=True)
        self.verbose = verbose
        self._live = Live(get_renderable=self._render, console=self.console, refresh_per_second=4)

    def __enter__(self) -> RichProgress:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _render(self) -> RenderableType:
        return render(self.picture, self.console.width)

    def step(self, text: str) -> None:
        """Show what happens now, at once: an import may leave the display no time later."""
        super().step(text)
        self._live.refresh()

    def observe(self, seen: Observation) -> None:
        """Show the running trial, its host and its text."""
        super().observe(seen)
        if self.verbose:
            self.note(observation_line(seen))

    def note(self, text: str, *, warning: bool = False) -> None:
        """Print a message above the display."""
        text = f"warning: {text}" if warning else text
        if self.console.is_terminal:
            text = at_words(text, self.console.width)
        self.console.print(Text(text, style="yellow" if warning else "dim"), soft_wrap=True)
