"""`--trust`: what a sweep's file may do that only its owner should let it do.

It concerns code that is not installed, variables of the environment sent to a server, logs outside their folder, and
databases and tracking servers elsewhere.
The first time needs `--trust`; the answer is remembered in the user's state folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from platformdirs import user_state_path

from sweeps.cli.common import F, echo, warn


class Trust:
    """The answers of one command's user.

    Attributes:
        given: Whether `--trust` was given.
    """

    def __init__(self) -> None:
        self.given = False

    def allows(self, what: str) -> bool:
        """Whether something is allowed: it was once, or `--trust` is given, which says so and remembers it."""
        known = remembered()
        if what not in known and self.given:
            echo(f"--trust: this may {what}", err=True)
            _remember([*known, what])
        return self.given or what in known


def trust_option(function: F) -> F:
    """`--trust`: this file may do what only its owner should let it do."""

    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if (trust := ctx.find_object(Trust)) is not None:
            trust.given = value

    return click.option(
        "--trust",
        is_flag=True,
        expose_value=False,
        callback=keep,
        help="Let the sweep's file run code that it names, send variables, read logs and write data elsewhere; "
        "remembered.",
    )(function)


def answers_file() -> Path:
    """The file of the remembered answers."""
    return user_state_path("slm-sweeps", appauthor=False) / "trusted.json"


def remembered() -> list[str]:
    """The remembered answers; none where the file is missing or damaged."""
    try:
        found = json.loads(answers_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _remember(answers: list[str]) -> None:
    from analysis.export.files import write_together

    path = answers_file()
    try:
        write_together({path: json.dumps(answers, indent=1) + "\n"}, private=True)
    except OSError as error:
        warn(f"{path} cannot be written ({error.strerror or error}); --trust is not remembered")
