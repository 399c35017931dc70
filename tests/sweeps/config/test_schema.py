"""The JSON Schema of a sweep's file against the loader."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.cli import run_command
from sweeps.cli.init import Found, write_folder
from sweeps.config.file import parse_config
from sweeps.config.mappings import toml_text
from sweeps.config.schema import DIRECTIVE, FILE_NAME, schema_text, sweep_schema
from sweeps.errors import ConfigError
from sweeps.options import NUMBERS, OPTIONS
from tests.sweeps.cli.reading import Capture

ROOT = Path(__file__).parents[3]
SCHEMA = sweep_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

GOOD: dict[str, Any] = {
    "study": {"name": "t"},
    "prompts": {"short": "Summarise: {log}", "long": {"user": "{log}", "system": "Be brief."}},
    "objective": {"cases": "cases"},
    "baseline": {"model": "m", "prompt": "short", "temperature": 0.8},
    "space": {"temperature": {"low": 0.1, "high": 1.2}, "top_k": [20, 40], "prompt": ["short", "long"]},
    "budget": {"generations": 300},
}


def with_value(path: str, value: object) -> dict[str, Any]:
    """The good file with another value at `table.key`; REMOVED takes the key out."""
    changed = copy.deepcopy(GOOD)
    *tables, key = path.split(".")
    table = changed
    for name in tables:
        table = table.setdefault(name, {})
    if value is REMOVED:
        del table[key]
    else:
        table[key] = value
    return changed


REMOVED = object()


def refused_by_the_loader(tables: dict[str, Any]) -> bool:
    try:
        parse_config(toml_text(tables), None)
    except ConfigError:
        return True
    return False


def toml_of_docs() -> list[tuple[str, str]]:
    """Whole sweeps and single tables in the documentation, each with its place."""
    found = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for number, text in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
            found.append((f"{page.name} {number}", text))
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.toml")), ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), SCHEMA, jsonschema.Draft7Validator)


def test_what_the_docs_show_is_valid() -> None:
    known = set(SCHEMA["properties"])
    checked = 0
    for place, text in toml_of_docs():
        tables = tomllib.loads(text)
        if not tables or not set(tables) <= known:
            continue
        checked += 1
        whole = {**GOOD, **tables}
        faults = [f"{place}: {error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(whole)]
        assert not faults
    assert checked > 5


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("study.name", REMOVED), ("study.name", "a b"), ("study.sead", 1), ("study.seed", "1"), ("study", REMOVED),
        ("budgets", {}), ("budget.generations", REMOVED), ("budget.generations", 0), ("budget.generations", True),
        ("budget.seeds", "Auto"), ("budget.seeds", 0), ("budget.confirm_share", 1.5),
        ("search.batch", 65), ("search.batch", "all"), ("search.sampler", "cma"), ("search.probe", "yes"),
        ("confirm.looks", 0), ("confirm.looks", "always"), ("confirm.finalists", 21),
        ("engine.kind", "olama"), ("engine.hosts", [1]), ("engine.hosts", [{"address": "a"}]), ("engine.timeout", 0),
        ("prompts", {}), ("prompts.short", "no mark"), ("prompts.long", {"system": "x"}), ("prompts.short", 1),
        ("objective.cases", REMOVED), ("objective.threshold", 2), ("objective.reasoning", "drop"),
        ("baseline", REMOVED), ("baseline.temprature", 0.8), ("baseline.temperature", "0.8"), ("baseline.top_p", 1.5),
        ("baseline.temperature", True), ("baseline.think", "much"), ("baseline.stop", "END"), ("baseline.seed", 1),
        ("baseline.model", ""), ("space", {}), ("space.top_q", [1]), ("space.top_k", []), ("space.top_k", [20, 20]),
        ("space.top_k", {"low": 10}), ("space.top_k", {"low": 10, "high": 20, "steps": 2}), ("space.seed", [1]),
        ("space.top_k", {"choices": [1], "low": 1}), ("space.temperature", {"low": -1, "high": 1}),
        ("space.think", {"low": 0, "high": 1}), ("space.model", {"low": 0, "high": 1}), ("space.stop", ["END"]),
        ("space.top_k", {"choices": [20, 40], "when": {"nope": 1}}), ("space.top_k", {"low": 1, "high": 9, "log": 1}),
        ("space", REMOVED), ("candidates.finalist", {"top_k": 20}), ("candidates.a b", {"top_k": 20}),
        ("candidates.hot", {}), ("candidates.hot", {"top_q": 20}), ("candidates.hot", 1),
        ("verdict.claim", "all"), ("verdict.alpha", 0.6), ("constraints.words", 0), ("tracking.texts", 1),
        ("tracking.traces", "some"),
    ],
)  # fmt: skip
def test_what_the_loader_refuses_for_a_name_or_a_type_is_refused(path: str, value: object) -> None:
    tables = with_value(path, value)
    assert refused_by_the_loader(tables), "the table of this test must be of faults"
    assert not VALIDATOR.is_valid(tables)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("search.batch", "auto"), ("search.batch", 8), ("budget.seeds", "auto"), ("confirm.looks", "anytime"),
        ("confirm.looks", "auto"), ("confirm.looks", 2),
        ("budget", {"minutes": 30}), ("engine.hosts", ["a:1", {"host": "b:1", "host_file": "b.json"}]),
        ("space.num_ctx", 8192), ("space.stop", [["END"], ["END", "\n"]]), ("space.think", [True, False, "low"]),
        ("space.top_k", {"low": 10, "high": 50, "step": 10}), ("space.top_p", {"choices": [0.5, 0.9]}),
        ("candidates.hot", {"temperature": 1.2, "prompt": "long"}), ("engine.timeout", 600),
    ],
)  # fmt: skip
def test_what_the_loader_takes_is_valid(path: str, value: object) -> None:
    tables = with_value(path, value)
    assert not refused_by_the_loader(tables)
    assert VALIDATOR.is_valid(tables)


LISTS = st.lists(st.text(max_size=3), max_size=2)
VALUES = st.one_of(st.booleans(), st.text(max_size=5), st.integers(-5, 5000), st.floats(-3, 20), LISTS)


@settings(deadline=None)
@given(st.sampled_from(list(OPTIONS)), VALUES)
def test_an_options_value_is_valid_where_the_loader_takes_it(name: str, value: object) -> None:
    takes = OPTIONS[name].problem(value) is None
    schema = SCHEMA["definitions"][f"option.{name}"]
    assert jsonschema.Draft7Validator(schema).is_valid(value) == takes or (
        name in NUMBERS and isinstance(value, float) and value != value
    )


def test_the_published_schema_is_this_one(capsys: Capture) -> None:
    assert (ROOT / "docs/reference" / FILE_NAME).read_text(encoding="utf-8") == schema_text()
    assert run_command(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == sweep_schema()
    jsonschema.Draft7Validator.check_schema(sweep_schema())


def test_a_new_folder_has_the_schema_and_taplo_finds_it(tmp_path: Path) -> None:
    files = write_folder(tmp_path / "new", Found("llamacpp", "m"))
    file = tmp_path / "new/sweep.toml"
    assert {file, tmp_path / "new" / FILE_NAME} <= set(files)
    assert file.read_text(encoding="utf-8").startswith(f"{DIRECTIVE}\n")
    taplo = [Path(sys.executable).with_name("taplo"), "check"]
    done = subprocess.run([*taplo, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file.write_text(file.read_text(encoding="utf-8").replace("temperature", "temprature"), encoding="utf-8")
    done = subprocess.run([*taplo, file], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "temprature" in done.stderr
