"""Sets that a search tries first: fitted into the space, named, and kept in the study's record."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from sweeps.config.candidates import FirstSet
from sweeps.config.first_sets import first_params, known_sets, nearest_value
from sweeps.config.recommended import RECOMMENDATIONS, recommendation_for
from sweeps.config.resolved_baseline import ServedModel
from sweeps.config.sweep_config import SweepConfig
from sweeps.options import OPTIONS
from tests.sweeps.sweep_files import BASE

SPACE = {"temperature": {"low": 0.1, "high": 1.2, "step": 0.1}, "top_k": [10, 20, 40], "repeat_last_n": [0, 64]}


def config(model: str = "tuned", **changes: Any) -> SweepConfig:
    baseline = {"model": model, "prompt": "brief", "temperature": 0.8, "top_k": 40}
    return SweepConfig.from_dict({**BASE, "baseline": baseline, "space": SPACE, **changes})


def served(name: str = "tuned", **parameters: Any) -> ServedModel:
    return ServedModel(name, "ollama", parameters=parameters)


def test_a_models_own_parameters_are_tried_as_far_as_the_space_holds_them() -> None:
    own = served(temperature=0.26, top_k=64, top_p=0.5, stop=("END",), nonsense=3)
    (found,), (line,) = known_sets(config(), [own])
    assert (found.name, dict(found.values)) == ("own parameters", {"temperature": 0.3, "top_k": 40})
    assert found.params_in(config().space, config().baseline) == {"temperature": 0.3, "top_k": 40, "repeat_last_n": 64}
    assert line.startswith(
        "tried first: the model's own parameters: temperature 0.3, top_k 40; temperature 0.26 is not"
    )
    assert "top_k 64 is not in the space, the nearest value is tried" in line
    assert "top_p 0.5 is not searched" in line
    assert 'stop ["END"] is not searched' in line


def test_nothing_is_tried_twice() -> None:
    alike = served("qwen3:8b", temperature=0.7, top_k=20)
    both, lines = known_sets(config("qwen3:8b"), [alike])
    assert [each.name for each in both] == ["own parameters"]
    assert (
        "vendor's recommendation (model card of Qwen3) is no trial of its own: here it is the model's own" in lines[1]
    )
    named = config("qwen3:8b", candidates={"mine": {"temperature": 0.7, "top_k": 20}})
    assert known_sets(named, [alike])[0] == ()
    assert known_sets(config(), [served(temperature=0.8, top_k=40)]) == ((), ())  # the baseline itself


def test_a_baseline_outside_the_space_gives_its_nearest_values() -> None:
    outside = config(baseline={"model": "tuned", "prompt": "brief", "temperature": 2.0, "top_k": 40})
    (found,), (line,) = known_sets(outside, [served(top_k=10)])
    assert dict(found.values) == {"top_k": 10, "temperature": 1.2}
    assert line.endswith("; temperature 2.0 of the baseline is not in the space, the nearest value is tried")


def test_the_baseline_moved_into_the_space_is_no_set_of_the_model() -> None:
    """A model that says only where to stop names no temperature."""
    outside = config(baseline={"model": "tuned", "prompt": "brief", "temperature": 2.0, "top_k": 40, "stop": ["END"]})
    assert known_sets(outside, [served(stop=("END",))]) == ((), ())
    told = ("the model's own parameters is no trial of its own; top_p 0.5 is not searched",)
    assert known_sets(outside, [served(top_p=0.5)]) == ((), told)


def test_each_searched_model_has_sets_of_its_own() -> None:
    space = {**SPACE, "model": ["tuned", "smollm2:135m"]}
    found, _ = known_sets(config(space=space), [served(temperature=0.5), served("smollm2:135m")])
    assert [(each.name, each.values.get("model")) for each in found] == [
        ("own parameters", None), ("recommended set 2", "smollm2:135m"),
    ]  # fmt: skip
    assert found[1].values["temperature"] == 0.2


def test_the_file_chooses_the_sources() -> None:
    own = served("qwen3:8b", temperature=0.5)

    def names(*first: str) -> list[str]:
        chosen = config("qwen3:8b", search={"first": list(first)})
        return [each.name for each in known_sets(chosen, [own])[0]]

    assert (names(), names("vendor"), names("model")) == ([], ["recommended set"], ["own parameters"])


@pytest.mark.parametrize(
    ("name", "wanted", "nearest"),
    [
        ("temperature", 0.26, 0.3),
        ("temperature", 9.0, 1.2),
        ("temperature", 0.0, 0.1),
        ("top_k", 29, 20),
        ("top_k", 40, 40),
    ],
)
def test_the_nearest_value_lies_on_the_spaces_grid(name: str, wanted: float, nearest: float) -> None:
    assert nearest_value(config().space, name, wanted) == nearest


def test_a_word_has_no_nearest_value() -> None:
    space = config(space={"think": [True, False], "temperature": [0.1, 0.8]}).space
    assert nearest_value(space, "think", "low") is None


def test_candidates_are_tried_before_first_sets_which_take_a_quarter_of_the_trials() -> None:
    sets = tuple(FirstSet(f"set {i}", {"temperature": 0.1 * i}, "somewhere") for i in (1, 2, 3))
    whole = replace(config(candidates={"mine": {"top_k": 10}}), first_sets=sets)
    assert list(first_params(whole, 11)) == ["mine", "set 1", "set 2"]
    assert list(first_params(whole, 2)) == ["mine", "set 1"]
    assert whole.origins() == dict.fromkeys([each.configuration(whole.baseline).key for each in sets], "somewhere")


def test_a_records_sets_are_the_same_when_they_are_read() -> None:
    made = FirstSet("own parameters", {"temperature": 0.3, "stop": ("END", "\n"), "think": True}, "the model")
    assert FirstSet.from_record(json.loads(json.dumps(made.as_record()))) == made


@pytest.mark.parametrize(
    ("model", "family", "temperature"),
    [
        ("qwen3:8b", "", 0.7),
        ("hf.co/somebody/Qwen3-8B-GGUF:Q4_K_M", "qwen3", 0.7),
        ("/models/Meta-Llama-3.1-8B-Instruct-Q4.gguf", "llama", 0.6),
        ("smollm2:135m", "llama", 0.2),
        ("mistral-small3.2", "mistral3", 0.15),
        ("my-own", "gemma3", 1.0),
        ("qwen3.5:9b", "qwen35", None),
        ("gemma2:2b", "gemma2", None),
        ("my-own", "llama", None),
    ],
)
def test_a_family_is_found_by_the_models_name(model: str, family: str, temperature: float | None) -> None:
    found = recommendation_for(model, family)
    assert (found and found[0]["temperature"]) == temperature


def test_a_model_that_thinks_has_other_values() -> None:
    thinking = recommendation_for("qwen3:8b", thinks=True)
    assert thinking is not None
    assert thinking[0]["temperature"] == 0.6


def test_every_recommendation_can_be_sent() -> None:
    for each in RECOMMENDATIONS:
        re.compile(each.names)
        assert each.source
        for values in filter(None, (each.values, each.thinking)):
            assert all(OPTIONS[name].problem(value) is None for name, value in values.items())
