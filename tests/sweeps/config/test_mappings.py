"""Sweeps from mappings, and changed copies of sweeps."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps import Sweep, rescore_study
from sweeps.cli import run_command
from sweeps.config.file import load_config, parse_config
from sweeps.config.mappings import merged, toml_text
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.results.reader import load_result
from tests.sweeps.sweep_files import BASE, steady, write_cases, write_sweep

PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=12,
)


def tables(**changes: Any) -> dict[str, Any]:
    """`BASE` with quick settings, as one writes it in Python."""
    quick = json.loads(json.dumps(BASE)) | {"search": {"sampler": "tpe", "probe": False}}
    return merged(quick, changes)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), PLAIN, max_size=4))
def test_the_text_holds_what_was_given(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(values)) == values


def test_python_values_become_toml() -> None:
    given = {
        "a": np.float64(0.5),
        "b": np.int64(3),
        "c": (1, 2),
        "d": np.array([0.5, 1.0]),
        "e": Path("x") / "y",
        "f": None,
        "g": {1: 5.0, "h": None},
    }
    assert tomllib.loads(toml_text(given)) == {
        "a": 0.5,
        "b": 3,
        "c": [1, 2],
        "d": [0.5, 1.0],
        "e": str(Path("x") / "y"),
        "g": {"1": 5.0},
    }


def test_all_values_that_toml_cannot_hold_are_named() -> None:
    with pytest.raises(ConfigError) as error:
        toml_text({"budget": {"minutes": 1j}, "space": {"top_k": [1, {2}]}})
    assert [problem.split(" cannot")[0] for problem in error.value.problems] == [
        "budget.minutes: 1j",
        "space.top_k[1]: {2}",
    ]


def test_a_mapping_is_the_same_sweep_as_its_file(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"probe": False})
    given = tables(engine={"options": {"noise": 0.1, "cases": str(tmp_path / "cases")}})
    file, config = load_config(path), SweepConfig.from_dict(given, base=tmp_path)
    assert config.identity() == file.identity()
    assert config.baseline == file.baseline
    assert config.cases_path == file.cases_path
    assert parse_config(config.text).identity() == file.identity()


def test_all_problems_of_a_mapping_are_named_at_once() -> None:
    given = tables(study={"name": "no name"}, budget={"generation": 5, "generations": None})
    with pytest.raises(ConfigError) as error:
        SweepConfig.from_dict(given)
    assert all(line.startswith("the sweep given as a mapping: ") for line in error.value.problems)
    assert {line.split(": ")[1] for line in error.value.problems} == {"study.name", "budget.generation"}
    assert "did you mean" in str(error.value)


def test_a_mapping_takes_what_it_does_not_name_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_TOP_P", "0.65")
    config = SweepConfig.from_dict(tables())
    assert config.baseline.options["top_p"] == 0.65
    assert config.sources["top_p"] == "environment (OLLAMA_TOP_P)"
    monkeypatch.delenv("OLLAMA_TOP_P")
    assert config.with_(study={"name": "u"}).baseline.options["top_p"] == 0.65
    assert config.with_(baseline={"top_p": 0.9}).baseline.options["top_p"] == 0.9


CHANGES: dict[str, tuple[dict[str, Any], Any]] = {
    "study": ({"name": "u", "description": "again"}, lambda c: (c.study.name, c.study.seed, c.study.description)),
    "engine": ({"timeout": 5.0}, lambda c: (c.engine.timeout, c.engine.kind)),
    "prompts": ({"long": "At length:\n{log}"}, lambda c: sorted(c.prompts)),
    "objective": ({"budget_words": 9}, lambda c: (c.objective.budget_words, c.objective.cases)),
    "baseline": ({"temperature": 0.7}, lambda c: (c.baseline.options["temperature"], c.baseline.model)),
    "space": ({"top_p": None, "top_k": [10, 40]}, lambda c: sorted(dimension.name for dimension in c.space)),
    "search": ({"sampler": "gp"}, lambda c: (c.search.sampler, c.search.probe)),
    "budget": ({"generations": None, "minutes": 30}, lambda c: (c.budget.generations, c.budget.minutes)),
    "confirm": ({"looks": 1}, lambda c: c.confirm.looks),
    "verdict": ({"min_gain": 0.1}, lambda c: c.verdict.min_gain),
    "constraints": ({"words": 80}, lambda c: c.constraints.limits),
    "tracking": ({"texts": False}, lambda c: c.tracking.texts),
}
EXPECTED = {
    "study": ("u", 7, "again"),
    "engine": (5.0, "scripted"),
    "prompts": ["brief", "long"],
    "objective": (9, "cases"),
    "baseline": (0.7, "scripted"),
    "space": ["temperature", "top_k"],
    "search": ("gp", False),
    "budget": (None, 30),
    "confirm": 1,
    "verdict": 0.1,
    "constraints": {"words": 80},
    "tracking": False,
}


@pytest.mark.parametrize("table", CHANGES)
def test_every_table_can_be_changed_and_the_original_stays(table: str) -> None:
    change, seen = CHANGES[table]
    config = SweepConfig.from_dict(tables())
    before = config.text
    changed = config.with_(**{table: change})
    assert seen(changed) == EXPECTED[table]
    assert seen(config) != EXPECTED[table]
    assert config.text == before
    assert parse_config(changed.text).identity() == changed.identity()


def test_a_table_that_is_none_has_its_defaults() -> None:
    assert SweepConfig.from_dict(tables(verdict={"margin": 0.2})).with_(verdict=None).verdict.margin is None


def test_a_wrong_change_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^the changed sweep: budget\.minuts: unknown key; did you mean"):
        SweepConfig.from_dict(tables()).with_(budget={"minuts": 3})


def test_a_copy_of_a_file_keeps_its_folder(tmp_path: Path) -> None:
    config = load_config(write_sweep(tmp_path)).with_(study={"name": "u"})
    assert config.directory == tmp_path
    assert config.cases_path == str(tmp_path / "cases")


@pytest.mark.usefixtures("no_report")
def test_the_command_line_goes_on_with_a_study_from_a_mapping(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cases(tmp_path / "cases")
    mlruns, given = tmp_path / "mlruns", tables(engine={"options": {"noise": 0.1, "cases": str(tmp_path / "cases")}})
    sweep = Sweep.from_dict(given, base=tmp_path, directory=mlruns, tracking=False, report=False)
    result = sweep.run()
    assert load_result(mlruns, "t").config.identity() == result.config.identity()
    file = tmp_path / "written.toml"
    file.write_text(sweep.config.text, encoding="utf-8")
    where = ["--mlruns", str(mlruns)]
    assert run_command(["run", str(file), "--no-tracking", "--quiet", *where]) == 0
    assert f"{len(result.observations)} generations came from the ledger" in capsys.readouterr().out
    assert run_command(["status", "t", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "done"
    assert run_command(["rescore", "t", "--weights", "1,1,1,1,1", *where]) == 0
    assert steady(load_result(mlruns, "t").observations) != steady(result.observations)


@pytest.mark.usefixtures("no_report")
def test_a_study_from_a_mapping_finds_its_own_module_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mine"
    write_cases(folder / "cases")
    (folder / "lengths.py").write_text("def length(case, text):\n    return min(1.0, len(text) / 5000)\n")
    given = tables(
        engine={"options": {"noise": 0.1, "cases": str(folder / "cases")}}, objective={"kind": "lengths:length"}
    )
    options = {"directory": tmp_path / "mlruns", "tracking": False, "report": False}
    result = Sweep.from_dict(given, base=folder, **options).run()
    monkeypatch.chdir(tmp_path)
    kept = load_result(tmp_path / "mlruns", "t")
    assert kept.config.directory == folder
    assert kept.config.with_(study={"name": "u"}).cases_path == str(folder / "cases")
    done = rescore_study(tmp_path / "mlruns", "t")
    assert list(done.new.observations["score"]) == list(result.observations["score"])


def test_a_switch_that_came_later_belongs_to_a_study_only_where_it_is_on() -> None:
    usual = SweepConfig.from_dict(tables()).identity()
    assumed = SweepConfig.from_dict(tables(verdict={"assume_missing_at_random": True})).identity()
    assert assumed == usual | {"verdict.assume_missing_at_random": True} != usual


@pytest.mark.parametrize("tables", [None, "sweep.toml", [1]])
def test_tables_that_are_no_mapping(tables: Any) -> None:
    with pytest.raises(ConfigError, match="is no mapping; give the tables"):
        SweepConfig.from_dict(tables)
