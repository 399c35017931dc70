"""The ledger on SQLite files; `tests/conformance/ledger.py` has what every ledger must do."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeps.engines.base import Prompt
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.ledger.study_record import StudyRecord
from tests.conformance.ledger import KEY, generation
from tests.sweeps.forks import fail_at_once, needs_fork


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger.db")
    yield made
    made.close()


def rows(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def test_the_key_holds_all_that_the_text_depends_on() -> None:
    others = [
        dataclasses.replace(KEY, **change)
        for change in (
            {"fingerprint": "f2"},
            {"model_digest": "m2"},
            {"prompt": Prompt("user")},
            {"prompt": Prompt("user2", "system")},
            {"options": {"temperature": 0.6, "top_k": 40}},
            {"options": {"temperature": 0.5}},
            {"seed": 8},
            {"repeat": 1},
        )
    ]
    assert len({key.sha256 for key in [KEY, *others]}) == 9
    assert dataclasses.replace(KEY, options={"top_k": 40, "temperature": 0.5}).sha256 == KEY.sha256


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("this is not a database, however long the text is" * 50)
    with pytest.raises(LedgerError, match="could not be opened: file is not a database; the file is damaged"):
        Ledger(path)
    assert path.read_text().startswith("this is not")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="check that its folder exists"):
        Ledger(tmp_path / "nowhere" / "ledger.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://me:secret@db:port/x", "cannot be read"),
        ("://me:secret@db", "cannot be read"),
        ("postgresql+psycopg://me:a@secret@db/x", "write it as %40"),
        ("unknown://db/x?user=me&password=secret", "unknown://db/x could not be opened"),
        ("unknown://me:sec/secret@db:1/x", "unknown://db:1/x could not be opened"),
        ("unknown://me:a secret@db/x", r"use SQLite \(leave the URL out\) or PostgreSQL"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, words: str) -> None:
    with pytest.raises(LedgerError, match=words) as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


def test_odd_characters_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c%20d"
    folder.mkdir()
    ledger = Ledger(folder / "ledger.db")
    ledger.generations.add(KEY, generation(), model="m")
    ledger.close()
    assert rows(folder / "ledger.db", "generations") == 1


def test_a_full_disk_is_told_and_keeps_what_is_there(ledger: Ledger, tmp_path: Path) -> None:
    ledger.generations.add(KEY, generation("kept"), model="m")
    with ledger._database._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    ledger.close()
    full = Ledger(tmp_path / "ledger.db")
    sa_event(full, f"PRAGMA max_page_count = {pages}")
    words = r"could not be written: database or disk is full; .* free space"
    with pytest.raises(LedgerError, match=words) as caught:
        full.generations.add(dataclasses.replace(KEY, seed=100), generation("x" * 1_000_000), model="m")
    assert caught.value.exit_code == 2
    full.close()
    again = Ledger(tmp_path / "ledger.db")
    assert again.generations.find([KEY])[KEY.sha256].generation.text == "kept"
    again.close()


def sa_event(ledger: Ledger, pragma: str) -> None:
    """Run a pragma on every connection that the ledger opens."""
    import sqlalchemy as sa

    ledger._database._engine.dispose()
    sa.event.listen(ledger._database._engine, "connect", lambda connection, _: connection.execute(pragma))


@pytest.mark.slow
@needs_fork
def test_processes_that_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.db"
        assert fail_at_once(lambda _, path=path: Ledger(path).close()) == []
        assert rows(path, "info") == 1


def test_the_disk_is_waited_for_with_texts_and_not_with_what_follows_from_them(tmp_path: Path) -> None:
    """FULL waits for the disk at each commit, NORMAL leaves it to the next commit that does."""
    ledger = Ledger(tmp_path / "ledger.db")
    at_commit: list[int] = []
    sa.event.listen(
        ledger._database._engine, "commit", lambda c: at_commit.append(c.exec_driver_sql("PRAGMA synchronous").scalar())
    )
    normal, full = 1, 2

    def waited(write: Callable[[], object]) -> int:
        at_commit.clear()
        write()
        return at_commit[-1]

    entry = ledger.generations.add(KEY, generation(), model="m")
    assert at_commit == [full]
    place = Place("floor", -1, "h", "c", 1)
    assert waited(lambda: ledger.observations.add_scores([(entry.id, "o", "r", 0.5, {})])) == normal
    assert waited(lambda: ledger.observations.add("s", place, configuration="k", generation=entry.id)) == normal
    assert waited(lambda: ledger.studies.add("s", identity={}, config="", record=StudyRecord())) == full
    assert waited(lambda: ledger.studies.update("s", lambda record: record)) == full
    assert waited(lambda: ledger.generations.add_failure(KEY, study="s", kind="x", message="y")) == full
    ledger.close()
