"""Ollama's engine against the double: its requests, and the error for each fault."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sweeps.engines import _ollama_client, open_engine
from sweeps.engines._http import repeats
from sweeps.engines.base import (
    EngineError,
    EngineFailure,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    OptionRefused,
    Prompt,
    PromptTooLong,
    Unsupported,
)
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.spec import EngineSpec
from sweeps.errors import ConfigError
from tests.doubles.ollama import Fault, Model, OllamaDouble, Thought

MODEL = "smollm2:135m"
PROMPT = Prompt("Ann: the pump failed. Ben: we replace the valve on Monday.", "Summarise.")
OPTIONS = {"temperature": 0.8, "top_k": 40, "min_p": 0.05, "mirostat": 0, "num_ctx": 1024, "num_predict": 20, "seed": 3}
LONG = Prompt("The pump runs at half load. " * 200)
LONG_TOKENS = 200 * 7 + 1 + 30  # words and full stop, the last blank, and template with the default system prompt
REPEATING = Prompt("ha " * 24)


@pytest.fixture
def server():
    with OllamaDouble() as double:
        yield double


@pytest.fixture
def engine(server: OllamaDouble):
    with OllamaEngine(server.url, attempts=3, wait=0.01, timeout=10) as engine:
        yield engine


def test_line_ends_of_unicode_are_part_of_the_text(engine: OllamaEngine, server: OllamaDouble) -> None:
    """Go escapes U+2028, not U+0085; the official client ends a line at either."""
    said = "the pump\u0085failed\u2028again"
    server.models["odd:1b"] = Model(thinks=lambda *_: Thought(said, "<think>", "</think>"))
    text = engine.generate(PROMPT, {**OPTIONS, "num_predict": 200}, model="odd:1b").text
    assert text.startswith(f"<think>{said}</think>")


def test_every_option_is_sent_and_truncation_forbidden(engine: OllamaEngine, server: OllamaDouble) -> None:
    engine.generate(PROMPT, OPTIONS, model=MODEL)
    (body,) = server.bodies()
    assert body["options"] == OPTIONS  # min_p included, which the client's own type of options drops
    assert body["truncate"] is False
    assert body["messages"] == [
        {"role": "system", "content": "Summarise."},
        {"role": "user", "content": "Ann: the pump failed. Ben: we replace the valve on Monday."},
    ]
    assert server.sampler is not None
    assert server.sampler.min_p == 0.05


def test_think_is_a_field_of_its_own_and_stop_is_an_option(engine: OllamaEngine, server: OllamaDouble) -> None:
    with pytest.raises(OptionRefused, match=r"refused option think = 'low': .* does not support thinking") as refusal:
        engine.generate(PROMPT, {**OPTIONS, "think": "low", "stop": ("END",)}, model=MODEL)
    assert refusal.value.option == "think"
    body = server.bodies()[-1]
    assert body["think"] == "low"
    assert body["options"] == {**OPTIONS, "stop": ["END"]}
    engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert "think" not in server.bodies()[-1]


def test_settings_of_the_engine_go_with_every_request(server: OllamaDouble) -> None:
    spec = EngineSpec("ollama", host=server.url, options={"num_thread": 2, "num_gpu": 0, "keep_alive": "1h"})
    engine = open_engine(spec)
    engine.generate(PROMPT, {**OPTIONS, "num_gpu": 7}, model=MODEL)
    (body,) = server.bodies()
    assert body["options"] == {**OPTIONS, "num_thread": 2, "num_gpu": 7}
    assert body["keep_alive"] == "1h"


def test_host_from_the_environment(server: OllamaDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
    engine = open_engine(EngineSpec("ollama"))
    assert engine.address == server.url
    assert engine.models() == [MODEL]
    monkeypatch.setenv("OLLAMA_HOST", "example.invalid:1")
    assert OllamaEngine(server.url).address == server.url  # a host that is given wins
    assert OllamaEngine().address == "http://example.invalid:1"


NO_ADDRESSES = {
    "127.0.0.1:abc": "write it like 127.0.0.1:11434",
    "127.0.0.1:99999": "Port out of range",
    "[::1]:18431x": "write it like",
    "A:1,B:2": r'several go into engine\.hosts = \["A:1", "B:2"\]',
    "A B": r'\["A", "B"\]',
    "http://[::1": "Invalid IPv6",
}


@pytest.mark.parametrize("value", NO_ADDRESSES)
def test_a_variable_that_is_no_address_is_named_where_it_is_needed(
    server: OllamaDouble, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", value)
    assert OllamaEngine(server.url).models() == [MODEL]
    for host in (None, "", " "):
        with pytest.raises(ConfigError, match=NO_ADDRESSES[value]) as caught:
            OllamaEngine(host)
        assert str(caught.value).startswith(f"the variable OLLAMA_HOST holds {value!r}, which is no address (")


@pytest.mark.parametrize("value", ["A:1,B:2", "http://[::1"])
def test_the_client_is_imported_whatever_the_variable_holds(value: str) -> None:
    program = (
        "import os; from sweeps.engines.openai import OpenAIEngine;"
        "print(OpenAIEngine('127.0.0.1:7').address, os.environ['OLLAMA_HOST'])"
    )
    environment = {**os.environ, "OLLAMA_HOST": value}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"http://127.0.0.1:7/v1 {value}\n"


def test_a_variable_is_there_again_after_a_failed_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "x:1")

    def failing() -> None:
        with _ollama_client._environment(OLLAMA_HOST=None):
            assert "OLLAMA_HOST" not in os.environ
            raise ImportError

    with pytest.raises(ImportError):
        failing()
    assert os.environ["OLLAMA_HOST"] == "x:1"


def test_blanks_around_a_host_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:18431 ")
    assert OllamaEngine().address == "http://127.0.0.1:18431"
    assert OllamaEngine(" 127.0.0.1:7\n").address == "http://127.0.0.1:7"
    monkeypatch.setenv("OLLAMA_HOST", " ")
    assert OllamaEngine().address == "http://127.0.0.1:11434"


def test_a_proxy_of_the_environment_does_not_stand_before_this_machine(
    server: OllamaDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert OllamaEngine(server.url).models() == [MODEL]


@pytest.mark.parametrize("host", ["http://[::1", "127.0.0.1:notaport"])
def test_a_host_that_is_no_address(host: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        OllamaEngine(host)


def test_effective_context_is_asked_once_per_load(engine: OllamaEngine, server: OllamaDouble) -> None:
    for num_ctx in (1024, 1024, 100_000):
        answer = engine.generate(PROMPT, {**OPTIONS, "num_ctx": num_ctx}, model=MODEL)
        assert answer.effective["num_ctx"] == min(num_ctx, 8192)  # clamped to the model's training length
    assert [path for path, _ in server.requests].count("/api/ps") == 2
    assert engine.identify(MODEL)["engine"]["num_ctx"] == 8192
    assert engine.identify(MODEL)["engine"]["gpu_share"] == 0.0


def test_model_facts(engine: OllamaEngine) -> None:
    facts = engine.identify(MODEL)["model"]
    assert facts["digest"].startswith("321f3f3d8581")
    assert facts["weights_sha256"] == "941f309b54caaad6747569ba43712bcde44a2be3bae16c3282ff499c37c54af5"
    assert (facts["family"], facts["parameter_size"], facts["quantization"]) == ("llama", "134.52M", "Q4_1")
    assert facts["context_length"] == 8192
    assert "usr/share" not in str(facts)


def test_a_name_without_a_tag_is_the_latest(engine: OllamaEngine, server: OllamaDouble) -> None:
    server.models["pump:latest"] = "0" * 64
    assert engine.identify("pump:latest")["model"]["digest"] == "0" * 64
    server.models["pump"] = server.models["pump:latest"]  # the real server resolves the name by itself
    assert engine.identify("pump")["model"]["name"] == "pump:latest"


@pytest.mark.parametrize(("option", "alive"), [("mirostat", False), ("repeat_penalty", True), ("top_k", True)])
def test_options_on_a_current_server(engine: OllamaEngine, option: str, alive: bool) -> None:
    extreme = {"mirostat": 2, "repeat_penalty": 1.8, "top_k": 2}[option]
    texts = [engine.generate(PROMPT, {**OPTIONS, **more}, model=MODEL).text for more in ({}, {option: extreme})]
    assert (texts[0] != texts[1]) is alive


# Faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["refuse", "drop", "end", "busy"])
def test_a_connection_fault_is_retried(engine: OllamaEngine, server: OllamaDouble, kind: str) -> None:
    undisturbed = engine.generate(PROMPT, OPTIONS, model=MODEL)
    server.faults = [Fault(kind, times=2)]
    before = len(server.bodies())
    assert engine.generate(PROMPT, OPTIONS, model=MODEL).text == undisturbed.text
    assert len(server.bodies()) - before == 3


@pytest.mark.parametrize("kind", ["refuse", "drop", "end", "busy"])
def test_a_connection_fault_that_stays_is_told(engine: OllamaEngine, server: OllamaDouble, kind: str) -> None:
    server.faults = [Fault(kind, times=9)]
    with pytest.raises(EngineUnreachable) as caught:
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert server.url in str(caught.value)
    assert caught.value.retryable
    assert caught.value.exit_code == 3
    assert len(server.bodies()) == 3


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("truncate", EngineProtocolError, "not JSON"),
        ("html", EngineProtocolError, "<!DOCTYPE html>"),
        ("text", EngineProtocolError, "hello from another service"),
        ("shape", EngineProtocolError, "unknown shape"),
        ("crash", EngineFailure, "unexpectedly stopped"),
        ("error", EngineFailure, "while it answered"),
    ],
)
def test_other_faults_are_told_at_once(
    engine: OllamaEngine, server: OllamaDouble, kind: str, error: type[EngineError], message: str
) -> None:
    server.faults = [Fault(kind)]
    with pytest.raises(error, match=message) as caught:
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert server.url in str(caught.value)
    assert not caught.value.retryable
    assert len(server.bodies()) == 1  # not sent again
    assert engine.generate(PROMPT, OPTIONS, model=MODEL).text


@pytest.mark.parametrize("kind", ["html", "text", "shape", "truncate"])
def test_another_service_on_the_port_is_noticed_before_the_start(
    engine: OllamaEngine, server: OllamaDouble, kind: str
) -> None:
    for path in ("/api/version", "/api/tags"):
        server.faults = [Fault(kind, path)]
        with pytest.raises(EngineProtocolError) as caught:
            engine.identify(MODEL)
        assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/ps", {"models": 5}),
        ("/api/ps", {"models": ["x"]}),
        ("/api/ps", {"models": [{"name": MODEL, "size": "many", "size_vram": 1}]}),
        ("/api/show", {"details": "x"}),
        ("/api/show", {"template": 5}),
    ],
)
def test_facts_of_another_shape_are_an_error(path: str, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = OllamaDouble.answer

    def other(double: OllamaDouble, asked: str, body: Any) -> tuple[int, str, Any]:
        found = answers(double, asked, body)
        return (*found[:2], answer) if asked == path else found

    monkeypatch.setattr(OllamaDouble, "answer", other)
    with OllamaDouble() as server, pytest.raises(EngineProtocolError, match="unknown shape"):
        OllamaEngine(server.url, attempts=1).identify(MODEL)


def test_a_loaded_model_without_its_share_of_the_gpu_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OllamaEngine, "loaded", lambda *_: {"name": MODEL, "size": 9, "context_length": 512})
    with OllamaDouble() as server:
        facts = OllamaEngine(server.url, attempts=1).identify(MODEL)["engine"]
    assert (facts["gpu_share"], facts["num_ctx"]) == (None, 512)


@pytest.mark.parametrize("kind", ["slow", "stall"])
def test_a_slow_answer_is_a_time_out_and_not_sent_again(engine: OllamaEngine, server: OllamaDouble, kind: str) -> None:
    server.faults = [Fault(kind, seconds=1.0)]
    with pytest.raises(EngineTimeout, match=r"0\.2 s"):
        engine.generate(PROMPT, OPTIONS, model=MODEL, timeout=0.2)
    assert len(server.bodies()) == 1


def test_the_time_limit_counts_the_whole_answer(engine: OllamaEngine, server: OllamaDouble) -> None:
    server.seconds_per_token = 0.05  # never silent for long, but twenty times this
    with pytest.raises(EngineTimeout):
        engine.generate(PROMPT, OPTIONS, model=MODEL, timeout=0.3)


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = OllamaEngine(f"127.0.0.1:{port}", attempts=2, wait=0.01)
    for call in (engine.models, lambda: engine.identify(MODEL), lambda: engine.generate(PROMPT, OPTIONS, model=MODEL)):
        with pytest.raises(EngineUnreachable) as caught:
            call()
        assert f"127.0.0.1:{port}" in str(caught.value)
        assert "ollama serve" in str(caught.value)
        assert "OLLAMA_HOST" in str(caught.value)


def test_a_restart_of_the_server_goes_unnoticed(engine: OllamaEngine, server: OllamaDouble) -> None:
    before = engine.generate(PROMPT, OPTIONS, model=MODEL)
    server.stop()
    with pytest.raises(EngineUnreachable):
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    server.start()
    assert engine.generate(PROMPT, OPTIONS, model=MODEL).text == before.text


def test_a_model_that_is_deleted_meanwhile(engine: OllamaEngine, server: OllamaDouble) -> None:
    engine.generate(PROMPT, OPTIONS, model=MODEL)
    del server.models[MODEL]
    server.models["other:1b"] = "0" * 64
    with pytest.raises(ModelMissing, match="other:1b") as caught:
        engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert f"ollama pull {MODEL}" in str(caught.value)


def test_a_change_of_version_or_digest_shows(engine: OllamaEngine, server: OllamaDouble) -> None:
    before = engine.identify(MODEL)
    server.version = "0.33.0"
    server.models[MODEL] = "1" * 64
    after = engine.identify(MODEL)
    assert (before["engine"]["version"], after["engine"]["version"]) == ("0.32.15", "0.33.0")
    assert after["model"]["digest"] == "1" * 64 != before["model"]["digest"]
    server.requests.clear()
    assert engine.revision(MODEL) == {
        "engine": {"version": "0.33.0"},
        "model": {"name": MODEL, "digest": "1" * 64},
    }
    assert [path for path, _ in server.requests] == ["/api/version", "/api/tags"]


def test_a_clock_that_goes_backwards_gives_no_negative_times(engine: OllamaEngine, server: OllamaDouble) -> None:
    server.faults = [Fault("backwards")]
    timing = engine.generate(PROMPT, OPTIONS, model=MODEL).timing
    assert timing.total > 0
    assert (timing.load, timing.prefill, timing.decode) == (0.0, 0.0, 0.0)
    assert timing.queue == timing.total


@pytest.mark.parametrize(
    ("changes", "option", "message"),
    [
        ({"top_k": "abc"}, "top_k", "must be of type integer"),
        ({"temperature": "0.5"}, "temperature", "must be of type float32"),
        ({"repeat_penalty": 0}, "repeat_penalty", "greater than 0"),
        ({"repeat_last_n": -1}, "repeat_last_n", "must be between 0"),
    ],
)
def test_a_refused_option(engine: OllamaEngine, server: OllamaDouble, changes: dict, option: str, message: str) -> None:
    with pytest.raises(OptionRefused, match=message) as caught:
        engine.generate(PROMPT, {**OPTIONS, **changes}, model=MODEL)
    assert caught.value.option == option
    assert '{"' not in str(caught.value)  # the JSON inside JSON is unpacked
    assert len(server.bodies()) == 1  # never sent again


def test_a_repetition_that_the_server_stops_is_an_answer(engine: OllamaEngine) -> None:
    answer = engine.generate(REPEATING, {**OPTIONS, "num_predict": 200}, model=MODEL)
    assert answer.finish == "repeat"
    assert answer.text.split().count("ha") > 30
    assert answer.output_tokens is None
    assert answer.prompt_tokens is None
    assert not answer.truncated


def test_what_counts_as_a_repetition() -> None:
    assert repeats([" ha"] * 30)
    assert not repeats([" ha"] * 29)
    assert repeats(["start ", *["x"] * 40])
    assert repeats(["He said " + "no " * 31])
    assert not repeats(["the pump failed and the valve was replaced " * 5])
    assert not repeats([])


def test_a_long_prompt_is_refused_with_its_numbers(engine: OllamaEngine) -> None:
    with pytest.raises(PromptTooLong) as caught:
        engine.generate(LONG, OPTIONS, model=MODEL)
    assert (caught.value.prompt_tokens, caught.value.num_ctx) == (LONG_TOKENS, 1024)


def test_a_prompt_that_an_old_server_cuts_is_marked(engine: OllamaEngine, server: OllamaDouble) -> None:
    server.abilities = replace(server.abilities, truncate=False)
    answer = engine.generate(LONG, {**OPTIONS, "num_ctx": 256}, model=MODEL)
    assert answer.truncated
    assert answer.prompt_tokens == 4 + (256 - 4) // 2
    assert not engine.generate(PROMPT, OPTIONS, model=MODEL).truncated
    # Cut less, and therefore not conspicuous: known from the count taken before.
    assert engine.generate(LONG, OPTIONS, model=MODEL).truncated
    assert not engine.generate(LONG, {**OPTIONS, "num_ctx": 2048}, model=MODEL).truncated
    assert engine.count_tokens(LONG, model=MODEL, options={**OPTIONS, "num_ctx": 256}) == LONG_TOKENS


def test_embeddings_of_a_model_that_has_none(engine: OllamaEngine) -> None:
    with pytest.raises(Unsupported, match="does not support embeddings"):
        engine.embed(["pump"], model=MODEL)


def test_json_that_num_predict_cuts_off(engine: OllamaEngine) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    with pytest.raises(EngineProtocolError, match="num_predict"):
        engine.chat_json(PROMPT, schema, options={**OPTIONS, "num_predict": 3}, model=MODEL)


def answering(server: OllamaDouble, monkeypatch: pytest.MonkeyPatch, *records: object) -> None:
    """Let the server answer its next chats with these, one each, then as ever; a record is sent as one line."""
    left, usual = list(records), server.answer

    def answer(path: str, body: object) -> object:
        if path == "/api/chat" and left:
            return 200, "application/x-ndjson", iter([left.pop(0)])
        return usual(path, body)

    monkeypatch.setattr(server, "answer", answer)


DONE = {"done": True, "done_reason": "stop"}


@pytest.mark.parametrize(
    "record",
    [
        {"message": {"content": 5}, **DONE},
        {"message": {"content": ["a"], "thinking": "b"}, **DONE},
        {"message": {"content": "a"}, "eval_count": "many", **DONE},
        {"message": {"content": "a"}, "eval_count": True, **DONE},
        {"message": {"content": "a"}, "prompt_eval_count": -5, **DONE},
        {"message": {"content": "a"}, "eval_count": 10**30, **DONE},
        {"message": {"content": "a"}, "eval_duration": "1s", **DONE},
        {"message": {"content": "a"}, "eval_duration": float("inf"), **DONE},
    ],
)
def test_an_answer_of_other_types_is_a_fault_of_the_server(
    engine: OllamaEngine, server: OllamaDouble, monkeypatch: pytest.MonkeyPatch, record: object
) -> None:
    answering(server, monkeypatch, record)
    with pytest.raises(EngineProtocolError, match="JSON of an unknown shape"):
        engine.generate(PROMPT, OPTIONS, model=MODEL)


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_model_that_was_only_loaded_has_not_answered(
    engine: OllamaEngine, server: OllamaDouble, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    usual = engine.generate(PROMPT, OPTIONS, model=MODEL)
    empty = {"message": {"content": ""}, "done": True, "done_reason": reason}
    answering(server, monkeypatch, empty)
    assert engine.generate(PROMPT, OPTIONS, model=MODEL).text == usual.text  # asked again
    answering(server, monkeypatch, *[empty] * 3)
    with pytest.raises(EngineUnreachable, match=f"{reason}ed the model instead of an answer"):
        engine.generate(PROMPT, OPTIONS, model=MODEL)
