"""The experiments and the ladder of an audit for a terminal of 80 columns; the page and the JSON have all figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analysis.report.numbers import signed
from sweeps.audits.findings.effects import Effect, effects
from sweeps.audits.findings.numbers import OwnNumbers, own_numbers
from sweeps.audits.record import AuditRecord
from sweeps.audits.report.data import AuditReport
from sweeps.audits.report.page import figures, intervals

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def audit_tables(report: AuditReport) -> list[RenderableType]:
    """Return the experiments that changed texts, the rungs of each pair of hosts, and what was not done."""
    from rich.text import Text

    found = effects(report.record)
    changed = [each for each in found if each.changed]
    parts: list[RenderableType] = [Text("\nOne thing changed, on each host", style="bold")]
    if changed:
        parts.append(_experiments(changed, report))
    if rest := len(found) - len(changed):
        parts.append(Text(f"No text changed in {rest} {'other ' if changed else ''}experiments.", style="dim"))
    if numbers := own_numbers(report.record):
        parts += [Text("\nLog probabilities of each host, against its own warm ones", style="bold"), _numbers(numbers)]
    for pair in dict.fromkeys((row["host_a"], row["host_b"]) for row in report.ladder.to_dict("records")):
        parts += [Text(f"\n{' and '.join(pair)}, from the prompt to the quality", style="bold"), _rungs(pair, report)]
    if lines := list(not_done(report.record)):
        parts += [Text("\nNot done", style="bold"), *(Text(f"  {line}") for line in lines)]
    return parts


def not_done(record: AuditRecord) -> Iterator[str]:
    """Yield what was not done, on which hosts and why: a line for each reason."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for host in record.hosts:
        for each in host.not_done:
            name = f"{each.experiment} ({each.mode} mode)" if each.mode else each.experiment
            reason = re.sub(rf"does not take {each.experiment}$", "does not take it", each.reason)
            by_reason.setdefault(reason, {}).setdefault(host.label, []).append(name)
    for reason, hosts in by_reason.items():
        together: dict[tuple[str, ...], list[str]] = {}
        for label, names in hosts.items():
            together.setdefault(tuple(names), []).append(label)
        for experiments, labels in together.items():
            yield f"{'; '.join(experiments)} on {', '.join(labels)}: {reason}"


def _experiments(changed: Sequence[Effect], report: AuditReport) -> Table:
    table = _table("host", "experiment", "mode", "texts that differ", "coverage")
    known = intervals(report.experiments)
    for each in changed:
        interval = known.get((each.host, each.experiment, each.arm, each.mode)) if each.scored > 2 else None
        coverage = "–" if each.score_change is None else signed(each.score_change)
        shown = f"{coverage} ({interval})" if interval else coverage
        name = f"{each.experiment}: {each.arm}"
        table.add_row(each.host, name, each.mode, f"{each.changed} of {each.n}", shown)
    return table


def _numbers(found: Sequence[OwnNumbers]) -> Table:
    table = _table("host", "changed", "mean", "largest", "in words")
    for each in found:
        table.add_row(each.host, each.arm, f"{each.mean:.3f}", f"{each.largest:.3f}", each.sentence)
    return table


def _rungs(pair: tuple[str, str], report: AuditReport) -> Table:
    table = _table("compared", "finding", "figure", "each with itself", "n")
    for row in report.ladder.to_dict("records"):
        if (row["host_a"], row["host_b"]) == pair:
            name = ", ".join(filter(None, [row["rung"], row["mode"]]))
            figure, own = figures({str(key): value for key, value in row.items()})
            table.add_row(name, row["finding"], figure, own, str(row["n"]))
    return table


def _table(*names: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table
