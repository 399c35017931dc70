"""Logs of Inspect (`inspect eval`): `.eval` files, or JSON logs.

An `.eval` file is a zip file: `header.json` has model, task and settings, `summaries.json` the scores of all samples.
An interrupted one has parts of the latter under `_journal/summaries/`. Its members are packed with Zstandard.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.files.records import parse_json
from analysis.sources.answer import Answer, facts_of

if sys.version_info >= (3, 14):
    import zipfile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError, zipfile

ENDINGS = (".eval", ".json")
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_ZSTANDARD)
_BROKEN = (
    zipfile.BadZipFile, ZstdError, zlib.error, json.JSONDecodeError,
    KeyError, EOFError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""Exceptions of a zip file that is damaged or of another shape."""

_LARGEST = 1 << 28
"""Bytes that any packed log may have unpacked; larger ones at most a hundred times their packed size."""


def answers(path: Path) -> Iterator[Answer]:
    """Yield the samples of one log: case is the sample's id, repeat its epoch.

    Raises:
        ValueError: The file is no log of Inspect.
    """
    header, samples = _packed(path) if path.suffix == ".eval" else _plain(path)
    about = header["eval"]
    settings = {
        **facts_of(about.get("task_args_passed") or about.get("task_args") or {}),
        **facts_of(about.get("model_generate_config") or {}),
        **facts_of((header.get("plan") or {}).get("config") or {}),
        **{
            f"solver {i}": str(step.get("solver", ""))
            for i, step in enumerate((header.get("plan") or {}).get("steps", []), 1)
        },
    }
    for name in ("max_connections", "max_retries", "timeout", "seed"):
        settings.pop(name, None)  # these say how, not what
    facts = {"model": str(about.get("model", "")), **settings}
    run = str(about.get("eval_id") or about.get("run_id") or path.name)
    task = str(about.get("task", ""))
    for sample in samples:
        scores = {name: _value(entry) for name, entry in (sample.get("scores") or {}).items()}
        yield Answer(
            run, facts, str(sample["id"]), _single(scores), int(sample.get("epoch", 1)), task,
            failed=bool(sample.get("error")) or not scores,
        )  # fmt: skip


def _packed(path: Path) -> tuple[Mapping[str, Any], list[Any]]:
    try:
        with zipfile.ZipFile(path) as log:
            if (size := sum(entry.file_size for entry in log.infolist())) > max(_LARGEST, 100 * path.stat().st_size):
                raise ValueError(f"it unpacks to {size / 2**20:.0f} MB, which no log of its size does")
            if other := [entry.filename for entry in log.infolist() if entry.compress_type not in _PACKINGS]:
                raise ValueError(f"it is no .eval log of Inspect: {other[0]!r} is packed in an unusual way")
            names = log.namelist()
            header = json.loads(log.read("header.json" if "header.json" in names else "_journal/start.json"))
            if "summaries.json" in names:
                return header, json.loads(log.read("summaries.json"))
            parts = sorted((n for n in names if n.startswith("_journal/summaries/")), key=lambda n: (len(n), n))
            return header, [sample for part in parts for sample in json.loads(log.read(part))]
    except _BROKEN as error:
        raise ValueError(f"it is no .eval log of Inspect: {error}") from None


def _plain(path: Path) -> tuple[Mapping[str, Any], list[Any]]:
    log = parse_json(path.read_bytes(), str(path))
    if not isinstance(log, Mapping) or "eval" not in log or "samples" not in log:
        raise ValueError("it is no log of Inspect with samples (`eval` and `samples` are missing)")
    return log, log["samples"] or []


def _value(entry: Any) -> Any:
    """Return a score's value; several values by name stay a mapping."""
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _single(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return scores of which each has one value: a scorer with several gives `scorer.name` for each."""
    out: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            out.update({f"{name}.{inner}": each for inner, each in value.items()})
        else:
            out[name] = value
    return out
