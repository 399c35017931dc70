"""`sweeps audit` from the command line, on doubles of the article's three machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweeps import audit
from sweeps.audits.record import read_record
from sweeps.cli import run_command
from sweeps.cli.audit import _Shown
from sweeps.cli.common import stderr_console
from sweeps.tracking import audit_runs
from tests.doubles.ollama import OllamaDouble
from tests.doubles.three_machines import MODEL, three_machines


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("OLLAMA_HOST", "OLLAMA_MODEL", "OLLAMA_TEMPERATURE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """The words, the exit status, and the outputs of a full audit of the three machines."""
    out = tmp_path_factory.mktemp("three") / "three.json"
    with three_machines() as machines:
        words = [
            "audit",
            "--model",
            MODEL,
            *machines.options,
            "--mlruns",
            str(out.parent),
            "--out",
            str(out),
            "--no-tracking",
        ]
        status = run_command([*words, "--no-tracking", "--json", "--require", "same-quality"])
    return status, out


def test_the_articles_machines_end_to_end(three):
    status, out = three
    record = read_record(out)
    found = audit(from_=[record])
    assert record.labels == ["wk-01", "mbp", "wk-02"]
    assert sum(len(host.answers) for host in record.hosts) <= 300
    assert status == 1  # texts of one model score so unevenly that twelve seeds show no equal quality
    rows = found.ladder.set_index(["host_b", "mode", "rung"])
    for other in ("mbp", "wk-02"):
        assert rows.loc[(other, "production", "same-seed texts"), "finding"] == "differs"
        assert rows.loc[(other, "baseline", "same-seed texts"), "figure"] == 1
        assert rows.loc[(other, "", "numerics"), "finding"] == "same"
    own = found.experiments.set_index(["host", "mode", "experiment", "arm"])["identical"]
    for host in ("wk-01", "wk-02"):
        assert own[host, "production", "api path", "/v1, its defaults"] == 0
        assert own[host, "production", "api path", "/v1, all it takes"] == 1
        assert own[host, "production", "num_ctx", "changed and back"] == 0
        assert own[host, "baseline", "num_ctx", "changed and back"] == 1
    assert own["mbp", "production", "api path", "native"] == 0


def test_the_tables_of_records_are_shown_without_a_host(three, capsys):
    _, out = three
    assert run_command(["audit", "--from", str(out), "--no-tracking"]) == 0
    shown = capsys.readouterr().out
    for text in (
        "Ollama 0.13.5",
        "OpenAI-compatible (/v1)",
        "same-seed texts",
        "num_ctx; num_thread; num_batch; num_gpu on mbp: /v1",
    ):
        assert text in shown
    (folder,) = Path("mlruns/audits").iterdir()
    assert folder.name.startswith("qwen2.5-14b-2")
    assert "wk-01" in (folder / "audit.html").read_text()
    assert read_record(folder / "audit.json") == read_record(out)
    assert (folder / "advice" / "wk-01" / "baseline.env").exists()
    assert run_command(["audit", "--from", str(out), "--json", "--no-tracking", "--require", "identical"]) == 1
    shown = capsys.readouterr()
    assert {row["host"] for row in json.loads(shown.out)["experiments"]} == {"wk-01", "mbp", "wk-02"}
    assert "wk-01 and mbp: identical is not met" in shown.err
    assert run_command(["audit", "--from", str(out), "--model", "other:1b"]) == 2
    assert "the records of --from are of qwen2.5:14b" in capsys.readouterr().err


def test_the_tables_are_readable_on_80_columns(three, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out = three
    assert run_command(["audit", "--from", str(out), "--no-tracking"]) == 0
    shown = capsys.readouterr().out
    tables = shown.partition("One thing changed")[2].partition("Not done")[0]
    assert max(map(len, tables.splitlines())) <= 80
    for words in ("first run: cold", "same-seed texts", "distribution of", "0% (0% to 19%)", "wk-01 and mbp, from"):
        assert words in tables
    assert " repeat: again" not in tables  # no text changed


def test_what_changed_since_an_earlier_audit(three, capsys, tmp_path):
    _, out = three
    text = out.read_text().replace('"0.13.5"', '"0.17.4"')
    (tmp_path / "now.json").write_text(text)
    assert run_command(["audit", "--from", "now.json", "--against", str(out), "--json", "--no-tracking"]) == 0
    found = {each["host"]: each for each in json.loads(capsys.readouterr().out)["since_last"]}
    assert any("0.13.5" in line for line in found["wk-01"]["changes"])
    assert not found["mbp"]["changes"]


def test_an_audit_is_logged_to_mlflow_and_compared_with_the_last_one_there(three, capsys, monkeypatch):
    _, out = three
    logged = []
    monkeypatch.setattr(audit_runs, "log_audit", lambda uri, report, page, artifacts: logged.append((uri, page)))
    monkeypatch.setattr(audit_runs, "last_audit", lambda uri, record: record if logged else None)
    words = ["audit", "--from", str(out), "--against", "last", "--json"]
    assert run_command(words) == 0
    shown = capsys.readouterr()
    assert "no earlier audit" in shown.err
    ((uri, page),) = logged
    assert uri.startswith("sqlite:///")
    assert page == Path(json.loads(shown.out)["page"]).read_text()
    assert run_command([*words, "--no-tracking"]) == 0
    assert {each["host"] for each in json.loads(capsys.readouterr().out)["since_last"]} == {"wk-01", "mbp", "wk-02"}
    assert len(logged) == 1


def test_the_cost_is_shown_before_and_the_time_left_after_the_first(capsys):
    with OllamaDouble(version="0.33.0-rc2") as server:
        assert (
            run_command(["audit", "--model", "smollm2:135m", "--host", f"a={server.url}", "--quick", "--no-tracking"])
            == 0
        )
    shown = capsys.readouterr().err
    assert "17 generations (a 17), and 18 requests for one token" in shown
    assert shown.index("17 generations") < shown.index("1 of 17 generations, about")
    assert Path("mlruns/ledger.db").exists()


def test_generations_beyond_the_plan_are_those_of_bisections(capsys):
    shown = _Shown(stderr_console(), quiet=False, bisect=True)
    shown.plan({"a": 1}, 2)
    for _ in range(2):
        shown._told = 0.0
        shown.advance("a", 1.0)
    text = capsys.readouterr().err
    assert "requests for one token; then bisections, 100 to 250 generations a pair" in text
    assert text.endswith("1 generations of bisections\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "http://one:1", "--model", "m"], "is no NAME=URL"),
        (["--require", "identical", "--host", "a=http://127.0.0.1:9", "--model", "m"], "no answer from"),
        (["--from", "none.json"], "none.json: cannot be read"),
        (["sweep.toml"], "sweep.toml: no such file"),
        (["--host", "a=http://127.0.0.1:9"], "--model: is missing"),
        (["--require", "similar"], "similar"),
        (["--host", "a=http://127.0.0.1:9", "--model", "m", "--change", "topk=5"], "did you mean 'top_k'"),
    ],
)
def test_faults_are_named_and_nothing_is_left_behind(words, message, capsys):
    assert run_command(["audit", *words]) in (2, 3)
    assert message in capsys.readouterr().err
    assert not Path("mlruns").exists()
