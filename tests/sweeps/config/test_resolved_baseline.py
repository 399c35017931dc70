"""What the file leaves out of the baseline: from the model, then the server, then ours."""

from __future__ import annotations

from typing import Any

import pytest

from sweeps.config.file import parse_config
from sweeps.config.resolved_baseline import ServedModel, baseline_text, kept_baseline, resolved_baseline
from sweeps.config.sweep_config import SweepConfig
from sweeps.options import Configuration, default_options
from tests.sweeps.sweep_files import BASE, toml


def config(
    baseline: dict[str, Any] | None = None, environment: dict[str, str] | None = None, **tables: Any
) -> SweepConfig:
    base = {"model": "tuned", "prompt": "brief", **(baseline or {})}
    merged = {**BASE, "engine": {"kind": "ollama"}, "baseline": base, **tables}
    text = "\n".join(f"{name} = {toml(table)}" for name, table in merged.items())
    return parse_config(text, environment=environment)


TUNED = {"temperature": 0.2, "top_k": 10, "repeat_penalty": 1.3, "num_thread": 1, "stop": ("<|im_end|>",)}


def served(name: str = "tuned", **changes: Any) -> ServedModel:
    facts = {"engine": "ollama", "version": "0.33.0", "parameters": TUNED, "num_ctx": 32768, "host": "a", **changes}
    return ServedModel(name, **facts)


def test_each_value_comes_from_the_first_that_names_it() -> None:
    own = served(parameters={**TUNED, "top_p": 0.5, "min_p": 0.05})
    found, lines = resolved_baseline(config({"top_k": 20}, {"OLLAMA_TOP_P": "0.7"}), [own])
    assert lines == ()
    assert found.baseline.options == {
        "temperature": 0.2, "top_k": 20, "top_p": 0.7, "min_p": 0.05, "repeat_penalty": 1.3, "repeat_last_n": 64,
        "presence_penalty": 0.0, "frequency_penalty": 0.0, "mirostat": 0, "num_ctx": 32768, "num_predict": 512,
        "num_thread": 1, "stop": ("<|im_end|>",),
    }  # fmt: skip
    assert found.baseline_sources == {
        "temperature": "model", "top_k": "file", "top_p": "environment (OLLAMA_TOP_P)", "min_p": "model",
        "repeat_penalty": "model", "repeat_last_n": "server default (0.33.0)",
        "presence_penalty": "server default (0.33.0)", "frequency_penalty": "server default (0.33.0)",
        "mirostat": "server default (0.33.0)", "num_ctx": "server default (measured)",
        "num_predict": "ours (the server's is no limit)", "num_thread": "model", "stop": "model",
    }  # fmt: skip
    assert found.open_options == []
    assert resolved_baseline(found, [own]) == (found, ())
    assert baseline_text(found).startswith("from the file: top_k 20; from the model: temperature 0.2, min_p 0.05,")
    assert "set by sweeps (the server's is no limit): num_predict 512" in baseline_text(found)


@pytest.mark.parametrize(("version", "penalty"), [("0.32.9", 1.1), ("0.32.10", 1.0), ("0.6.8", 1.1), ("0.0.0", 1.0)])
def test_a_default_that_moved_is_that_of_the_servers_version(version: str, penalty: float) -> None:
    found, _ = resolved_baseline(config(), [served(version=version, parameters={}, num_ctx=None)])
    assert found.baseline.options["repeat_penalty"] == penalty
    assert found.sources["repeat_penalty"] == f"server default ({version})"
    stated = {"0.6.8": "server default (0.6.8)"}
    assert (found.baseline.options["num_ctx"], found.sources["num_ctx"]) == (4096, stated.get(version, "ours"))


def test_the_openai_path_sends_its_own_temperature_and_top_p_also_for_a_model_with_parameters() -> None:
    found, _ = resolved_baseline(config(engine={"kind": "openai"}), [served(engine="openai")])
    assert (found.baseline.options["temperature"], found.baseline.options["top_p"]) == (1.0, 1.0)
    assert found.sources["temperature"] == "server default (/v1)"
    assert (found.baseline.options["top_k"], found.sources["top_k"]) == (10, "model")


@pytest.mark.parametrize("kind", ["llamacpp", "scripted"])
def test_an_engine_that_is_no_server_keeps_our_defaults(kind: str) -> None:
    found, lines = resolved_baseline(config(engine={"kind": kind}), [served(engine=kind, parameters={}, num_ctx=None)])
    assert found.baseline == Configuration("tuned", "brief", default_options())
    assert set(found.baseline_sources.values()) == {"ours"}
    assert lines == ()


def test_a_parameter_that_no_request_may_send_is_named() -> None:
    found, lines = resolved_baseline(
        config(), [served(parameters={"repeat_last_n": -1, "num_predict": -2, "seed": 1, "use_mmap": True})]
    )
    assert (found.baseline.options["repeat_last_n"], found.baseline.options["num_predict"]) == (64, 512)
    assert [line.partition(";")[0] for line in lines] == [
        "repeat_last_n -1 of model tuned must be at least 0 and at most 1e+06, not -1",
        "num_predict -2 of model tuned must be at least -1 and at most 1e+07, not -2",
    ]
    assert (
        resolved_baseline(config(), [served(parameters={"num_predict": -1})])[0].baseline.options["num_predict"] == -1
    )


def test_typical_p_is_sent_only_where_model_or_space_asks_for_it() -> None:
    assert "typical_p" not in resolved_baseline(config(), [served()])[0].baseline.options
    found, _ = resolved_baseline(config(), [served(parameters={"typical_p": 0.7, "draft_num_predict": 2})])
    assert (found.baseline.options["typical_p"], found.baseline.options["draft_num_predict"]) == (0.7, 2)
    searched = config(space={"typical_p": {"low": 0.2, "high": 1.0}})
    for engine, source in (("ollama", "server default (0.33.0)"), ("llamacpp", "ours")):
        found, _ = resolved_baseline(searched, [served(engine=engine, parameters={})])
        assert (found.baseline.options["typical_p"], found.sources["typical_p"]) == (1.0, source)


def test_a_setting_of_the_engine_wins_over_the_model() -> None:
    found, _ = resolved_baseline(config(engine={"kind": "ollama", "options": {"num_thread": 4}}), [served()])
    assert "num_thread" not in found.baseline.options


def test_unequal_models_and_hosts_are_named_and_the_first_counts() -> None:
    other = {"temperature": 0.6, "stop": ("<eos>",), "repeat_penalty": 1.3, "top_k": 10, "num_thread": 1}
    found, lines = resolved_baseline(
        config(space={"model": ["tuned", "other"]}),
        [served(), served("other", parameters=other), served(host="b", version="0.32.9", parameters={}, num_ctx=4096)],
    )
    assert found.baseline.options["temperature"] == 0.2
    assert "stop" not in found.baseline.options, "another model's template ends with other texts"
    assert found.baseline.options["num_ctx"] == 4096, "each host has to hold it"
    assert lines[0].startswith('each model keeps its own stop (tuned: ["<|im_end|>"], other: ["<eos>"])')
    assert "model tuned on a uses other values where a request leaves them out: num_ctx 32768 (the" in lines[1]
    assert "model other on a uses other values where a request leaves them out: temperature 0.6" in lines[2]
    assert "model tuned on b" in lines[3]
    assert "temperature 0.8 (the baseline has 0.2)" in lines[3]
    assert "repeat_penalty 1.1 (the baseline has 1.3)" in lines[3]


def test_a_stored_study_keeps_what_it_began_with() -> None:
    begun, _ = resolved_baseline(config({"top_k": 20}), [served()])
    again = kept_baseline(config({"top_k": 20}), begun.identity(), begun.sources)
    assert (again.baseline, again.baseline_sources) == (begun.baseline, begun.baseline_sources)
    assert again.open_options == []
    moved = kept_baseline(config(), begun.identity(), begun.sources)
    assert moved.open_options == ["top_k"], "the study's file named it, so that its change is not hidden"
    settled, _ = resolved_baseline(moved, [served(parameters={"temperature": 0.9})])
    assert (settled.baseline.options["top_k"], settled.baseline.options["temperature"]) == (40, 0.2)


def test_think_is_written_out_for_models_that_can() -> None:
    found, lines = resolved_baseline(config(), [served(thinks=True)])
    assert (found.baseline.options["think"], found.sources["think"]) == (True, "server default (0.33.0)")
    assert lines == ()
    assert "server default (0.33.0): " in baseline_text(found)
    assert "think true" in baseline_text(found)
    plain, _ = resolved_baseline(config(), [served()])
    assert "think" not in plain.baseline.options
    named, _ = resolved_baseline(config({"think": False}), [served(thinks=True)])
    assert (named.baseline.options["think"], named.sources["think"]) == (False, "file")


def test_think_stays_open_where_only_some_models_can() -> None:
    found, lines = resolved_baseline(config(), [served(thinks=True), served("plain")])
    assert "think" not in found.baseline.options
    assert lines == (
        "each model keeps its own think (tuned: true, plain: none), since they differ; name one in [baseline] to send"
        " it",
    )
