"""`sweeps probe` and `sweeps check` from the command line."""

import json

import pytest

from sweeps.cli import run_command
from sweeps.probes.result import ProbeCost
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.sweep_files import write_sweep


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def server():
    with OllamaDouble() as double:
        yield double


def test_probe_of_a_server(server, capsys):
    assert run_command(["probe", "--host", server.url, "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    verdicts = {option["option"]: option["verdict"] for option in out["options"]}
    assert verdicts | dict.fromkeys(["mirostat", "mirostat_tau", "mirostat_eta", "repeat_last_n"], "inert") == verdicts
    alive = ["seed", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "num_ctx", "num_predict"]
    assert verdicts | dict.fromkeys(alive, "alive") == verdicts
    assert next(o for o in out["options"] if o["option"] == "num_ctx")["effective"] == 512
    assert (out["model"], out["engine"]) == ("smollm2:135m", "ollama")


def test_table_with_explanations_and_reuse(server, capsys):
    arguments = ["probe", "--host", server.url, "-o", "mirostat", "-o", "top_k"]
    assert run_command(arguments) == 0
    first = capsys.readouterr()
    assert "generations of 24 tokens" in first.err
    assert "v0.7.0" in first.out.replace("\n", " ")
    sent = len(server.bodies())
    assert run_command(arguments) == 0
    assert len(server.bodies()) == sent
    assert "2 of 2 were probed earlier" in capsys.readouterr().out
    assert run_command([*arguments, "--again"]) == 0
    assert len(server.bodies()) > sent


def test_beside_other_values(server, capsys):
    assert run_command(["probe", "--host", server.url, "-o", "top_k", "--set", "temperature=0", "--json"]) == 0
    (option,) = json.loads(capsys.readouterr().out)["options"]
    assert option["verdict"] == "inert"
    assert "greedy" in option["why"]


def test_of_a_sweeps_file(tmp_path, capsys):
    path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}})
    assert run_command(["probe", str(path), "-o", "top_p", "-o", "temperature", "--json"]) == 0
    found = {option["option"]: option["verdict"] for option in json.loads(capsys.readouterr().out)["options"]}
    assert found == {"top_p": "inert", "temperature": "alive"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "temprature=1"], "temperature"),
        (["--set", "top_k=x"], "'x' is not a whole number\n"),
        (["--set", "top_k=40.0"], "'40.0' is not a whole number (write 40)"),
        (["--set", "top_k=4.5"], "'4.5' is not a whole number\n"),
        (["--set", "temperature=hot"], "'hot' is not a number\n"),
        (["--set", "temperature=0,5"], "'0,5' is not a number (write 0.5)"),
        (["--set", "top_p=3"], "at most 1"),
        (["-o", "topk"], "top_k"),
    ],
)
def test_what_is_wrong_is_told(server, capsys, arguments, told):
    assert run_command(["probe", "--host", server.url, *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_time_that_is_known_is_one_number():
    cost = ProbeCost(low=4, high=9, loads=0)
    assert cost.time_text(0.001).endswith("probing takes about 1 s")
    assert cost.time_text(1.0).endswith("probing takes about 4 to 9 s")


def test_a_file_names_its_engine(tmp_path, capsys):
    assert run_command(["probe", str(write_sweep(tmp_path)), "--engine", "scripted"]) == 2
    assert "--engine" in capsys.readouterr().err


def test_several_models_have_to_be_chosen_from(capsys):
    with OllamaDouble(models={"a:1b": "1" * 64, "b:2b": "2" * 64}) as double:
        assert run_command(["probe", "--host", double.url]) == 2
    assert "a:1b, b:2b" in capsys.readouterr().err


class TestCheck:
    def test_ready(self, tmp_path, capsys):
        assert run_command(["check", str(write_sweep(tmp_path)), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["state"], report["record"]) == ("ready", "check")
        assert {row["state"] for row in report["checks"]} == {"ready"}
        assert {"loads", "prefill_seconds", "decode_seconds", "seconds"} <= set(report["time"])

    def test_blocked_is_2_and_says_what_to_do(self, tmp_path, capsys):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}})
        assert run_command(["check", str(path), "--quiet"]) == 0
        assert "sweeps run" in capsys.readouterr().out
        assert run_command(["check", str(path), "--strict"]) == 2
        out = capsys.readouterr().out
        assert "blocked" in out
        assert "--strict" in out

    def test_run_is_strict_as_well(self, tmp_path, capsys):
        path = write_sweep(tmp_path, engine={"options": {"inert": ["top_p"]}})
        assert run_command(["run", str(path), "--strict", "--no-tracking"]) == 2
        assert "space.top_p" in capsys.readouterr().err
