"""`sweeps rescore`: a study scored again by changed rubrics or weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sweeps.cli.common import (
    NumberRange,
    WholeRange,
    echo_json,
    json_option,
    mlruns_option,
    say,
    stdout_console,
    warn,
)
from sweeps.cli.completion import StudyName
from sweeps.cli.trust import trust_option

if TYPE_CHECKING:
    from sweeps.study.rescore import Rescoring


@click.command()
@click.argument("study", type=StudyName(), required=False)
@mlruns_option
@json_option
@click.option("--cases", help="Folder of the cases, or name of a shipped set; by default as in the study.")
@click.option("--weights", help="Weights of levels 1 to 5, such as 16,8,4,2,1.")
@click.option("--budget-words", type=WholeRange(min=1), help="Score only this many words of each text.")
@click.option("--threshold", type=NumberRange(0, 1), help="Least probability with which an item counts as covered.")
@click.option(
    "--reasoning", type=click.Choice(["cut", "keep"]), help="Cut reasoning in texts off, or score it as well."
)
@click.option(
    "--score",
    type=click.Choice(["expected", "counted"]),
    help="Add up the probabilities of the items, or those that count as covered.",
)
@click.option("--reset", is_flag=True, help="Go back to the [objective] of the sweep's file.")
@trust_option
@click.option("--dry-run", is_flag=True, help="Show the difference; write nothing.")
def rescore(
    study: str | None,
    mlruns: Path,
    as_json: bool,
    cases: str | None,
    weights: str | None,
    budget_words: int | None,
    threshold: float | None,
    reasoning: str | None,
    score: str | None,
    reset: bool,
    dry_run: bool,
) -> None:
    """Score the texts of STUDY (by default the last one) by its current rubrics, without generating.

    Shows the changes, also of the verdict. Report, plots, tables, exports and MLflow get the new scores; exports of a
    verdict that no longer holds are removed. The previous scores stay in the ledger.

    Without an option, weights, words, threshold, score and reasoning stay as the previous rescore left them. --reset
    goes back to the sweep's file; other options then change that.
    """
    from sweeps.study.rescore import rescore_study

    settings: dict[str, object] = {"budget_words": budget_words, "threshold": threshold}
    settings |= {"reasoning": reasoning, "score": score}
    if weights is not None:
        settings["weights"] = _weights(weights)
    given = {name: value for name, value in settings.items() if value is not None}
    done = rescore_study(mlruns, study, cases=cases, settings=given, reset=reset, keep=not dry_run, warn=warn)
    if as_json:
        echo_json(_record(done) | {"kept": not dry_run})
    else:
        _print(done, kept=not dry_run)


def _weights(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not five numbers separated by commas", param_hint="--weights") from None


def _record(done: Rescoring) -> dict[str, object]:
    outcomes = [None if r.verdict is None else r.verdict.outcome for r in (done.old, done.new)]
    effects = [None if r.verdict is None else r.verdict.effect for r in (done.old, done.new)]
    return {
        "study": done.new.name,
        "changed": done.changed,
        "observations": len(done.new.observations),
        "old_verdict": outcomes[0],
        "new_verdict": outcomes[1],
        "old_effect": effects[0],
        "new_effect": effects[1],
        "verdict_changed": done.verdict_changed,
        "cautions": _cautions(done),
        "means": {str(key): dict(row) for key, row in done.means().iterrows()},
    }


def _cautions(done: Rescoring) -> list[str]:
    """Cautions about the new verdict's difference: another scoring is another look at the same data."""
    return [] if done.new.verdict is None else list(done.new.verdict.cautions)


def _print(done: Rescoring, *, kept: bool) -> None:
    from rich.table import Table

    console = stdout_console()
    new = done.new
    score = "score" if kept else "would score"
    console.print(f"{done.changed} of {len(new.observations)} observations of study {new.name} {score} differently.")
    table = Table(box=None, pad_edge=False)
    for name in ("configuration", "old", "new", "change"):
        table.add_column(name, justify="left" if name == "configuration" else "right")
    means = done.means().sort_values("new", ascending=False)
    for key, row in means.head(12).iterrows():
        label = "baseline" if key == new.baseline.key else new.configurations[str(key)].text(new.baseline)
        table.add_row(label, f"{row['old']:.3f}", f"{row['new']:.3f}", f"{row['change']:+.3f}")
    console.print(table)
    words = ("before", "now") if kept else ("now", "then")
    for word, result in zip(words, (done.old, new), strict=True):
        verdict = result.verdict
        text = "no verdict yet" if verdict is None else f"{verdict.outcome}, effect {verdict.effect:+.3f}"
        console.print(f"verdict {word}: {text}", markup=False)
    changes, stays = ("changes", "stays") if kept else ("would change", "would stay")
    console.print(f"The verdict {changes if done.verdict_changed else stays}.")
    for caution in _cautions(done):
        say(console, caution)
    if not kept:
        console.print("Nothing was kept (--dry-run).")
        return
    say(console, f"written: {new.folder / 'report.html'}")
    if done.old.exportable and not new.exportable:
        console.print(
            f"The exports of the previous verdict were removed from {new.folder}; copies elsewhere are still there.",
            markup=False,
            soft_wrap=True,
        )
