"""Models that the server runs elsewhere get no prompt unless that is allowed, on every way to a prompt."""

import pytest

from sweeps.cli import run_command
from sweeps.engines.base import Prompt
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.remote_models import RemoteModel, is_cloud_name, remote_host
from sweeps.engines.spec import EngineSpec
from sweeps.scoring.engine_models import EngineModels
from tests.doubles.ollama import Model, OllamaDouble
from tests.sweeps.sweep_files import toml, write_cases

ELSEWHERE = "https://ollama.com:443"
OPTIONS = {"num_ctx": 1024, "num_predict": 8, "seed": 1}
NAMES = ("big:120b", "kimi-k2:cloud", "gpt-oss:120b-cloud")


@pytest.fixture
def server():
    models = {
        "big:120b": Model(remote_host=ELSEWHERE, remote_model="big"),
        "kimi-k2:cloud": "1" * 64,
        "gpt-oss:120b-cloud": "2" * 64,
        "smollm2:135m": "3" * 64,
        "mycloud:1b": "4" * 64,
    }
    with OllamaDouble(models=models, embeddings=True) as double:
        yield double


def prompts(server):
    """Requests with a prompt in them."""
    return [
        path
        for path, _ in server.requests
        if path in ("/api/chat", "/api/generate", "/api/embed", "/v1/chat/completions")
    ]


def test_names():
    for name in ("kimi-k2:cloud", "gpt-oss:120b-cloud", "someone/kimi:1t-cloud"):
        assert is_cloud_name(name)
    for name in (
        "cloud",
        "cloud:1b",
        "qwen3:8b",
        "my-cloud",
        "host:5000/my-cloud:latest",
        ":cloud",
        "thundercloud:cloudy",
    ):
        assert not is_cloud_name(name)


def test_facts():
    assert remote_host("a:1b", {"details": {}}, {}) is None
    assert remote_host("a:1b", {}, {"remote_host": "https://me:secret@x.example"}) == "https://x.example"
    assert remote_host("a:1b", {"remote_model": "b"}) == "a server that it does not name"
    assert remote_host("a:cloud", {"remote_host": "https://x.example"}) == "https://x.example"
    assert remote_host("a:cloud", {"remote_host": ""}) == "ollama.com"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [OllamaEngine, OpenAIEngine])
def test_nothing_is_sent(server, kind, name):
    engine = kind(server.url)
    prompt = Prompt("A secret.")
    ways = [lambda: engine.generate(prompt, OPTIONS, model=name), lambda: engine.identify(name)]
    if kind is OllamaEngine:
        ways += [
            lambda: engine.count_tokens(prompt, model=name, options=OPTIONS),
            lambda: engine.embed(["A secret."], model=name),
            lambda: engine.chat_json(prompt, {"type": "object"}, options=OPTIONS, model=name),
        ]
    for way in ways:
        with pytest.raises(RemoteModel) as caught:
            way()
        assert (ELSEWHERE if name == "big:120b" else "to ollama.com") in str(caught.value)
        assert "allow_remote = true" in str(caught.value)
    assert prompts(server) == []
    engine.close()


def test_a_model_that_runs_there_is_asked_about_once(server):
    engine = OllamaEngine(server.url)
    for _ in range(3):
        engine.generate(Prompt("Hello."), OPTIONS, model="smollm2:135m")
        engine.generate(Prompt("Hello."), OPTIONS, model="mycloud:1b")
    assert len(server.bodies("/api/show")) == 2
    assert "remote_host" not in engine.identify("smollm2:135m")["model"]
    engine.close()


@pytest.mark.parametrize("kind", [OllamaEngine, OpenAIEngine])
def test_it_may_be_allowed_and_the_fingerprint_says_where(server, kind):
    engine = kind(server.url, allow_remote=True)
    assert engine.generate(Prompt("Hello."), OPTIONS, model="big:120b").text
    assert engine.identify("big:120b")["model"]["remote_host"] == ELSEWHERE
    engine.close()


def test_judges_and_embeddings_are_held_to_the_engines_setting(server):
    schema = {"type": "object", "properties": {}}
    with EngineModels(EngineSpec("ollama", server.url)) as models:
        with pytest.raises(RemoteModel):
            models.chat_json("big:120b", None)("A secret?", schema, 0)
        with pytest.raises(RemoteModel):
            models.embedder("big:120b", server.url)(["A secret."])
    assert prompts(server) == []
    with EngineModels(EngineSpec("ollama", server.url, allow_remote=True)) as models:
        assert models.chat_json("big:120b", None)("A secret?", schema, 0) == {}
        assert models.embedder("big:120b", server.url)(["A secret."])


class TestCommands:
    @pytest.fixture
    def sweep(self, tmp_path, server, monkeypatch):
        monkeypatch.chdir(tmp_path)
        cases = write_cases(tmp_path / "cases", 2)

        def write(**engine):
            tables = {
                "study": {"name": "t"}, "engine": {"kind": "ollama", "host": server.url, **engine},
                "prompts": {"brief": "Summarise:\n{log}"}, "objective": {"cases": str(cases)},
                "baseline": {"model": "big:120b", "num_ctx": 1024}, "space": {"temperature": {"low": 0.1, "high": 1.2}},
                "budget": {"generations": 24, "floor_seeds": 2, "seeds": 1},
            }  # fmt: skip
            path = tmp_path / "sweep.toml"
            path.write_text("\n".join(f"{name} = {toml(table)}" for name, table in tables.items()))
            return str(path)

        return write

    @pytest.mark.parametrize("command", [["check"], ["run"], ["run", "--no-tracking"], ["probe"]])
    def test_a_sweep_is_refused_before_any_prompt(self, server, sweep, capsys, command):
        assert run_command([*command, sweep()]) == 2
        captured = capsys.readouterr()
        assert ELSEWHERE in captured.out + captured.err
        assert "allow_remote" in captured.out + captured.err
        assert prompts(server) == []

    def test_a_sweep_may_allow_it(self, server, sweep, capsys):
        assert run_command(["check", sweep(allow_remote=True)]) == 0
        assert prompts(server)

    def test_commands_without_a_file(self, server, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        log = tmp_path / "log.txt"
        log.write_text("Ann: The pump of hall 2 failed at noon and was replaced by Ben.\n" * 3)
        engine = ["--host", server.url, "--model", "big:120b"]
        commands = [
            ["probe", "-o", "seed"],
            ["cases", "new", str(log)],
            ["cases", "check", str(write_cases(tmp_path / "c", 1))],
        ]
        for command in commands:
            assert run_command([*command, *engine]) == 2
            assert ELSEWHERE in capsys.readouterr().err
        assert prompts(server) == []
        assert run_command(["probe", "-o", "seed", *engine, "--allow-remote"]) == 0
        assert prompts(server)

    def test_a_fingerprint_needs_no_prompt(self, server, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert run_command(["fingerprint", "--host", server.url, "--model", "big:120b", "--json"]) == 0
        assert prompts(server) == []
        assert '"remote_host"' in capsys.readouterr().out
