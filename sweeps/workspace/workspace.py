"""Where the files of sweeps are."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sweeps.errors import SweepError


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
