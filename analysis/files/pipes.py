"""Paths whose reading may never end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_MEANT = ("/dev/stdin", "/dev/fd/", "/proc/")
"""Where pipes are meant: another command's output, as by `|` and `<(command)`."""


def is_endless(path: str | Path) -> bool:
    """Whether a path is a named pipe, a socket or a device; standard input and a shell's `<(command)` are meant."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or os.path.abspath(path).startswith(_MEANT))


ENDLESS = "is a pipe or a device, not a file; reading it may never end"
"""What is wrong with such a path."""
