"""A ledger for the threads of several hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sweeps.ledger import Ledger


class LedgerInTurns(Ledger):
    """A ledger whose writes take turns within this process.

    SQLite takes one writer at a time, and a writer that finds it taken sleeps and looks again, longer each time: with
    four hosts that cost each answer three times what writing it does. Here the next one starts at once.

    Args:
        url: As for `Ledger`.

    Raises:
        LedgerError: As `Ledger` does.
    """

    def __init__(self, url: str | Path) -> None:
        self._turn = threading.RLock()
        super().__init__(url)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        with self._turn if what == "written" else nullcontext(), super()._told(what):
            yield
