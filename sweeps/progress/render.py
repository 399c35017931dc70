"""The picture of a running sweep as lines of a terminal."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from sweeps.progress.base import Scored, Standing
from sweeps.progress.counts import STAGES
from sweeps.progress.picture import HostLine, Picture

_NARROWEST, _WIDEST = 40, 140
_BAR, _PLOT, _TITLE = 24, 18, 20
_NUMBERS = 23
"""Columns of score and interval."""
_BASELINE = "baseline"
_ROOM_TO_PLOT = 70
"""Columns below which intervals are numbers only."""
_FULL, _EMPTY = "━", "─"


def render(picture: Picture, width: int) -> Group:
    """Draw a picture in lines that are not wider than a terminal; no word is broken.

    Args:
        picture: The sweep.
        width: Columns of the terminal.
    """
    room = min(max(width, _NARROWEST), _WIDEST) - 1
    lines = [*_stages(picture, room), *_now(picture, room), *_best(picture.standing, room), *_hosts(picture, room)]
    for line in lines:
        line.no_wrap, line.overflow = True, "crop"
    return Group(*lines)


def short(text: str, room: int) -> str:
    """The first words of a text that fit into some columns, with … where words are left out."""
    text = re.sub(r"[^\S\u00a0]+", " ", text).strip()
    if len(text) <= room:
        return text
    shown = ""
    for word in text.split(" "):
        longer = f"{shown} {word}".lstrip()
        if len(longer) + 2 > room:
            break
        shown = longer
    return f"{shown.rstrip(',')} …".lstrip()


def short_options(text: str, room: int) -> str:
    """As `short`, for options with their values, such as `temperature 0.3, top_k 20`: no pair is broken."""
    pairs = ", ".join(pair.replace(" ", "\u00a0") for pair in text.split(", "))
    return short(pairs, room).replace("\u00a0", " ")


def short_name(name: str, room: int) -> str:
    """A name that may be cut, since it is one word."""
    return name if len(name) <= room else f"{name[: max(room - 1, 0)]}…"


def _stages(picture: Picture, room: int) -> Iterator[Text]:
    head = Text(picture.study or "sweep", style="bold")
    doing = picture.step or {"report": "writing report, plots and MLflow", "check": "checking"}.get(picture.stage, "")
    head.append(f"  {short(doing, room - len(head.plain) - 2)}" if doing else "", style="cyan")
    yield head
    bar = min(_BAR, room // 4)
    for stage in STAGES:
        done, planned = picture.done[stage], picture.planned[stage]
        current = stage == picture.stage
        full = 0 if not planned else min(bar, round(bar * done / planned))
        line = Text(f"{'▸' if current else ' '} {stage:<8}", style="bold" if current else "")
        line.append(_FULL * full, style="green" if planned and done >= planned else "cyan")
        line.append(_EMPTY * (bar - full), style="bright_black")
        line.append(f" {done}/{planned or '?'}", style="")
        failed = f"{picture.failed} without a score" if picture.failed else ""
        for part, style in ((picture.left, "dim"), (failed, "yellow")):
            if current and part and len(line.plain) + 2 + len(part) <= room:
                line.append(f"  {part}", style=style)
        yield line


def _now(picture: Picture, room: int) -> Iterator[Text]:
    if (trial := picture.running) is None:
        return
    yield Text()
    mean = "no score yet" if math.isnan(trial.mean) else f"{trial.mean:.3f} so far"
    tail = f"  {mean}, {trial.n} {'text' if trial.n == 1 else 'texts'}"
    line = Text("now   ", style="dim").append(trial.title, style="bold")
    line.append(_fitted(trial.changes, room - len(line.plain) - len(tail))).append(tail)
    yield line
    if picture.text:
        case = f"{short_name(picture.case, 24)}: "
        yield (
            Text("text  ", style="dim")
            .append(case, style="dim")
            .append(short(picture.text, room - 6 - len(case)), style="italic")
        )


def _fitted(changes: str, room: int) -> str:
    return f"  {short_options(changes, room - 2)}" if changes else ""


def _best(standing: Standing, room: int) -> Iterator[Text]:
    if standing.baseline_mean is None:
        return
    yield Text()
    plot = min(_PLOT + max(0, room - 79) // 2, 44) if room >= _ROOM_TO_PLOT else 0
    axis = Axis.of(standing, plot)
    trials = f"best of {standing.trials}" if standing.trials > len(standing.ranked) else "trials"
    titles = (trials, _BASELINE, *(each.title for each in standing.ranked))
    name = max(len(short_name(each, _TITLE)) for each in titles) + 2
    words = max(0, room - name - _NUMBERS - plot)
    if standing.ranked:
        head = f"{trials:<{name + words}}{'score':>6} {'95% interval':<15} "
        ends = f"{axis.low:<6.2f}{axis.high:>{plot - 6}.2f}" if plot else ""
        yield Text(head + ends, style="dim")
    for each in standing.ranked:
        yield _row(each, name, words, axis)
    n = f"{standing.baseline_n} texts" if standing.baseline_n else ""
    yield _row(Scored(_BASELINE, n, standing.baseline_mean), name, words, axis)
    if standing.band is not None and plot:
        caption = f"░ noise band ±{standing.band:.3f}: 19 of 20 trials that change nothing lie in it"
        caption += "; │ baseline, ● score"
        for part in textwrap.wrap(caption, room):
            yield Text(part, style="dim")


def _row(each: Scored, name: int, words: int, axis: Axis) -> Text:
    line = Text(f"{short_name(each.title, name - 2):<{name}}", style="bold")
    line.append(f"{short_options(each.changes, words - 1) if words > 9 else '':<{words}}")
    line.append(f"{each.mean:>6.3f} ", style="bold cyan")
    interval = "" if each.low is None else f"[{each.low:.3f}, {each.high:.3f}]"
    return line.append(f"{interval:<15} ").append_text(axis.draw(each))


class Axis:
    """An axis with the noise band and the baseline on it.

    Args:
        low, high: Its ends, in units of the score.
        width: Its columns.
        standing: The scores so far.
    """

    def __init__(self, low: float, high: float, width: int, standing: Standing) -> None:
        self.low, self.high, self.width = low, high, width
        self._standing = standing

    @classmethod
    def of(cls, standing: Standing, width: int) -> Axis:
        """The axis that holds the band and all intervals."""
        base, band = standing.baseline_mean or 0.0, standing.band or 0.0
        ends = [base - band, base + band]
        for each in standing.ranked:
            ends += [end for end in (each.low, each.high) if end is not None]
        low, high = min(ends), max(ends)
        return cls(low, high if high > low else low + 1e-9, width, standing)

    def at(self, value: float) -> int:
        """The column of a score."""
        share = (value - self.low) / (self.high - self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))

    def draw(self, each: Scored) -> Text:
        """One configuration's score and interval over the band."""
        if not self.width:
            return Text()
        cells, styles = [" "] * self.width, [""] * self.width
        base, band = self._standing.baseline_mean or 0.0, self._standing.band or 0.0
        if band:
            for i in range(self.at(base - band), self.at(base + band) + 1):
                cells[i], styles[i] = "░", "bright_black"
        if each.low is not None and each.high is not None:
            for i in range(self.at(each.low), self.at(each.high) + 1):
                cells[i], styles[i] = "─", "cyan"
        cells[self.at(base)], styles[self.at(base)] = "│", "bold"
        if each.title != _BASELINE and not math.isnan(each.mean):
            cells[self.at(each.mean)], styles[self.at(each.mean)] = "●", "bold cyan"
        drawn = Text()
        for cell, style in zip(cells, styles, strict=True):
            drawn.append(cell, style=style)
        return drawn


def _hosts(picture: Picture, room: int) -> Iterator[Text]:
    if not picture.hosts:
        return
    yield Text()
    label = max(len(short_name(line.label, 24)) for line in picture.hosts)
    for line in picture.hosts:
        yield _host(line, label, room)


def _host(line: HostLine, label: int, room: int) -> Text:
    shown = Text("host  ", style="dim").append(f"{short_name(line.label, 24):<{label}}  ", style="bold")
    texts = "text" if line.texts == 1 else "texts"
    each = "" if math.isnan(line.seconds) else f", {line.seconds:.3g} s each"
    shown.append(f"{line.texts} {texts}{each}")
    return shown.append(f"  {short(line.doing, room - len(shown.plain) - 2)}", style="dim")
