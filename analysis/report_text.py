"""The report in few words: a Markdown note and a summary for a terminal."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from analysis.report_data import ReportData
from analysis.report_parts import limits_text
from analysis.wording import arms_text, cases_text, decimals, level_text, out_of_reach, p_text, verdict_decimals

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADLINES = {
    "better": "Better than the baseline",
    "worse": "Worse than the baseline",
    "equivalent": "As good as the baseline",
    "not distinguishable": "Not distinguishable from the baseline",
}
_STYLES = {"better": "green", "worse": "red", "equivalent": "blue", "not distinguishable": "bright_black"}


def number(value: float | None, digits: int = 3) -> str:
    """A number with fixed digits; a dash for what does not exist."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def lone(value: float) -> str:
    """A number that stands alone, with two digits of its own at least."""
    return number(value, decimals(value))


def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign; a dash for what does not exist."""
    return "–" if value is None or not math.isfinite(value) else f"{value:+.{digits}f}"


def percent(value: float | None) -> str:
    """A share as whole percents; a dash for what does not exist."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.0%}"


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """The numbers behind the headline, by name."""
    verdict = data.verdict
    if verdict is None:
        return []
    d, seen = verdict_decimals(verdict), lone(verdict.mde)
    interval = f"{level_text(verdict.level)} interval {signed(verdict.ci_low, d)} to {signed(verdict.ci_high, d)}"
    arms = verdict.n_per_arm, verdict.n_finalist, verdict.n_baseline
    sees = f"gains from {seen} on (80% power)"
    if out_of_reach(verdict):
        sees = f"no gain: it takes one of {seen}, and scores end at 1 (80% power)"
    elif verdict.given_up:
        sees += f", had it not been given up at look {verdict.look}"
    p_value = "no p value" if math.isnan(verdict.p_value) else p_text(verdict.p_value)
    return [
        ("effect", f"{signed(verdict.effect, d)} ({interval}, {p_value})"),
        ("scores", f"finalist {number(verdict.finalist_mean, d)}, baseline {number(verdict.baseline_mean, d)}"),
        (
            "rests on",
            f"{arms_text(*arms, kind='fresh generations')}, {cases_text(verdict.cases)};"
            f" {verdict.claim.replace('-', ' ')}",
        ),
        ("could see", f"{sees}; noise sd {lone(verdict.noise_sd)}"),
    ]


def _options_text(data: ReportData) -> str:
    key = data.verdict.configuration if data.verdict is not None else data.finalist
    if key is None:
        return ""
    base = data.values(data.baseline)
    return ", ".join(f"{name} {base.get(name, '–')} → {value}" for name, value in data.differences(key).items())


def _gates_text(data: ReportData) -> str:
    if data.verdict is None or data.recommended is None:
        return ""
    use = f"use {data.role(data.recommended)}" if data.recommended != data.baseline else "keep the baseline"
    claim = "shown better" if data.verdict.outcome == "better" else "not shown better"
    because = ", since the finalist is beyond a limit" if data.broken and data.verdict.effect > 0 else ""
    return f"{use}{because} (recommendation); {claim} (claim)"


def render_note(data: ReportData) -> str:
    """A short Markdown note, for a tracking server's run page. Names are escaped."""
    verdict = data.verdict
    lines = [f"## {_markdown(data.study)}", ""]
    if verdict is None:
        lines += ["No verdict yet.", ""]
    else:
        lines += [f"**{HEADLINES[verdict.outcome]}.** {_markdown(data.in_words(verdict.sentence))}", ""]
        decision = [("decision", _gates_text(data)), ("limits", limits_text(data))]
        rows = [*_facts(data), *decision, ("changed", _options_text(data))]
        lines += ["| | |", "|---|---|", *(f"| {name} | {_markdown(text)} |" for name, text in rows if text), ""]
        lines += [_markdown(data.in_words(verdict.advice)), ""]
    if data.floor is not None:
        floor = data.floor.sd, data.floor.ci_low, data.floor.ci_high
        sd, low, high = (number(each, decimals(*floor)) for each in floor)
        lines += [f"Noise floor: sd {sd} ({low} to {high}).", ""]
    if data.aa is not None and not data.aa.passed:
        lines += [f"**The baseline differs from itself:** {_markdown(data.in_words(data.aa.sentence))}", ""]
    lines += [f"- {_markdown(note)}" for note in (*data.notes, *data.looks)]
    lines += [f"- {_markdown(name)}: `{_code(command)}`" for name, command in data.commands.items()]
    return "\n".join(lines).rstrip() + "\n"


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _markdown(text: str) -> str:
    """Text with no meaning to Markdown or HTML, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!~])", r"\\\1", " ".join(text.split())).replace("\\(", "(").replace("\\)", ")")


def terminal_summary(data: ReportData) -> list[RenderableType]:
    """The verdict as a panel for a terminal: at most 25 lines at 80 columns, and what to do next.

    Returns:
        Renderables for `rich.console.Console.print`. Nothing in them is taken as markup.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    verdict = data.verdict
    style = _STYLES[verdict.outcome] if verdict is not None else "bright_black"
    headline = HEADLINES[verdict.outcome] if verdict is not None else "No verdict yet"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    decision = [("decision", _gates_text(data)), ("limits", _clip(limits_text(data), 180))]
    rows = [*_facts(data), *decision, ("changed", _clip(_options_text(data), 180))]
    for name, text in rows:
        if text:
            table.add_row(Text(name), Text(text))
    body: list[Any] = [Text(headline, style=f"bold {style}"), table]
    if verdict is not None:
        body.append(Text(_clip(data.in_words(verdict.advice), 220), style="italic"))
    if data.aa is not None and not data.aa.passed:
        body.append(Text(_clip(data.in_words(data.aa.sentence), 220), style="bold yellow"))
    told = [("! ", note, "yellow") for note in data.notes] + [("- ", look, "dim") for look in data.looks]
    body += [Text(mark + _clip(text, 150), style=style) for mark, text, style in told[:2]]
    panel = Panel(Group(*body), title=Text(_clip(data.study, 50)), title_align="left", border_style=style, width=80)
    # A command stays on one line, so that it can be copied.
    commands = list(data.commands.items())[:3]
    return [panel, *(Text(f"  {name}: {command}", no_wrap=True, overflow="ignore") for name, command in commands)]


def _clip(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
