"""Options of `sweeps judge` that say how a table is read, and the table that they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])
SOURCES = ("inspect", "lm-eval", "promptfoo", "mlflow", "optuna", "helm")
"""As `analysis.sources.read_table.SOURCES`, which would be slow to import for `--help`."""


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
