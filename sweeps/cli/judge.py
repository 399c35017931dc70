"""`sweeps judge`: the verdict of a study, or of any table of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import (
    DIFFERENCE,
    LEVEL,
    NumberRange,
    echo_json,
    json_option,
    mlruns_option,
    say,
    stderr_console,
    stdout_console,
)
from sweeps.cli.reliability import Bar, bar_options, print_reliability
from sweeps.cli.table_options import Metric, Reading, metric_options, refused, said, table_options

if TYPE_CHECKING:
    from analysis import Verdict
    from analysis.pass_rates import Reliability
    from analysis.verdict.use_now import UseNow
    from sweeps.results.result import SweepResult

TESTS = ("auto", "welch", "pooled", "permutation", "paired")
_MOST_ADVICE = 5
OUTCOMES = ("better", "worse", "equivalent", "not distinguishable")
EXPECTATIONS = tuple(each.replace(" ", "-") for each in OUTCOMES)


@click.command()
@click.argument("what", nargs=-1)
@mlruns_option
@json_option
@click.option("--baseline", help="Label of the baseline, if WHAT is a file.")
@table_options
@metric_options
@click.option("--claim", type=click.Choice(["these-cases", "new-cases"]), help="The cases that the verdict is about.")
@click.option("--alpha", type=LEVEL, help="Accepted risk of a false claim (two-sided level).")
@click.option(
    "--margin",
    type=DIFFERENCE,
    help="Differences below this count as none. Without it or --min-gain nothing is judged equivalent.",
)
@bar_options
@click.option("--min-gain", type=DIFFERENCE, help="Smallest gain of interest.")
@click.option("--test", type=click.Choice(TESTS), help="The test; by default chosen by claim and data.")
@click.option(
    "--assume-missing-at-random",
    is_flag=True,
    default=None,
    help="Rows that an arm lacks are missing for reasons that have nothing to do with their scores.",
)
@click.option(
    "--recommend",
    type=NumberRange(0, 1, max_open=True),
    help="Least probability of being truly better with which unproven settings are recommended.",
)
@click.option(
    "--paired-seeds",
    is_flag=True,
    default=None,
    help="A seed is one run that both arms share: compare within seeds.",
)
@click.option(
    "--expect",
    type=click.Choice(EXPECTATIONS),
    multiple=True,
    help="Exit with 1 unless this is the verdict: on each configuration of a file, or on a study's best finalist, which"
    " must also keep the limits. May be given several times; one match is enough.",
)
@click.option(
    "--finalist",
    "finalists",
    multiple=True,
    metavar="LABEL",
    help="A configuration to judge, if WHAT is a file; by default all of them.",
)
def judge(
    what: tuple[str, ...],
    mlruns: Path,
    as_json: bool,
    baseline: str | None,
    expect: tuple[str, ...],
    finalists: tuple[str, ...],
    source: str | None,
    columns: dict[str, str] | None,
    score: str | None,
    experiment: str | None,
    study: str | None,
    ends: tuple[float, float] | None,
    lower_is_better: bool | None,
    cluster: str | None,
    bar: float | None,
    k: int | None,
    recommend: float | None,
    **settings: Any,
) -> None:
    """Judge WHAT: a study (by default the last one), or files with columns configuration, case, seed and score.

    The first line says which settings to use now. A study is judged by its confirmation only: fresh seeds, never the
    seeds of the search. Files are CSV, TSV, JSON or JSONL; with --from also results of other tools.
    """
    reading, metric = Reading(source, columns, score, experiment, study), Metric(ends, lower_is_better, cluster)
    asked = Bar(bar, k)
    if reading.means_table(what):
        given = {k: v for k, v in settings.items() if v is not None} | metric.settings()
        given |= {"finalists": finalists} if finalists else {}
        outcomes = _judge_table(what, reading, baseline, as_json, given, asked, recommend)
    else:
        if of_files := reading.given() + metric.given() + ["--finalist"] * bool(finalists):
            raise click.UsageError(f"{', '.join(of_files)}: belongs to a file; name the file to judge")
        outcomes = _judge_study(what[0] if what else None, mlruns, as_json, baseline, settings, asked, recommend)
    wanted = {each.replace("-", " ") for each in expect}
    if expect and (unmet := [f"{label}: {outcome}" for label, outcome in outcomes.items() if outcome not in wanted]):
        if len(outcomes) > 1 or not set(outcomes.values()) <= set(OUTCOMES):
            say(stderr_console(), f"expected {' or '.join(expect)}, which is not the verdict on {'; '.join(unmet)}")
        raise click.exceptions.Exit(1)


def _judge_study(
    name: str | None,
    mlruns: Path,
    as_json: bool,
    baseline: str | None,
    settings: dict[str, Any],
    bar: Bar,
    recommend: float | None,
) -> dict[str, str]:
    """Print the verdict of a study; return the best finalist's by its name, with the limits that it does not keep."""
    from sweeps.results.changed_cases import changed_cases_note
    from sweeps.results.earlier_tries import earlier_tries_note
    from sweeps.results.reader import load_confirmed
    from sweeps.results.use_now import use_now
    from sweeps.scoring.empty_texts import empty_notes

    result = load_confirmed(mlruns, name)
    if baseline not in (None, result.baseline.key):
        raise click.UsageError(
            f"--baseline {baseline}: belongs to a file; study {result.name!r} is judged against its own baseline"
            f" ({result.baseline.key})"
        )
    asked = _agreeing(settings, result.config.verdict.claim)
    try:
        verdicts = result.judge_all(**asked)
        reliable = result.reliability(bar.bar, bar.k, claim=asked.get("claim"))
    except ValueError as error:
        raise refused(f"study {result.name!r}", error) from None
    if as_json:
        echo_json(verdict_record(result, verdicts, reliable, recommend=recommend))
    else:
        _print_use_now(use_now(result, verdicts, recommend=recommend))
        for verdict in verdicts:
            name = result.called[verdict.configuration]
            _print(verdict, result, name)
            _print_labels(result, verdict)
            _print_limits(result, verdict.configuration, name)
        for note in filter(None, [earlier_tries_note(result), *empty_notes(result.fresh_rows, result.baseline.key)]):
            say(stdout_console(), note)
        finalists = {verdict.configuration: result.called[verdict.configuration] for verdict in verdicts}
        print_reliability(reliable, {result.baseline.key: "the baseline", **finalists})
    if changed := changed_cases_note(result):
        say(stderr_console(), f"warning: {changed}")
    best = verdicts[0]
    return {result.called[best.configuration]: result.limits.gated(best.configuration, best.outcome)}


def _agreeing(settings: dict[str, Any], claim: str) -> dict[str, Any]:
    """The settings, if test and claim (by default `claim`) agree; a test alone sets its claim."""
    test, asked = settings.get("test"), settings.get("claim")
    if test in (None, "auto"):
        return settings
    suits = "new-cases" if test == "paired" else "these-cases"
    if asked not in (None, suits):
        raise click.UsageError(f"--test {test} answers --claim {suits}, not --claim {asked}")
    return settings if claim == suits else {**settings, "claim": suits}


def _judge_table(
    what: Sequence[str],
    reading: Reading,
    baseline: str | None,
    as_json: bool,
    settings: dict[str, Any],
    bar: Bar,
    recommend: float | None,
) -> dict[str, str]:
    """Print the verdicts of a table; return them by configuration, also those that could not be judged."""
    from analysis import judge as judge_table
    from analysis.observations.table import require_columns
    from analysis.verdict.recommendation import RECOMMEND
    from analysis.verdict.use_now import use_now_for_table

    settings = _agreeing(settings, "these-cases")
    name, table = reading.named_table(what)
    try:
        require_columns(table)
        if baseline is None:
            labels = ", ".join(sorted(table["configuration"].dropna().unique())[:20])
            raise click.UsageError(f"{name}: name the baseline with --baseline; the labels are: {labels}")
        verdicts = judge_table(table, baseline=baseline, **settings)
        reliable = bar.of_table(table, {"claim": verdicts[0].claim, **settings})
    except ValueError as error:
        raise refused(name, error) from None
    said(table)
    use_now = use_now_for_table(verdicts, RECOMMEND if recommend is None else recommend)
    if as_json:
        answer = {"use_now": use_now.as_dict()}
        echo_json([{**verdict.as_dict(), **_reliability_record(reliable, verdict), **answer} for verdict in verdicts])
    else:
        _print_use_now(use_now)
        _print_several(verdicts) if len(verdicts) > 1 else _print(verdicts[0])
        arms = [verdicts[0].baseline, *(verdict.configuration for verdict in verdicts)]
        print_reliability(reliable, {arm: arm for arm in arms})
    asked_for = settings.get("finalists") or sorted({*table["configuration"].dropna().astype(str)} - {baseline})
    found = {verdict.configuration: verdict.outcome for verdict in verdicts}
    return {label: found.get(label, "not judged") for label in asked_for}


def _reliability_record(reliable: Reliability | None, verdict: Verdict) -> dict[str, Any]:
    """The reliability of both arms of a verdict; {} without a bar."""
    return {} if reliable is None else {"reliability": reliable.as_dict([verdict.baseline, verdict.configuration])}


def verdict_record(
    result: SweepResult,
    verdicts: Sequence[Verdict] | None = None,
    reliable: Reliability | None = None,
    *,
    recommend: float | None = None,
) -> dict[str, Any]:
    """A study's verdict as JSON types, with the other finalists as `others`; null before there is one.

    Args:
        result: The study.
        verdicts: Its verdicts, where they were made with other settings.
        reliable: Its reliability, where it was measured with another bar.
        recommend: The least probability for a recommendation; by default the study's.
    """
    from sweeps.results.use_now import use_now
    from sweeps.results.verdicts import recommended

    verdicts = result.verdicts if verdicts is None else verdicts
    reliable = result.reliability() if reliable is None else reliable
    answer = {"use_now": use_now(result, verdicts, recommend=recommend).as_dict()}
    if not verdicts:
        return {"verdict": None, **answer}
    verdict, *others = verdicts
    found = recommended(result, verdict, result.fresh_effects, recommend=recommend)
    given = found.is_given and not result.limits.broken(verdict.configuration)
    return {
        **_finalist_record(result, verdict, reliable),
        "baseline": result.baseline.values,
        "baseline_key": result.baseline.key,
        "baseline_sources": result.config.baseline_sources,
        **({"others": [_finalist_record(result, other, reliable) for other in others]} if others else {}),
        **({} if result.ranking is None else {"ranking": result.ranking.to_dict("records")}),
        "recommended": "finalist" if given else "baseline",
        "probability_better": found.probability,
        **answer,
    }


def _finalist_record(result: SweepResult, verdict: Verdict, reliable: Reliability | None) -> dict[str, Any]:
    """One finalist's verdict, options, limits and reliability."""
    configuration = result.configurations[verdict.configuration]
    return {
        **verdict.as_dict(),
        "verdict": verdict.outcome,
        "configuration": configuration.values,
        "configuration_key": configuration.key,
        **({"name": name} if (name := result.candidates.get(configuration.key)) else {}),
        **_labels_record(result, verdict),
        **_limits_record(result, configuration.key),
        **({} if reliable is None else {"reliability": reliable.as_dict([result.baseline.key, configuration.key])}),
    }


def _labels_record(result: SweepResult, verdict: Verdict) -> dict[str, Any]:
    """The effect corrected by labels; {} where nobody has labelled."""
    from sweeps.results.labels import verdict_correction, verdict_correction_text

    correction = verdict_correction(result, verdict)
    if correction is None:
        return {}
    sentence = verdict_correction_text(result, verdict, correction)
    return {"correction": {**correction.as_dict(), "sentence": sentence}}


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


def _print_use_now(use_now: UseNow) -> None:
    console = stdout_console()
    say(console, use_now.text, style="bold")
    if use_now.gamble:
        say(console, use_now.gamble)


def _print(verdict: Verdict, result: SweepResult | None = None, name: str = "the finalist") -> None:
    console = stdout_console()
    if result is not None:
        finalist = result.configurations[verdict.configuration]
        whose = "finalist" if name == "the finalist" else f"finalist ({name})"
        whose = f"candidate {name}" if result.is_comparison else whose
        say(console, f"{whose}: {finalist.text(result.baseline)}")
    say(console, f"{verdict.outcome}: {verdict.sentence}")
    for line in filter(None, [verdict.advice, *verdict.notes]):
        say(console, line[:1].upper() + line[1:])


def _print_labels(result: SweepResult, verdict: Verdict) -> None:
    if record := _labels_record(result, verdict):
        say(stdout_console(), record["correction"]["sentence"])


def _print_several(verdicts: Sequence[Verdict]) -> None:
    """One line for each configuration, best effect first; then advice and notes, once each."""
    from rich.table import Table
    from rich.text import Text

    from analysis.formatting import level_text, p_text
    from analysis.verdict.sentences import verdict_decimals

    console, table = stdout_console(), Table(box=None, pad_edge=False)
    ordered = sorted(verdicts, key=lambda verdict: -verdict.effect)
    levels = {level_text(each.level) for each in ordered if not math.isnan(each.p_value)}
    interval = f"interval, {levels.pop()}" if len(levels) == 1 else "interval"
    for column in ("configuration", "verdict", "mean", "gain", interval, "p", "n"):
        table.add_column(column, overflow="fold")
    d = max(verdict_decimals(verdict) for verdict in ordered)
    for each in ordered:
        ends = f"{each.ci_low:+.{d}f} to {each.ci_high:+.{d}f}"
        ends += f" ({level_text(each.level)})" if interval == "interval" else ""
        tested = [ends, p_text(each.p_value, each.alpha).removeprefix("p ").removeprefix("= ")]
        cells = [each.configuration, each.outcome, f"{each.finalist_mean:.{d}f}", f"{each.effect:+.{d}f}"]
        cells += ["", ""] if math.isnan(each.p_value) else tested
        table.add_row(*map(Text, [*cells, str(each.n_finalist)]))
    base = ordered[0]
    mean = f"{base.baseline_mean:.{d}f}"
    table.add_row(*map(Text, [base.baseline, "baseline", mean, "", "", "", str(base.n_baseline)]))
    console.print(table)
    advised = [each for each in ordered if each.outcome != "worse" and each.advice]
    for each in advised[:_MOST_ADVICE]:
        say(console, f"{each.configuration}: {each.advice}")
    if rest := len(advised[_MOST_ADVICE:]):
        say(console, f"The advice on {rest} more is in the output of --json.")
    for note in dict.fromkeys(note for each in ordered for note in each.notes):
        say(console, note[:1].upper() + note[1:])


def _print_limits(result: SweepResult, key: str, name: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from sweeps.scoring.copied_text import copying_notes

    console = stdout_console()
    for note in copying_notes(result.fresh_rows, result.baseline.key, key):
        say(console, note.replace("the finalist", name))
    shown = result.limits.shown(result.baseline.key, key)
    if shown.empty:
        return
    table = Table(box=None, pad_edge=False)
    for column in shown.columns[:-1]:
        table.add_column(str(column))
    table.add_column(f"{name} is")
    for row in shown.to_numpy():
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
    for note in result.limits.notes(result.baseline.key, key):
        say(console, note.replace("the finalist", name))
