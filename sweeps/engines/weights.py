"""A hash of a served model's weights that does not depend on how a version of Ollama writes the file.

From version to version Ollama rewrites a GGUF when it makes a model: one file then has unequal digests on two hosts,
though the tensors are the same. Where the file is on this machine, the modelfile's FROM line names it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from sweeps.engines import gguf

LARGEST = 20_000_000_000
"""Bytes of the largest file that is read: 9 GB took 27 s of processor time, so this takes about a minute, once."""

_ANNOUNCED = 2_000_000_000
_KEPT = 200
_FROM = re.compile(r"^FROM\s+(?P<path>.*sha256[-:](?P<sha256>[0-9a-f]{64}))\s*$", re.MULTILINE)


def blob_sha256(modelfile: str) -> str | None:
    """Return the SHA-256 of the file with the weights, from the modelfile's first FROM line; None without one."""
    found = _FROM.search(modelfile)
    return found["sha256"] if found else None


def tensors_sha256(modelfile: str) -> str | None:
    """Return `gguf.content_sha256` of the file of a modelfile's first FROM line.

    The file's name holds the hash of its content, so a file of that name is the right one even if the server runs
    elsewhere. It is read once; later calls, also of other processes, find the result in the user's cache folder.

    Returns:
        64 hex digits; None where the file is not on this machine, cannot be read, is no GGUF, or is too large.
    """
    found = _FROM.search(modelfile)
    for path in _places(found["path"], found["sha256"]) if found else ():
        with suppress(OSError, gguf.NoGguf):
            if path.stat().st_size <= LARGEST:
                return _known(path) or _read(path)
    return None


def _places(named: str, sha256: str) -> list[Path]:
    """Return where the file can be: as the server says, or in this user's own store."""
    own = os.environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models"
    return [Path(named), Path(own, "blobs", f"sha256-{sha256}")]


def _read(path: Path) -> str:
    size = path.stat().st_size
    if size >= _ANNOUNCED:
        print(f"reading the {size / 1e9:.1f} GB of the model's weights, once, to compare hosts by them",
              file=sys.stderr, flush=True)  # fmt: skip
    value = gguf.content_sha256(path)
    _keep(path, value)
    return value


def _store() -> Path:
    return user_cache_path("slm-sweeps", appauthor=False) / "weights.json"


def _key(path: Path) -> str:
    """Return the file's name, size and change time; not its folder, which may name a person."""
    stat = path.stat()
    return f"{path.name} {stat.st_size} {stat.st_mtime_ns}"


def _kept() -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads(_store().read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return kept
    return {}


def _known(path: Path) -> str | None:
    value = _kept().get(_key(path))
    return value if isinstance(value, str) else None


def _keep(path: Path, value: str) -> None:
    """Write a result to the cache; of two processes that do so at once, one may have to read its file again later."""
    with suppress(OSError):
        store = _store()
        store.parent.mkdir(parents=True, exist_ok=True)
        kept = {**_kept(), _key(path): value}
        with tempfile.NamedTemporaryFile("w", dir=store.parent, delete=False, encoding="utf-8") as file:
            json.dump(dict(list(kept.items())[-_KEPT:]), file)
        Path(file.name).replace(store)
