"""`sweeps rank`: configurations in order, with what the data show about it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps.cli.common import LEVEL, echo_json, json_option, mlruns_option, say, stderr_console, stdout_console
from sweeps.cli.table_options import Metric, Reading, metric_options, refused, said, table_options

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("what", nargs=-1)
@mlruns_option
@json_option
@click.option("--baseline", help="Label of the configuration to hold the others against (default: the best one).")
@table_options
@metric_options
@click.option("--claim", type=click.Choice(["these-cases", "new-cases"]), help="The cases that the order is about.")
@click.option("--alpha", type=LEVEL, default=0.05, show_default=True, help="Risk that any interval is wrong.")
@click.option(
    "--assume-missing-at-random",
    is_flag=True,
    help="Rows that a configuration lacks are missing for reasons that have nothing to do with their scores.",
)
def rank(
    what: tuple[str, ...],
    mlruns: Path,
    as_json: bool,
    baseline: str | None,
    source: str | None,
    columns: dict[str, str] | None,
    score: str | None,
    experiment: str | None,
    study: str | None,
    ends: tuple[float, float] | None,
    lower_is_better: bool | None,
    cluster: str | None,
    claim: str | None,
    alpha: float,
    assume_missing_at_random: bool,
) -> None:
    """Rank WHAT: the fresh generations of a study (by default the last one), or files as `sweeps judge` reads them.

    The interval of a rank holds all places that the data leave open; all true ranks lie inside with 95%. Effects are
    gains against the baseline. P(better) is the probability that a text beats a text of the baseline on the same case.
    """
    from analysis import rank as rank_table

    names: dict[str, str] = {}
    looks: dict[str, Any] = {}
    reading, metric = Reading(source, columns, score, experiment, study), Metric(ends, lower_is_better, cluster)
    if reading.means_table(what):
        name, table = reading.named_table(what)
    elif of_files := reading.given() + metric.given():
        raise click.UsageError(f"{', '.join(of_files)}: belongs to a file; name the file to rank")
    else:
        name, table, names, baseline, looks = _of_study(what[0] if what else None, mlruns, baseline, alpha)
    try:
        found = rank_table(
            table,
            baseline=baseline,
            claim=claim,  # type: ignore[arg-type]
            alpha=alpha,
            assume_missing_at_random=assume_missing_at_random,
            **metric.settings(),
            **looks,
        )
    except ValueError as error:
        raise refused(name, error) from None
    said(table)
    found["configuration"] = [names.get(label, label) for label in found["configuration"]]
    reference = names.get(found.attrs["baseline"], found.attrs["baseline"])
    if as_json:
        rows = found.astype(object).where(found.notna(), None).to_dict("records")
        echo_json({"baseline": reference, "claim": found.attrs["claim"], "ranking": rows})
    else:
        _print(found, reference, alpha)
    for note in found.attrs["notes"]:
        say(stderr_console(), note[:1].upper() + note[1:])


def _of_study(
    name: str | None, mlruns: Path, baseline: str | None, alpha: float
) -> tuple[str, pd.DataFrame, dict[str, str], str | None, dict[str, Any]]:
    """Return a study's name, fresh rows, names of configurations, baseline, and looks."""
    import pandas as pd

    from sweeps.results.ranking import looks_of
    from sweeps.results.reader import load_result

    result = load_result(mlruns, name)
    rows = pd.DataFrame(result.fresh_rows)
    if rows.empty:
        raise click.UsageError(f"study {result.name!r} has no fresh generations yet; let `sweeps run` end first")
    names = {key: called.removeprefix("the ") for key, called in result.called.items()}
    keys = {called: key for key, called in names.items()}
    reference = result.baseline.key if baseline is None else keys.get(baseline, baseline)
    return f"study {result.name!r}", rows, names, reference, looks_of(result, alpha)


def _print(found: pd.DataFrame, reference: str, alpha: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from analysis.formatting import decimals, level_text

    ends = [each for name in ("effect", "ci_low", "ci_high") for each in found[name] if math.isfinite(each)]
    d, level = decimals(*ends), level_text(1 - alpha)
    table = Table(box=None, pad_edge=False)
    for column in ("configuration", "rank", f"rank {level}", "mean", f"effect, {level}", f"P(better), {level}", "n"):
        table.add_column(column, overflow="fold")
    for row in found.to_dict("records"):
        cells = [
            row["configuration"],
            row["rank"],
            _span(row["rank_low"], row["rank_high"], "d"),
            f"{row['mean']:.{d}f}",
        ]
        cells += [_with_ends(row, "effect", "ci_low", "ci_high", f"+.{d}f")]
        cells += [_with_ends(row, "p_better", "p_better_low", "p_better_high", ".2f"), row["n"]]
        table.add_row(*(Text(str(cell)) for cell in cells))
    console = stdout_console()
    console.print(table)
    about = "these cases" if found.attrs["claim"] == "these-cases" else "new cases like these"
    say(console, f"Effects are gains against {reference}, on {about}.")


def _span(low: float, high: float, form: str) -> str:
    return f"{low:{form}}" if low == high else f"{low:{form}} to {high:{form}}"


def _with_ends(row: Mapping[Hashable, Any], name: str, low: str, high: str, form: str) -> str:
    """A number with its interval in brackets; a dash where there is none."""
    if not math.isfinite(row[name]):
        return "-"
    ends = f" [{row[low]:{form}} to {row[high]:{form}}]" if math.isfinite(row[low]) else ""
    return f"{row[name]:{form}}{ends}"
