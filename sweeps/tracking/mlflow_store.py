"""MLflow's store: its URI, the environment that MLflow reads at import, and checks that fail fast.

Importing MLflow takes seconds, so this module imports it only where it is used, mostly in `connect`.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sweeps.addresses import server_address, without_password
from sweeps.errors import SweepError
from sweeps.workspace.destinations import require_permission
from sweeps.workspace.postgres import making_tables
from sweeps.workspace.sqlite_files import (
    cause_of,
    damage_in,
    damage_of,
    is_damaged,
    is_locked,
    lock_of,
    place_database,
)
from sweeps.workspace.workspace import Workspace, require_writable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STUDY = "slm_sweeps.study"
VIEW_KEY = "scores"

PRELOAD = "preload"
"""Name of the threads that import MLflow and open its store."""

_ENVIRONMENT = {
    # usage telemetry is off unless the user set this variable to false
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # traces would have it fetch a list of prices; the models of a sweep have none
    "MLFLOW_MODEL_CATALOG_URI": "",
    # the terminal belongs to the sweep's own progress, stdout to its results
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # by default a lost server would delay the sweep for minutes per call; `Tracker.sync` logs later what failed
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class TrackingError(SweepError):
    """MLflow's store cannot be used."""


class ServerAwayError(TrackingError):
    """An MLflow server does not answer, which may pass: a sweep goes on without it."""


def prepare_environment() -> None:
    """Set the variables that MLflow reads when it is imported; values that the user set stay."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def tracking_uri(workspace: Workspace, configured: str | None = None) -> str:
    """The tracking store's URI: MLFLOW_TRACKING_URI, else the configured one, else the workspace's own store.

    Raises:
        ConfigError: If the configured one needs a permission that it does not have.
    """
    if given := os.environ.get("MLFLOW_TRACKING_URI", "").strip():
        return given
    if configured:
        require_permission(configured, workspace.folder, "tracking.uri (or name it with MLFLOW_TRACKING_URI)")
    return configured or workspace.runs_url


def is_remote(uri: str) -> bool:
    """Whether a tracking URI is an HTTP server."""
    return uri.startswith(("http://", "https://"))


def unreachable(uri: str, timeout: float = 3.0) -> str | None:
    """Reason why an HTTP tracking server cannot be reached; None if something listens there, or for a database."""
    if not is_remote(uri):
        return None
    try:
        parts = urlsplit(uri)
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        socket.create_connection(address, timeout=timeout).close()
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


_SCHEMES = ("file", "databricks", "databricks-uc", "uc", "http", "https", "postgresql", "mysql", "sqlite", "mssql")


def refuse_unusable(uri: str) -> None:
    """Refuse a store that cannot be used, as far as that is visible without importing MLflow.

    Raises:
        TrackingError: If it is no address, MLflow does not know its kind, nothing answers, or its file is damaged.
    """
    try:
        urlsplit(uri)
    except ValueError as error:
        raise TrackingError(
            f"MLflow's store {without_password(uri)} is no address ({error}); correct tracking.uri (or the variable "
            "MLFLOW_TRACKING_URI), or leave it out to keep the runs in a local file"
        ) from None
    scheme, found, _ = uri.partition("://")
    plugins = (entry.name for entry in entry_points(group="mlflow.tracking_store"))
    if found and scheme.partition("+")[0] not in (*_SCHEMES, *plugins):
        raise TrackingError(
            f"MLflow's store {without_password(uri)}: MLflow knows no {scheme}://; write tracking.uri (or the variable "
            f"MLFLOW_TRACKING_URI) with one of {', '.join(_SCHEMES)}, or leave it out to keep the runs in a local file"
        )
    if reason := unreachable(uri):
        raise ServerAwayError(
            f"MLflow's tracking server {without_password(uri)} does not answer ({reason}); start it, or unset "
            "MLFLOW_TRACKING_URI and tracking.uri to keep the runs in a local file"
        )
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and path.is_file():
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
                database.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            if is_damaged(str(error)):
                raise unusable(uri, "opened", error) from None


def check_writable(workspace: Workspace) -> None:
    """Make the workspace's folder and that of its artifacts, and check that files can be written there.

    Raises:
        TrackingError: If they cannot.
    """
    try:
        for folder in (workspace.folder, workspace.artifacts):
            require_writable(folder, "mend that, or name another directory with --mlruns")
    except SweepError as error:
        raise TrackingError(f"MLflow's store: {error}") from None


def connect(uri: str) -> MlflowClient:
    """Import MLflow quietly and open a client on a store, making the database of a local store that has none.

    Raises:
        TrackingError: If nothing answers, or the store cannot be opened.
    """
    refuse_unusable(uri)
    prepare_environment()
    go_without_proxy(uri)
    with warnings.catch_warnings():  # MLflow's imports warn about matters that do not concern the user
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks, which reach us as exceptions
    try:
        if uri.startswith("sqlite:///"):
            _make_database(uri)
        with making_tables(uri):
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
    except Exception as error:
        if not is_failure(error, uri):
            raise
        raise unusable(uri, "opened", error) from None
    _opened.add(uri)
    return client


def go_without_proxy(uri: str) -> None:
    """Add a tracking server on this machine to NO_PROXY of this process; MLflow would ask a proxy for it."""
    try:
        place = server_address(uri)
    except ValueError:
        return
    if is_remote(uri) and place.is_loopback:
        named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if place.host not in named.split(","):
            os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [named, place.host]))


def unusable(uri: str, verb: str, error: Exception) -> TrackingError:
    """The error for a store that cannot be used; `verb` is `opened`, `read` or `written`."""
    shown, reason = without_password(uri), first_line(error)
    if is_remote(uri):
        return ServerAwayError(f"MLflow's tracking server {shown} cannot be {verb}: {reason}")
    if trouble := _trouble(uri, reason):
        return TrackingError(f"MLflow's store {trouble}")
    return TrackingError(f"MLflow's store {shown} cannot be {verb}: {reason}")


def _trouble(uri: str, reason: str) -> str:
    """Return what is wrong with a local store and what to do, where a failure says so; "" otherwise."""
    file = uri.removeprefix("sqlite:///")
    if file == uri:
        return ""
    if is_locked(reason):
        return lock_of(uri, reason)
    return damage_of(uri, reason) if is_damaged(reason) or damage_in(Path(file)) else ""


def delete_artifact(uri: str, run: Run, path: str) -> None:
    """Delete a file or folder among a run's artifacts; MLflow's client has no method for it."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(run.info.artifact_uri, tracking_uri=uri)
    repository.delete_artifacts(path)


def _make_database(uri: str) -> None:
    """Make a local store's database where it is missing, which is slow: MLflow runs all its migrations on it."""
    from mlflow import MlflowClient

    def make(url: str) -> None:
        MlflowClient(tracking_uri=url).search_experiments(max_results=1)

    place_database(Path(uri.removeprefix("sqlite:///")), make)


def preload(uri: str | None, first: Sequence[str] = ()) -> threading.Thread:
    """Import MLflow and make the local database in the background, so that a later `connect` is fast.

    Failures are ignored here, since `connect` reports them.

    Args:
        uri: The store; None for the import of the modules alone.
        first: Modules to import before MLflow, because they are needed earlier.
    """

    def work() -> None:
        for name in first:
            import_module(name)
        with suppress(TrackingError):
            if uri is not None:
                connect(uri)

    return in_background(work)


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Start a thread that the end of the process does not wait for."""
    thread = threading.Thread(target=work, name=PRELOAD, daemon=True)
    thread.start()
    return thread


def failures() -> tuple[type[Exception], ...]:
    """Exceptions that a store may raise in use: a lost server, a full disk, a locked database."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # NotImplementedError: a store without traces, prompts or data sets
    return (MlflowException, SQLAlchemyError, OSError, NotImplementedError)


_opened = set[str]()
"""The stores that this process has opened."""


def is_failure(error: Exception, uri: str | None = None) -> bool:
    """Whether an exception is one of `failures`, or any other from a damaged local store.

    Args:
        error: The exception.
        uri: The store; by default any that was opened.
    """
    if isinstance(error, (TrackingError, *failures())):
        return True
    if isinstance(error, SweepError):
        return False
    stores = _opened if uri is None else {uri}
    return any(damage_in(Path(each.removeprefix("sqlite:///"))) for each in stores if each.startswith("sqlite:///"))


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, or of SQLite's error behind it, without passwords in URLs."""
    error = error if isinstance(error, SweepError) else cause_of(error)
    text = str(error).strip() or type(error).__name__
    return " ".join(without_password(text.splitlines()[0]).split())[:400]


class FailureNote:
    """A context manager that turns a failure of the store into a sentence in a list.

    Args:
        sentence: The sentence, to which the reason is added.
        warnings: The list.
    """

    def __init__(self, sentence: str, warnings: list[str]) -> None:
        self._sentence = sentence
        self._warnings = warnings

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or not is_failure(error):
            return False
        reason = first_line(error)
        known = isinstance(error, TrackingError) or not (is_locked(reason) or is_damaged(reason))
        troubles = () if known else (_trouble(uri, reason) for uri in _opened)
        self._warnings.append(f"{self._sentence}: {next(filter(None, troubles), reason)}")
        return True
