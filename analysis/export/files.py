"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from analysis.files.unfinished import remove_abandoned, unfinished


def write_together(files: Mapping[Path, str | bytes | Iterable[str]], *, private: bool = False) -> list[Path]:
    """Write files, texts as UTF-8, each beside its place first, and move them there once all of them are on disk.

    A reader sees an old file or a new one, never half of one. Folders are made where missing. What a
    killed process left of one of these files is removed.

    Args:
        files: Text or bytes by path; a long text may come in parts.
        private: Only the owner may read a new file; an existing one keeps its mode.

    Returns:
        The paths, in order.

    Raises:
        OSError: If a file cannot be written; then nothing of ours is left behind, and an old file that had not been
            replaced yet stays as it was.
    """
    parts = {path: unfinished(path) for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(path)
            mode = 0o600 if private else 0o666
            with open(parts[path], "wb", opener=partial(os.open, mode=mode)) as stream:
                stream.writelines(_encoded(content))
                stream.flush()
                os.fsync(stream.fileno())
            if private and path.exists():
                parts[path].chmod(path.stat().st_mode & 0o777)
        for path, part in parts.items():
            os.replace(part, path)
    except OSError:
        for part in parts.values():
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        raise
    return list(files)


def _encoded(content: str | bytes | Iterable[str]) -> Iterable[bytes]:
    """Encode texts. They come from models: a lone surrogate is written as its escape instead of stopping the file."""
    if isinstance(content, bytes):
        return [content]
    return (part.encode("utf-8", "backslashreplace") for part in ([content] if isinstance(content, str) else content))
