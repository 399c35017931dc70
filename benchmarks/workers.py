"""Replications in worker processes, or in this process where one worker is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def mapped(
    workers: int, function: Callable[..., Any], *columns: Iterable[Any], prepare: Callable[[], object] | None = None
) -> Iterator[Any]:
    """Results of a function, in the order of its arguments.

    Args:
        workers: Number of processes; 1 for this process alone.
        function: Defined at the top of a module, where other processes find it.
        *columns: Arguments, as `map` takes them.
        prepare: Called first in each process.
    """
    if workers > 1:
        with ProcessPoolExecutor(workers, initializer=prepare) as pool:
            yield from pool.map(function, *columns)
        return
    if prepare is not None:
        prepare()
    yield from map(function, *columns)
