"""Thoughts in the ledger, also in ledgers that older versions made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key
from tests.sweeps.ledger.test_read_only import forbid_writing

KEY = Key("host", "digest", Prompt("Summarise."), {"think": True}, 1)
THINKING = Generation("Answer.", "stop", 12, 30, Timing(1.0), thought="So \0 it is.", thinking_tokens=20)


def old_ledger(path: Path) -> None:
    """A ledger as older versions made them: without the columns of thoughts, with one generation."""
    ledger = Ledger(path)
    ledger.generations.add(KEY, Generation("Old.", "stop", 12, 3, Timing(1.0)), model="m")
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        for column in ("thought", "thinking_tokens"):
            connection.execute(f"ALTER TABLE generations DROP COLUMN {column}")
        connection.commit()


def test_a_thought_comes_back_with_its_tokens(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.generations.add(KEY, THINKING, model="m")
    (entry,) = ledger.generations.find([KEY]).values()
    assert entry.generation == replace(THINKING, thought="So \ufffd it is.")
    ledger.close()


def test_texts_with_different_thoughts_are_different_draws(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    digests = {
        ledger.generations.add(
            replace(KEY, seed=seed), replace(THINKING, text="", thought=thought), model="m"
        ).text_sha256
        for seed, thought in enumerate(["one", "two", ""])
    }
    assert len(digests) == 3
    ledger.close()


def test_an_older_ledger_gets_the_columns_and_keeps_its_texts(tmp_path: Path) -> None:
    old_ledger(tmp_path / "ledger.db")
    for _ in range(2):
        ledger = Ledger(tmp_path / "ledger.db")
        (entry,) = ledger.generations.find([KEY]).values()
        assert (entry.generation.text, entry.generation.thought, entry.generation.thinking_tokens) == ("Old.", "", None)
        ledger.generations.add(replace(KEY, seed=2), THINKING, model="m")
        ledger.close()


def test_an_older_ledger_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_ledger(tmp_path / "ledger.db")
    before = (tmp_path / "ledger.db").read_bytes()
    forbid_writing(tmp_path, monkeypatch)
    ledger = Ledger(tmp_path / "ledger.db")
    assert next(iter(ledger.generations.find([KEY]).values())).generation.text == "Old."
    with pytest.raises(LedgerError, match="could not be written: attempt to write a readonly database"):
        ledger.generations.add(replace(KEY, seed=2), THINKING, model="m")
    ledger.close()
    assert (tmp_path / "ledger.db").read_bytes() == before
