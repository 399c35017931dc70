"""A PostgreSQL server for the tests: started on first use, one per test process, stopped by its process id.

The binaries are those on PATH or of Debian's package `postgresql`. Where they are absent, the tests that need them are
skipped; with CI=true in the environment they fail. The server runs as the user `postgres` when the tests run as root,
listens on 127.0.0.1 only and asks for a password that is drawn for each session.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

USER = "sweeps"
STARTUP_SECONDS = 60
ATTEMPTS = 5  # another process can take the free port before the server does
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


class Server:
    """A running PostgreSQL server in a folder of its own."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.password = secrets.token_hex(16)
        self.folder = Path(tempfile.mkdtemp(prefix="sweeps-postgres-"))
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._initialise()
            self._start()
        except BaseException:
            self.stop()
            raise

    def _command(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the binaries, as the user `postgres` where this process is root's; output goes to `log`."""
        owner = "postgres" if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self.binaries / name), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                user=owner,
                group=owner,
                extra_groups=[] if owner else None,
            )

    def _initialise(self) -> None:
        (self.folder / "password").write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        made = self._command(
            "initdb", "--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256",
            f"--username={USER}", f"--pwfile={self.folder / 'password'}", f"--pgdata={self.folder / 'data'}",
        )  # fmt: skip
        if made.wait():
            raise RuntimeError(f"initdb failed: {self._log()}")

    def _start(self) -> None:
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        for _ in range(ATTEMPTS):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self._process = self._command(
                "postgres",
                "-D",
                str(self.folder / "data"),
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-k",
                "",
                *settings,
            )
            if self._answers():
                return
        raise RuntimeError(f"PostgreSQL did not start: {self._log()}")

    def _answers(self) -> bool:
        """Whether the server takes connections; false as soon as its process has ended."""
        assert self._process is not None
        end = time.monotonic() + STARTUP_SECONDS
        while self._process.poll() is None:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return True
        return False

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def execute(self, statement: str) -> None:
        """Run a statement that cannot stand in a transaction, such as CREATE DATABASE."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def new_database(self) -> str:
        """The name of a new, empty database.

        It orders texts as English does, as most databases do, so that tests see what depends on the order of bytes.
        """
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
        return name

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database, password included."""
        return f"postgresql+psycopg://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """End the server, its connections first, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)  # its immediate shutdown
                self._process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: the one on PATH, otherwise Debian's newest."""
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


def _absent() -> str:
    """Why no server can be started here; empty where one can."""
    if find_binaries() is None:
        return "PostgreSQL's binaries are not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "PostgreSQL does not run as root, and there is no user `postgres`"
    return ""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of this test process."""
    if reason := _absent():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    binaries = find_binaries()
    assert binaries is not None
    server = Server(binaries)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped after the test with every connection to it."""
    database = postgres_server.new_database()
    yield postgres_server.url(database)
    postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")
