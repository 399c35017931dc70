"""Thought and answer apart, on every path to a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from sweeps.engines import llamacpp
from sweeps.engines.base import EngineProtocolError, Generation, Prompt, Timing, thinking_share
from sweeps.engines.llama.fields import thinking_fields
from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.openai import OpenAIEngine
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.scoring.answers import answer_of
from tests.doubles.ollama import Model, OllamaDouble
from tests.thinking import FAMILIES

PROMPT = Prompt("Ann: the pump failed. Ben: we replace the valve on Monday.")
OPTIONS = {"temperature": 0.8, "num_ctx": 1024, "num_predict": 200, "seed": 3}
CAPABLE = Model(capabilities=("completion", "thinking"))


@pytest.fixture
def server() -> Iterator[OllamaDouble]:
    with OllamaDouble(version="0.33.0-rc2", models={"deep:1b": CAPABLE, "plain:1b": Model()}) as double:
        yield double


@pytest.mark.parametrize(("think", "words"), [(None, 20), (True, 20), (False, 0), ("low", 10), ("high", 80)])
def test_a_thought_of_its_own_field_is_apart_with_its_tokens(server: OllamaDouble, think: Any, words: int) -> None:
    options = OPTIONS if think is None else {**OPTIONS, "think": think}
    with OllamaEngine(server.url) as engine:
        answer = engine.generate(PROMPT, options, model="deep:1b")
    assert len(answer.thought.split()) == words
    assert answer.thought not in answer.text or not words
    assert answer.output_tokens is not None
    assert answer.thinking_tokens == pytest.approx(words, abs=1)
    assert server.bodies()[-1].get("think") == think


def test_a_thought_that_is_cut_leaves_no_text(server: OllamaDouble) -> None:
    with OllamaEngine(server.url) as engine:
        answer = engine.generate(PROMPT, {**OPTIONS, "num_predict": 12}, model="deep:1b")
    assert (answer.text, answer.finish, answer.output_tokens, answer.thinking_tokens) == ("", "length", 12, 12)


@pytest.mark.parametrize(
    ("model", "options", "think"), [("deep:1b", {}, False), ("deep:1b", {"think": True}, True), ("plain:1b", {}, None)]
)
def test_an_answer_bound_to_a_schema_has_no_thought_unless_asked(
    server: OllamaDouble, model: str, options: dict[str, Any], think: bool | None
) -> None:
    with OllamaEngine(server.url) as engine, suppress(EngineProtocolError):
        engine.chat_json(PROMPT, {"type": "object"}, options={**OPTIONS, **options}, model=model)
    assert server.bodies()[-1].get("think") == think


def test_abilities_are_told_by_servers_that_know_think(server: OllamaDouble) -> None:
    with OllamaEngine(server.url) as engine:
        assert engine.capabilities("deep:1b") == {"completion", "thinking"}
        assert engine.capabilities("plain:1b") == {"completion"}
        asked = len(server.requests)
        engine.capabilities("deep:1b")
        assert len(server.requests) == asked
    with OllamaDouble(version="0.6.8", models={"deep:1b": CAPABLE}) as old, OllamaEngine(old.url) as engine:
        assert engine.capabilities("deep:1b") is None
    assert ScriptedEngine().capabilities("scripted") is None


@pytest.mark.parametrize(("think", "effort"), [(True, None), (False, "none"), ("low", "low")])
def test_the_openai_path_says_think_in_its_own_words(server: OllamaDouble, think: Any, effort: str | None) -> None:
    with OpenAIEngine(server.url) as engine:
        answer = engine.generate(PROMPT, {**OPTIONS, "think": think}, model="deep:1b")
        assert engine.capabilities("deep:1b") == {"completion", "thinking"}
    body = server.bodies("/v1/chat/completions")[-1]
    assert (body.get("reasoning_effort"), "think" in body) == (effort, False)
    assert bool(answer.thought) is bool(think)
    if answer.thought:
        assert answer.thinking_tokens is not None
        assert 0 < answer.thinking_tokens < (answer.output_tokens or 0)


def test_llama_cpp_gives_think_to_the_template_and_the_thought_apart() -> None:
    assert thinking_fields({"temperature": 0.8}) == {}
    assert thinking_fields({"think": False}) == {"chat_template_kwargs": {"enable_thinking": False}}
    assert thinking_fields({"think": "low"}) == {
        "chat_template_kwargs": {"enable_thinking": True, "reasoning_effort": "low"}
    }
    deltas = [{"role": "assistant", "content": None}, *({"reasoning_content": word} for word in ("So ", "it ", "is.")),
              {"content": "Answer."}]  # fmt: skip
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"delta": {}, "finish_reason": "stop"}]},
               {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 8}}]  # fmt: skip
    answer = llamacpp._generation(chunks, 1.0, 0.0, {})
    assert (answer.thought, answer.text, answer.thinking_tokens) == ("So it is.", "Answer.", 6)


def test_the_share_of_a_thought() -> None:
    assert thinking_share(100, 30, 10) == 75
    assert thinking_share(100, 0, 10) == thinking_share(None, 0, 10) == 0
    assert thinking_share(100, 30, 0) == 100
    assert thinking_share(None, 30, 10) is None


@pytest.mark.parametrize("name", FAMILIES)
def test_the_answer_of_each_family_is_what_is_scored(name: str) -> None:
    family = FAMILIES[name]
    apart = 40 if family.apart else 0
    made = Generation(family.text, "stop", 9, 100, Timing(1.0), thought=family.apart, thinking_tokens=apart)
    answer = answer_of(made)
    assert (answer.text, answer.thought) == (family.answer, family.apart or family.thought)
    assert (answer.thinking_tokens or 0) + (answer.answer_tokens or 0) == 100
    assert bool(answer.thinking_tokens) is bool(answer.thought)
    assert answer.finish == ("stop" if family.answer else "empty")
    kept = answer_of(made, "keep")
    assert (kept.text, kept.thought, kept.thinking_tokens) == (family.text, family.apart, apart)


def test_tokens_that_an_older_ledger_did_not_tell_apart_are_unknown() -> None:
    old = answer_of(Generation("", "length", 9, 512, Timing(1.0)))
    assert (old.finish, old.answer_tokens, old.thinking_tokens) == ("empty", None, None)
    plain = answer_of(Generation("Answer.", "stop", 9, 12, Timing(1.0)))
    assert (plain.finish, plain.answer_tokens, plain.thinking_tokens) == ("stop", 12, 0)
    aborted = answer_of(Generation("ha ha", "repeat", None, None, Timing(1.0)))
    assert (aborted.finish, aborted.answer_tokens, aborted.thinking_tokens) == ("repeat", None, 0)


@pytest.mark.parametrize(
    "text", ["", " \n", "\u200b\ufeff", "```\n```", "<|im_end|>", "<think>Only this.</think>\n</s>"]
)
def test_a_text_of_which_a_reader_sees_nothing_is_empty(text: str) -> None:
    assert answer_of(Generation(text, "stop", 9, 12, Timing(1.0))).finish == "empty"


@pytest.mark.parametrize("text", ["+", "No.", "👍", "泵"])
def test_a_short_answer_is_an_answer(text: str) -> None:
    assert answer_of(Generation(text, "stop", 9, 12, Timing(1.0))).finish == "stop"
