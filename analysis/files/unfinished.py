"""Names of files until they are complete, and those that were never completed because their process was killed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import zlib
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

_PROCESS = re.compile("[0-9]{1,9}")


def unfinished(path: Path) -> Path:
    """Return a name beside a file, for its content until it is complete; no other writer uses it."""
    return path.with_name(f"{_beginning(path)}{os.getpid()}-{uuid4().hex[:8]}.part")


def remove_abandoned(path: Path) -> None:
    """Remove incomplete versions of a file or folder whose process on this machine was killed."""
    for part in abandoned(path):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def abandoned(path: Path) -> list[Path]:
    """Return incomplete versions of a file or folder whose process on this machine was killed."""
    beginning, found = _beginning(path), list[Path]()
    with suppress(OSError):
        for part in path.parent.iterdir():
            pid = part.name.removeprefix(beginning).partition("-")[0]
            if (
                part.name.startswith(beginning)
                and part.suffix == ".part"
                and _PROCESS.fullmatch(pid)
                and not _runs(pid)
            ):
                found.append(part)
    return found


def _beginning(path: Path) -> str:
    machine = zlib.crc32(platform.node().encode())
    return f".{path.name}.{machine:08x}-"


def _runs(pid: str) -> bool:
    import psutil  # only where something is left

    return bool(psutil.pid_exists(int(pid)))
