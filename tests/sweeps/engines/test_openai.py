"""The /v1 path against the double: the options that it drops and reports."""

from __future__ import annotations

from typing import Any

import pytest

from sweeps.engines.base import (
    EngineBusy,
    EngineError,
    EngineFailure,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    Prompt,
    PromptTooLong,
)
from sweeps.engines.openai import OpenAIEngine
from tests.doubles.ollama import Fault, OllamaDouble

MODEL = "smollm2:135m"
PROMPT = Prompt("Ann: the pump failed. Ben: we replace the valve on Monday.", "Summarise.")
OPTIONS = {
    "temperature": 0.7, "top_k": 5, "top_p": 0.8, "min_p": 0.1, "repeat_penalty": 1.3, "repeat_last_n": 32,
    "presence_penalty": 0.1, "frequency_penalty": 0.2, "mirostat": 2, "mirostat_tau": 3.0, "mirostat_eta": 0.2,
    "num_ctx": 1024, "num_gpu": 0, "num_thread": 2, "num_predict": 20, "seed": 3,
}  # fmt: skip


@pytest.fixture
def server():
    with OllamaDouble() as double:
        yield double


@pytest.fixture
def engine(server: OllamaDouble):
    with OpenAIEngine(server.url, attempts=3, wait=0.01, timeout=10) as engine:
        yield engine


def test_it_honours_what_the_server_passes_on(engine: OpenAIEngine, server: OllamaDouble) -> None:
    answer = engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert set(answer.dropped) == set(OPTIONS) - engine.honours
    assert {"top_k", "repeat_penalty", "num_ctx", "mirostat", "min_p", "repeat_last_n"} <= set(answer.dropped)
    sampler = server.sampler
    assert sampler is not None
    assert (sampler.temp, sampler.top_p, sampler.presence_penalty, sampler.frequency_penalty) == (0.7, 0.8, 0.1, 0.2)
    assert (sampler.top_k, sampler.min_p, sampler.repeat_penalty) == (40, 0.0, 1.0)
    (body,) = server.bodies("/v1/chat/completions")
    assert set(body) == {"model", "messages", "stream", "temperature", "top_p", "presence_penalty",
                         "frequency_penalty", "max_tokens", "seed"}  # fmt: skip


def test_options_that_it_drops_change_nothing_and_the_others_do(engine: OpenAIEngine) -> None:
    def text(**changes: float) -> str:
        return engine.generate(PROMPT, {**OPTIONS, **changes}, model=MODEL).text

    reference = text()
    for name in sorted(set(OPTIONS) - engine.honours):
        assert text(**{name: 1}) == reference, name
    for name, value in {"temperature": 1.5, "top_p": 0.3, "seed": 4, "num_predict": 5}.items():
        assert text(**{name: value}) != reference, name


def test_no_limit_is_not_sent_as_a_number(engine: OpenAIEngine, server: OllamaDouble) -> None:
    engine.generate(PROMPT, {**OPTIONS, "num_predict": -1}, model=MODEL)
    assert "max_tokens" not in server.bodies("/v1/chat/completions")[0]


def test_it_reloads_with_the_servers_own_num_ctx(engine: OpenAIEngine) -> None:
    engine.generate(PROMPT, OPTIONS, model=MODEL)
    assert engine.identify(MODEL)["engine"]["num_ctx"] == 4096
    assert engine.reload_options == ()


def test_a_prompt_that_the_path_cuts_is_marked(engine: OpenAIEngine) -> None:
    long = Prompt("The pump runs at half load, says the operator. " * 900)
    answer = engine.generate(long, OPTIONS, model=MODEL)
    assert answer.prompt_tokens == 2050  # as recorded for the default num_ctx of 4096
    assert answer.truncated
    with pytest.raises(PromptTooLong):
        engine.count_tokens(long, model=MODEL, options=OPTIONS)


def test_a_repetition(engine: OpenAIEngine) -> None:
    answer = engine.generate(Prompt("ha " * 24), {**OPTIONS, "num_predict": 200}, model=MODEL)
    assert answer.finish == "repeat"
    assert answer.output_tokens is answer.prompt_tokens is None
    assert not answer.truncated


def test_faults(engine: OpenAIEngine, server: OllamaDouble) -> None:
    path = "/v1/chat"
    server.faults = [Fault("refuse", path, times=2)]
    assert engine.generate(PROMPT, OPTIONS, model=MODEL).text
    for kind, error in (("refuse", EngineUnreachable), ("html", EngineProtocolError), ("truncate", EngineProtocolError),
                        ("shape", EngineProtocolError), ("proxy", EngineBusy)):  # fmt: skip
        server.faults = [Fault(kind, path, times=9)]
        with pytest.raises(error, match=server.url):
            engine.generate(PROMPT, OPTIONS, model=MODEL)
    server.faults = [Fault("slow", path, seconds=1.0)]
    with pytest.raises(EngineTimeout):
        engine.generate(PROMPT, OPTIONS, model=MODEL, timeout=0.2)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"error": {"message": "the queue is full"}}, EngineFailure, "the queue is full"),
        ({"error": f'model "{MODEL}" not found', "choices": []}, ModelMissing, "it has"),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, EngineFailure, "filter"),
    ],
)
def test_an_answer_with_status_200_that_is_none(
    engine: OpenAIEngine, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], error: type[EngineError], words: str
) -> None:
    monkeypatch.setattr(engine._client, "post", lambda *_: answer)
    with pytest.raises(error, match=words):
        engine.generate(PROMPT, OPTIONS, model=MODEL)


def test_a_server_without_a_native_api(engine: OpenAIEngine, server: OllamaDouble) -> None:
    server.faults = [Fault("text", "/api", times=9)]
    facts = engine.identify(MODEL)
    assert engine.revision(MODEL) == facts
    assert facts["engine"] == {"version": None, "name": "openai", "api": "/v1/chat/completions"}
    assert facts["model"] == {"name": MODEL, "digest": None}
