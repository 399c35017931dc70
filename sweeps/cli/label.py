"""`sweeps label`: a person answers whether texts say the items of their rubrics."""

from __future__ import annotations

import csv
import io
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import FilePath, WholeRange, echo, echo_json, json_option, mlruns_option
from sweeps.cli.completion import StudyName

if TYPE_CHECKING:
    from analysis import Verdict
    from sweeps.results.labels import Labels
    from sweeps.results.result import SweepResult

KEYS = {"y": "yes", "n": "no", "u": "unsure", "s": "skip"}
"""Keys of the answers; `b` goes back and `q` ends."""
WORDS = {**KEYS, **{word: word for word in KEYS.values()}, "1": "yes", "0": "no", "0.5": "unsure", "": ""}
"""Answers in a file."""
_FILE_COLUMNS = ("question", "text", "item", "answer")


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option("--items", type=WholeRange(min=1), default=60, show_default=True, help="Number of questions in all.")
@click.option(
    "-o", "--out", type=FilePath(dir_okay=False), help="Write the questions to this CSV file, to be filled in."
)
@click.option("--from", "source", type=FilePath(exists=True, dir_okay=False), help="Read the answers from such a file.")
def label(study: str | None, mlruns: Path, as_json: bool, items: int, out: Path | None, source: Path | None) -> None:
    """Label texts of STUDY (by default the last one) blind: does this text say this item of its rubric?

    The questions are drawn where an answer tells most, from baseline and finalist alike, and do not show which.
    `sweeps judge` then gives the effect corrected by the labels, with the matcher's error in its interval. Every answer
    is kept at once: stop at any question, and run the command again to go on.
    """
    from sweeps.results.labels import Labels
    from sweeps.results.reader import load_result

    if out is not None and source is not None:
        raise click.UsageError(
            "--out and --from contradict each other; write the questions first, then read the answers"
        )
    result = load_result(mlruns, study)
    verdict = result.judge_all()[0]
    labels = Labels.of(result, verdict.configuration)
    if labels.outdated:
        echo(f"{labels.outdated} earlier labels are about texts or items that have changed; not used", err=True)
    if source is not None:
        labels.answer(_answers_from(source, labels))
    else:
        fresh = len(labels.drawn) < items
        labels.draw(items)
        labels.answer({})
        if fresh:
            echo(_plan(labels, verdict), err=True)
    if out is not None:
        _write(out, labels)
        where = result.workspace.arguments
        command = f"sweeps label {shlex.quote(result.name)} --from {shlex.quote(str(out))}{where}"
        echo(f"written: {out}. Fill in the column answer (yes, no, unsure or skip), then: {command}", err=True)
    elif source is None:
        try:
            _ask_all(labels)
        except KeyboardInterrupt:
            left = len(labels.open())
            echo(f"\n{left} of {len(labels.drawn)} questions are open; run the same command to go on", err=True)
            raise
    _report(result, verdict, labels, as_json=as_json)


def _plan(labels: Labels, verdict: Verdict) -> str:
    """How far the drawn questions will go."""
    from analysis.labels.correction import planned_error, planned_labels
    from analysis.labels.sentences import planned_text

    count = len(labels.drawn)
    error = (planned_error(labels.questions, count) ** 2 + verdict.standard_error**2) ** 0.5
    needed = planned_labels(labels.questions, verdict.effect, verdict.standard_error)
    return planned_text(count, error, verdict.effect, needed)


def _ask_all(labels: Labels) -> None:
    """Ask the open questions until they are answered, or the person stops."""
    wording = labels.wording
    queue, at = labels.open(skipped=True), 0
    while at < len(queue):
        _show(f"{len(labels.drawn) - len(queue) + at + 1} of {len(labels.drawn)}", *wording[queue[at]])
        key = _key()
        if key == "q":
            break
        if key == "b":
            at = max(0, at - 1)
            labels.answer({queue[at]: ""})
        else:
            labels.answer({queue[at]: KEYS[key]})
            at += 1


def _show(where: str, text: str, item: str) -> None:
    echo(f"\n──── {where} " + "─" * 40, err=True)
    echo(text.strip() or "(an empty text)", err=True)
    echo(f"\nDoes the text say this?  {item}", err=True)


def _key() -> str:
    """The next valid key: one key press on a terminal, a line elsewhere; `q` at the end of the input."""
    prompt = "[y]es  [n]o  [u]nsure  [s]kip  [b]ack  [q]uit: "
    while True:
        echo(prompt, nl=False, err=True)
        if sys.stdin.isatty():
            try:
                given = click.getchar()
            except EOFError:
                given = "q"
            echo(given if given.isprintable() else "", err=True)
        else:
            given = sys.stdin.readline() or "q"
        key = given.strip().lower()[:1]
        if key in KEYS or key in ("b", "q"):
            return key
        echo(f"{given.strip()!r} is no answer; press one of these keys", err=True)


def _write(out: Path, labels: Labels) -> None:
    """Write the drawn questions as CSV, in their order and with the answers so far."""
    from analysis.export.files import write_together
    from analysis.files.spreadsheet_cells import harmless

    wording, answers = labels.wording, labels.answers
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FILE_COLUMNS)
    for question in labels.drawn:
        writer.writerow([harmless(cell) for cell in (question, *wording[question], answers[question])])
    write_together({out: "\ufeff" + text.getvalue()}, private=True)  # the mark tells spreadsheets that this is UTF-8


def _answers_from(source: Path, labels: Labels) -> dict[str, str]:
    """The answers in a file, by question.

    Raises:
        click.UsageError: With the line of the first row that is wrong; then no answer of the file is kept.
    """
    from analysis.files.encodings import NotUtf8Error
    from analysis.files.layout import cells
    from analysis.files.pipes import ENDLESS, is_endless
    from analysis.files.spreadsheet_cells import as_written

    if is_endless(source):
        raise click.UsageError(f"--from {source}: {ENDLESS}; give a file that --out wrote")
    try:
        (_, header), *rows = cells(source.read_bytes(), source.name, ("question", "answer")) or [(1, [])]
    except (NotUtf8Error, csv.Error) as error:
        raise click.UsageError(f"--from {source}: {error}") from None
    header = [name.lstrip("\ufeff") for name in header]
    if missing := [name for name in ("question", "answer") if name not in header]:
        raise click.UsageError(f"--from {source}: no column {missing[0]!r}; give a file that --out wrote")
    at, known, found = {name: header.index(name) for name in ("question", "answer")}, set(labels.drawn), {}
    for line, row in rows:
        question, answer = (as_written(row[at[name]]) if at[name] < len(row) else "" for name in ("question", "answer"))
        if question not in known:
            raise click.UsageError(
                f"--from {source}: line {line}: {question!r} is no question of this study; write them again with --out"
            )
        if answer.lower() not in WORDS:
            raise click.UsageError(f"--from {source}: line {line}: answer {answer!r}; write yes, no, unsure or skip")
        if answer:
            found[question] = WORDS[answer.lower()]
    return found


def _report(result: SweepResult, verdict: Verdict, labels: Labels, *, as_json: bool) -> None:
    """Print how far the labels are, and what they say."""
    from sweeps.results.labels import verdict_correction, verdict_correction_text

    correction = verdict_correction(result, verdict)
    sentence = verdict_correction_text(result, verdict, correction)
    drawn, left = len(labels.drawn), len(labels.open())
    if as_json:
        made = None if correction is None else {**correction.as_dict(), "sentence": sentence}
        echo_json({"drawn": drawn, "open": left, "skipped": len(labels.open(skipped=True)) - left, "correction": made})
        return
    echo(f"{drawn - left} of {drawn} questions answered" + ("" if left else "; --items asks for more"))
    if sentence:
        echo(sentence)
