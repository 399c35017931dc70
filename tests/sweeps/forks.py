"""Processes that do the same at the same moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from sweeps.tracking.mlflow_store import PRELOAD

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="needs fork, so that processes begin at the same moment"
)

COUNT = 4


def wait_for_imports() -> None:
    """Let imports in the background end."""
    for thread in threading.enumerate():
        if thread.name == PRELOAD:
            thread.join()


def fail_at_once(work: Callable[[int], object]) -> list[int]:
    """Let processes begin a piece of work at the same moment; it is told its number.

    Returns:
        The numbers of those in which it raised.
    """
    start, children = time.monotonic() + 0.05, []
    for number in range(COUNT):
        child = os.fork()
        if not child:
            try:
                while time.monotonic() < start:
                    pass
                work(number)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    return [number for number, child in enumerate(children) if os.waitpid(child, 0)[1]]
