"""Options: ranges, canonical form, and the key that names a configuration."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.formatting import option_text
from sweeps.options import (
    ACTIVE_WHEN,
    NUMBERS,
    OPTIONS,
    RELOAD_OPTIONS,
    ChoiceSpec,
    Configuration,
    NumberSpec,
    OptionValue,
    TextsSpec,
    canonical_options,
    default_options,
    table_value,
)


def value_of(name: str) -> st.SearchStrategy[OptionValue]:
    """Valid values of an option."""
    spec = OPTIONS[name]
    if isinstance(spec, ChoiceSpec):
        return st.sampled_from(spec.values)
    if isinstance(spec, TextsSpec):
        return st.lists(st.text(min_size=1)).map(tuple)
    assert isinstance(spec, NumberSpec)
    high = 1000 if spec.high is None else spec.high
    if spec.kind is int:
        return st.integers(int(spec.low), int(min(high, 1_000_000)))
    return st.floats(spec.low, high, exclude_min=spec.low_open).filter(lambda v: v == 0 or abs(v) > 1e-6)


options = st.fixed_dictionaries({}, optional={name: value_of(name) for name in OPTIONS})


def test_every_default_is_a_valid_value_that_casting_keeps() -> None:
    for name, value in default_options().items():
        assert OPTIONS[name].problem(value) is None
        assert OPTIONS[name].cast(value) == value
        assert name not in NUMBERS or type(value) is NUMBERS[name].kind


def test_defaults_are_those_of_a_current_server() -> None:
    expected = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.0, "repeat_last_n": 64}
    assert {name: default_options()[name] for name in expected} == expected
    assert not {"num_gpu", "num_thread", "num_batch", "seed"} & set(default_options())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("temperature", -0.1, "at least 0"),
        ("temperature", math.nan, "finite"),
        ("temperature", math.inf, "finite"),
        ("temperature", "hot", "a number, not 'hot'"),
        ("temperature", True, "a number, not True"),
        ("temperature", None, "a number"),
        ("top_k", 3.5, "whole number"),
        ("top_k", [40], "whole number"),
        ("top_k", 10**400, "at most 1e+06"),
        ("think", "hard", 'must be one of false, true, "low", "medium", "high", not \'hard\''),
        ("think", 1, "must be one of"),
        ("think", "true", "must be one of"),
        ("stop", "END", "a list of texts that are not empty such as [\"END\"], not 'END'"),
        ("stop", ["END", ""], "not with '' in it"),
        ("stop", [3], "not with 3 in it"),
        ("top_p", 1.01, "at most 1"),
        ("repeat_penalty", 0, "above 0"),
        ("num_ctx", 255, "at least 256"),
        ("num_predict", -2, "at least -1"),
        ("mirostat", 3, "at most 2"),
    ],
)
def test_a_value_that_a_server_would_change_or_refuse_is_a_problem(name: str, value: object, words: str) -> None:
    assert words in str(OPTIONS[name].problem(value))


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 0), ("top_k", 40.0), ("top_p", 1), ("num_predict", -1), ("mirostat", 2)]
)
def test_ends_of_ranges_and_whole_floats_are_fine(name: str, value: float) -> None:
    assert OPTIONS[name].problem(value) is None


@given(options)
def test_canonical_options_are_settled_typed_and_in_table_order(values: dict[str, OptionValue]) -> None:
    canonical = canonical_options(values)
    assert canonical_options(canonical) == canonical
    assert list(canonical) == [name for name in OPTIONS if name in canonical]
    assert all(type(value) is NUMBERS[name].kind for name, value in canonical.items() if name in NUMBERS)
    assert all(OPTIONS[name].problem(value) is None for name, value in canonical.items())
    inactive = set(values) - set(canonical)
    assert inactive <= set(ACTIVE_WHEN)
    assert not inactive or values.get("mirostat", 0) == 0


@given(options, st.randoms(use_true_random=False))
def test_the_key_depends_on_values_and_not_on_their_order_or_type(values: dict[str, Any], random: object) -> None:
    names = list(values)
    random.shuffle(names)  # type: ignore[attr-defined]
    turned = {name: values[name] for name in names}
    turned |= {name: float(value) for name, value in turned.items() if name in NUMBERS and abs(value) < 2**50}
    turned |= {name: list(value) for name, value in turned.items() if isinstance(value, tuple)}
    one, other = Configuration("m", "p", values), Configuration("m", "p", turned)
    assert one == other
    assert one.key == other.key
    assert hash(one) == hash(other)


def test_the_key_is_the_start_of_the_sha256_of_its_canonical_json() -> None:
    text = '["m", "brief", {"temperature": 1.0, "top_k": 40}]'
    assert (
        Configuration("m", "brief", {"top_k": 40.0, "temperature": 1}).key
        == (hashlib.sha256(text.encode()).hexdigest()[:12])
    )
    assert json.loads(text)[2] == {"temperature": 1, "top_k": 40}


def test_think_and_stop_are_sent_only_where_they_are_named() -> None:
    assert not {"think", "stop"} & set(default_options())
    assert not {"think", "stop"} & set(Configuration("m", "p", default_options()).options)


@given(options)
def test_options_come_back_from_json_and_from_their_text(values: dict[str, Any]) -> None:
    configuration = Configuration("m", "p", values)
    stored = json.loads(json.dumps(configuration.values))
    assert Configuration("m", "p", {name: stored[name] for name in configuration.options}) == configuration
    for name, value in configuration.options.items():
        text = option_text(value)
        assert "\n" not in text
        read = OPTIONS[name].read(text)
        assert OPTIONS[name].problem(read) is None
        assert OPTIONS[name].cast(read) == value  # type: ignore[arg-type]
        assert table_value(value) == (value if name in NUMBERS else text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("think", "True", True), ("think", "low", "low"), ("stop", "END", ["END"]), ("stop", '["a", "b"]', ["a", "b"]),
     ("stop", """'["a"]'""", ["a"]), ("stop", "'a'", ["'a'"]),
     ("top_k", "40", 40), ("top_p", "0.5", 0.5), ("top_p", "much", "much")],
)  # fmt: skip
def test_a_variable_or_flag_is_read_as_the_value_that_it_means(name: str, text: str, value: object) -> None:
    assert OPTIONS[name].read(text) == value


def test_a_configuration_in_words_writes_values_as_a_sweeps_file_does() -> None:
    configuration = Configuration("m", "p", {"think": True, "stop": ["\n\n", "終"], "top_k": 4})
    assert configuration.text() == 'model m, prompt p, top_k 4, think true, stop ["\\n\\n", "終"]'
    other = Configuration("m", "p", {"think": "low", "top_k": 4})
    assert other.text(configuration) == "think low"


def test_minus_zero_is_zero() -> None:
    assert Configuration("m", "p", {"temperature": -0.0}).key == Configuration("m", "p", {"temperature": 0}).key


def test_a_proposed_float_keeps_four_digits() -> None:
    configuration = Configuration("m", "p", {"temperature": 0.123456789, "mirostat": 2, "mirostat_tau": 3.14159})
    assert configuration.options == {"temperature": 0.1235, "mirostat": 2, "mirostat_tau": 3.142}


def test_different_model_prompt_or_option_is_another_key() -> None:
    keys = {
        Configuration(model, prompt, {"temperature": t}).key
        for model in ("a", "b")
        for prompt in ("x", "y")
        for t in (0.1, 0.2)
    }
    assert len(keys) == 8


def test_mirostat_options_act_only_under_mirostat() -> None:
    tau = {"mirostat_tau": 3.0, "mirostat_eta": 0.2}
    assert canonical_options(tau) == {}
    assert canonical_options({**tau, "mirostat": 0}) == {"mirostat": 0}
    assert canonical_options({**tau, "mirostat": 1}) == {"mirostat": 1, **tau}


def test_an_unknown_option_is_no_option() -> None:
    with pytest.raises(KeyError, match="temprature"):
        canonical_options({"temprature": 1})
    with pytest.raises(KeyError, match="seed"):
        canonical_options({"seed": 1})


def test_greedy_means_temperature_0_without_mirostat() -> None:
    assert Configuration("m", "p", {"temperature": 0}).is_greedy
    assert not Configuration("m", "p", {"temperature": 0, "mirostat": 2}).is_greedy
    assert not Configuration("m", "p", {"temperature": 0.1}).is_greedy
    assert not Configuration("m", "p", {}).is_greedy


def test_differences_and_their_words() -> None:
    baseline = Configuration("m", "p", {"temperature": 0.8, "mirostat": 0})
    other = Configuration("m", "q", {"temperature": 0.8, "mirostat": 1, "mirostat_tau": 2.0})
    assert other.differences(baseline) == {"prompt": ("q", "p"), "mirostat": (1, 0), "mirostat_tau": (2.0, None)}
    assert other.text(baseline) == "prompt q, mirostat 1, mirostat_tau 2.0"
    assert baseline.text(baseline) == "as the baseline"
    assert baseline.text() == "model m, prompt p, temperature 0.8, mirostat 0"


def test_only_what_loads_the_model_reloads() -> None:
    assert RELOAD_OPTIONS == ("num_ctx", "num_gpu", "num_thread", "num_batch")
