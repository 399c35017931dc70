"""Folders that are written to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sweeps.errors import SweepError

_DAMAGED = ("file is not a database", "malformed")
"""What SQLite says of a file that is no database, or no whole one."""


def is_damaged(reason: str) -> bool:
    """Whether a failure of a database means that its file is damaged."""
    return any(words in reason for words in _DAMAGED)


def damage_of(database: str, reason: str) -> str:
    """What to say of a damaged database of which the ledger has everything.

    Args:
        database: Its file, or the SQLAlchemy URL of it.
        reason: What SQLite says.
    """
    file = database.removeprefix("sqlite:///")
    return f"{file} is damaged ({reason}): move it away and run the sweep again; it is made anew from the ledger"


def require_writable(folder: Path, remedy: str = "choose another folder with --mlruns") -> None:
    """Make a folder where it is missing, and see that it can be written.

    Raises:
        SweepError: If it cannot, with what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SweepError(f"{folder} cannot be written: {error.strerror}; {remedy}") from None
