"""The progress of a sweep by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from sweeps.errors import ConfigError
from sweeps.progress.base import Complete, Progress, Silent
from sweeps.progress.plain import PlainProgress

ProgressChoice: TypeAlias = Progress | Literal["auto", "plain", "rich"] | None
"""How a sweep shows itself. "plain" prints lines to stderr, "rich" keeps a live display on stderr, and None is silent.
"auto" is "plain" where stderr is a terminal, and silent elsewhere."""

_NAMES = ("auto", "plain", "rich")
_METHODS = ("plan", "stage", "advance", "standing", "note")


def require_choice(choice: object) -> None:
    """Refuse a progress that does not exist.

    Raises:
        ConfigError: If it is neither a name, nor None, nor an object with the methods of `Progress`.
    """
    if choice is None or choice in _NAMES:
        return
    missing = [name for name in _METHODS if not callable(getattr(choice, name, None))]
    if not missing:
        return
    if len(missing) < len(_METHODS):
        raise ConfigError(f"progress = {choice!r}: it has no method {', '.join(missing)}; derive it from sweeps.Silent")
    names = ", ".join(f'"{name}"' for name in _NAMES)
    raise ConfigError(f"progress = {choice!r}: no such progress; give {names}, None, or an object with its methods")


@contextmanager
def shown(choice: ProgressChoice) -> Iterator[Progress]:
    """Show a sweep while the context lasts.

    Yields:
        The progress to inform.
    """
    if choice == "rich":
        from sweeps.progress.live import RichProgress

        with RichProgress() as progress:
            yield progress
    elif choice == "plain" or (choice == "auto" and sys.stderr is not None and sys.stderr.isatty()):
        yield PlainProgress()
    else:
        yield Silent() if choice is None or isinstance(choice, str) else _whole(choice)


def _whole(choice: Progress) -> Progress:
    """A progress with all methods, also those that may be missing."""
    return choice if hasattr(choice, "step") and hasattr(choice, "observe") else Complete(choice)
