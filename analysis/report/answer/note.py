"""The report as a short Markdown note, for a tracking server's run page."""

from __future__ import annotations

import re

from analysis.formatting import decimals
from analysis.report.answer.baseline_means import apart_text, baseline_means_text
from analysis.report.answer.doubts import doubts
from analysis.report.answer.facts import facts
from analysis.report.data import ReportData
from analysis.report.numbers import number


def render_note(data: ReportData) -> str:
    """A short Markdown note; names are escaped."""
    verdict, use_now = data.verdict, data.use_now
    lines = [f"## {_markdown(data.study)}", "", f"**{_markdown(use_now.text)}**", ""]
    if verdict is not None:
        lines += [_markdown(data.in_words(verdict.sentence)), ""]
        lines += ["| | |", "|---|---|", *(f"| {name} | {_markdown(text)} |" for name, text in facts(data)), ""]
        lines += [_markdown(data.in_words(text)) + "\n" for text in (verdict.advice, use_now.gamble) if text]
    if data.floor is not None:
        floor = data.floor.sd, data.floor.ci_low, data.floor.ci_high
        sd, low, high = (number(each, decimals(*floor)) for each in floor)
        lines += [f"Run-to-run noise of one text of the baseline, before the search: ±{sd} ({low} to {high}).", ""]
    if (means := baseline_means_text(data)) and not apart_text(data):  # which is among the doubts
        lines += [_markdown(means), ""]
    if data.aa is not None and not data.aa.passed:
        lines += [f"**The baseline differs from itself:** {_markdown(data.in_words(data.aa.sentence))}", ""]
    lines += [f"- {_markdown(note)}" for note in (*doubts(data), *data.notes, *data.looks)]
    lines += [f"- {_markdown(name)}: `{_code(command)}`" for name, command in data.commands.items()]
    return "\n".join(lines).rstrip() + "\n"


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _markdown(text: str) -> str:
    """Text with no meaning to Markdown or HTML, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!~])", r"\\\1", " ".join(text.split())).replace("\\(", "(").replace("\\)", ")")
