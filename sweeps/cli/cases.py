"""`sweeps cases`: check sets of cases, draft a rubric for a log, import a list of items."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import (
    FilePath,
    WholeRange,
    allow_remote_option,
    echo,
    echo_json,
    json_option,
    only_model,
    outside_logs_option,
    say,
    stderr_console,
    stdout_console,
)
from sweeps.cli.table_options import Columns
from sweeps.engines.spec import KINDS

if TYPE_CHECKING:
    from rich.text import Text

    from objectives.rubrics import RubricFinding, RubricReport
    from sweeps.engines.base import Engine
    from sweeps.options import OptionValue

ITEM_COLUMNS = ("level", "text", "id", "any", "all", "regex", "forbidden")
"""As `objectives.rubrics.item_tables.COLUMNS`, which would be slow to import for `--help`."""
STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


@click.group()
def cases() -> None:
    """Check, draft or import cases: logs with the rubric of what a summary must cover."""


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine`, `--model`, `--host` and `--allow-remote`."""
    for option in (
        click.option("--host", help="Address of the engine's server, as in OLLAMA_HOST."),
        click.option("--model", help="Model to use; by default the engine's only one."),
        click.option(
            "--engine",
            "kind",
            type=click.Choice(KINDS),
            help="Use a model of this engine.",
        ),
        allow_remote_option,
    ):
        function = option(function)
    return function


@contextmanager
def _engine(
    kind: str | None, host: str | None, model: str | None, allow_remote: bool
) -> Iterator[tuple[Engine, str] | None]:
    """The chosen engine and its model, or None without one."""
    if kind is None and host is None and model is None:
        yield None
        return
    from sweeps.engines import open_engine
    from sweeps.engines.spec import EngineSpec

    engine = open_engine(EngineSpec(kind or "ollama", host=host, model=model, allow_remote=allow_remote))
    try:
        yield engine, model or only_model(engine)
    finally:
        engine.close()


def _options(num_ctx: int, num_predict: int = 1) -> dict[str, OptionValue]:
    """All options, for a request that gives the same answer every time."""
    from sweeps.options import OPTIONS

    defaults = {name: spec.default for name, spec in OPTIONS.items() if spec.default is not None}
    return {**defaults, "temperature": 0.0, "num_ctx": num_ctx, "num_predict": num_predict, "seed": 0}


@cases.command()
@click.argument("path", metavar="DIR")
@click.option(
    "--num-ctx", type=WholeRange(min=1), multiple=True, help="Context length that the logs must fit; repeatable."
)
@click.option("--reserve", type=WholeRange(min=0), default=256, show_default=True, help="Tokens for prompt and answer.")
@click.option("--strict", is_flag=True, help="Exit with 2 for warnings as well.")
@outside_logs_option
@json_option
@engine_options
def check(
    path: str, num_ctx: tuple[int, ...], reserve: int, strict: bool, as_json: bool, kind: str | None, host: str | None,
    model: str | None, allow_remote: bool, allow_outside_logs: bool,
) -> None:  # fmt: skip
    """Check the cases of DIR (or a rubric file, or a shipped set) for faults that make a rubric measure badly.

    With --engine the model counts the tokens. Without it they are estimated from the number of characters, rather too
    many than too few. Exits with 2 for errors.
    """
    from objectives.rubrics import check_cases

    with _engine(kind, host, model, allow_remote) as opened:
        count = None
        if opened:
            engine, name = opened
            count = _counter(engine, name, max(num_ctx, default=2048))
        report = check_cases(
            path, num_ctx=num_ctx, reserve=reserve, count_tokens=count, allow_outside_logs=allow_outside_logs
        )
    if as_json:
        echo_json(report.as_dict())
    else:
        _print_report(report, counted=opened is not None)
    if report.count("error") or (strict and report.count("warning")):
        raise click.exceptions.Exit(2)


def _counter(engine: Engine, model: str, num_ctx: int) -> Callable[[str], int]:
    """Count a text's tokens with the model; for a text that does not fit, the refusal has the number."""
    from sweeps.engines.base import Prompt, PromptTooLong

    def count(text: str) -> int:
        try:
            return engine.count_tokens(Prompt(user=text), model=model, options=_options(num_ctx))
        except PromptTooLong as error:
            if error.prompt_tokens is None:
                raise
            return error.prompt_tokens

    return count


def _print_report(report: RubricReport, *, counted: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("State", no_wrap=True)
    table.add_column("Case", overflow="fold", max_width=26)
    table.add_column("Finding", overflow="fold")
    before = ""
    for finding in report.findings:
        case = "" if finding.case == before else finding.case
        table.add_row(Text(finding.state, STYLES[finding.state]), Text(case), _finding_text(finding))
        before = finding.case
    stdout_console().print(table)
    errors, warnings = report.count("error"), report.count("warning")
    line = f"{_many(len(report.cases), 'usable case')}, {_many(errors, 'error')}, {_many(warnings, 'warning')}"
    rule = (
        "counted by the model" if counted else "estimated (1 per 3 characters, 2.1 per Japanese or Chinese character)"
    )
    say(stderr_console(), f"{line}. Tokens are {rule}.")


def _finding_text(finding: RubricFinding) -> Text:
    from rich.text import Text

    where = f"{finding.item}: " if finding.item else ""
    # A schema problem's text has its remedy inside.
    remedy = f"\n{finding.remedy}" if finding.remedy and finding.check != "schema" else ""
    return Text(f"{where}{finding.message}").append(remedy, style="dim")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--out` and `--force`."""
    for option in (
        click.option("--force", is_flag=True, help="Overwrite existing files."),
        click.option(
            "-o", "--out", type=FilePath(file_okay=False),
            help="Folder for the case; by default the log's own.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


@cases.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=FilePath())
@click.option("--items", type=WholeRange(1, 100), default=12, show_default=True, help="Most candidates to draft.")
@output_options
@engine_options
def new(
    logs: tuple[Path, ...], items: int, out: Path | None, force: bool, kind: str | None, host: str | None,
    model: str | None, allow_remote: bool,
) -> None:  # fmt: skip
    """Draft a rubric for each LOG: candidate items that you review.

    LOG is text, one utterance per line, or a chat as it is exported: WhatsApp, Slack (JSON), IRC, captions (VTT, SRT),
    transcripts in Markdown. Of JSON and captions a transcript is written beside the rubric.

    Without --engine the candidates are sentences of the log, chosen by a fixed rule. With it a model proposes facts.
    The file says reviewed = false, and `sweeps cases check` warns until you change that.
    """
    from objectives.case_files import CaseError, Problem

    problems: list[Problem] = []
    drafted = 0
    folder = out
    with _engine(kind, host, model, allow_remote) as opened:
        for log in logs:
            try:  # a log that cannot be used leaves the others their rubrics
                written, count = _draft(log, items, opened, out, force)
            except CaseError as error:
                problems += error.problems
                continue
            drafted += count
            folder = folder or written[0].parent
            for path in written:
                echo(str(path))
    if drafted:
        line = f"{_many(drafted, 'candidate')}: review them, then run `sweeps cases check {shlex.quote(str(folder))}`"
        say(stderr_console(), line)
    if problems:
        raise CaseError(problems)


def _draft(
    log: Path, items: int, opened: tuple[Engine, str] | None, out: Path | None, force: bool
) -> tuple[Sequence[Path], int]:
    """Write the rubric of a log; returns the files, and the number of candidates."""
    from objectives.case_files import CaseError, Problem
    from objectives.rubrics import find_candidates

    text, rewritten = _read_log(log)
    candidates = find_candidates(text, items) if opened is None else _ask(*opened, text, items)
    if not candidates:
        remedy = "Sentences with at least four content words are needed."
        raise CaseError(Problem(str(log), "no candidate items were found in it.", remedy))
    title = re.sub(r"(?<!\d)-|-(?!\d)", " ", log.stem)  # a date in the name stays one
    written = _write(log, text, out, candidates, title=title, reviewed=False, force=force, rewritten=rewritten)
    return written, len(candidates)


def _ask(engine: Engine, model: str, log: str, count: int) -> list[Any]:
    from objectives.rubrics import candidates_from_model, estimate_tokens
    from sweeps.engines.base import EngineProtocolError, Prompt

    num_predict = 128 + 64 * count
    num_ctx = 1024 * -(-(estimate_tokens(log) + 512 + num_predict) // 1024)

    def chat_json(prompt: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        return engine.chat_json(Prompt(user=prompt), schema, options=_options(num_ctx, num_predict), model=model)

    try:
        return list(candidates_from_model(log, chat_json, count))
    except EngineProtocolError as error:
        remedy = "Use a larger model, or leave out --engine to draft candidates by rule."
        raise EngineProtocolError(f"{error}\n{remedy}") from None


class Fields(click.ParamType[dict[str, str]]):
    """`NAME=VALUE` as a mapping with one entry."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the mapping, or fail."""
        if isinstance(value, dict):
            return value
        name, equals, wanted = value.partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is no NAME=VALUE such as qid=12", param, ctx)
        return {name.strip(): wanted.strip()}


@cases.command("import")
@click.argument("items_file", metavar="FILE", type=FilePath())
@click.option("--log", required=True, type=FilePath(), help="The log of these items.")
@click.option(
    "--columns",
    type=Columns(ITEM_COLUMNS),
    metavar="OURS=THEIRS,..",
    help="Columns of FILE that hold ours: text=answer,level=importance.",
)
@click.option("--level", type=WholeRange(1, 5), help="Level of items that have none.")
@click.option("--rows", metavar="NAME", help="The list of items in a JSON file that has several.")
@click.option("--where", type=Fields(), multiple=True, help="Only JSON records with this value; may be given again.")
@output_options
def import_items(
    items_file: Path, log: Path, columns: dict[str, str] | None, level: int | None, rows: str | None,
    where: tuple[dict[str, str], ...], out: Path | None, force: bool,
) -> None:  # fmt: skip
    """Make a rubric from a list of items: a table (level,text,any,...) or a Markdown checklist (- [1] text).

    Tables are CSV, TSV, JSON or JSONL, also nuggets (vital is level 1, okay is 3) and queries with answers.
    """
    from objectives.rubrics import read_items

    chosen = {name: value for each in where for name, value in each.items()}
    title, items = read_items(items_file, columns=columns, level=level, rows=rows, where=chosen)
    text, rewritten = _read_log(log)
    written = _write(log, text, out, list(items), title=title, reviewed=True, force=force, rewritten=rewritten)
    for note in items.notes:
        say(stderr_console(), f"{note[:1].upper()}{note[1:]}.")
    _report(written, f"{_many(len(items), 'item')}: now run `sweeps cases check {written[0].parent}`")


def _read_log(log: Path) -> tuple[str, bool]:
    """The log's text, and whether it is a transcript of a file made for programs (Slack's JSON, captions)."""
    from objectives.case_files import CaseError, Problem, read_text
    from objectives.chats.transcript import transcript

    text = read_text(log)
    if not text.strip():
        raise CaseError(Problem(str(log), "the log is empty.", "Write the conversation into it."))
    chat = transcript(text) if log.suffix != ".txt" else None
    return (chat.text, True) if chat and chat.for_programs else (text, False)


def _write(
    log: Path,
    text: str,
    out: Path | None,
    items: list[Any],
    *,
    title: str,
    reviewed: bool,
    force: bool,
    rewritten: bool,
) -> list[Path]:
    from objectives.rubrics import render_rubric, write_case

    stays = out is None or out.resolve() == log.parent.resolve()
    named = log.name if stays and log.suffix != ".txt" and not rewritten else ""
    rubric = render_rubric(items, title=title, log=named, reviewed=reviewed)
    return write_case(rubric, log, text, out, force=force, rewritten=rewritten)


def _report(written: list[Path], line: str) -> None:
    for path in written:
        echo(str(path))
    say(stderr_console(), line)
