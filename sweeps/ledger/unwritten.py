"""Observations and scores of a running study that are not in the ledger yet."""

from __future__ import annotations

import time

from sweeps.ledger.ledger import Ledger
from sweeps.ledger.observations import Added, Score

WRITE_SECONDS = 1.0
"""Observations wait this long at most for others to be written with them."""


class Unwritten:
    """Observations and scores on their way to the ledger, which takes many of them in one transaction.

    They follow from texts that the ledger has already: a run that is killed in between makes them again.

    Args:
        study: The study's name.
        ledger: The ledger.
        wait: Seconds that they may wait; 0 where a score is dear, as that of a model.

    Attributes:
        observed: The observations.
        scores: The scores.
    """

    def __init__(self, study: str, ledger: Ledger, *, wait: float = WRITE_SECONDS) -> None:
        self._study, self._ledger, self._wait = study, ledger, wait
        self.observed: list[Added] = []
        self.scores: list[Score] = []
        self._written = time.monotonic()

    def write_if_due(self) -> None:
        """Write what has waited long enough."""
        if time.monotonic() - self._written >= self._wait:
            self.write()

    def write(self) -> None:
        """Write everything."""
        observed, scores = self.observed[:], self.scores[:]
        self.observed.clear()
        self.scores.clear()
        self._ledger.observations.add_all(self._study, observed, scores)
        self._written = time.monotonic()
