"""`sweeps judge`: the verdict of a study, or of any table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import echo_json, json_option, mlruns_option, stdout_console

if TYPE_CHECKING:
    from analysis import Verdict
    from sweeps.results import SweepResult

TESTS = ("auto", "welch", "pooled", "permutation", "paired")
EXPECTATIONS = ("better", "worse", "equivalent", "not-distinguishable")


@click.command()
@click.argument("what", required=False)
@mlruns_option
@json_option
@click.option("--baseline", help="Label of the baseline, where WHAT is a CSV file.")
@click.option("--claim", type=click.Choice(["these-cases", "new-cases"]), help="What the verdict speaks of.")
@click.option("--alpha", type=click.FloatRange(0, 0.5, min_open=True, max_open=True), help="Two-sided level.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True), help="Differences below this count as none.")
@click.option("--min-gain", type=click.FloatRange(0, 1, min_open=True), help="Smallest gain of interest.")
@click.option("--test", type=click.Choice(TESTS), help="How to test; by default what suits the claim and the data.")
@click.option("--expect", type=click.Choice(EXPECTATIONS), help="Exit with 1 unless this is the verdict.")
def judge(
    what: str | None, mlruns: Path, as_json: bool, baseline: str | None, expect: str | None, **settings: Any
) -> None:
    """Judge WHAT: a study (by default the last one), or a CSV file with columns configuration, case, seed and score.

    A study is judged by its confirmation only: fresh seeds, never those that the finalist was picked by.
    """
    if what is not None and (what.endswith(".csv") or Path(what).is_file()):
        outcomes = _judge_file(Path(what), baseline, as_json, {k: v for k, v in settings.items() if v is not None})
    else:
        outcomes = _judge_study(what, mlruns, as_json, settings)
    if expect and expect.replace("-", " ") not in outcomes:
        raise click.exceptions.Exit(1)


def _judge_study(name: str | None, mlruns: Path, as_json: bool, settings: dict[str, Any]) -> list[str]:
    from sweeps.results import load_result

    result = load_result(mlruns, name)
    verdicts = result.judge_all(**settings)
    if as_json:
        echo_json(verdict_record(result, verdicts))
    else:
        for verdict in verdicts:
            _print(verdict, result)
            _print_limits(result, verdict.configuration)
    return [verdicts[0].outcome]


def _judge_file(path: Path, baseline: str | None, as_json: bool, settings: dict[str, Any]) -> list[str]:
    import pandas as pd

    from analysis import TableError
    from analysis import judge as judge_table

    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise click.UsageError(f"{path}: no such file") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: is not a CSV table: {error}") from None
    if baseline is None:
        labels = sorted(map(str, table["configuration"].unique())) if "configuration" in table else []
        raise click.UsageError(f"{path}: name the baseline with --baseline; the labels are: {', '.join(labels[:20])}")
    try:
        verdicts = judge_table(table, baseline=baseline, **settings)
    except TableError as error:
        raise TableError(f"{path}: {error}") from None
    if as_json:
        echo_json([verdict.as_dict() for verdict in verdicts])
    else:
        for verdict in verdicts:
            _print(verdict)
    return [verdict.outcome for verdict in verdicts]


def verdict_record(result: SweepResult, verdicts: Sequence[Verdict] | None = None) -> dict[str, Any]:
    """A study's verdict as JSON types, of several finalists the best with `others`; null before there is one."""
    verdicts = result.verdicts if verdicts is None else verdicts
    if not verdicts:
        return {"verdict": None}
    verdict, *others = verdicts
    return {
        **_finalist_record(result, verdict),
        "baseline": result.baseline.values,
        "baseline_key": result.baseline.key,
        **({"others": [_finalist_record(result, other) for other in others]} if others else {}),
        "recommended": "finalist" if result.recommended.key == verdict.configuration else "baseline",
    }


def _finalist_record(result: SweepResult, verdict: Verdict) -> dict[str, Any]:
    """One finalist's verdict, options and limits."""
    configuration = result.configurations[verdict.configuration]
    return {
        **verdict.as_dict(),
        "verdict": verdict.outcome,
        "configuration": configuration.values,
        "configuration_key": configuration.key,
        **_limits_record(result, configuration.key),
    }


def _limits_record(result: SweepResult, key: str) -> dict[str, Any]:
    """The limits held against a finalist and the baseline; {} in a sweep without limits."""
    checks = result.limits.records(key)
    if not checks:
        return {}
    return {
        "constraints": checks,
        "baseline_constraints": result.limits.records(result.baseline.key),
        "broken": result.limits.broken(key),
    }


def _print(verdict: Verdict, result: SweepResult | None = None) -> None:
    console = stdout_console()
    sentence, advice = verdict.sentence, verdict.advice
    if result is not None:
        finalist = result.configurations[verdict.configuration]
        for key, words in ((verdict.configuration, "the finalist"), (verdict.baseline, "the baseline")):
            sentence, advice = sentence.replace(key, words), advice.replace(key, words)
        console.print(f"finalist: {finalist.text(result.baseline)}", markup=False, soft_wrap=True)
    console.print(f"{verdict.outcome}: {sentence}", markup=False, soft_wrap=True)
    for line in (advice, *verdict.notes):
        if line:
            console.print(line, markup=False, soft_wrap=True)


def _print_limits(result: SweepResult, key: str) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = result.limits.shown(result.baseline.key, key)
    if shown.empty:
        return
    table = Table(box=None, pad_edge=False)
    for name in shown.columns[:-1]:
        table.add_column(str(name))
    table.add_column("the finalist is")
    for row in shown.to_numpy():
        table.add_row(*(Text(str(cell)) for cell in row))
    console = stdout_console()
    console.print(table)
    for note in result.limits.notes(result.baseline.key, key):
        console.print(note, markup=False, soft_wrap=True)
