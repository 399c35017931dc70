"""Permission for what a file of somebody else could misuse: code, variables of the environment, files elsewhere.

A Python program answers for what it calls and is not asked. The command line asks its user: `sweeps.cli.trust`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOW = "add --trust; the answer is remembered"
"""The end of each refusal."""

_asked: list[Callable[[str], bool]] = []


@contextmanager
def asking(allowed: Callable[[str], bool]) -> Iterator[None]:
    """Ask a function within the block; threads that the block starts ask it too.

    Args:
        allowed: Whether something is permitted, by its text: what is done, and with which file or server.
    """
    _asked.append(allowed)
    try:
        yield
    finally:
        _asked.remove(allowed)


def permitted(what: str) -> bool:
    """Whether something is permitted; it is where nobody asks."""
    return not _asked or _asked[-1](what)
