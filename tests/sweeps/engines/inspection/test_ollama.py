"""The inspector of an Ollama server, against the double."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sweeps.engines.base import Prompt, Unsupported
from sweeps.engines.inspection import Inspector, Way, inspector
from sweeps.engines.spec import EngineSpec
from tests.doubles.ollama import Model, OllamaDouble

PROMPT = Prompt("Summarise: the pump failed at 3 bar. The valve was replaced on Monday. " * 8)
OPTIONS = {"temperature": 0.8, "seed": 42, "num_predict": 12, "num_ctx": 2048}
MODEL = "smollm2:135m"


@pytest.fixture
def newest() -> Iterator[OllamaDouble]:
    with OllamaDouble(version="0.33.0-rc2") as server:
        yield server


@pytest.fixture
def oldest() -> Iterator[OllamaDouble]:
    with OllamaDouble(version="0.6.8") as server:
        yield server


def opened(server: OllamaDouble) -> Inspector:
    return inspector(EngineSpec("ollama", server.url, MODEL))


def test_options_that_are_left_out_are_not_sent_on_either_path(newest: OllamaDouble) -> None:
    with opened(newest) as host:
        host.generate(PROMPT, {"seed": 1, "num_predict": 3}, model=MODEL)
        host.generate(PROMPT, {"seed": 1, "num_predict": 3}, model=MODEL, way=Way("openai"))
    assert newest.bodies()[-1]["options"] == {"seed": 1, "num_predict": 3}
    sent = newest.bodies("/v1/chat/completions")[-1]
    assert {name for name in sent if name not in ("model", "messages", "stream")} == {"seed", "max_tokens"}


def test_an_answer_that_is_not_streamed_has_the_text_and_the_counts_of_the_stream(newest: OllamaDouble) -> None:
    with opened(newest) as host:
        host.generate(PROMPT, {**OPTIONS, "num_predict": 1}, model=MODEL)
        streamed = host.generate(PROMPT, OPTIONS, model=MODEL)
        whole = host.generate(PROMPT, OPTIONS, model=MODEL, way=Way(stream=False))
    assert newest.bodies()[-1]["stream"] is False
    for name in ("text", "finish", "prompt_tokens", "output_tokens"):
        assert getattr(whole, name) == getattr(streamed, name)


def test_the_first_token_has_twenty_alternatives_where_the_version_gives_them(
    newest: OllamaDouble, oldest: OllamaDouble
) -> None:
    with opened(newest) as host:
        host.unload(MODEL)
        cold, warm, again = (host.first_token(PROMPT, OPTIONS, model=MODEL) for _ in range(3))
    assert len(warm) == 20
    assert warm == again
    assert list(warm.values()) == sorted(warm.values(), reverse=True)
    assert 0 < max(abs(cold[token] - warm[token]) for token in warm) < 0.2
    with opened(oldest) as host, pytest.raises(Unsupported, match=r"0\.6\.8 answers no log probabilities"):
        host.first_token(PROMPT, OPTIONS, model=MODEL)


def test_the_rendered_prompt_is_shown_where_the_version_shows_it(newest: OllamaDouble, oldest: OllamaDouble) -> None:
    with opened(newest) as host:
        text = host.rendered(Prompt("Hello", "Be brief."), OPTIONS, model=MODEL)
    assert text == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    with opened(oldest) as host, pytest.raises(Unsupported, match="does not show the rendered prompt"):
        host.rendered(PROMPT, OPTIONS, model=MODEL)


def test_after_unloading_the_first_text_is_a_first_run_again(oldest: OllamaDouble) -> None:
    with opened(oldest) as host:
        texts = [host.generate(PROMPT, OPTIONS, model=MODEL).text for _ in range(3)]
        host.unload(MODEL)  # this version lists the model once more after it has unloaded it
        loads = oldest.loads
        cold = host.generate(PROMPT, OPTIONS, model=MODEL).text
    assert oldest.loads == loads + 1
    assert texts[0] != texts[1] == texts[2]
    assert cold == texts[0]


def test_requests_at_once_run_at_once(newest: OllamaDouble, oldest: OllamaDouble) -> None:
    for server, differ in ((newest, False), (oldest, True)):
        server.moment = 0.2
        with opened(server) as host:
            host.generate(PROMPT, {**OPTIONS, "num_predict": 1}, model=MODEL)
            alone = host.generate(PROMPT, OPTIONS, model=MODEL).text
            at_once = [answer.text for answer in host.together([(PROMPT, OPTIONS)] * 2, model=MODEL)]
        assert (set(at_once) != {alone}) is differ


def test_a_kv_cache_type_is_refused_with_the_variable_to_set(newest: OllamaDouble) -> None:
    with opened(newest) as host, pytest.raises(Unsupported, match="OLLAMA_KV_CACHE_TYPE"):
        host.generate(PROMPT, OPTIONS, model=MODEL, way=Way(kv_type="q8_0"))


def test_the_openai_path_thinks_as_the_native_one_does(newest: OllamaDouble) -> None:
    newest.models = {MODEL: Model(capabilities=("completion", "thinking"))}
    with opened(newest) as host:
        host.engine.identify(MODEL)
        host.generate(PROMPT, OPTIONS, model=MODEL)
        host.generate(PROMPT, {**OPTIONS, "think": False}, model=MODEL, way=Way("openai"))
        assert not host.drafts(MODEL)
    assert newest.bodies()[-1]["think"] is True
    assert newest.bodies("/v1/chat/completions")[-1]["reasoning_effort"] == "none"
