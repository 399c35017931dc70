"""The TOML file: any text is a sweep or a list of problems that name file, key, value and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.config.file import load_config, parse_config
from sweeps.errors import ConfigError
from sweeps.options import OPTIONS, default_options

GOOD: dict[str, Any] = {
    "study": {"name": "t", "seed": 7},
    "engine": {"kind": "scripted"},
    "prompts": {"brief": "Sum up:\n{log}"},
    "objective": {"cases": "engineering-chats"},
    "baseline": {"model": "m", "temperature": 0.7},
    "space": {"temperature": {"low": 0.1, "high": 1.2}},
    "budget": {"generations": 100},
}


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def text_of(tables: dict[str, Any]) -> str:
    """A TOML text of tables."""
    return "\n".join(f"{json.dumps(name)} = {toml(table)}" for name, table in tables.items())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good tables with one value changed; None removes it."""
    tables: dict[str, Any] = json.loads(json.dumps(GOOD))
    *parents, last = path.split("/")
    table = tables
    for parent in parents:
        table = table.setdefault(parent, {})
    if value is None:
        table.pop(last)
    else:
        table[last] = value
    return tables


def problems_of(tables: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text_of(tables), Path("s.toml"))
    return caught.value.problems


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
values = st.recursive(
    st.one_of(
        st.integers(-5, 2000), st.floats(), st.booleans(), plain, st.sampled_from(["{log}", "brief", "auto", "gp"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(plain, inner, max_size=3)),
    max_leaves=6,
)
keys = st.sampled_from(
    [*OPTIONS, "model", "prompt", "name", "seed", "kind", "generations", "minutes", "seeds", "cases", "weights", "user",
     "sampler", "batch", "alpha", "uri", "timeout", "options", "function-x", "dict[", "list["]
)  # fmt: skip
tables = st.dictionaries(st.one_of(keys, plain), values, max_size=3)


@given(
    st.dictionaries(
        st.one_of(st.sampled_from([*GOOD, "search", "verdict", "tracking"]), plain), st.one_of(tables, values)
    )
)
def test_any_tables_over_the_good_ones_are_a_sweep_or_problems(over: dict[str, Any]) -> None:
    merged = {
        name: {**GOOD.get(name, {}), **over[name]}
        if isinstance(over.get(name), dict)
        else over.get(name, GOOD.get(name))
        for name in [*GOOD, *over]
    }
    problems, config = [], None
    try:
        config = parse_config(text_of(merged), Path("s.toml"))
    except ConfigError as error:
        problems = error.problems
    assert (config is None) == bool(problems)
    assert all(problem.startswith("s.toml: ") and "pydantic" not in problem for problem in problems)
    if config is not None:
        assert json.loads(json.dumps(config.identity())) == config.identity()


@given(st.text(max_size=200))
def test_any_text_is_a_sweep_or_problems(text: str) -> None:
    with pytest.raises(ConfigError):  # no short text is a sweep
        parse_config(text)


def test_the_good_file_with_every_default_written_out() -> None:
    config = parse_config(text_of(GOOD))
    assert config.baseline.model == "m"
    assert config.baseline.prompt == "brief"
    expected = {**default_options(), "temperature": 0.7}
    del expected["mirostat_tau"], expected["mirostat_eta"]  # they do not act without mirostat
    assert config.baseline.options == expected
    assert config.sources["temperature"] == "file"
    assert config.sources["top_k"] == "default"
    assert config.prompts["brief"].fill("the {log} itself").user == "Sum up:\nthe {log} itself"
    assert (config.budget.floor_seeds, config.budget.seeds, config.search.sampler) == (4, "auto", "gp")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("study/name", None, "study.name: is missing"),
        ("study", None, "study: is missing (the table [study] is needed)"),
        ("verdict", {"k": 2}, "verdict: has k but no bar; name the score that runs should reach"),
        ("confirm", {"runoff": 2, "finalists": 2}, "confirm: has runoff = 2 and finalists = 2: nobody would leave"),
        (
            "confirm",
            {"looks": "always"},
            'confirm.looks: must be "auto", "anytime" or a whole number from 1 to 10, not',
        ),
        ("study/name", "a/b", "study.name: 'a/b' must start with a letter or digit"),
        ("study/seed", -1, "study.seed: should be greater than or equal to 0, not -1"),
        ("study/sede", 1, "study.sede: unknown key; did you mean 'seed'?"),
        ("stduy", {}, "stduy: unknown key; did you mean 'study'?"),
        ("engine/kind", "olama", "engine.kind: 'olama' is not one of"),
        ("engine/kind", "olama", "did you mean 'ollama'?"),
        ("engine/timeout", float("inf"), "engine.timeout"),
        ("prompts", {}, "prompts"),
        ("prompts/brief", "no mark", "prompts.brief: must contain {log} exactly once"),
        ("prompts/brief", {"user": "{log}", "sytem": "x"}, "prompts.brief.sytem: unknown key; did you mean 'system'?"),
        ("prompts/brief", {"user": "{log}", "system": "{log}"}, "must contain {log} exactly once"),
        ("baseline/model", None, "baseline.model: is missing"),
        ("baseline/prompt", "breif", "baseline.prompt: no prompt 'breif' in [prompts]; did you mean 'brief'?"),
        ("baseline/temprature", 1, "baseline.temprature: no such option; did you mean 'temperature'?"),
        ("baseline/seed", 1, "set study.seed instead"),
        ("baseline/top_p", 2, "baseline.top_p: must be at least 0 and at most 1, not 2"),
        ("baseline", 3, "baseline"),
        ("space", None, "space: is missing"),
        ("space", {}, "space: is empty"),
        ("space/temperature", {"low": 2, "high": 1}, "space.temperature: low 2 is above high 1; swap them"),
        ("space", [1], "space"),
        ("search/sampler", "tep", "search.sampler: 'tep' is not one of"),
        ("search/batch", 0, 'search.batch: must be "auto" or a whole number from 1 to 64, not 0'),
        ("search/batch", 65, "search.batch"),
        ("search/batch", "atuo", "search.batch"),
        ("search/batch", True, "search.batch"),
        ("budget/generations", None, "budget: needs generations, minutes or tokens"),
        ("budget/generations", 0, "budget.generations: should be greater than or equal to 1, not 0"),
        ("budget/minutes", float("inf"), "budget.minutes"),
        ("budget/minutes", float("nan"), "budget.minutes"),
        ("budget/generations", True, "budget.generations"),
        ("budget/generations", "100", "budget.generations"),
        ("budget/seeds", "autom", "budget.seeds"),
        ("budget/seeds", 0, "budget.seeds"),
        ("verdict/alpha", 0, "verdict.alpha: should be greater than or equal to 0.000001"),
        ("objective/threshold", 2, "objective.threshold"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_value(path: str, value: Any, words: str) -> None:
    problems = problems_of(changed(path, value))
    assert any(words in problem for problem in problems), problems
    assert all(problem.startswith("s.toml: ") for problem in problems)


def test_one_mistake_is_one_problem() -> None:
    for path, value in (("budget/seeds", "autom"), ("budget/seeds", 0), ("study/sede", 1), ("baseline/top_p", 2)):
        assert len(problems_of(changed(path, value))) == 1


def test_all_problems_are_told_at_once() -> None:
    tables = changed("study/sede", 1)
    tables["baseline"]["top_p"] = 3
    tables["space"]["top_q"] = [1]
    tables["budget"] = {"generations": -4}
    assert len(problems_of(tables)) == 4


def test_two_prompts_and_none_named() -> None:
    tables = changed("prompts/long", "At length: {log}")
    assert problems_of(tables) == ["s.toml: baseline.prompt: is missing; name one of the prompts: brief, long"]


def test_broken_toml_names_line_and_file() -> None:
    with pytest.raises(ConfigError, match=r"s.toml: is not valid TOML: .*line 2"):
        parse_config("[study]\nname = \n", Path("s.toml"))


def test_missing_file_and_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file$"):
        load_config(tmp_path / "sweep.toml")
    (tmp_path / "sweeps.toml").touch()
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'sweeps.toml'"):
        load_config(tmp_path / "sweep.toml")
    with pytest.raises(ConfigError, match="is a directory"):
        load_config(tmp_path)
    (tmp_path / "latin.toml").write_bytes("# Größe und Maß der Öfen\n".encode("latin-1"))
    command = r"iconv -f CP1252 -t UTF-8 \S*/latin.toml > \S*/latin.utf8.toml"
    with pytest.raises(ConfigError, match=rf"latin.toml: not UTF-8: byte 0xf6 at offset 4; .*{command}"):
        load_config(tmp_path / "latin.toml")


def test_a_file_may_begin_with_the_mark_of_windows_editors(tmp_path: Path) -> None:
    (tmp_path / "plain.toml").write_bytes(text_of(GOOD).encode())
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + text_of(GOOD).encode())
    plain, marked = (load_config(tmp_path / f"{name}.toml") for name in ("plain", "marked"))
    assert (marked.text, marked.identity()) == (plain.text, plain.identity())


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"study": [{"name": "t"}]}, "study: is a table: write [study], once"),
        ({"study": "t"}, "study: is a table: write [study], once, instead of 't'"),
        ({"space": [{"top_p": [0.8, 0.9]}]}, "space: is a table: write [space], once"),
        ({"engine": {"options": []}}, "engine.options: is a table: write [engine.options], once"),
        (
            {"engine": {"hosts": [3]}},
            'engine.hosts.0: must be an address or a table { host = "...", host_file = "..." }, not 3',
        ),
        (
            {"prompts": {"brief": 3}},
            "prompts.brief: is a text with {log} in it, or a table: write [prompts.brief], once, instead of 3",
        ),
    ],
)
def test_what_must_be_a_table_is_named_so(tables: dict[str, Any], problem: str) -> None:
    assert f"s.toml: {problem}" in problems_of({**GOOD, **tables})


def test_cases_are_looked_for_beside_the_file_first(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text_of(GOOD))
    assert load_config(path).cases_path == "engineering-chats"
    (tmp_path / "engineering-chats").mkdir()
    assert load_config(path).cases_path == str(tmp_path / "engineering-chats")


@pytest.mark.parametrize(
    ("path", "value", "same"),
    [
        ("study/description", "another", True),
        ("study/name", "other", True),
        ("engine/timeout", 5, True),
        ("engine/host", "http://elsewhere:1", True),
        ("tracking/uri", "x", True),
        ("study/seed", 8, False),
        ("baseline/top_k", 41, False),
        ("baseline/top_k", 40, True),
        ("space/temperature/high", 1.3, False),
        ("space/temperature/high", 1.2000001, False),
        ("prompts/brief", "Sum it up:\n{log}", False),
        ("budget/generations", 101, False),
        ("search/batch", 3, False),
        ("search/batch", 4, True),
        ("search/batch", "auto", True),
        ("verdict/alpha", 0.1, False),
        ("verdict/recommend", 0.9, True),
        ("verdict/bar", 0.6, False),
        ("confirm/looks", "anytime", False),
        ("confirm/looks", "auto", True),
    ],
)
def test_identity_holds_what_the_numbers_depend_on(path: str, value: Any, same: bool) -> None:
    before, after = parse_config(text_of(GOOD)), parse_config(text_of(changed(path, value)))
    assert (before.identity() == after.identity()) is same


@pytest.mark.parametrize(
    ("space", "batch"),
    [
        ({}, 4),
        ({"num_predict": [64, 128]}, 4),  # does not reload
        ({"num_ctx": [2048]}, 4),
        ({"num_ctx": [2048, 4096]}, 8),
        ({"model": ["a", "b"]}, 8),
        ({"num_ctx": [2048, 4096], "num_thread": [2, 4]}, 12),  # 16, but 12 at most
        ({"num_ctx": {"low": 2048, "high": 4096}}, 12),
    ],
)
def test_more_trials_are_asked_at_a_time_where_the_model_is_reloaded(space: dict[str, Any], batch: int) -> None:
    tables = changed("space", {"temperature": {"low": 0.1, "high": 1.2}, **space})
    assert parse_config(text_of(tables)).search.batch == batch


ENVIRONMENT_TEXT = """
[study]
name = "s"
[prompts]
p = "Summarise: {log}"
[objective]
cases = "engineering-chats"
[baseline]
model = "m"
temperature = 0.5
[space]
top_p = [0.5, 0.9]
[budget]
generations = 300
"""


def test_the_file_wins_over_the_environment_and_that_over_defaults():
    environment = {"OLLAMA_TEMPERATURE": "0", "OLLAMA_TOP_K": "20", "OLLAMA_SEED": "7", "OLLAMA_NUM_PARALLEL": "4"}
    config = parse_config(ENVIRONMENT_TEXT, environment=environment)
    assert config.baseline.options["temperature"] == 0.5
    assert config.baseline.options["top_k"] == 20
    assert config.baseline.options["top_p"] == 0.9
    assert config.study.seed == 7
    assert config.sources["temperature"] == "file"
    assert config.sources["top_k"] == "environment (OLLAMA_TOP_K)"
    assert config.sources["top_p"] == "default"
    assert config.environment == {"OLLAMA_TOP_K": "20", "OLLAMA_SEED": "7"}


def test_an_unusable_variable_is_named():
    environment = {"OLLAMA_TOP_K": "many", "OLLAMA_SEED": "x"}
    with pytest.raises(ConfigError) as caught:
        parse_config(ENVIRONMENT_TEXT, environment=environment)
    assert "OLLAMA_TOP_K in the environment" in str(caught.value)
    assert "OLLAMA_SEED" in str(caught.value)


def test_a_stored_study_is_read_without_the_environment_of_the_reader():
    config = parse_config(ENVIRONMENT_TEXT)
    assert config.baseline.options["top_k"] == 40
    assert config.environment == {}


def test_hosts_are_addresses_or_tables():
    text = (
        ENVIRONMENT_TEXT
        + '\n[engine]\nkind = "ollama"\nhosts = ["a:11434", {host = "b:11434", host_file = "b.json"}]\n'
    )
    assert parse_config(text).engine.all_hosts == [("a:11434", None), ("b:11434", "b.json")]


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ('host = "a"\nhosts = ["b"]', "both host and hosts"),
        ('hosts = ["a", "a"]', "names an address twice"),
        ('kind = "llamacpp"\nhosts = ["a"]', "hosts are for servers"),
    ],
)
def test_hosts_that_cannot_be(engine, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(ENVIRONMENT_TEXT + f"\n[engine]\n{engine}\n")
