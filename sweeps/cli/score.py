"""`sweeps score`: score folders of existing summaries."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.files.spreadsheet_cells import harmless
from analysis.formatting import terminal_text
from sweeps.cli.common import FilePath, WholeRange, outside_logs_option, say, stderr_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from objectives.compare.comparison import CaseResult, Comparison

FORMATS = {"table": ".txt", "csv": ".csv", "json": ".json", "html": ".html"}
"""Forms of the result, and their file endings."""
WIDTH = 80
"""Columns of a table outside a terminal."""


def parse_weights(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """`5,4,3,2,1` as numbers; the objective checks their number and range."""
    if value is None:
        return None
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 5,4,3,2,1") from None


@click.command()
@click.argument("cases")
@click.argument("outputs", nargs=-1, required=True, type=FilePath())
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="Form of the result  [default: table]")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("-o", "--out", type=FilePath(dir_okay=False), help="File to write to (.csv, .html, ...).")
@click.option(
    "--case", "names", multiple=True, metavar="NAME", help="Score only this case; may be given several times."
)
@click.option(
    "--weights", callback=parse_weights, metavar="W1,..,W5", help="Weights of levels 1 to 5  [default: 5,4,3,2,1]"
)
@click.option("--budget-words", type=WholeRange(min=1), help="Score only this many words of each summary.")
@click.option(
    "--reasoning", type=click.Choice(["cut", "keep"]), default="cut", show_default=True,
    help="Cut a model's reasoning (<think> and others) off each text, or score it as well.",
)  # fmt: skip
@click.option(
    "--missed", "missed_level", type=WholeRange(0, 5), default=2, show_default=True,
    help="List missed items down to this level (0: none).",
)  # fmt: skip
@outside_logs_option
def score(
    cases: str,
    outputs: tuple[Path, ...],
    form: str | None,
    as_json: bool,
    out: Path | None,
    names: tuple[str, ...],
    weights: tuple[float, ...] | None,
    budget_words: int | None,
    reasoning: str,
    missed_level: int,
    allow_outside_logs: bool,
) -> None:
    """Score folders of summaries against the rubrics of CASES, side by side.

    CASES is a folder of cases, a rubric file or the name of a shipped set. Each of OUTPUTS is a folder, one per machine
    or pipeline, with NAME.txt or NAME.md per case, or NAME.1.txt, NAME.2.txt, ... for repeats.
    """
    from objectives.case_files import load_cases, rubric_files
    from objectives.compare.comparison import compare_folders
    from objectives.coverage import DEFAULT_WEIGHTS, CoverageObjective

    form = _form(form, as_json, out)
    objective = CoverageObjective(weights=weights or DEFAULT_WEIGHTS, budget_words=budget_words)
    chosen = load_cases(cases, names=list(names) or None, allow_outside_logs=allow_outside_logs)
    others = [file.stem for file in rubric_files(Path(cases))]
    comparison = compare_folders(chosen, outputs, objective, ignore=others, reasoning=reasoning)
    silent = _silent_notes(comparison)
    text = _render(comparison, silent, form, missed_level, to_file=out is not None)
    notes = stderr_console()
    for line in [*_notes(comparison), *silent]:
        say(notes, line)
    if out is None:
        if form != "table" and sys.stdout.isatty():
            text = terminal_text(text)
        click.echo(text, nl=not text.endswith("\n"))
    else:
        from objectives.rubrics.rubric_files import write_files

        write_files({out: text}, force=True)
        say(notes, f"written: {out}")


def _form(form: str | None, as_json: bool, out: Path | None) -> str:
    ending = None if out is None else next((name for name, end in FORMATS.items() if end == out.suffix.lower()), None)
    if as_json:
        if form not in (None, "json"):
            raise click.UsageError(f"--json and --format {form} contradict each other; give one of them")
        form = "json"
    if form is not None and ending not in (None, form):
        given = "--json" if as_json else f"--format {form}"
        raise click.UsageError(f"{given} and --out {out} contradict each other; let the file end in {FORMATS[form]}")
    if form is None and out is not None:
        form = ending
        if form is None:
            endings = ", ".join(FORMATS.values())
            raise click.UsageError(f"--out {out}: name the form with --format, or let the file end in {endings}")
    return form or "table"


def _notes(comparison: Comparison) -> list[str]:
    """Remarks on the figures, for stderr."""
    lines = []
    for machine in comparison.machines:
        if machine.missing:
            lines.append(f"{machine.name}: no summary of {', '.join(machine.missing)}")
        if machine.empty:
            lines.append(f"{machine.name}: empty, counted as covering nothing: {', '.join(machine.empty)}")
        if machine.thinking:
            lines.append(f"{machine.name}: reasoning was cut off before scoring: {', '.join(machine.thinking)}")
        if machine.unknown:
            lines.append(f"{machine.name}: files of no case, not scored: {', '.join(machine.unknown)}")
    if len(comparison.shared) < len(comparison.cases):
        lines.append(
            f"Totals are over the {len(comparison.shared)} of {len(comparison.cases)} cases that every folder has."
        )
    return [*lines, *filter(None, [comparison.caution()])]


def _silent_notes(comparison: Comparison) -> list[str]:
    """Name the items that tell nothing; without pandas, which loads slowly, where there are too few texts for that."""
    from analysis.report.rubric.silent_items import FEWEST_TEXTS, silent_notes

    texts = Counter(
        name for machine in comparison.machines for name, found in machine.results.items() for _ in found.runs
    )
    if max(texts.values(), default=0) < FEWEST_TEXTS:
        return []
    import pandas as pd

    from objectives.compare.comparison import item_records

    return silent_notes(pd.DataFrame(item_records(comparison)))


def _render(comparison: Comparison, silent: Sequence[str], form: str, missed_level: int, *, to_file: bool) -> str:
    if form == "json":
        from objectives.compare.comparison import as_dict

        return json.dumps(as_dict(comparison, silent), ensure_ascii=False, indent=2 if to_file else None)
    if form == "csv":
        return _csv(comparison)
    if form == "html":
        from objectives.compare.page import render_html

        return render_html(comparison, silent)
    return _tables(comparison, missed_level, to_file=to_file)


def _csv(comparison: Comparison) -> str:
    from objectives.compare.comparison import records

    rows = records(comparison)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: harmless(cell) for name, cell in row.items()} for row in rows)
    return text.getvalue()


def _tables(comparison: Comparison, missed_level: int, *, to_file: bool) -> str:
    """The tables as text: in the terminal's width, or `WIDTH` columns elsewhere."""
    from sweeps.progress.console import PlainConsole

    plain = PlainConsole()
    on_terminal = plain.is_terminal and not to_file
    console = PlainConsole(
        file=io.StringIO(), width=max(WIDTH, plain.width) if on_terminal else WIDTH,
        force_terminal=on_terminal, color_system="auto" if on_terminal else None,
    )  # fmt: skip
    with console.capture() as captured:
        console.print(_totals(comparison))
        console.print(_per_case(comparison))
        _print_missed(console, comparison, missed_level)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )


def _level_columns(table: Table) -> None:
    for name in ("Lv1-2", "Lv1", "Lv2", "Lv3", "Lv4", "Lv5"):
        table.add_column(name, justify="right", no_wrap=True)


def _totals(comparison: Comparison) -> Table:
    noisy = any(machine.noise for machine in comparison.machines)
    table = _table("All cases")
    table.add_column("Folder", overflow="fold", max_width=22)
    table.add_column("Score", justify="right", no_wrap=True)
    if noisy:
        table.add_column("±", justify="right", no_wrap=True)
        table.add_column("Noise sd", justify="right", no_wrap=True)
    _level_columns(table)
    for machine in comparison.machines:
        shared = comparison.shared
        if not shared:
            table.add_row(machine.name, "–")
            continue
        error = machine.standard_error(shared)
        noise = [_number(error), _number(machine.noise[0] if machine.noise else None)] if noisy else []
        levels = [machine.text(shared, 1, 2), *(machine.text(shared, level) for level in range(1, 6))]
        table.add_row(machine.name, _number(machine.mean(shared)), *noise, *levels)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _per_case(comparison: Comparison) -> Table:
    table = _table("Per case")
    table.add_column("Case", overflow="fold", max_width=28)
    table.add_column("Folder", overflow="fold", max_width=14)
    table.add_column("Score", justify="right", no_wrap=True)
    _level_columns(table)
    for case in comparison.cases:
        for position, machine in enumerate(comparison.machines):
            name = case.name if position == 0 else ""
            result = machine.results.get(case.name)
            last = machine is comparison.machines[-1] and len(comparison.machines) > 1
            if result is None:
                table.add_row(name, machine.name, "none", end_section=last)
            else:
                table.add_row(name, machine.name, _number(result.mean), *_levels(result), end_section=last)
    return table


def _levels(result: CaseResult) -> list[str]:
    return [result.text(1, 2), *(result.text(level) for level in range(1, 6))]


def _print_missed(console: Console, comparison: Comparison, missed_level: int) -> None:
    """Missed items and false claims by folder, as lists: sentences do not fit a table."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    for case in comparison.cases:
        lines = []
        for item in sorted(case.items, key=lambda item: (not item.forbidden, item.level)):
            who = [_who(machine.name, machine.results.get(case.name), item.id) for machine in comparison.machines]
            guilty = ", ".join(filter(None, who))
            if guilty and item.forbidden:
                lines.append(("not!", f"says what it must not: {item.text} ({guilty})"))
            elif guilty and item.level <= missed_level:
                lines.append((f"Lv{item.level}", f"{item.text} ({guilty})"))
        if lines:
            console.print(f"Missed in {case.name}", style="bold", markup=False)
            grid = Table.grid(padding=(0, 1))
            for line in lines:
                grid.add_row(*map(Text, line))
            console.print(Padding(grid, (0, 0, 0, 2)))


def _who(name: str, result: CaseResult | None, item: str) -> str:
    """The folder's name if it misses the item, with the number of such runs unless all do; else ""."""
    missed = result.missed_by(item) if result else 0
    if not result or not missed:
        return ""
    return name if missed == len(result.runs) else f"{name} {missed} of {len(result.runs)} runs"
