"""The report in few words: a Markdown note and a summary for a terminal."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.formatting import arms_text, cases_text, decimals, level_text, p_text
from analysis.report.data import ReportData
from analysis.report.parts import limits_text
from analysis.verdict.sentences import out_of_reach, verdict_decimals

if TYPE_CHECKING:
    from rich.console import RenderableType

    from analysis.verdict.verdict import Verdict

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


def headline(data: ReportData) -> str:
    """The outcome as people say it; of several finalists with the trial that it speaks of."""
    verdict = data.verdict
    if verdict is None:
        return "No verdict yet"
    trial = data.trial(verdict.configuration) if verdict.comparisons > 1 else None
    which = "" if trial is None else f": trial {trial}, of {verdict.comparisons} finalists"
    return HEADLINES[verdict.outcome] + which


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """The numbers behind the headline, by name."""
    verdict = data.verdict
    if verdict is None:
        return []
    d = verdict_decimals(verdict)
    arms = verdict.n_per_arm, verdict.n_finalist, verdict.n_baseline
    tested = "no interval and no p value: there is no noise to test with"
    if not math.isnan(verdict.p_value):
        ends = f"{signed(verdict.ci_low, d)} to {signed(verdict.ci_high, d)}"
        tested = f"{level_text(verdict.level)} interval {ends}, {p_text(verdict.p_value, verdict.alpha)}"
    margin = f"±{lone(verdict.margin)}: differences within it count as none"
    return [
        ("effect", f"{signed(verdict.effect, d)} ({tested})"),
        ("margin", margin if verdict.outcome == "equivalent" and verdict.margin > 0 else ""),
        ("scores", f"finalist {number(verdict.finalist_mean, d)}, baseline {number(verdict.baseline_mean, d)}"),
        (
            "rests on",
            f"{arms_text(*arms, kind='fresh generations')}, {cases_text(verdict.cases)};"
            f" {verdict.claim.replace('-', ' ')}",
        ),
        ("could see", _sees(verdict)),
        ("others", _others(data)),
    ]


def _sees(verdict: Verdict) -> str:
    """What the comparison could see; "" where there was none."""
    if math.isnan(verdict.mde):
        return ""
    seen = lone(verdict.mde)
    sees = f"gains from {seen} on (80% power)"
    if math.isinf(verdict.mde):
        sees = "no gain of any size with so few seeds"
    elif out_of_reach(verdict):
        sees = f"no gain: it takes one of {seen}, and scores end at 1 (80% power)"
    elif verdict.given_up:
        sees += f", had it not been given up at look {verdict.look}"
    return f"{sees}; noise sd {lone(verdict.noise_sd)}"


def _others(data: ReportData) -> str:
    """The other finalists in a few words each; "" without any."""
    parts = []
    for verdict in data.verdicts:
        if verdict is not data.verdict:
            end = f", given up at look {verdict.look}" if verdict.given_up else ""
            effect = signed(verdict.effect, verdict_decimals(verdict))
            parts.append(f"{data.called(verdict.configuration)} {verdict.outcome} ({effect}{end})")
    return "; ".join(parts)


def _options_text(data: ReportData) -> str:
    key = data.verdict.configuration if data.verdict is not None else data.finalist
    if key is None:
        return ""
    base = data.values(data.baseline)
    return ", ".join(f"{name} {base.get(name, '–')} → {value}" for name, value in data.differences(key).items())


@dataclass(frozen=True)
class Decision:
    """What to do, and why, apart from what is claimed.

    Attributes:
        use: The recommendation.
        because: What it goes by, where the claim alone does not say it; else "".
        claim: Whether the finalist is shown better.
        beyond: Whether a limit alone speaks against the finalist.
    """

    use: str
    because: str
    claim: str
    beyond: bool = False


def decision(data: ReportData) -> Decision | None:
    """The recommendation beside the claim; None without a verdict."""
    verdict, key = data.verdict, data.recommended
    if verdict is None or key is None:
        return None
    claim = "shown better" if verdict.outcome == "better" else "not shown better"
    effect = data.fresh_effect(verdict)
    digits = verdict_decimals(verdict)
    higher = signed(effect, digits if round(effect, digits) else decimals(effect))
    if key != data.baseline:
        use = f"use {data.role(key)}"
        if verdict.outcome == "equivalent":
            within = f", within the margin of ±{lone(verdict.margin)}" if effect <= verdict.margin else ""
            return Decision("no reason to change", f"the finalist's mean is higher by {higher[1:]}{within}", claim)
        rule = f"its fresh mean is higher, by {higher}; that is the rule, not a claim"
        expected = data.expected_gain(verdict)
        told = "" if expected is None else f"of new generations {signed(expected)} is to be expected"
        because = told if verdict.outcome == "better" else "; ".join(filter(None, [rule, told]))
        return Decision(use, because, claim)
    if data.broken and (effect > 0 or verdict.effect > 0):
        return Decision("keep the baseline", "", claim, beyond=True)
    against = f"against all fresh generations of the baseline the difference is {higher}"
    return Decision("keep the baseline", against if verdict.effect > 0 >= effect else "", claim)


def _decision_text(data: ReportData) -> str:
    found = decision(data)
    if found is None:
        return ""
    because = f": {found.because}" if found.because else ""
    since = ", since the finalist is beyond a limit" if found.beyond else ""
    return f"{found.use}{since} (recommendation{because}); {found.claim} (claim)"


def _cautions(data: ReportData) -> list[str]:
    """Why to expect less than the headline's difference."""
    return [] if data.verdict is None else [data.in_words(caution) for caution in data.verdict.cautions]


def render_note(data: ReportData) -> str:
    """A short Markdown note, for a tracking server's run page. Names are escaped."""
    verdict = data.verdict
    lines = [f"## {_markdown(data.study)}", ""]
    if verdict is None:
        lines += ["No verdict yet.", ""]
    else:
        lines += [f"**{_markdown(headline(data))}.** {_markdown(data.in_words(verdict.sentence))}", ""]
        decided = [("decision", _decision_text(data)), ("limits", limits_text(data))]
        rows = [*_facts(data), *decided, ("changed", _options_text(data))]
        lines += ["| | |", "|---|---|", *(f"| {name} | {_markdown(text)} |" for name, text in rows if text), ""]
        lines += [_markdown(data.in_words(verdict.advice)), ""]
    if data.floor is not None:
        floor = data.floor.sd, data.floor.ci_low, data.floor.ci_high
        sd, low, high = (number(each, decimals(*floor)) for each in floor)
        lines += [f"Noise floor: sd {sd} ({low} to {high}).", ""]
    if data.aa is not None and not data.aa.passed:
        lines += [f"**The baseline differs from itself:** {_markdown(data.in_words(data.aa.sentence))}", ""]
    lines += [f"- {_markdown(note)}" for note in (*_cautions(data), *data.notes, *data.looks)]
    lines += [f"- {_markdown(name)}: `{_code(command)}`" for name, command in data.commands.items()]
    return "\n".join(lines).rstrip() + "\n"


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _markdown(text: str) -> str:
    """Text with no meaning to Markdown or HTML, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!~])", r"\\\1", " ".join(text.split())).replace("\\(", "(").replace("\\)", ")")


def terminal_summary(data: ReportData) -> list[RenderableType]:
    """The verdict as a panel for a terminal: about 25 lines of 80 columns at most, and what to do next.

    Returns:
        Renderables for `rich.console.Console.print`. Nothing in them is taken as markup.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    verdict = data.verdict
    style = _STYLES[verdict.outcome] if verdict is not None else "bright_black"
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    decided = [("decision", _decision_text(data)), ("limits", _clip(limits_text(data), 180))]
    rows = [*_facts(data), *decided, ("changed", _clip(_options_text(data), 180))]
    for name, text in rows:
        if text:
            table.add_row(Text(name), Text(_clip(text, 180) if name == "others" else text))
    body: list[Any] = [Text(headline(data), style=f"bold {style}"), table]
    if verdict is not None:
        body.append(Text(_clip(data.in_words(verdict.advice), 220), style="italic"))
    if data.aa is not None and not data.aa.passed:
        body.append(Text(_clip(data.in_words(data.aa.sentence), 220), style="bold yellow"))
    cautions = [*_cautions(data), *data.notes[:2]]
    body += [Text("! " + _clip(note, 150), style="yellow") for note in cautions]
    if data.last_look:  # whole: its end says whether it went on
        body.append(Text("- " + " ".join(data.last_look.split()), style="dim"))
    panel = Panel(Group(*body), title=Text(_clip(data.study, 50)), title_align="left", border_style=style, width=80)
    # A command stays on one line, so that it can be copied.
    commands = list(data.commands.items())[:3]
    return [panel, *(Text(f"  {name}: {command}", no_wrap=True, overflow="ignore") for name, command in commands)]


def _clip(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
