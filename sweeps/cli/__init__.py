"""The command line. A command is imported when it is called, so that help answers at once."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from analysis.formatting import terminal_text
from sweeps.cli.file_keys import key_hint
from sweeps.cli.interrupts import handled

_COMMANDS = {
    "init": ("sweeps.cli.init", "Start a folder with a commented sweep, a prompt and sample cases."),
    "check": ("sweeps.cli.check", "Check a sweep before it runs: options, prompts, time, and the gain it can find."),
    "run": ("sweeps.cli.run", "Run a sweep from a TOML file, or continue it."),
    "compare": ("sweeps.cli.compare", "Compare named prompts, models or options with the baseline, without a search."),
    "status": ("sweeps.cli.status", "Show how far studies are."),
    "judge": ("sweeps.cli.judge", "Judge a study, or any table of scores: the settings to use now, and why."),
    "rank": (
        "sweeps.cli.rank",
        "Rank the configurations of a study or a table, with intervals.",
    ),
    "diff": ("sweeps.cli.diff", "Compare two studies of the same cases: baselines, finalists, hosts, settings."),
    "label": ("sweeps.cli.label", "Label texts blind, so that the matcher's error counts in the interval."),
    "report": ("sweeps.cli.report", "Write a study's report, plots and tables again."),
    "export": ("sweeps.cli.export", "Write the new settings for a pipeline (env, json, modelfile, toml)."),
    "score": ("sweeps.cli.score", "Score folders of existing summaries, side by side."),
    "rescore": ("sweeps.cli.rescore", "Score a study again after a change of rubrics or weights."),
    "cases": ("sweeps.cli.cases", "Check, start or import cases and their rubrics."),
    "plan": ("sweeps.cli.plan", "Compute how many generations it takes to find a gain."),
    "probe": ("sweeps.cli.probe", "Find out which options have an effect on a host."),
    "audit": (
        "sweeps.cli.audit",
        "Audit hosts: do they repeat their texts, what changes them, are they the same?",
    ),
    "fingerprint": ("sweeps.cli.fingerprint", "Show or save the fingerprint of host, engine and model."),
    "merge": ("sweeps.cli.merge", "Merge the studies of several machines' folders into one."),
    "move": ("sweeps.cli.move", "Move studies to another database, such as from SQLite to PostgreSQL."),
    "track": ("sweeps.cli.track", "Write a study's runs to MLflow from the ledger."),
    "doctor": ("sweeps.cli.doctor", "Check stores and files of studies against each other, and mend them."),
    "ui": ("sweeps.cli.ui", "Open the MLflow UI on the runs, or Optuna's dashboard on the trials."),
    "completion": ("sweeps.cli.completion", "Print the script by which a shell completes commands and studies."),
    "schema": ("sweeps.cli.schema", "Print the JSON Schema of a sweep's file, for editors."),
}
"""Each command's module, with an attribute of the command's name, and one line of help."""

_GROUPS = {
    "Start a sweep": ("init", "check", "run", "compare", "status"),
    "Use its result": ("judge", "rank", "diff", "report", "export", "track", "merge", "move", "doctor", "ui"),
    "Score texts": ("cases", "score", "rescore", "label"),
    "Plan, and know your machines": ("plan", "probe", "audit", "fingerprint"),
    "Terminal and editor": ("completion", "schema"),
}
"""The commands as help shows them; a command of no group is shown at the end."""

_NAME_WIDTH = max(map(len, _COMMANDS))


DEFECT = 70
"""Exit status of an unexpected error, after BSD's EX_SOFTWARE; status 1 is an answer that a script asked for."""


CLOSED_PIPE = 128 + 13
"""Exit status where the reader of the output is gone, as a shell gives it for SIGPIPE; no answer was given."""


class _LazyGroup(click.Group):
    """A group that imports a command on use; `_COMMANDS` lists them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            from sweeps.errors import name_hint

            raise click.UsageError(f"no command {args[0]!r}; {name_hint(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = {name for names in _GROUPS.values() for name in names}
        rest = tuple(name for name in _COMMANDS if name not in grouped)
        for title, names in {**_GROUPS, "Further commands": rest}.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(f"{name:<{_NAME_WIDTH}}", _COMMANDS[name][1]) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands; unlike click's own list, this imports none of them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=about) for name, (_, about) in _COMMANDS.items() if name.startswith(incomplete)
        ]


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from sweeps.version import __version__

        click.echo(f"slm-sweeps {__version__}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def sweeps() -> None:
    """Find better settings for small language models, without being fooled by run-to-run noise.

    Results go to stdout, progress and notes to stderr. Exit codes: 0 done, 1 a negative answer where a script asked, 2
    something for you to fix, 3 the engine failed, 70 a defect of this program.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status; an error takes a few lines, without a traceback."""
    _print_what_can_be_printed()
    _return_memory()
    with handled(signal.SIGINT):
        code = run_command(args)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to do, and no traceback to print
    sys.exit(code)


def _print_what_can_be_printed() -> None:
    """Show characters that an output's encoding lacks as escapes, as in the C locale and in files on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _return_memory() -> None:
    """Let Arrow, which holds the texts of tables, return freed memory: 35 MB in the report of a very long search."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def run_command(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    from objectives.permission import asking
    from sweeps.cli.trust import Trust

    trust = Trust()
    try:
        with asking(trust.allows):
            result: Any = sweeps.main(args=args, prog_name="sweeps", standalone_mode=False, obj=trust)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(terminal_text(shown.getvalue() + key_hint(error)), err=True, nl=False)
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return CLOSED_PIPE
    except SystemExit as exit_:
        if isinstance(exit_.__context__, OSError) and exit_.__context__.errno == errno.EPIPE:  # from click
            return CLOSED_PIPE
        raise
    except Exception as error:  # noqa: BLE001 - a defect has a status of its own
        code = _exit_code(error)
        if code is None:
            click.echo(terminal_text("".join(traceback.format_exception(error))), err=True, nl=False)
            click.echo("error: a defect of this program, not of your files; all generated texts are kept", err=True)
            return DEFECT
        click.echo(terminal_text(f"error: {error}"), err=True)
        return code


def _exit_code(error: Exception) -> int | None:
    """The exit status of an error that is meant for users; None for a defect of this program."""
    from sweeps.errors import SweepError

    if isinstance(error, SweepError):
        return error.exit_code
    home = type(error).__module__.partition(".")[0]
    if isinstance(error, ValueError) and home in ("objectives", "analysis"):
        return 2
    is_circle = isinstance(error, RuntimeError) and str(error).startswith("Symlink loop")  # of pathlib before 3.13
    return 2 if isinstance(error, OSError) or is_circle else None
