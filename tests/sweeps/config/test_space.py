"""The search space: every table is either a space or a list of problems."""

from __future__ import annotations

import json
import math
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.config.space import NAMES, configuration_from
from sweeps.config.space_table import parse_space
from sweeps.options import NUMBERS, OPTIONS, default_options

optuna.logging.set_verbosity(optuna.logging.ERROR)

BASELINE: dict[str, Any] = {"model": "m", "prompt": "brief", **default_options()}

scalars = st.one_of(
    st.integers(-5, 3000),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.just(10**400),
    st.none(),
    st.just("brief"),
)
entries = st.one_of(
    scalars,
    st.lists(scalars, max_size=4),
    st.dictionaries(
        st.sampled_from(["low", "high", "step", "log", "choices", "when", "lo"]),
        st.one_of(
            scalars,
            st.lists(scalars, max_size=3),
            st.dictionaries(
                st.sampled_from([*NAMES, "x"]), st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=2
            ),
        ),
        max_size=5,
    ),
)


def parse(raw: dict[str, Any], baseline: dict[str, Any] | None = None) -> Any:
    return parse_space(raw, prompts=["brief", "long"], baseline={**BASELINE, **(baseline or {})})


def problems_of(raw: dict[str, Any], baseline: dict[str, Any] | None = None) -> list[str]:
    return list(parse(raw, baseline)[1])


@given(st.dictionaries(st.one_of(st.sampled_from([*NAMES, "seed"]), st.text(max_size=6)), entries, max_size=4))
def test_any_table_is_a_space_or_problems_with_keys(raw: dict[str, Any]) -> None:
    space, problems = parse(raw)
    assert all(problem.startswith(("space: ", "space.")) for problem in problems)
    if problems:
        return
    assert {dimension.name for dimension in space} == set(raw)
    baseline = configuration_from(BASELINE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        trial = study.ask()
        configuration = space.suggest(trial, baseline)
        assert set(trial.params) <= set(raw)
        for name, value in configuration.options.items():
            assert OPTIONS[name].problem(value) is None


def test_options_that_are_no_numbers_are_swept_as_choices_and_come_back_from_optuna() -> None:
    raw = {"think": [False, True, "low"], "stop": [["END"], []], "top_k": {"choices": [1, 2], "when": {"think": True}}}
    space, problems = parse(raw)
    assert problems == []
    assert space["stop"].choices == (("END",), ())
    assert space["think"].text() == "false, true, low"
    assert space["stop"].text() == '["END"], []'
    baseline = configuration_from(BASELINE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        trial = study.ask(space.distributions())
        configuration = space.suggest(trial, baseline)
        assert configuration.options["think"] in (False, True, "low")
        assert configuration.options["stop"] in (("END",), ())
        assert ("top_k" in trial.params) or configuration.options["think"] is not True
        assert space.params_of(configuration) is not None
        assert json.loads(json.dumps(space.params_of(configuration))) == space.params_of(configuration)
    assert space.params_of(baseline) is None  # it names neither
    assert space.conditions() == {"top_k": {"think": (True,)}}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            {"think": {"low": 0, "high": 1}},
            "space.think: needs choices, as a list of values; each is one of",
        ),
        ({"think": ["hard"]}, "space.think[0]: must be one of"),
        ({"stop": ["END"]}, "space.stop[0]: must be a list of texts that are not empty such as"),
        ({"stop": [["a"], ["a"]]}, "space.stop.choices: a value appears twice"),
        ({"top_k": {"choices": [1, 2], "when": {"think": ["hard"]}}}, "space.top_k.when.think: must be one of"),
    ],
)
def test_wrong_values_of_options_that_are_no_numbers_are_refused(raw: dict[str, Any], problem: str) -> None:
    assert problems_of(raw)[0].startswith(problem)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A valid range of an option."""
    name = draw(st.sampled_from(["temperature", "top_k", "top_p", "repeat_penalty", "num_ctx", "presence_penalty"]))
    spec = NUMBERS[name]
    high = min(spec.high or 100, 10_000)
    if spec.kind is int:
        low = draw(st.integers(int(spec.low), int(high) - 1))
        return name, {"low": low, "high": draw(st.integers(low + 1, int(high)))}
    low = round(draw(st.floats(spec.low, high - 0.2)), 2)
    low = low if spec.problem(low) is None else 0.1
    return name, {"low": low, "high": round(low + draw(st.floats(0.02, high - low)), 2)}


@given(st.lists(ranges(), min_size=1, max_size=4), st.integers(0, 5))
def test_a_valid_range_proposes_values_inside_it(drawn: list[tuple[str, dict[str, Any]]], seed: int) -> None:
    raw = dict(drawn)
    space, problems = parse(raw)
    assert problems == []
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    configuration = space.suggest(trial, configuration_from(BASELINE))
    for name, ends in raw.items():
        assert ends["low"] - 1e-3 <= configuration.options[name] <= ends["high"] + 1e-3
        assert trial.distributions[name] == space[name].distribution()
    unswept = {name: value for name, value in default_options().items() if name not in raw and "mirostat_" not in name}
    assert unswept.items() <= configuration.options.items()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "space: is empty"),
        ({"temprature": 1}, "space.temprature: no such option; did you mean 'temperature'?"),
        ({"seed": [1, 2]}, "space.seed: cannot be swept"),
        ({"temperature": {"low": 1.2, "high": 0.1}}, "space.temperature: low 1.2 is above"),
        ({"temperature": {"low": 1, "high": 1}}, "low and high are both 1"),
        ({"temperature": {"low": 0.1}}, "needs low and high, or choices"),
        ({"temperature": {"low": 0.1, "hihg": 1}}, "space.temperature.hihg: unknown key; did you mean 'high'?"),
        ({"temperature": {"low": 0.1, "high": 1, "choices": [1]}}, "both choices and a range"),
        ({"temperature": {"low": 0, "high": 1, "log": True}}, "space.temperature.low: must be above 0 on a log scale"),
        ({"temperature": {"low": 0.1, "high": 1, "log": True, "step": 0.1}}, "has both log and step"),
        ({"temperature": {"low": 0.1, "high": 1, "log": "yes"}}, "must be true or false"),
        ({"temperature": {"low": 0.0, "high": 1, "step": 0.3}}, "use 0.9 or 1.2"),
        ({"temperature": {"low": 0.0, "high": 1, "step": -0.1}}, "space.temperature.step: must be a number above 0"),
        ({"top_k": {"low": 1, "high": 9, "step": 0.5}}, "space.top_k.step: must be a whole number"),
        ({"top_k": {"low": 1, "high": 9, "step": math.inf}}, "space.top_k.step: must be a number above 0"),
        ({"top_k": {"low": 1, "high": 9, "step": 10**400}}, "is wider than the range, 1 to 9"),
        ({"temperature": {"low": 0, "high": 1, "step": math.inf}}, "space.temperature.step: must be a number above 0"),
        ({"top_p": {"low": 0.5, "high": 1.5}}, "space.top_p.high: must be at least 0 and at most 1, not 1.5"),
        ({"top_k": [10, 20, 10]}, "a value appears twice"),
        ({"top_k": [10, "many"]}, "space.top_k[1]: must be a whole number, not 'many'"),
        ({"top_k": []}, "must be a list of at least one value"),
        (
            {"temperature": "0.1..1.2"},
            "space.temperature: must be a range { low = ..., high = ... }, a list of values, or one value, "
            "not '0.1..1.2'; a value must be a number",
        ),
        (
            {"top_k": 0.5},
            "space.top_k: must be a range { low = ..., high = ... }, a list of values, or one value, not 0.5",
        ),
        ({"prompt": ["brief", "breif"]}, "space.prompt[1]: no prompt 'breif' in [prompts]; did you mean 'brief'?"),
        ({"prompt": {"low": 1, "high": 2}}, "space.prompt: needs choices"),
        ({"model": [3]}, "space.model[0]: must be a name, not 3"),
        ({"mirostat_tau": {"low": 1, "high": 9}}, "acts only when mirostat is 1 or 2, but mirostat is not swept"),
        ({"top_k": {"choices": [1, 2], "when": 3}}, "space.top_k.when: must be a table"),
        ({"top_k": {"choices": [1, 2], "when": {"top_k": 1}}}, "cannot depend on itself"),
        ({"top_k": {"choices": [1, 2], "when": {"topp": 1}}}, "space.top_k.when.topp: no such option"),
        ({"top_k": {"choices": [1, 2], "when": {"mirostat": []}}}, "lists no value"),
        ({"top_k": {"choices": [1, 2], "when": {"mirostat": [True]}}}, "must be numbers or names, not True"),
        ({"top_k": {"choices": [1, 2], "when": {"mirostat": [[1]]}}}, "must be numbers or names, not [1]"),
        ({"mirostat": [0, 1], "top_k": {"choices": [1], "when": {"mirostat": 2}}}, "[2] is outside space.mirostat"),
        (
            {"top_k": {"choices": [1, 2], "when": {"top_p": 1}}, "top_p": {"choices": [1.0], "when": {"top_k": 1}}},
            "form a circle",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_key(raw: dict[str, Any], words: str) -> None:
    assert any(words in problem for problem in problems_of(raw)), problems_of(raw)


def test_all_problems_are_told_at_once() -> None:
    assert len(problems_of({"temprature": 1, "top_p": {"low": 1, "high": 0}, "top_k": [1, "x", "y"], "seed": 1})) == 5


def test_conditions_leave_out_what_does_not_act() -> None:
    raw = {
        "mirostat_tau": {"low": 1, "high": 9},
        "mirostat": [0, 2],
        "top_k": {"choices": [5, 9], "when": {"mirostat": 0}},
    }
    space, problems = parse(raw)
    assert problems == []
    assert next(dimension.name for dimension in space) == "mirostat"
    baseline = configuration_from(BASELINE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    seen = set()
    for _ in range(20):
        trial = study.ask()
        options = space.suggest(trial, baseline).options
        seen.add(options["mirostat"])
        assert ("mirostat_tau" in options) == (options["mirostat"] == 2) == ("mirostat_tau" in trial.params)
        assert ("top_k" in options) == (options["mirostat"] == 0) == ("top_k" in trial.params)
    assert seen == {0, 2}


def test_a_condition_on_the_baseline_holds() -> None:
    raw = {"mirostat_tau": {"low": 1, "high": 9}}
    assert problems_of(raw, {"mirostat": 2}) == []


def test_params_of_the_baseline_where_it_lies_inside() -> None:
    space, _ = parse(
        {"temperature": {"low": 0.1, "high": 1.2}, "mirostat": [0, 1], "mirostat_tau": {"low": 1, "high": 9}}
    )
    assert space.params_of(configuration_from(BASELINE)) == {"temperature": 0.8, "mirostat": 0}
    assert space.params_of(configuration_from({**BASELINE, "temperature": 1.5})) is None
    mirostat = configuration_from({**BASELINE, "mirostat": 1})
    assert space.params_of(mirostat) == {"temperature": 0.8, "mirostat": 1, "mirostat_tau": 5.0}


def test_sizes_and_words_by_hand() -> None:
    space, problems = parse(
        {
            "temperature": {"low": 0.0, "high": 1.0, "step": 0.1},
            "top_k": {"low": 5, "high": 80, "log": True},
            "prompt": ["brief", "long"],
        }
    )
    assert problems == []
    assert [dimension.size for dimension in space] == [11, 76, 2]
    assert space.size == 11 * 76 * 2
    assert [d.text() for d in space] == ["0 .. 1, step 0.1", "5 .. 80, log", "brief, long"]
    assert space["top_k"].extremes() == (5, 80)
    assert space["prompt"].extremes() == ("brief", "long")
    assert parse({"top_p": {"low": 0.5, "high": 1}})[0].size == math.inf
