"""Replications in a JSON Lines file, one a line: a run that was stopped goes on with the missing ones.

Importing this module sets one thread per process for libraries that are loaded afterwards, since replications run in
processes that share the cores.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

Record = dict[str, Any]
"""A replication: its `number`, its `budgets` and its findings."""


def read(path: Path, expected: Sequence[int] | None = None) -> list[Record]:
    """The replications of a file, by number; a line that was cut while it was written does not count.

    Args:
        path: The file; a missing file counts as an empty one.
        expected: The budgets that its records should have; by default any.

    Raises:
        SystemExit: If the file is of other budgets.
    """
    records: dict[int, Record] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        records[record["number"]] = record
        if expected is not None and record["budgets"] != list(expected):
            raise SystemExit(f"{path} holds budgets {record['budgets']}, not {list(expected)}; use another file")
    return [records[number] for number in sorted(records)]


def resume(
    path: Path, numbers: Sequence[int], expected: Sequence[int], make: Callable[[Sequence[int]], Iterable[Record]]
) -> Iterator[Record]:
    """Make the replications that a file lacks, and append each to it when it is finished.

    Args:
        path: The file.
        numbers: Numbers of the replications that are wanted.
        expected: See `read`.
        make: Makes replications, given their numbers.

    Yields:
        The missing ones, as they are finished.
    """
    done = {record["number"] for record in read(path, expected)}
    missing = [number for number in numbers if number not in done]
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if _is_cut(path) else "")
        for record in make(missing):
            file.write(json.dumps(record) + "\n")
            file.flush()
            yield record


def _is_cut(path: Path) -> bool:
    text = path.read_bytes() if path.exists() else b""
    return bool(text) and not text.endswith(b"\n")
