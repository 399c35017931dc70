"""`sweeps ui`: the MLflow UI on the runs, or Optuna's dashboard on the trials."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import click

from sweeps.addresses import without_password
from sweeps.cli.common import FolderPath, WholeRange, echo, terminable
from sweeps.errors import SweepError
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_store import STUDY, VIEW_KEY, TrackingError
from sweeps.tracking.moved_folder import mend_locations
from sweeps.workspace.sqlite_files import damage_of, is_damaged
from sweeps.workspace.workspace import DEFAULT_FOLDER, Workspace

START_SECONDS = 90.0
"""Seconds that the server may take to answer; on a slow machine MLflow imports for a long time."""


@click.command("ui")
@click.option("--mlruns", type=FolderPath(), help="Folder of the runs.  [default: mlruns]")
@click.option(
    "--port", type=WholeRange(1, 65535), default=5000, show_default=True, help="Port; a free one if this one is taken."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the URL as JSON.")
@click.option("--optuna", is_flag=True, help="Optuna's dashboard on the trials, instead of MLflow (extra `dashboard`).")
def ui(mlruns: Path | None, port: int, host: str, no_open: bool, as_json: bool, optuna: bool) -> None:
    """Open the MLflow UI on the runs, until Ctrl-C.

    If MLFLOW_TRACKING_URI is an http(s) address and --mlruns is not given, that server is opened instead.
    """
    workspace = Workspace.at(mlruns or DEFAULT_FOLDER)
    if optuna:
        _serve(_dashboard(workspace), host, _free_port(host, port), not no_open and sys.stdout.isatty(), as_json)
        return
    uri = workspace.runs_url if mlruns else mlflow_store.tracking_uri(workspace)
    launch = not no_open and sys.stdout.isatty()
    if mlflow_store.is_remote(uri):
        url = without_password(uri)
        _announce(url, uri, as_json)
        if launch:
            click.launch(url)
        return
    if uri.startswith("sqlite:///") and uri == workspace.runs_url and not workspace.runs_file.exists():
        raise TrackingError(
            f"{workspace.folder / workspace.runs_file.name}: no runs there yet; run a sweep first "
            "(`sweeps run FILE`), or name the folder with --mlruns"
        )
    mlflow_store.refuse_unusable(uri)
    mend_locations(workspace)
    _serve(_mlflow(uri, workspace), host, _free_port(host, port), launch, as_json)


@dataclass(frozen=True)
class _Server:
    """A server to start.

    Attributes:
        name: Its name in messages.
        uri: The store that it shows.
        command: The command with its arguments, given host and port.
        health: Path that it answers at.
        page: Returns the path of the page to open, given its address.
        environment: Further variables of its environment.
    """

    name: str
    uri: str
    command: Callable[[str, str], Sequence[str]]
    health: str
    page: Callable[[str], str]
    environment: tuple[tuple[str, str], ...] = ()


def _mlflow(uri: str, workspace: Workspace) -> _Server:
    store = ["--default-artifact-root", workspace.artifacts.as_uri()]

    def command(host: str, port: str) -> list[str]:
        return [sys.executable, "-m", "mlflow", "server", *store, "--host", host, "--port", port, "--workers", "1"]

    mlflow_store.prepare_environment()
    spares_a_process = ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    store_uri = ("MLFLOW_BACKEND_STORE_URI", uri)  # a password among the arguments could be read by every user
    return _Server("MLflow's UI", uri, command, "/health", newest_study, (spares_a_process, store_uri))


_SHOWN = "SWEEPS_SHOWN_TRIALS"
"""The variable with the URL of the trials: among the arguments every user of the machine could read its password."""


def _dashboard(workspace: Workspace) -> _Server:
    """Optuna's dashboard on the trials of a workspace.

    Raises:
        SweepError: If it is not installed, or there are no trials.
    """
    if find_spec("optuna_dashboard") is None:
        raise SweepError("Optuna's dashboard is not installed: pip install 'slm-sweeps[dashboard]'")
    uri = workspace.trials_url
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.exists():
        raise SweepError(f"{file}: no trials there yet; run a sweep first (`sweeps run FILE`), or name --mlruns")
    start = (
        "import os, sys, optuna_dashboard as d;"
        f" d.run_server(os.environ['{_SHOWN}'], host=sys.argv[1], port=int(sys.argv[2]))"
    )
    return _Server(
        "Optuna's dashboard", uri, lambda host, port: [sys.executable, "-c", start, host, port], "/dashboard/",
        lambda _: "/dashboard/", ((_SHOWN, uri),),
    )  # fmt: skip


def _announce(url: str, uri: str, as_json: bool) -> None:
    if as_json:
        echo(json.dumps({"url": url, "store": without_password(uri)}))
    else:
        echo(url)


def _free_port(host: str, wanted: int) -> int:
    """Return the port, or a free one if it is taken.

    Raises:
        TrackingError: If the address is not one of this machine.
    """
    for port in (wanted, 0):
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
                found = int(probe.getsockname()[1])
        except OSError as error:
            reason = error
            continue
        if port != wanted:
            echo(f"port {wanted} is taken; using {found}", err=True)
        return found
    raise TrackingError(f"--host {host}: cannot listen there ({reason.strerror or reason})")


def _serve(shown: _Server, host: str, port: int, launch: bool, as_json: bool) -> None:
    command, environment = shown.command(host, str(port)), os.environ | dict(shown.environment)
    named = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    url = f"http://{named}:{port}"
    echo(f"starting {shown.name} ...", err=True)
    with tempfile.TemporaryFile() as log:
        # in its own session: Ctrl-C then reaches this process, which ends the server and its workers in order
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        with terminable():
            try:
                _wait(server, url, log, shown)
                url += shown.page(url)
                _announce(url, shown.uri, as_json)
                echo("Ctrl-C ends it", err=True)
                if launch:
                    click.launch(url)
                if server.wait() != 0:
                    raise SweepError(f"{shown.name} ended by itself: {_tail(log, shown.uri)}")
            except KeyboardInterrupt:
                echo("ended", err=True)
            finally:
                _end(server)


def _wait(server: subprocess.Popen[bytes], url: str, log: IO[bytes], shown: _Server) -> None:
    """Wait until the server answers.

    Raises:
        SweepError: If it ends or does not answer in time, with its last message.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SweepError(f"{shown.name} could not start: {_tail(log, shown.uri)}")
        try:
            with _direct.open(f"{url}{shown.health}", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SweepError(f"{shown.name} did not answer within {START_SECONDS:.0f} s: {_tail(log, shown.uri)}")


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach ports of this machine


def newest_study(url: str) -> str:
    """Ask the server for the latest study; returns the path of its table of runs, "" if there is none."""
    query = {"max_results": 1, "filter": f"tags.`{STUDY}` != ''", "order_by": ["last_update_time DESC"]}
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/experiments/search",
        data=json.dumps(query).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with _direct.open(request, timeout=10) as answer:
            found = json.load(answer).get("experiments") or []
    except (OSError, ValueError):
        return ""
    if not found:
        return ""
    return f"/#/experiments/{found[0]['experiment_id']}/runs?workflowType=machine_learning&viewStateShareKey={VIEW_KEY}"


_CAUSE = re.compile(r"[\w.]*(Error|Exception)\b.*: ")


def _tail(log: IO[bytes], uri: str) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    causes = [line for line in lines if _CAUSE.match(line)]  # SQLAlchemy's own last line is a link
    cause = next(reversed(causes or lines), "it said nothing")[:500]
    return damage_of(uri, cause) if is_damaged(cause) and uri.startswith("sqlite:///") else cause


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers."""
    for name in ("SIGTERM", "SIGKILL"):
        try:
            if hasattr(os, "killpg"):
                os.killpg(server.pid, getattr(signal, name))
            else:  # Windows
                server.kill()
        except (ProcessLookupError, PermissionError):
            break
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
