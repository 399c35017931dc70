"""Probes of models that think first: thought and text are compared, and a probe goes on past the thought."""

from __future__ import annotations

import pytest

from sweeps.engines.ollama import OllamaEngine
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.probes.experiment import MOST_TOKENS
from sweeps.probes.probe import probe
from tests.doubles.ollama import Model, OllamaDouble

CAPABLE = Model(capabilities=("completion", "thinking"))


def verdicts(engine, options, baseline=None, **settings):
    model = engine.models()[0]
    found = probe(engine, model, options, baseline or {}, **settings)
    return {result.option: result.verdict for result in found}


@pytest.mark.parametrize("words", [60, 5000])
def test_options_act_on_a_model_whose_texts_begin_with_a_long_thought(words):
    engine, told = ScriptedEngine(thought_words=words), []
    found = verdicts(engine, ["seed", "temperature", "top_p", "think"], announce=told.append)
    assert set(found.values()) == {"alive"}
    longest = max(request.options["num_predict"] for request in engine.requests)
    assert longest == (96 if words == 60 else MOST_TOKENS)
    assert f"the model thinks first, so each generation has up to {longest} tokens" in told


def test_a_model_that_does_not_think_is_probed_with_as_few_tokens_as_before():
    engine = ScriptedEngine()
    assert verdicts(engine, ["temperature", "think"]) == {"temperature": "alive", "think": "inert"}
    assert max(request.options["num_predict"] for request in engine.requests) == 24


def test_empty_texts_do_not_make_an_option_inert():
    engine = ScriptedEngine(write=lambda *_: "")
    found = probe(engine, "scripted", ["temperature", "top_k"], {})
    assert {result.verdict for result in found} == {"untestable"}
    assert found[0].why == "all texts are empty, so that no change can show"


@pytest.mark.parametrize(("version", "verdict"), [("0.33.0-rc2", "alive"), ("0.6.8", "inert")])
def test_think_acts_where_the_server_knows_it(version, verdict):
    with OllamaDouble(version=version, models={"deep:1b": CAPABLE}) as server, OllamaEngine(server.url) as engine:
        assert verdicts(engine, ["think"]) == {"think": verdict}


def test_stop_acts():
    with OllamaDouble(models={"plain:1b": Model()}) as server, OllamaEngine(server.url) as engine:
        assert verdicts(engine, ["stop"]) == {"stop": "alive"}


def test_think_is_refused_by_a_model_that_cannot():
    with OllamaDouble(models={"plain:1b": Model()}) as server, OllamaEngine(server.url) as engine:
        (result,) = probe(engine, "plain:1b", ["think"], {"think": False})
        assert result.verdict == "refused"
        assert "does not support thinking" in result.why
