"""Tracking against its suite: MLflow on SQLite and PostgreSQL, no tracking, and stores that fail."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sweeps.config.file import parse_config
from sweeps.results.result import SweepResult
from sweeps.tracking import mlflow_store
from sweeps.tracking.logbook import Logbook
from sweeps.workspace.workspace import Workspace
from tests.conformance.tracking import StoredRun, TrackingSuite, UnusableStoreSuite, Warnings
from tests.sweeps.sweep_files import run, write_sweep

_number = count()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one local store for all tests: MLflow takes seconds to make it."""
    return tmp_path_factory.mktemp("tracking") / "mlruns"


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """A finished sweep that was not logged."""
    return run(write_sweep(tmp_path_factory.mktemp("swept"), cases=2, budget={"generations": 44}))


@pytest.fixture
def result(swept: SweepResult, monkeypatch: pytest.MonkeyPatch) -> SweepResult:
    """That sweep, as a study whose name no other test has."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    name = f"study-{next(_number)}"
    monkeypatch.setattr(type(swept), "name", property(lambda _: name))
    return swept


def logbook_of(result: SweepResult, directory: Path, uri: str, progress: Warnings, *, enabled: bool = True) -> Logbook:
    text = result.config.text.replace('"name" = "t"', f'"name" = "{result.name}"')
    assert result.name in text
    config = parse_config(text + f'\ntracking = {{uri = "{uri}"}}\n' * bool(uri), result.config.path)
    return Logbook(Workspace.at(directory), config, enabled=enabled, report=False, progress=progress)


def runs_of(uri: str, study: str) -> dict[str, StoredRun]:
    """All runs of a study that are not deleted."""
    client = mlflow_store.connect(uri)
    experiment = client.get_experiment_by_name(study)
    found = [] if experiment is None else client.search_runs([experiment.experiment_id])
    names = [each.info.run_name.removeprefix("confirm: ") for each in found]
    assert len(set(names)) == len(names)
    return {name: _stored(client, each) for name, each in zip(names, found, strict=True)}


def _stored(client: Any, found: Any) -> StoredRun:
    scores = client.get_metric_history(found.info.run_id, "score")
    tags = {name: value for name, value in found.data.tags.items() if not name.startswith("mlflow.")}
    return StoredRun(found.info.status, found.data.params, tags, tuple(point.value for point in scores))


class TestSqlite(TrackingSuite):
    """MLflow on the local store."""

    @pytest.fixture
    def uri(self, folder: Path) -> str:
        return Workspace.at(folder).runs_url

    @pytest.fixture
    def open_logbook(self, result: SweepResult, folder: Path) -> Callable[[Warnings], Logbook]:
        return lambda progress: logbook_of(result, folder, "", progress)

    @pytest.fixture
    def stored(self, result: SweepResult, uri: str) -> Callable[[], dict[str, StoredRun]]:
        return lambda: runs_of(uri, result.name)


@pytest.fixture(scope="session")
def postgres_store(postgres_server) -> str:
    """One database for all tests: MLflow takes seconds to fill it."""
    return postgres_server.url(postgres_server.new_database())


@pytest.mark.postgres
class TestPostgres(TestSqlite):
    """MLflow on PostgreSQL, artifacts in the local folder."""

    @pytest.fixture
    def uri(self, postgres_store: str) -> str:
        return postgres_store

    @pytest.fixture
    def open_logbook(self, result: SweepResult, tmp_path: Path, uri: str) -> Callable[[Warnings], Logbook]:
        return lambda progress: logbook_of(result, tmp_path, uri, progress)


class TestDisabled(TrackingSuite):
    """Tracking that is switched off: nothing is written."""

    keeps = False

    @pytest.fixture
    def open_logbook(self, result: SweepResult, tmp_path: Path) -> Callable[[Warnings], Logbook]:
        return lambda progress: logbook_of(result, tmp_path, "", progress, enabled=False)

    @pytest.fixture
    def stored(self, tmp_path: Path) -> Callable[[], dict[str, StoredRun]]:
        def stored() -> dict[str, StoredRun]:
            assert list(tmp_path.iterdir()) == []
            return {}

        return stored


class TestStoreThatBreaks(TestSqlite):
    """The local store, whose table of runs is gone after the start."""

    keeps, fails = False, True

    @pytest.fixture
    def rename(self, folder: Path) -> Iterator[Callable[[str, str], None]]:
        def rename(name: str, to: str) -> None:
            with closing(sqlite3.connect(Workspace.at(folder).runs_file)) as database:
                database.execute(f"ALTER TABLE {name} RENAME TO {to}")

        yield rename
        if "runs_gone" in tables(Workspace.at(folder).runs_file):
            rename("runs_gone", "runs")

    @pytest.fixture
    def after_start(self, rename: Callable[[str, str], None]) -> Callable[[], object]:
        return lambda: rename("runs", "runs_gone")

    @pytest.fixture
    def stored(
        self, result: SweepResult, folder: Path, uri: str, rename: Callable[[str, str], None]
    ) -> Callable[[], dict[str, StoredRun]]:
        def stored() -> dict[str, StoredRun]:
            gone = "runs_gone" in tables(Workspace.at(folder).runs_file)
            if gone:
                rename("runs_gone", "runs")
            found = runs_of(uri, result.name)
            if gone:
                rename("runs", "runs_gone")
            return found

        return stored


def tables(database_file: Path) -> set[str]:
    if not database_file.exists():
        return set()
    with closing(sqlite3.connect(database_file)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master")}


class Refuses(BaseHTTPRequestHandler):
    """Answers every request with an error page."""

    def do_GET(self) -> None:
        self.send_error(500)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


class TestServerThatFails(TrackingSuite):
    """A tracking server that answers with errors, and one that takes connections and never answers."""

    keeps, fails = False, True

    @pytest.fixture(params=["error page", "hangs"])
    def port(self, request: pytest.FixtureRequest) -> Iterator[int]:
        if request.param == "hangs":
            with socket.create_server(("127.0.0.1", 0)) as listening:
                yield listening.getsockname()[1]
            return
        server = HTTPServer(("127.0.0.1", 0), Refuses)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
        server.server_close()

    @pytest.fixture
    def open_logbook(
        self, result: SweepResult, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[Warnings], Logbook]:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        uri = f"http://someone:secret@127.0.0.1:{port}"
        return lambda progress: logbook_of(result, tmp_path, uri, progress)

    @pytest.fixture
    def stored(self) -> Callable[[], dict[str, StoredRun]]:
        return dict

    def test_the_warnings_name_the_way_to_write_the_runs_later(
        self, begun: tuple[Logbook, Warnings], result: SweepResult
    ) -> None:
        logbook, warnings = begun
        self.log(logbook, result, -1)
        logbook.finish(result)
        first, last = warnings.warnings
        assert "The sweep goes on" in first
        assert last.endswith(f"sweeps track {result.name}")
        assert "secret" not in first + last


class TestDamagedStore(UnusableStoreSuite):
    """A file in the place of the local store that is no database."""

    @pytest.fixture
    def open_logbook(self, result: SweepResult, tmp_path: Path) -> Callable[[Warnings], Logbook]:
        Workspace.at(tmp_path).runs_file.write_text("no database, but long enough to be read " * 50)
        return lambda progress: logbook_of(result, tmp_path, "", progress)
