"""The report as a panel for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.report.answer.doubts import doubts
from analysis.report.answer.facts import facts
from analysis.report.data import ReportData
from analysis.verdict.use_now import UseNow

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

WIDTH = 80
"""Columns of the panel; fewer on a narrower terminal."""

_STYLES = {"better": "green", "worse": "red", "equivalent": "blue", "not distinguishable": "bright_black"}
_MOST_CHANGES = 8
_MOST_ITEMS = {"others": 4, "limits": 5, "ranking": 9}
"""Items of a list that are shown; the rest is in the report."""

_MOST_NOTES, _MOST_DOUBTS = 2, 3
_MOST_CHARACTERS = 420


def terminal_summary(data: ReportData) -> list[RenderableType]:
    """The answer as a panel of about 25 lines at most, and the next steps.

    Returns:
        Renderables for `rich.console.Console.print`. Nothing in them is taken as markup.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    verdict, use_now = data.verdict, data.use_now
    style = _STYLES[verdict.outcome] if verdict is not None else "bright_black"
    if use_now.settings == "current" and style == "green":
        style = "bright_black"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts(data):
        table.add_row(Text(name), Text(_items(name, text)))
    body: list[Any] = [_Headline(use_now, f"bold {style}"), table]
    # Sentences are shown whole: half a warning misleads.
    if use_now.gamble:
        body.append(Text(use_now.gamble))
    if verdict is not None:
        body.append(
            Text(whole_sentences(data.in_words(verdict.advice), "The advice is in the report."), style="italic")
        )
    if data.aa is not None and not data.aa.passed:
        body.append(Text(data.in_words(data.aa.sentence), style="bold yellow"))
    found = doubts(data)
    notes = [*found[:_MOST_DOUBTS], *data.notes[:_MOST_NOTES]]
    body += [Text("! " + whole_sentences(note, "a long warning is in the report"), style="yellow") for note in notes]
    if rest := len(data.notes[_MOST_NOTES:]) + len(found[_MOST_DOUBTS:]):
        more = "1 more warning is" if rest == 1 else f"{rest} more warnings are"
        body.append(Text(f"! {more} in the report", style="yellow"))
    if data.last_look:
        body.append(Text("- " + " ".join(data.last_look.split()), style="dim"))
    title = Text(data.study)
    panel = Panel(Group(*body), title=title, title_align="left", border_style=style, width=WIDTH)
    # A command stays on one line, so that it can be copied.
    commands = list(data.commands.items())[:3]
    return [panel, *(Text(f"  {name}: {command}", no_wrap=True, overflow="ignore") for name, command in commands)]


class _Headline:
    """The answer, broken between its changes and never inside one."""

    def __init__(self, use_now: UseNow, style: str) -> None:
        self.use_now, self.style = use_now, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        text = self.use_now.text
        if self.use_now.change:
            text = "\n".join(broken_between(f"{self.use_now.headline}:", _few(self.use_now.change), options.max_width))
        yield Text(text, style=self.style)


def broken_between(start: str, pieces: Sequence[str], width: int) -> list[str]:
    """Lines of at most a width, where the pieces allow it: `start`, then the pieces with commas between them."""
    lines = [start]
    ended = [f"{piece}," for piece in pieces[:-1]] + list(pieces[-1:])
    for piece in ended:
        if len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return lines


def _few(pieces: Sequence[str]) -> list[str]:
    rest = len(pieces) - _MOST_CHANGES
    return [*pieces] if rest <= 0 else [*pieces[:_MOST_CHANGES], f"and {rest} more"]


def whole_sentences(text: str, instead: str, most: int = _MOST_CHARACTERS) -> str:
    """A text, or its first sentences where it is too long for the panel; it never ends inside a sentence.

    Args:
        text: The text.
        instead: Shown where even the first sentence is too long.
        most: Characters that fit.
    """
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    kept = ""
    for sentence in re.split(r"(?<=[.!?]) ", text):
        if len(kept) + len(sentence) > most:
            break
        kept += f"{sentence} "
    return f"{kept}More is in the report." if kept else instead


def _items(name: str, text: str) -> str:
    """A row's text; of a list the first items, a ranking with a line for each."""
    if name not in _MOST_ITEMS:
        return text
    items, most = text.split("; "), _MOST_ITEMS[name]
    shown = items[:most] + ([f"and {len(items) - most} more in the report"] if len(items) > most else [])
    return ("\n" if name == "ranking" else "; ").join(shown)
