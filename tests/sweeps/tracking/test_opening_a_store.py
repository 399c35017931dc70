"""The place of a store, and what is said where it cannot be used."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pandas as pd
import pytest

from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.tracking import mlflow_store
from sweeps.tracking.mlflow_tracker import Tracker, TrackingError
from sweeps.workspace.workspace import Workspace
from tests.sweeps.tracking.tracked import (
    BASELINE,
    FINGERPRINT,
    TUNED,
    artifact,
    begin,
    children_of,
    client_of,
    rows,
    texts_of,
)


def test_environment_wins_over_the_configured_uri(monkeypatch, tmp_path):
    assert Tracker("s", tmp_path).uri == f"sqlite:///{tmp_path.resolve().as_posix()}/mlflow.db"
    assert Tracker("s", tmp_path, "postgresql://db/x").uri == "postgresql://db/x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert Tracker("s", tmp_path, "postgresql://db/x").uri == "http://127.0.0.1:9"


def test_telemetry_is_off_unless_the_user_turned_it_on(monkeypatch):
    for name in mlflow_store._ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    mlflow_store.prepare_environment()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_LOGGING_LEVEL"] == "DEBUG"
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    mlflow_store.prepare_environment()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


def test_importing_the_tracker_does_not_import_mlflow():
    code = "import sys, sweeps.tracking.mlflow_tracker, sweeps.cli.ui; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.long  # of what `sweeps run` prints: `test_run.test_run_as_a_newcomer_does_with_tracking_and_report`
def test_the_terminal_stays_quiet(tmp_path):
    """A new database, a run, a child and an end, in a process of their own."""
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from sweeps.tracking.mlflow_tracker import Tracker\n"
        "from tests.sweeps.tracking.tracked import *\n"
        "t = Tracker('quiet', Path(sys.argv[1])); begin(t)\n"
        "t.log_configuration(-1, BASELINE, rows({'pump': [.1, .2]})); t.finish(verdict={'outcome': 'better'})\n"
        "from mlflow.telemetry.utils import is_telemetry_disabled; assert is_telemetry_disabled()\n"
        "assert t.warnings == []\n"
    )
    new = tmp_path / "new"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", code, new], capture_output=True, text=True, env=environment, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in new.iterdir())
    assert [name for name in names if not name.startswith("mlflow.db-")] == [
        "artifacts",
        "mlflow.db",
    ]
    with sqlite3.connect(new / "mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_folder_that_cannot_be_written(tmp_path):
    file = tmp_path / "mlruns"
    file.write_text("a file")
    with pytest.raises(TrackingError, match="cannot be written"):
        begin(Tracker("s", file))


def test_a_database_that_is_none(tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at " * 50)
    with pytest.raises(TrackingError, match="is damaged"):
        begin(Tracker("s", tmp_path))


def test_a_server_that_is_down_is_told_at_once(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{port}")
    with pytest.raises(TrackingError, match="does not answer") as error:
        begin(Tracker("s", tmp_path))
    assert "secret" not in str(error.value)


@pytest.fixture
def server(tmp_path):
    """A real MLflow server, and a way to end it early."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow_store.connect(Workspace.at(tmp_path).runs_url)  # faster than the server makes it
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *(
            "--backend-store-uri",
            Workspace.at(tmp_path).runs_url,
            "--artifacts-destination",
            str(tmp_path / "remote"),
        ),
    ]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(tmp_path / "server.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def end():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    try:
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", end
    finally:
        end()


@pytest.mark.slow
def test_a_real_server_that_goes_away_during_the_sweep(tmp_path, server):
    url, end = server
    tracker = Tracker("remote", tmp_path / "local", url)
    run_id = begin(tracker)
    observations = rows({"pump": [0.1, 0.3], "deploy": [0.5, 0.5]})
    child = tracker.log_configuration(-1, BASELINE, observations, texts_of(observations))
    found = children_of(tracker)["baseline"]
    assert found.info.run_id == child
    assert found.data.metrics["mean"] == pytest.approx(0.35)
    assert len(client_of(tracker).get_metric_history(child, "score")) == 4
    assert json.loads(artifact(tracker, child, "observations.json"))["columns"][0] == "case"
    assert Fingerprint.from_json(artifact(tracker, run_id, "fingerprint.json")) == FINGERPRINT
    assert not (tmp_path / "local").exists()
    end()
    tuned = rows({"pump": [0.5]}, configuration=TUNED, trial=0)
    assert tracker.log_configuration(0, TUNED, tuned) is None
    lost = tracker.sync(pd.concat([observations, tuned]), {BASELINE.key: BASELINE, TUNED.key: TUNED})
    assert [" ".join(sentence.split()[:2]) for sentence in lost] == ["trial 00", "the runs"]  # the baseline is there
    tracker.finish(verdict={"outcome": "better"}, html="<p>")
    assert [warning.partition(" was not ")[0] for warning in tracker.warnings] == [
        *("trial 00", "the verdict", "report.html", "the verdict", "the export", "the parent run")
    ]
    assert "does not answer" in tracker.warnings[-1]


@pytest.mark.parametrize(("before", "after"), [("", "127.0.0.1"), ("box, lab", "box, lab,127.0.0.1")])
def test_a_tracking_server_on_this_machine_needs_no_proxy(monkeypatch, before, after):
    import requests

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, before)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    mlflow_store.go_without_proxy("http://192.0.2.1:5000")
    assert os.environ["NO_PROXY"] == before
    for _ in range(2):
        mlflow_store.go_without_proxy("http://127.0.0.1:5000")
        assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == after
    assert requests.utils.get_environ_proxies("http://127.0.0.1:5000/api") == {}
