"""The audit as one HTML page that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from analysis.report.guard import Guard
from analysis.report.numbers import percent, signed
from sweeps.audits.advice.files import advice_files
from sweeps.audits.advice.settings import POLICY, advice
from sweeps.audits.experiments import HOST_EXPERIMENTS
from sweeps.audits.findings.attribution import attributions, bisection_sentence
from sweeps.audits.findings.effects import effects
from sweeps.audits.findings.facts_table import facts
from sweeps.audits.findings.levels_table import STATISTIC, coverages
from sweeps.audits.findings.numbers import own_numbers
from sweeps.audits.record import MODES, AuditRecord
from sweeps.audits.report import answers
from sweeps.audits.report.data import AuditReport

if TYPE_CHECKING:
    import pandas as pd

_SHOWN_FILES = ("baseline.env", "baseline.toml", "baseline.Modelfile", "docker-run.sh", "compose.yaml")
_FINDING_TONES = {
    "same": "better", "yes": "better", "met": "better", "no effect found": "better", "not possible here": "better",
    "differs": "worse", "no": "worse", "not met": "worse", "isolated": "worse", "acts on a host": "worse",
}  # fmt: skip


def render_audit(report: AuditReport, *, warn: Callable[[str], object] | None = None) -> str:
    """Return the page: no scripts, no requests, light and dark, for screens, phones and print.

    Everything that comes from models and hosts is escaped.

    Args:
        report: The audit.
        warn: Gets a message for each part that fails and is left out; None: errors are raised.

    Returns:
        The page. The same data gives the same text.
    """
    guard, record = Guard(warn), report.record
    title, tone = guard("the headline", lambda: answers.headline(report), ("The audit", "none"))
    none: list[Any] = []

    def part(name: str, make: Callable[[], Any], without: Any = none) -> Any:
        return guard(f"the audit's {name}", make, without)

    context = {
        "report": report,
        "record": record,
        "hosts": _hosts(record),
        "headline": title,
        "tone": tone,
        "purposes": part("answers", lambda: answers.purposes(report)),
        "repeats": part("repeats", lambda: answers.repeats(record)),
        "differences": part("differences", lambda: answers.differences(record)),
        "causes": part("causes", lambda: answers.causes(record)),
        "actions": part("actions", lambda: answers.actions(record)),
        "facts": part("facts", lambda: facts(record)),
        "levels": part("tables of levels", lambda: _level_tables(record)),
        "statistic": STATISTIC,
        "ladder": part("ladder", lambda: [(row, *figures(row)) for row in _rows(report.ladder)]),
        "pair_levels": part("levels of sameness", lambda: _rows(report.levels)),
        "effects": part("experiments", lambda: effects(record)),
        "intervals": part("intervals of effects", lambda: intervals(report.experiments), {}),
        "numbers": part("numbers", lambda: own_numbers(record)),
        "questions": {each.name: each.question for each in HOST_EXPERIMENTS},
        "sources": part("sources", lambda: attributions(record)),
        "bisections": [bisection_sentence(each) for each in record.bisections],
        "advice": part("advice", lambda: [(advice(record, label), _files(record, label)) for label in record.labels]),
        "policy": POLICY,
        "modes": answers.modes_text(record),
        "tones": _FINDING_TONES,
        "generations": sum(len(host.answers) for host in record.hosts),
    }
    return _environment().get_template("audit.html.j2").render(context)


def _hosts(record: AuditRecord) -> list[dict[str, Any]]:
    return [
        {
            "label": host.label,
            "taken": host.taken[:16].replace("T", " "),
            "not_done": host.not_done,
            "failed": sum(bool(each.error) for each in host.answers),
            "n": len(host.answers),
        }
        for host in record.hosts
    ]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def intervals(experiments: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """Return the interval of each effect on coverage, by host, experiment, arm and mode."""
    keys = ("host", "experiment", "arm", "mode")
    return {
        tuple(str(row[key]) for key in keys): f"{row['effect_low']:+.3f} to {row['effect_high']:+.3f}"
        for row in _rows(experiments)
        if row["effect_low"] < row["effect_high"]  # not where no noise was seen
    }


def figures(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the figure of a rung with its interval, and the same figure of each host with itself, as text."""
    share = row["rung"] in ("same-seed texts", "rendered prompt")
    low, high = row.get("low"), row.get("high")
    figure = _figure(row.get("figure"), share=share)
    known = isinstance(low, float) and isinstance(high, float) and low <= high
    interval = f" ({_figure(low, share=share)} to {_figure(high, share=share)})" if known else ""
    own = [_figure(row.get(name), share=share) for name in ("own_a", "own_b")]
    return (figure or "–") + interval, ", ".join(own) if all(own) else "–"


def _figure(value: object, *, share: bool) -> str:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return ""
    return percent(value) if share else f"{value:.3f}"


def _level_tables(record: AuditRecord) -> list[dict[str, Any]]:
    """Return the article's table of each mode: rows of hosts with a cell per case."""
    tables = []
    for mode in MODES:
        cells = coverages(record, mode)
        rows = [{"host": label, "cells": [cell for cell in cells if cell.host == label]} for label in record.labels]
        if any(cell.n for cell in cells):
            tables.append({"mode": mode, "cases": [case.name for case in record.cases], "rows": rows})
    return tables


def _files(record: AuditRecord, label: str) -> list[tuple[str, str]]:
    files = advice_files(record, label)
    return [(name, files[name]) for name in _SHOWN_FILES if name in files]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("sweeps.audits.report"), PackageLoader("analysis")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signed": signed, "percent": percent}
    return environment
