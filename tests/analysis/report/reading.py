"""Reading a page, a panel or a note as a person does."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
from rich.console import Console

from analysis.report.page import ReportData, render_note, render_report, terminal_summary
from tests.analysis.sample import BASELINE

SPACED = {"td", "th", "tr", "div", "p", "li", "summary", "h1", "h2", "h3"}


VOID = {"meta", "br", "hr", "img", "input", "link", "wbr"}


class Page(HTMLParser):
    """A parsed page: tags, attributes, text, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " if tag in SPACED else ""

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data
        elif self.open[-1] == "script":
            self.scripts.append(data)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def drawn_on(console_width: int, data: ReportData) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=console_width, color_system=None)
    for part in terminal_summary(data):
        console.print(part)
    return out.getvalue().splitlines()


def words_of(data: ReportData) -> str:
    """The words of a page without plots, which take their time."""
    return Page(render_report(data, figures={})).words


def tone_of(text: str) -> str:
    return re.search(r'<section class="card verdict ([a-z-]+)"', text).group(1)


def second_finalist(data: ReportData):
    """Another trial's key, fresh rows of its own (the baseline's over again), and all fresh rows with these."""
    rows = data.observations
    second = next(key for key in rows["configuration"] if key not in (BASELINE, data.finalist))
    fresh = rows[rows["stage"] == "confirm"]
    extra = fresh[fresh["configuration"] == BASELINE].assign(configuration=second)
    return second, extra, pd.concat([fresh, extra])


def first_line(data: ReportData) -> str:
    """The answer as the note has it."""
    return render_note(data).replace("\\", "").splitlines()[2].strip("*")


def outcome(data: ReportData, name: str, **changes) -> ReportData:
    """The data with a verdict of this outcome, and other fields of it."""
    return replace(data, verdicts=[replace(data.verdict, outcome=name, **changes)])


def open_(data: ReportData, effect: float, **changes) -> ReportData:
    """The data with a verdict that luck can explain: p is .34, as of an effect of .95 standard errors."""
    fields = {"p_value": 0.34, "standard_error": abs(effect) / 0.95, **changes}
    return outcome(data, "not distinguishable", effect=effect, **fields)


def panel_of(data: ReportData) -> str:
    """The words of the panel, on one line."""
    return " ".join(" ".join(line.strip("│ ") for line in drawn_on(80, data)).split())


def trial_of(data: ReportData, key: str) -> int:
    return int(data.observations.loc[data.observations["configuration"] == key, "trial"].min())
