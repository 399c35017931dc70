"""Options, number ranges and output that several commands share."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from analysis.formatting import terminal_text
from sweeps.cli.interrupts import handled
from sweeps.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from sweeps.engines.base import Engine
    from sweeps.progress.live import RichProgress
    from sweeps.progress.plain import PlainProgress

F = TypeVar("F", bound=Callable[..., Any])


SWEEP_FILE = "sweep.toml"
"""The file that `sweeps init` writes."""


class FilePath(click.Path):
    """Paths. An empty text (an unset variable of the shell) is refused: it would mean the current folder.

    Links that lead back to themselves are refused too: to resolve them is a `RuntimeError` before Python 3.13.
    """

    def __init__(self, **checks: Any) -> None:
        super().__init__(path_type=Path, **checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with the option."""
        if not os.fspath(value):
            self.fail("it is empty (is a variable of the shell not set?); write . for the current folder", param, ctx)
        try:
            os.stat(value)
        except OSError as error:
            if error.errno == errno.ELOOP:
                self.fail(f"{os.fspath(value)} is a link that leads back to itself; remove the link", param, ctx)
        except ValueError:  # a zero byte, which no path has
            self.fail(f"{os.fspath(value)!r} is no path", param, ctx)
        return super().convert(value, param, ctx)


class SweepPath(FilePath):
    """Files of sweeps. A folder with a `sweep.toml`, as `sweeps init` makes it, stands for that file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the file's path, or fail with the option."""
        path = Path(super().convert(value, param, ctx))
        return path / SWEEP_FILE if (path / SWEEP_FILE).is_file() else path


class FolderPath(FilePath):
    """Folders. A URL is refused: as a path it would make a folder named by its password."""

    def __init__(self) -> None:
        super().__init__(file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder, or fail with the option."""
        if "://" in os.fspath(value):
            scheme = os.fspath(value).partition("://")[0]
            wrong = f"{scheme}://... is a URL; name a folder"
            self.fail(f"{wrong}, and give the URL of a database with --storage or SWEEPS_STORAGE", param, ctx)
        return super().convert(value, param, ctx)


class NumberRange(click.FloatRange):
    """Numbers in a range; `nan` is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail with option, value and range."""
        try:
            float(value)
        except ValueError:
            self.fail(no_number(value), param, ctx)
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class WholeRange(click.IntRange):
    """Whole numbers in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail with option, value and range."""
        try:
            int(value)
        except ValueError:
            self.fail(no_number(value, whole=True), param, ctx)
        return int(super().convert(value, param, ctx))


def no_number(text: str, *, whole: bool = False) -> str:
    """The message for a text that is not a number, with the number to write where one is recognisable."""
    kind = "whole number" if whole else "number"
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return f"{text!r} is not a {kind}"
    known = math.isfinite(number) and (number.is_integer() or not whole)
    return f"{text!r} is not a {kind}" + (f" (write {number:.12g})" if known else "")


PLAIN: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
"""For every console: names of models and files are printed as they are, such as `m:100:x` and `[bold]`."""
LEVEL = NumberRange(1e-6, 0.5, max_open=True)
"""Two-sided levels. Below the smallest one, the size of a detectable gain can no longer be computed."""
DIFFERENCE = NumberRange(1e-9, 1e9)
"""Differences in units of a score, whose scale may be any."""
SCORE = NumberRange(1e-9, 1)
"""Differences and noise, in units of the score."""


def terminable() -> AbstractContextManager[Callable[[], int]]:
    """Let SIGTERM stop the block as Ctrl-C does, by a KeyboardInterrupt.

    Returns:
        A context with a function that returns the exit status afterwards: 143 for SIGTERM, 130 for Ctrl-C.
    """
    return handled(signal.SIGINT, signal.SIGTERM)


def mlruns_option(function: F) -> F:
    """`--mlruns DIR`: the folder of the ledger, the MLflow store and the outputs; `--storage URL`: their database."""

    @wraps(function)
    def command(*arguments: Any, storage: str | None = None, **options: Any) -> Any:
        with _using(storage):
            return function(*arguments, **options)

    found: Any = command
    for option in (
        click.option(
            "--storage",
            metavar="URL",
            help="Database of ledger, trials and runs, such as postgresql+psycopg://USER@HOST/DATABASE; by default the"
            " variable SWEEPS_STORAGE, else SQLite files in the folder.",
        ),
        click.option(
            "--mlruns",
            type=FolderPath(),
            default=Path("mlruns"),
            show_default=True,
            help="Folder of the ledger, the MLflow store and the outputs.",
        ),
    ):
        found = option(found)
    return cast(F, found)


@contextmanager
def _using(storage: str | None) -> Iterator[None]:
    """Let this command, and the programs that it starts, use a database."""
    from sweeps.workspace.workspace import STORAGE_VARIABLE

    before = os.environ.get(STORAGE_VARIABLE)
    if storage is not None:
        os.environ[STORAGE_VARIABLE] = storage
    try:
        yield
    finally:
        if storage is not None:
            os.environ.pop(STORAGE_VARIABLE)
            os.environ.update({} if before is None else {STORAGE_VARIABLE: before})


def allow_remote_option(function: F) -> F:
    """`--allow-remote`, as the key `allow_remote` in [engine]."""
    return click.option(
        "--allow-remote", is_flag=True, help="Prompts may go to a model that the server runs elsewhere."
    )(function)


def outside_logs_option(function: F) -> F:
    """`--allow-outside-logs`, as the key `allow_outside_logs` in [objective]."""
    return click.option("--allow-outside-logs", is_flag=True, help="Read logs outside the folder of their rubric too.")(
        function
    )


def json_option(function: F) -> F:
    """`--json`: JSON on stdout instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text with its control codes shown as escapes: it may come from a model or a file's name."""
    click.echo(terminal_text(str(text)), err=err, nl=nl)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    echo(f"warning: {text}", err=True)


def echo_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print one JSON value on one line of stdout, with null for NaN and infinities."""
    echo(json.dumps(finite(value), ensure_ascii=False, default=str))


def finite(value: Any) -> Any:
    """A copy of JSON types with None for NaN and infinities, which JSON lacks."""
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def only_model(engine: Engine) -> str:
    """The only model of an engine.

    Raises:
        ConfigError: If it has several, or none.
    """
    available = engine.models()
    if len(available) != 1:
        has = f"it has {', '.join(available)}" if available else "it has none; `ollama pull` one"
        raise ConfigError(f"--model: name one of the models of {engine.name} at {engine.address}: {has}")
    return available[0]


def stderr_console() -> Console:
    """The console for progress and notes."""
    from sweeps.progress.console import PlainConsole

    return PlainConsole(stderr=True)


@contextmanager
def progress_view(*, quiet: bool, verbose: bool = False) -> Iterator[PlainProgress | RichProgress]:
    """Progress on stderr: live on a terminal, plain lines elsewhere.

    Args:
        quiet: Only warnings.
        verbose: A line for each text.
    """
    from sweeps.progress.live import RichProgress
    from sweeps.progress.plain import PlainProgress

    console = stderr_console()
    if console.is_terminal and not quiet:
        with RichProgress(console, verbose=verbose) as view:
            yield view
    else:
        yield PlainProgress(quiet=quiet, verbose=verbose)


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """Print a sentence: on a terminal broken between words, elsewhere on one line."""
    from sweeps.progress.plain import at_words

    text = at_words(text, console.width) if console.is_terminal else text
    console.print(text, style=style, soft_wrap=True)


def stdout_console() -> Console:
    """The console for results."""
    from sweeps.progress.console import PlainConsole

    return PlainConsole()
