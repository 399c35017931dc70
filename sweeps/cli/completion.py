"""`sweeps completion`: completion of commands, options and studies by the shell."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")

_WHERE = {
    "bash": 'eval "$(sweeps completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(sweeps completion zsh)" in ~/.zshrc, after compinit',
    "fish": "sweeps completion fish > ~/.config/fish/completions/sweeps.fish",
}
"""Where a shell finds the script."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print the script by which SHELL completes commands, options, files and study names.

    \b
    bash  eval "$(sweeps completion bash)" in ~/.bashrc
    zsh   eval "$(sweeps completion zsh)" in ~/.zshrc, after compinit
    fish  sweeps completion fish > ~/.config/fish/completions/sweeps.fish

    Without SHELL it is that of the variable SHELL.
    """  # noqa: D301 - click's mark for lines that stay as they are
    named = shell or Path(os.environ.get("SHELL", "")).name
    made = get_completion_class(named) if named in SHELLS else None
    if made is None:
        raise click.UsageError(f"no completion for the shell {named!r}; name one of {', '.join(SHELLS)}", ctx)
    click.echo(made(ctx.find_root().command, {}, "sweeps", "_SWEEPS_COMPLETE").source())
    if shell is None:
        click.echo(f"to keep it: {_WHERE[named]}", err=True)


class StudyName(click.types.StringParamType):
    """Names of studies; the shell completes them from the ledger of `--mlruns`."""

    name = "study"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click calls with it
        incomplete: str,
    ) -> list[CompletionItem]:
        """The studies of a local ledger whose names begin as given, the last changed first; [] where there is none."""
        folder = Path(ctx.params.get("mlruns") or "mlruns")
        return [
            CompletionItem(name, help=status)
            for name, status in _studies(folder / "ledger.db")
            if name.startswith(incomplete)
        ]


def _studies(ledger: Path) -> list[tuple[str, str]]:
    """Names and statuses straight from SQLite: a key press cannot wait for imports."""
    if not ledger.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True, timeout=0.2)) as database:
            return database.execute("SELECT name, status FROM studies ORDER BY updated DESC LIMIT 50").fetchall()
    except sqlite3.Error:
        return []
