import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest
from click.testing import CliRunner

from sweeps.cli import ui as module
from sweeps.cli.ui import ui
from sweeps.tracking.mlflow_store import TrackingError
from sweeps.tracking.mlflow_tracker import Tracker
from sweeps.workspace.workspace import Workspace
from tests.sweeps.tracking.tracked import BASELINE, CASES, CONFIG, FINGERPRINT, rows, texts_of


@pytest.fixture(autouse=True)
def no_server_configured(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def run(*arguments):
    return CliRunner().invoke(ui, list(map(str, arguments)))


def test_no_runs_yet(tmp_path):
    result = run("--mlruns", tmp_path / "mlruns")
    assert isinstance(result.exception, TrackingError)
    assert "no runs there yet" in str(result.exception)
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize("uri", ["http://tracking.example.com:5000", "https://user:secret@tracking.example.com"])
def test_a_configured_server_is_only_named(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    result = run()
    assert result.exit_code == 0
    assert result.stdout.strip() == uri.replace("user:secret@", "")
    assert json.loads(run("--json").stdout)["url"] == uri.replace("user:secret@", "")


def test_a_folder_that_is_named_wins_over_the_configured_server(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example.com")
    assert isinstance(run("--mlruns", tmp_path).exception, TrackingError)


def test_a_taken_port_is_replaced_by_a_free_one(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = module._free_port("127.0.0.1", port)
    assert found != port
    assert f"port {port} is taken; using {found}" in capsys.readouterr().err
    assert module._free_port("127.0.0.1", found) == found


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(TrackingError, match="cannot listen"):
        module._free_port("192.0.2.7", 5000)


def test_a_server_that_cannot_start_says_why(tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_text("x")
    monkeypatch.setattr(module.sys, "executable", shutil.which("false"))
    result = run("--mlruns", tmp_path, "--no-open")
    assert "could not start" in str(result.exception)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ui") / "mlruns"
    tracker = Tracker("pump summaries", directory, Workspace.at(directory).runs_url)
    tracker.start(CONFIG, "", [FINGERPRINT], CASES, BASELINE)
    observations = rows({"pump": [0.1, 0.3]})
    tracker.log_configuration(-1, BASELINE, observations, texts_of(observations))
    tracker.finish(verdict={"outcome": "better"})
    assert tracker.warnings == []
    return tracker


@pytest.fixture(scope="module")
def running(study):
    """The command in a process of its own; gives its URL and the process."""
    code = "from sweeps.cli.ui import ui; ui()"
    arguments = ["--mlruns", str(study.workspace.folder), "--port", "5099", "--no-open"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process.stdout.readline().strip(), process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)


def test_the_command_serves_the_store_and_ends_on_ctrl_c(running, study):
    url, process = running
    base, _, view = url.partition("/#/")
    assert view == f"experiments/{study.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey=scores"
    query = json.dumps({"experiment_ids": [study.experiment_id]}).encode()
    request = urllib.request.Request(
        f"{base}/api/2.0/mlflow/runs/search", data=query, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        names = {found["info"]["run_name"] for found in json.load(answer)["runs"]}
    assert names == {"pump summaries", "baseline"}
    servers = psutil.Process(process.pid).children(recursive=True)
    assert servers
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert psutil.wait_procs(servers, timeout=10)[1] == []
    assert "Traceback" not in process.stderr.read()
