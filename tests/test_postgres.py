"""The PostgreSQL server of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests import postgres
from tests.postgres import Server

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_an_empty_database(postgres_url: str, _: int) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
        connection.execute(text("CREATE TABLE left_behind (id integer)"))
    # its connection stays open in the pool: the database is dropped all the same


def test_a_wrong_password_is_refused(postgres_server: Server, postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace(postgres_server.password, "wrong"))
    with pytest.raises(OperationalError, match="password authentication failed"):
        engine.connect()


def test_a_server_leaves_neither_process_nor_folder(postgres_server: Server) -> None:
    other = Server(postgres_server.binaries)
    assert other.port != postgres_server.port
    process = other._process
    other.stop()
    assert process is not None
    assert process.returncode == 0
    assert not other.folder.exists()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_absent_binaries_skip_the_tests_and_fail_them_in_ci(monkeypatch, ci: str, outcome) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(postgres, "find_binaries", lambda: None)
    fixture = postgres.postgres_server.__wrapped__()  # type: ignore[attr-defined]
    with pytest.raises(outcome, match="not installed"):
        next(fixture)


def test_debians_newest_version_is_taken(monkeypatch, tmp_path: Path) -> None:
    versions = [tmp_path / number / "bin" / "initdb" for number in ("9.6", "15", "17")]
    monkeypatch.setattr(postgres.shutil, "which", lambda name: None)
    monkeypatch.setattr(postgres.Path, "glob", lambda self, pattern: iter(versions))
    assert postgres.find_binaries() == tmp_path / "17" / "bin"
