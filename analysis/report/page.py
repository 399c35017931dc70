"""The report of a study as one HTML page that needs nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from analysis.formatting import cases_text, decimals, gain_text, level_text, p_text
from analysis.observations import views
from analysis.report.answer.baseline_means import baseline_means_text
from analysis.report.answer.doubts import doubts
from analysis.report.answer.facts import based_on, outcome_text
from analysis.report.answer.glance import Glance, at_a_glance
from analysis.report.answer.note import render_note
from analysis.report.answer.panel import terminal_summary
from analysis.report.costs import duration_text
from analysis.report.data import ReportData
from analysis.report.guard import Guard
from analysis.report.interactive.part import figure_html, live_figures, scripts
from analysis.report.numbers import count, number, percent, signed
from analysis.report.parts import flat, frame, limit_rows, pareto_rows, why_finalist
from analysis.report.plots import figures as plots
from analysis.report.tables import Tables, value_text
from analysis.report.words import explained, words_for
from analysis.verdict.sentences import out_of_reach, verdict_decimals
from analysis.verdict.verdict import Verdict

__all__ = ["ReportData", "draw", "render_note", "render_report", "terminal_summary"]

PLOTS = ("noise_band", "confirm", "levels", "sensitivity", "history", "pareto", "finishes")  # in the report's order
_SHOWN_FIRST = 15
_ROBUSTNESS_NAMES = {"effect": "difference", "ci_low": "interval from", "ci_high": "to", "p_value": "p"}
_NOT_ON_THE_PAGE = ("read the report", "use it in a pipeline")  # this is the report; the files have lines of their own
_TABLES = ("options", "level_rows", "case_rows", "host_rows", "ending_rows", "ranking", "reliability_rows")


def render_report(
    data: ReportData,
    figures: Mapping[str, Figure] | None = None,
    *,
    warn: Callable[[str], object] | None = None,
    tables: Tables | None = None,
) -> str:
    """A study as one self-contained HTML page: no requests, light and dark, readable without scripts.

    Everything that comes from models, configurations and hosts is escaped.

    Args:
        data: The study; parts that are missing are left out.
        figures: Plots made before by `draw`; None: they are made here.
        warn: Gets a message for each part that fails and is left out; None: errors are raised.
        tables: The tables of these data; None: they are made here.

    Returns:
        The page. The same data gives the same text.
    """
    tables, guard = tables or Tables(data), Guard(warn)
    drawn = _draw(tables, warn) if figures is None else figures
    none: list[dict[str, Any]] = []

    def table(name: str, make: Callable[[], Any], without: Any) -> Any:
        return guard(f"the report's table {name!r}", make, without)

    rows = {name: table(name, partial(getattr, tables, name), none) for name in _TABLES}
    live = {figure.name: figure for figure in live_figures(tables, drawn, warn)}
    context: dict[str, Any] = {
        "data": data,
        "use_now": data.use_now,
        "verdict": _verdict(data),
        "doubts": guard("the doubts", lambda: doubts(data), list[str]()),
        "prompts": _prompts(data),
        "called": _called(data),
        "words": words_for(data),
        "others": [_other(data, verdict) for verdict in data.verdicts if verdict is not data.verdict],
        "figures": {name: figure_html(live.get(name), svg) for name, svg in _svgs(drawn, live, guard).items()},
        "scripts": guard("the scripts", lambda: scripts(tables, list(live.values())), None),
        **rows,
        "limit_rows": table("limit_rows", lambda: limit_rows(data), none),
        "pareto_rows": table("pareto_rows", lambda: pareto_rows(data), none),
        "robustness": table("robustness", lambda: frame(data.robustness), None),
        "examples": guard("the report's texts", lambda: tables.examples, None),
        "glance": guard("the report's answers at a glance", lambda: at_a_glance(tables), list[Glance]()),
        "why_finalist": guard("the reason for the finalist", lambda: why_finalist(data, tables.ranked), ""),
        "item_changes": guard("the report's items", lambda: tables.item_changes, None),
        "evidence": tables.evidence,
        "costs": guard("the report's costs", lambda: tables.costs, None),
        "floor_digits": decimals(data.floor.sd, data.floor.ci_low, data.floor.ci_high) if data.floor else 3,
        "shown_first": _SHOWN_FIRST,
        "shown_text": guard("the choice of configurations", lambda: tables.shown_text, ""),
        "until": _until(data),
        "tokens_name": "tokens with thought" if tables.thinks else "tokens",
        "robustness_names": _ROBUSTNESS_NAMES,
        "steps": {name: step for name, step in data.commands.items() if name not in _NOT_ON_THE_PAGE},
        "baseline_means": guard("the baseline's means", lambda: baseline_means_text(data), ""),
        "fingerprints": {digest: flat(facts) for digest, facts in data.fingerprints.items()},
        "config": json.dumps(data.config, indent=2, ensure_ascii=False, default=str) if data.config else "",
        "generations": len(data.observations),
    }
    return _environment().get_template("report.html.j2").render(context)


def _svgs(drawn: Mapping[str, Figure], live: Mapping[str, object], guard: Guard) -> dict[str, Markup]:
    """The static figures as SVG; "" for those that are interactive only."""
    svgs = {
        name: guard(f"the report's plot {name!r}", partial(_drawn, figure, name), Markup(""))
        for name, figure in drawn.items()
    }
    return {**dict.fromkeys(live, Markup("")), **svgs}


def _drawn(figure: Figure, name: str) -> Markup:
    # Safe: the SVG is matplotlib's, which escapes the texts in it.
    return Markup(plots.to_svg(figure, name))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "gain": gain_text, "signed": signed, "percent": percent}
    environment.filters |= {"duration": duration_text, "count": count, "soft": _soft}
    environment.filters |= {
        "cases": cases_text,
        "code": _with_code,
        "explained": explained,
        "value": value_text,
        "when": _when,
    }
    return environment


def _with_code(text: str) -> Markup:
    """A text in which commands between backticks are code, and hard words have a meaning; all else is escaped."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else explained(part)
        for number, part in enumerate(text.split("`"))
    )


def _soft(text: str) -> Markup:
    """A name that a narrow column may break after its separators, and nowhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[:/_-])(?=.)", text))


def _when(moment: str) -> str:
    """A moment as people write it; whatever is no ISO date is left as it is."""
    try:
        date = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{date:%Y-%m-%d %H:%M} {date.tzname() or ''}".strip()


def _verdict(data: ReportData) -> dict[str, Any] | None:
    verdict = data.verdict
    if verdict is None:
        return None
    tone, in_doubt = verdict.outcome.replace(" ", "-"), {*verdict.cautions, *verdict.text_notes, *verdict.data_notes}
    return {
        "it": verdict,
        "outcome": outcome_text(data),
        "tone": "none" if tone == "better" and data.use_now.settings == "current" else tone,
        "sentence": data.in_words(verdict.sentence),
        "advice": data.in_words(verdict.advice),
        "notes": [data.in_words(note) for note in verdict.notes if note not in in_doubt],
        "p": "–" if math.isnan(verdict.p_value) else p_text(verdict.p_value, verdict.alpha),
        "based_on": based_on(verdict),
        "level": level_text(verdict.level),
        "equality_level": level_text(verdict.equality_level),
        "digits": verdict_decimals(verdict),
        "picture": _interval_picture(verdict),
        "out_of_reach": out_of_reach(verdict),
        "tested": not math.isnan(verdict.p_value),
    }


def _called(data: ReportData) -> str:
    """Say which settings baseline and finalist are; "" in a comparison, whose candidates have names of their own."""
    trial = data.trial(data.finalist) if data.finalist is not None else None
    if trial is None or trial < 0 or data.is_comparison:
        return ""
    return f"The baseline is your current settings; the finalist is trial {trial} of the search."


def _prompts(data: ReportData) -> list[tuple[str, str]]:
    """The prompts of baseline and finalist by name, where they differ; [] elsewhere."""
    names = [str(data.values(key).get("prompt", "")) for key in (data.baseline, data.finalist)]
    texts = [(name, data.prompts[name]) for name in names if name in data.prompts]
    return texts if len(texts) == 2 and names[0] != names[1] else []


def _other(data: ReportData, verdict: Verdict) -> dict[str, Any]:
    return {
        "it": verdict,
        "sentence": data.in_words(verdict.sentence),
        "differs": data.differences(verdict.configuration),
    }


def _interval_picture(verdict: Verdict) -> dict[str, float] | None:
    """Places of the marks of the effect's interval, in percent of the picture's width."""
    ends = (verdict.ci_low, verdict.ci_high, verdict.effect)
    if not all(map(math.isfinite, ends)):
        return None
    margin = verdict.margin if math.isfinite(verdict.margin) else 0.0
    equal = verdict.outcome == "equivalent" and math.isfinite(verdict.equality_low)
    inner = (verdict.equality_low, verdict.equality_high) if equal else ends[:2]
    mde = verdict.mde if math.isfinite(verdict.mde) and not out_of_reach(verdict) else 0.0
    bottom, top = min(*ends, -margin), max(*ends, margin, mde)
    pad = 0.07 * max(top - bottom, 1e-6)
    marks = {
        "low": ends[0],
        "high": ends[1],
        "inner_low": inner[0],
        "inner_high": inner[1],
        "effect": ends[2],
        "left": -margin,
        "right": margin,
        "mde": mde,
        "zero": 0.0,
    }
    return {name: round(100 * (mark - bottom + pad) / (top - bottom + 2 * pad), 2) for name, mark in marks.items()}


def _until(data: ReportData) -> str:
    """A remark where the tables have fresh generations that are not part of the verdict; "" elsewhere."""
    verdict = data.verdict
    if verdict is None or not data.left_early(verdict):
        return ""
    return (
        f"The baseline's means are of all its fresh generations; the verdict compares with the {verdict.n_baseline}"
        f" that it had at look {verdict.look}, which settled the finalist."
    )


def draw(
    data: ReportData, *, warn: Callable[[str], object] | None = None, tables: Tables | None = None
) -> dict[str, Figure]:
    """The plots that the data allow, by name, in the order of the report.

    Args:
        data: The study.
        warn: Gets a message for each plot that fails and is left out; None: errors are raised.
        tables: The tables of these data; None: they are made here.
    """
    return _draw(tables or Tables(data), warn)


def _draw(tables: Tables, warn: Callable[[str], object] | None) -> dict[str, Figure]:
    data, trials = tables.data, tables.trials
    rows, base, final = data.observations, data.baseline, data.finalist
    scored = set(views.usable(rows)["configuration"])
    if base not in scored:
        return {}
    final = final if final in scored else None
    sd, named, shown = data.noise_sd, {"name": data.finalist_name}, tables.only_shown
    expected = pd.DataFrame() if data.expected is None else data.expected
    limit = next((column.limit for column in data.limits if column.name == "output_tokens"), None)
    wanted: dict[str, tuple[bool, Callable[[], Figure]]] = {
        "noise_band": (
            bool(trials),
            lambda: plots.noise_band(rows, baseline=base, noise_sd=sd, finalist=final, shown=shown),
        ),
        "confirm": (
            final is not None,
            lambda: plots.confirm_strips(rows, baseline=base, finalist=str(final), **named),
        ),
        "levels": (
            bool(tables.level_rows),
            lambda: plots.level_coverage(rows, baseline=base, finalist=final, **named),
        ),
        "sensitivity": (
            len(trials) > 2 and bool(views.swept(rows)),
            lambda: plots.option_sensitivity(rows, baseline=base, finalist=final, shown=shown),
        ),
        "history": (
            len(trials) > 2,
            lambda: plots.history(rows, baseline=base, noise_sd=sd, shown=shown, start=data.start_trials),
        ),
        "pareto": (
            len(trials) > 2 and not expected.empty,
            lambda: plots.pareto(expected, baseline=base, finalist=final, limit=limit, shown=shown),
        ),
        "finishes": ("finish" in rows, lambda: plots.finishes(rows, baseline=base, finalist=final, **named)),
    }
    guard = Guard(warn)
    drawn: dict[str, Figure] = {}
    for name in PLOTS:
        possible, make = wanted[name]
        if possible and (figure := guard(f"the plot {name!r}", make, None)) is not None:
            drawn[name] = figure
    return drawn
