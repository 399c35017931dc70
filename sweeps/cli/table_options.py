"""Options of `sweeps judge` that say how a table is read, and the table that they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])
SOURCES = ("inspect", "lm-eval", "promptfoo", "mlflow", "optuna", "helm")
"""As `analysis.sources.read_table.SOURCES`, which would be slow to import for `--help`."""


FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".eval")
"""Endings that name a file, also one that is not there."""


class Columns(click.ParamType[dict[str, str]]):
    """`OURS=THEIRS,OURS=THEIRS` as a mapping.

    Args:
        ours: Names that may stand on the left.
    """

    name = "columns"

    def __init__(self, ours: Sequence[str]) -> None:
        self.ours = ours

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the mapping, or fail with the part that is wrong."""
        from analysis.files.columns import ColumnsError, parse_columns

        try:
            return value if isinstance(value, dict) else parse_columns(value, self.ours)
        except ColumnsError as error:
            return self.fail(str(error), param, ctx)


OURS = ("configuration", "case", "seed", "score", "repeat", "host", "stage", "temperature", "finish", "text_sha256")


class Ends(click.ParamType[tuple[float, float]]):
    """`LOW,HIGH` as two numbers."""

    name = "ends"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the two numbers, or fail."""
        from analysis.observations.scale import Scale

        if not isinstance(value, str):
            return value
        try:
            low, high = map(float, value.split(","))
            scale = Scale(low, high)
        except ValueError:
            return self.fail(f"{value!r} is no range; write two numbers, the smaller first: 0,100", param, ctx)
        return scale.low, scale.high


@dataclass(frozen=True)
class Metric:
    """The scale of a table's scores, and how its cases hang together; arguments of `analysis.judge`."""

    range: tuple[float, float] | None = None
    lower_is_better: bool | None = None
    cluster: str | None = None

    def settings(self) -> dict[str, Any]:
        """Return the arguments that were given, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def given(self) -> list[str]:
        """Return the flags that were given."""
        return [f"--{name.replace('_', '-')}" for name in self.settings()]


@dataclass(frozen=True)
class Reading:
    """How tables are read; the attributes are the arguments of `sweeps.read_table`."""

    source: str | None = None
    columns: dict[str, str] | None = None
    score: str | None = None
    experiment: str | None = None
    study: str | None = None

    def table(self, what: Sequence[str]) -> pd.DataFrame:
        """Read the table.

        Raises:
            TableError: It cannot be read; the message has the file's name.
        """
        from sweeps.tracking.read_table import read_table

        return read_table(
            list(what), source=self.source, columns=self.columns, score=self.score, experiment=self.experiment,
            study=self.study,
        )  # fmt: skip

    def means_table(self, what: Sequence[str]) -> bool:
        """Whether the arguments of a command name a table, not a study."""
        return (
            bool(self.source)
            or len(what) > 1
            or any(Path(each).suffix in FILES or Path(each).is_file() for each in what)
        )

    def named_table(self, what: Sequence[str]) -> tuple[str, pd.DataFrame]:
        """Return the table with its name for messages.

        Raises:
            UsageError: Nothing is named.
            TableError: See `table`.
        """
        if not what:
            raise click.UsageError(f"--from {self.source}: name the file, folder or store to read")
        return what[0] if len(what) == 1 else f"{what[0]} and {len(what) - 1} more", self.table(what)

    def given(self) -> list[str]:
        """Return the flags that were given."""
        flags = {"source": "--from", "columns": "--columns", "score": "--score"}
        flags |= {"experiment": "--experiment", "study": "--study"}
        return [flag for name, flag in flags.items() if getattr(self, name) is not None]


def table_options(function: F) -> F:
    """`--from`, `--columns`, `--score`, `--experiment` and `--study`."""
    for option in (
        click.option("--study", help="The study in a storage of Optuna (--from optuna)."),
        click.option("--experiment", help="The experiment in a store of MLflow (--from mlflow)."),
        click.option("--score", help="The score to judge, where a file has several."),
        click.option(
            "--columns", type=Columns(OURS), metavar="OURS=THEIRS,..",
            help="Columns of the file that hold ours: configuration=model,case=sample_id,score=accuracy.",
        ),
        click.option("--from", "source", type=click.Choice(SOURCES), help="WHAT is results of this tool."),
    ):  # fmt: skip
        function = option(function)
    return function


def metric_options(function: F) -> F:
    """`--range`, `--lower-is-better` and `--cluster`."""
    for option in (
        click.option(
            "--cluster", metavar="COLUMN",
            help="Column that groups cases, such as the document of a question: its groups are the independent units.",
        ),
        click.option(
            "--lower-is-better", is_flag=True, default=None,
            help="Less is better, as with seconds or errors. Effects are gains all the same.",
        ),
        click.option(
            "--range", "ends", type=Ends(), metavar="LOW,HIGH",
            help="Smallest and largest possible score, such as 0,100 or 1,5 (default 0,1).",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def said(table: pd.DataFrame) -> None:
    """Print what the reading of a table assumed, to stderr."""
    from sweeps.cli.common import say, stderr_console

    for note in table.attrs.get("notes", ()):
        say(stderr_console(), note[:1].upper() + note[1:] + ".")


def refused(what: str, error: ValueError) -> Exception:
    """The error for a study or table that cannot be judged, or for a bad argument."""
    from analysis import TableError

    text = f"{what}: {error}"
    return TableError(text) if isinstance(error, TableError) else click.UsageError(text)
