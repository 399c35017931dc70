"""The audit as JSON and as text for a terminal; both hold the facts of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweeps.audits.advice.settings import POLICY, advice
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
    from rich.console import RenderableType

_TITLES = {"production": "as used (production mode)", "baseline": "temperature 0, fixed seed (baseline mode)"}


def audit_json(report: AuditReport) -> dict[str, Any]:
    """Return the facts of the page, ready for JSON: no NaN, no texts of the model."""
    record = report.record
    title, _ = answers.headline(report)
    return {
        "model": record.model,
        "hosts": record.labels,
        "headline": title,
        "purposes": {each.level: {"answer": each.word, "sentence": each.sentence} for each in answers.purposes(report)},
        "differs": {fact.name: dict(fact.values) for fact in answers.differences(record)},
        "causes": answers.causes(record),
        "what_to_do": answers.actions(record),
        "repeats": answers.repeats(record),
        "absent": dict(record.absent),
        "since_last": [
            {"host": each.host, "changes": list(each.changes), "texts_changed": each.texts_changed,
             "quality_changed": each.quality_changed, "sentence": each.sentence}
            for each in report.drift
        ],
        "coverage": {mode: _coverage(record, mode) for mode in MODES},
        "facts": {fact.name: {"state": fact.state, "note": fact.note, **fact.values} for fact in facts(record)},
        "ladder": _rows(report.ladder),
        "levels": _rows(report.levels),
        "numbers": [vars(each) for each in own_numbers(record)],
        "experiments": [vars(each) for each in effects(record)],
        "not_done": {host.label: [each.model_dump() for each in host.not_done] for host in record.hosts},
        "sources": [
            {"source": each.source.name, "title": each.source.title, "possible": each.possible, "why": each.why,
             "tested": each.tested, "texts": each.texts, "coverage": each.coverage, "finding": each.finding,
             "sentence": each.sentence, "remedy": each.source.remedy}
            for each in attributions(record)
        ],
        "bisections": [bisection_sentence(each) for each in record.bisections],
        "advice": {label: _advice(record, label) for label in record.labels},
        "policy": list(POLICY),
        "modes": {mode: dict(options) for mode, options in record.modes.items()},
        "margin": record.margin,
    }  # fmt: skip


def _coverage(record: AuditRecord, mode: Any) -> dict[str, Any]:
    found: dict[str, Any] = {label: {} for label in record.labels}
    for cell in coverages(record, mode):
        found[cell.host][cell.case] = {
            "covered": cell.covered, "total": cell.total, "low": cell.low, "high": cell.high, "n": cell.n
        }  # fmt: skip
    return found


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _advice(record: AuditRecord, label: str) -> dict[str, Any]:
    given = advice(record, label)
    return {
        "options": given.options,
        "server": dict(given.server),
        "pins": {pin.name: pin.value for pin in given.pins},
        "order": list(given.order),
        "cautions": list(given.cautions),
    }


def audit_summary(report: AuditReport) -> list[RenderableType]:
    """Return the answers and the article's tables for `rich.console.Console.print`; nothing is taken as markup."""
    from rich.text import Text

    record = report.record
    title, _ = answers.headline(report)
    found: list[RenderableType] = [Text(report.name), Text(title, style="bold")]
    for each in answers.purposes(report):
        detail = "" if each.sentence.lower() == f"{each.word}." else f" {each.sentence}"
        found.append(Text.assemble((f"{each.title}: ", ""), (f"{each.word}.", "bold"), detail))
    found += _section("What differs", [f"{fact.name}: {_values(fact.values)}" for fact in answers.differences(record)])
    found += _section("Causes", answers.causes(record))
    found += _section("Not measured", [f"{label}: {reason}" for label, reason in record.absent.items()])
    found += _section("Since the last audit", [each.sentence for each in report.drift])
    for mode in MODES:
        if (table := _coverage_table(record, mode)) is not None:
            found += [Text(f"\nCovered items of levels 1 and 2, {_TITLES[mode]}", style="bold"), table]
    found.append(Text(f"Cells: {STATISTIC}; n: texts.", style="dim"))
    found += _section("Each host against itself", answers.repeats(record))
    found += _section("What to do", answers.actions(record))
    return found


def _values(values: Mapping[str, str]) -> str:
    return "; ".join(f"{host} {value}" for host, value in values.items())


def _section(title: str, lines: list[str]) -> list[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    if not lines:
        return []
    return [Text(f"\n{title}", style="bold"), *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in lines)]


def _coverage_table(record: AuditRecord, mode: Any) -> RenderableType | None:
    from rich import box
    from rich.table import Table

    cells = coverages(record, mode)
    if not any(cell.n for cell in cells):
        return None
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in ("host", *(case.name for case in record.cases), "n"):
        table.add_column(name, justify="right" if name == "n" else "left", overflow="fold")
    for label in record.labels:
        own = [cell for cell in cells if cell.host == label]
        table.add_row(label, *(cell.text for cell in own), str(min((cell.n for cell in own), default=0)))
    return table
