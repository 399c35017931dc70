"""The baseline of a sweep on real servers' versions: the model's own parameters, then the server's defaults."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.check.checker import check_sweep
from sweeps.cli import run_command
from sweeps.config.sweep_config import SweepConfig
from sweeps.options import Configuration, default_options
from sweeps.results.reader import load_result
from sweeps.study import sweep as sweep_module
from sweeps.study.identity import StudyChangedError
from tests.doubles.ollama import Model, OllamaDouble
from tests.marks import long
from tests.sweeps.sweep_files import run, write_sweep

PARAMETERS = {"temperature": 0.2, "top_k": 10, "repeat_penalty": 1.3, "stop": ["<|im_end|>"]}


VERSIONS = ["0.33.0-rc2", "0.6.8"]
NEWEST = pytest.mark.parametrize("server", [VERSIONS[0], long(VERSIONS[1])], indirect=True)
"""For whole sweeps; what the versions differ in is shown by `check`, and by one sweep on each with `-m long`."""


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[OllamaDouble]:
    with OllamaDouble(version=request.param) as double:
        double.models["tuned"] = Model(parameters=PARAMETERS)
        yield double


def sweep_of(folder: Path, server: OllamaDouble, **changes: Any) -> Path:
    tables: dict[str, Any] = {
        "engine": {"kind": "ollama", "host": server.url, "options": None},
        "baseline": {"model": "tuned", "temperature": None},
        "space": {"temperature": [0.2, 1.4]},
        "search": {"sampler": "random", "probe": False},
        "budget": {"generations": 40, "floor_seeds": 2},
        **changes,
    }
    return write_sweep(folder, cases=2, **tables)


def sent(server: OllamaDouble) -> list[dict[str, Any]]:
    """Options of all generations, without warm-ups."""
    bodies = [body for body in server.bodies() if body["messages"]]
    return [body["options"] for body in bodies if body["options"]["num_predict"] != 1]


@NEWEST
def test_a_sweep_from_its_models_parameters(
    tmp_path: Path, server: OllamaDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sweep_of(tmp_path, server)
    where = ["--mlruns", str(tmp_path / "mlruns")]
    assert run_command(["check", str(path), *where, "--json"]) == 0
    checked = {row["name"]: (row["value"], row["source"]) for row in json.loads(capsys.readouterr().out)["options"]}
    assert checked["temperature"] == (0.2, "model")
    assert checked["stop"] == (["<|im_end|>"], "model")
    assert checked["top_p"] == (0.9, f"server default ({server.version})")
    measured = "measured" if server.version == "0.33.0-rc2" else server.version
    assert checked["num_ctx"] == (4096, f"server default ({measured})")
    assert checked["num_predict"] == (512, "ours (the server's is no limit)")
    assert run_command(["run", str(path), *where, "--json", "--no-tracking"]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["baseline_sources"]["repeat_penalty"] == "model"
    for options in sent(server):
        assert (options["top_k"], options["repeat_penalty"], options["stop"]) == (10, 1.3, ["<|im_end|>"])
    result = load_result(tmp_path / "mlruns")
    assert result.baseline.options["temperature"] == 0.2
    assert result.config.baseline_sources["temperature"] == "model"
    page = (result.folder / "report.html").read_text()
    assert "<td>temperature</td>" in page
    assert ">set by sweeps (the server&#39;s is no limit)</td>" in page
    requests, loads = len(sent(server)), server.loads
    again = run(path)
    assert (len(sent(server)), again.baseline) == (requests, result.baseline)
    assert server.loads <= loads + 1, "nothing is measured for a study that has its baseline"


def test_a_default_of_the_server_that_moved(tmp_path: Path, server: OllamaDouble) -> None:
    server.models["tuned"] = Model()
    report = check_sweep(sweep_of(tmp_path, server), mlruns=tmp_path / "mlruns")
    penalty = next(option for option in report.options if option.name == "repeat_penalty")
    assert penalty.value == (1.0 if server.version == "0.33.0-rc2" else 1.1)
    assert sent(server)[0]["repeat_penalty"] == penalty.value


@NEWEST
def test_a_study_of_an_older_version_goes_on_with_the_baseline_that_it_began_with(
    tmp_path: Path, server: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions took whatever the file leaves out from a table of ours, and kept no sources."""

    def as_before(config: SweepConfig, *_: object) -> tuple[SweepConfig, tuple[str, ...]]:
        return config, ()

    path = sweep_of(tmp_path, server)
    with monkeypatch.context() as older:
        older.setattr(sweep_module, "settled_baseline", as_before)
        before = run(path)
    assert before.baseline == Configuration("tuned", "brief", default_options())
    with sqlite3.connect(tmp_path / "mlruns" / "ledger.db") as database:
        (text,) = database.execute("SELECT record FROM studies").fetchone()
        record = json.loads(text)
        del record["baseline_sources"], record["tracked"]
        database.execute("UPDATE studies SET sha256 = NULL, record = ?, status = 'stopped'", [json.dumps(record)])
    database.close()
    requests = len(sent(server))
    after = run(path)
    assert len(sent(server)) == requests
    assert (after.baseline, after.verdict) == (before.baseline, before.verdict)
    assert after.config.baseline_sources["temperature"] == "ours"
    with pytest.raises(StudyChangedError, match=r"baseline\.temperature: stored 0\.8, now 0\.3"):
        run(sweep_of(tmp_path, server, baseline={"model": "tuned", "temperature": 0.3}))


def test_two_hosts_with_unequal_versions_are_named(tmp_path: Path, server: OllamaDouble) -> None:
    with OllamaDouble(version="0.32.15") as other:
        other.models["tuned"] = Model(parameters={"temperature": 0.7})
        hosts = {"kind": "ollama", "hosts": [server.url, other.url], "options": None}
        report = check_sweep(sweep_of(tmp_path, server, engine=hosts), mlruns=tmp_path / "mlruns")
    row = next(row for row in report.rows if row.name == "baseline")
    assert row.state == "warning"
    assert f"model tuned on {other.url} uses other values" in row.found
    assert "temperature 0.7 (the baseline has 0.2)" in row.found
