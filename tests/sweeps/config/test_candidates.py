"""Tests of the `[candidates]` tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.config.candidates import MOST_CANDIDATES, Candidate, equal_candidates, parse_candidates, values_compared
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.options import OPTIONS, Configuration, default_options
from tests.sweeps.sweep_files import BASE

BASELINE = Configuration("m", "long", default_options())


def tables(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {**json.loads(json.dumps(BASE)), **changes}
    result["prompts"] = {"brief": "Summarise:\n{log}", "facts": "Facts of:\n{log}"}
    return {name: table for name, table in result.items() if table is not None}


def config(**changes: Any) -> SweepConfig:
    return SweepConfig.from_dict(tables(**changes))


def test_what_a_candidate_leaves_out_is_the_baselines() -> None:
    found = config(candidates={"facts": {"prompt": "facts"}, "both": {"model": "other", "top_k": 3}})
    facts, both = (each.configuration(found.baseline) for each in found.candidates)
    assert facts.differences(found.baseline) == {"prompt": ("facts", "brief")}
    assert both.differences(found.baseline) == {"model": ("other", "scripted"), "top_k": (3, 40)}
    assert found.candidate_names() == {facts.key: "facts", both.key: "both"}


def test_an_option_that_acts_in_the_candidate_alone_is_sent_with_its_default() -> None:
    values = Candidate("m", {"mirostat": 2}).configuration(BASELINE).options
    assert values["mirostat_tau"] == OPTIONS["mirostat_tau"].default
    assert "mirostat_tau" not in BASELINE.options


def test_a_search_sends_no_option_of_mirostat_that_it_does_not_search() -> None:
    space = {"mirostat": [0, 2], "mirostat_tau": {"low": 1.0, "high": 9.0, "when": {"mirostat": [2]}}}
    found = config(space=space, candidates={"calm": {"mirostat": 2, "mirostat_tau": 3.0}})
    (calm,) = found.candidates
    assert calm.params_in(found.space, found.baseline) == {"mirostat": 2, "mirostat_tau": 3.0}
    (key,) = found.candidate_names()
    assert key == calm.configuration(found.baseline, found.space).key
    assert "mirostat_eta" not in calm.configuration(found.baseline, found.space).options


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"x": {"temprature": 0.2}}, "candidates.x.temprature: no such option; did you mean 'temperature'?"),
        ({"x": {"temperature": 11}}, "candidates.x.temperature: must be at least 0 and at most 10, not 11"),
        ({"x": {"seed": 4}}, "candidates.x.seed: candidates are compared on many seeds; set study.seed instead"),
        ({"x": {"prompt": "fact"}}, "candidates.x.prompt: no prompt 'fact' in [prompts]; did you mean 'facts'?"),
        ({"x": {}}, "candidates.x: is empty; name an option, a prompt or a model that differs from the baseline"),
        ({"x": 3}, "candidates.x: is a table of options, prompt and model, not 3; write [candidates.x]"),
        ({"temperature": 0.2}, "not 0.2; write [candidates.NAME] above it"),
        ({"": {"top_k": 3}}, 'candidates."": a name must start with a letter or digit'),
        ({"a b": {"top_k": 3}}, "candidates.a b: a name must start with a letter or digit"),
        ({"Baseline": {"top_k": 3}}, "candidates.Baseline: the name 'Baseline' is reserved; choose another"),
        ({"x": {"temperature": 1.2}}, "candidates.x: has the same settings as the baseline; change a value"),
        ({"x": {"top_k": 3}, "y": {"top_k": 3}}, "candidates.y: has the same settings as candidates.x; change"),
        (
            {"x": {"mirostat_tau": 3.0}},
            "has the same settings as the baseline, because mirostat_tau acts only with mirostat; change",
        ),
        ({f"c{i}": {"top_k": i} for i in range(MOST_CANDIDATES + 1)}, "candidates: there are 21; name at most 20"),
        (4, "candidates: is a table: write [candidates], once, instead of 4"),
    ],
)
def test_faults_name_the_key_the_value_and_the_remedy(candidates: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(candidates=candidates)
    assert message in str(caught.value)


def test_a_sweep_needs_a_space_or_candidates() -> None:
    with pytest.raises(ConfigError, match=r"space: is missing \(the table \[space\] is needed, or \[candidates\]"):
        config(space=None)
    with pytest.raises(ConfigError, match="candidates: is missing, so there is nothing to compare"):
        config().as_comparison()
    assert len(config(space=None, candidates={"x": {"top_k": 3}}).space) == 0


def test_the_space_of_a_comparison_has_the_values_that_differ() -> None:
    found = (Candidate("a", {"top_k": 3}), Candidate("b", {"mirostat": 2, "mirostat_tau": 3.0}))
    space = values_compared(found, BASELINE)
    assert {d.name: d.choices for d in space} == {
        "top_k": (40, 3),
        "mirostat": (0, 2),
        "mirostat_tau": (3.0,),
        "mirostat_eta": (0.1,),
    }
    assert space["mirostat_tau"].when == {"mirostat": (1, 2)}


def test_a_comparison_has_an_identity_of_its_own() -> None:
    candidates = {"x": {"top_k": 3}}
    search = config(candidates=candidates)
    identity = search.as_comparison().identity()
    assert identity["candidates.x"] == {"top_k": 3}
    other = config(candidates=candidates, search={"sampler": "random"}, space={"min_p": [0.0, 0.1]})
    assert other.as_comparison().identity() == identity, "search and space have no part in a comparison"
    assert other.identity() != search.identity()
    assert not [key for key in config().identity() if key.startswith(("candidates", "study.kind"))]


def test_a_search_tries_candidates_inside_its_space_only() -> None:
    found = config(space={"temperature": {"low": 0.1, "high": 1.1, "step": 0.5}})
    inside, off_grid, outside, other = (
        Candidate("c", values).params_in(found.space, found.baseline)
        for values in ({"temperature": 0.6}, {"temperature": 0.5}, {"temperature": 2.0}, {"top_k": 3})
    )
    assert inside == {"temperature": 0.6}
    assert (off_grid, outside, other) == (None, None, None)


def test_candidates_lose_what_leaves_the_space() -> None:
    found = config(
        space={"temperature": [0.2, 1.2], "top_k": [3, 40], "num_ctx": [512, 4096]},
        candidates={"both": {"temperature": 0.2, "top_k": 3}, "dead": {"top_k": 3}, "short": {"num_ctx": 512}},
    )
    narrowing = Narrowing({"top_k": "inert"}, {"num_ctx": (512,)})
    left = narrowing.apply(found).candidates
    assert [(each.name, each.values) for each in left] == [("both", {"temperature": 0.2})]
    assert [line for line in narrowing.lines(found) if "left out" in line] == [
        "candidates.dead is left out, because nothing else remains of it",
        "candidates.short is left out, because nothing else remains of it",
    ]


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 300), st.floats(), st.text(max_size=5), st.lists(st.none())
)


@given(
    st.dictionaries(st.text(max_size=8), st.one_of(_VALUES, st.dictionaries(st.sampled_from(sorted(OPTIONS)), _VALUES)))
)
def test_any_table_gives_candidates_or_problems(raw: dict[str, Any]) -> None:
    found, problems = parse_candidates(raw, prompts=["long"])
    assert (len(found) == len(raw)) != bool(problems)
    assert all(problem.startswith("candidates") for problem in problems)
    for each in found:
        assert each.configuration(BASELINE).prompt == "long"
    assert len(equal_candidates(found, BASELINE)) == len(found) + 1 - len(
        {BASELINE, *(each.configuration(BASELINE) for each in found)}
    )
