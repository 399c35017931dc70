"""Databases that libraries make, put in place at one stroke."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from sweeps.search.trial_store import StoredTrials
from sweeps.workspace import sqlite_files as folders
from sweeps.workspace.sqlite_files import damage_in, place_database
from tests.sweeps.forks import fail_at_once, needs_fork


def make(url: str, *, text: str = "made") -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        database.execute("CREATE TABLE notes (text)")
        database.execute("INSERT INTO notes VALUES (?)", [text])


def note(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return str(database.execute("SELECT text FROM notes").fetchone()[0])


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def refuse(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_a_database_is_placed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    place_database(tmp_path / "x.db", make)
    assert names(tmp_path) == ["x.db"]
    assert note(tmp_path / "x.db") == "made"
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("mine")
    place_database(tmp_path / "x.db", lambda _: pytest.fail("made again"))
    assert (tmp_path / "x.db").read_text() == "mine"


@pytest.mark.parametrize("links", [True, False])
def test_the_first_of_two_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse)

    def overtaken(url: str) -> None:
        make(url)
        make(f"sqlite:///{tmp_path / 'x.db'}", text="the other process's")

    place_database(tmp_path / "x.db", overtaken)
    assert names(tmp_path) == ["x.db"]
    assert note(tmp_path / "x.db") == "the other process's"


def test_threads_make_one(tmp_path: Path) -> None:
    made: list[str] = []

    def slow(url: str) -> None:
        made.append(url)
        time.sleep(0.02)
        make(url)

    threads = [threading.Thread(target=place_database, args=(tmp_path / "x.db", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert note(tmp_path / "x.db") == "made"


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionError):
        place_database(tmp_path / "x.db", refuse)
    assert names(tmp_path) == []

    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        place_database(tmp_path / "x.db", make)
    assert names(tmp_path) == []
    assert folders._making.acquire(blocking=False)
    folders._making.release()


@pytest.mark.slow
@needs_fork
def test_processes_that_open_new_trials_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.search.trial_store.place_database", place_database)  # in place of copies of a database
    StoredTrials("first", f"sqlite:///{tmp_path / 'first.db'}")  # imports for all children
    for attempt in range(4):
        storage = f"sqlite:///{tmp_path / str(attempt)}.db"
        assert fail_at_once(lambda number, storage=storage: StoredTrials(f"study {number}", storage)) == []


@pytest.mark.parametrize(("reason", "damage"), [("unable to open database file", False), ("no such table: x", True)])
def test_a_file_that_may_not_be_read_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, damage: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(reason)

    (tmp_path / "x.db").write_text("")
    monkeypatch.setattr(sqlite3, "connect", fail)
    assert damage_in(tmp_path / "x.db") == (reason if damage else "")
