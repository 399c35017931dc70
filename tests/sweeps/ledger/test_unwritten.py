"""Observations on their way to the ledger: a batch takes as many statements, whatever its size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.ledger.unwritten import Unwritten
from tests.conformance.ledger import KEY, generation


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent to any database."""
    sent: list[str] = []

    def note(*given: object) -> None:
        sent.append(str(given[2]))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_observations_wait_for_others_and_are_written_together(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, now = ledger.generations.add(KEY, generation(), model="m"), time.monotonic()
    monkeypatch.setattr("sweeps.ledger.unwritten.time.monotonic", lambda: now)
    unwritten = Unwritten("s", ledger)
    counts = []
    for count in (1, 2, 24):
        for seed in range(count):
            unwritten.observed.append((Place("explore", count, "h", "c", seed), "k", entry.id, ""))
            unwritten.scores.append((entry.id, "o", f"r{count}-{seed}", 0.5, {}))
            unwritten.write_if_due()
        before = ledger.observations.count("s")
        now += 1.0
        with statements() as sent:
            unwritten.write_if_due()
        assert ledger.observations.count("s") == before + count
        counts.append(len(sent))
    assert len(ledger.observations.scores([entry.id], "o")) == 27
    assert len(set(counts)) == 1
    with statements() as sent:
        unwritten.write()
    assert sent == []  # nothing is left


def test_nothing_waits_where_scores_are_dear(ledger: Ledger) -> None:
    unwritten = Unwritten("s", ledger, wait=0.0)
    unwritten.observed.append((Place("floor", -1, "h", "c", 1), "k", None, "timed out"))
    unwritten.write_if_due()
    assert [row["error"] for row in ledger.observations.of_study("s")] == ["timed out"]
