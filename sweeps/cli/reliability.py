"""`--bar` and `--k`: how often runs reach a bar, beside a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sweeps.cli.common import NumberRange, WholeRange, say, stdout_console

if TYPE_CHECKING:
    import pandas as pd

    from analysis.pass_rates import Reliability

F = TypeVar("F", bound=Callable[..., Any])
MOST_CASES = 12
"""Cases of a configuration that are printed, those with the smallest shares; --json has all."""

_OF_TABLES = ("range", "lower_is_better", "claim")


@dataclass(frozen=True)
class Bar:
    """The bar to reach; None and the usual k where no flag was given."""

    bar: float | None = None
    k: int | None = None

    def __post_init__(self) -> None:
        if self.k is not None and self.bar is None:
            raise click.UsageError("--k belongs to --bar: name the score to reach, such as --bar 0.6")

    def of_table(self, observations: pd.DataFrame, settings: Mapping[str, Any]) -> Reliability | None:
        """The reliability of the configurations of a table; None without a bar.

        Args:
            observations: The table.
            settings: Arguments of `analysis.judge`.
        """
        if self.bar is None:
            return None
        from analysis.pass_rates import USUAL_K, Reliability

        options = {name: settings[name] for name in _OF_TABLES if name in settings}
        return Reliability.of(observations, self.bar, self.k or USUAL_K, **options)


def bar_options(function: F) -> F:
    """`--bar` and `--k`."""
    for option in (
        click.option("--k", type=WholeRange(1, 100), help="Runs that must all reach the bar, for pass^k (default 3)."),
        click.option("--bar", type=NumberRange(), help="Also show how often each case reaches this score."),
    ):
        function = option(function)
    return function


def print_reliability(found: Reliability | None, names: Mapping[str, str]) -> None:
    """Print shares and pass^k of configurations and of their least reliable cases.

    Args:
        found: The reliability; None prints nothing.
        names: Names of the configurations to print, by label.
    """
    if found is None:
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("", "mean", "runs", f"reach {found.bar_text}", *([f"pass^{found.k}"] if found.k > 1 else [])):
        table.add_column(column, justify="left" if not column else "right")
    for label, name in names.items():
        means, cases = found.mean_of(label), found.cases_of(label)
        if means is None:
            continue
        table.add_row(*map(Text, (name, *found.row_texts(means))))
        for case in cases[:MOST_CASES]:
            table.add_row(*map(Text, (f"  {case['case']}", *found.row_texts(case))))
        if (rest := len(cases) - MOST_CASES) > 0:
            table.add_row(Text(f"  {rest} more in --json"))
    stdout_console().print(table)
    failed = sum(int(means["failed"]) for label in names if (means := found.mean_of(label)) is not None)
    if failed:
        whose = "A failed run does" if failed == 1 else f"{failed} failed runs do"
        say(stdout_console(), f"{whose} not reach the bar.")
