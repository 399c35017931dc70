"""Names that exports, MLflow and tables cannot hold are refused when the file is read."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.export.formats import ExportError, ExportSet, render
from objectives import Case
from sweeps.cli import run_command
from sweeps.config.names import fault
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.scoring.inputs import load_inputs
from sweeps.study.sweep import Sweep
from tests.sweeps.sweep_files import BASE, write_sweep


def problems(**changes: Any) -> list[str]:
    tables = json.loads(json.dumps(BASE))
    for name, change in changes.items():
        tables[name] = {**tables[name], **change}
    with pytest.raises(ConfigError) as caught:
        SweepConfig.from_dict(tables)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", ["a\nb", 'a"b', " a", "a\t", "a\u2028b", "a\x7f", "a\u200bb"])
def test_models_are_refused_wherever_they_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = problems(baseline={"model": name})
    assert line.startswith("the sweep given as a mapping: baseline.model: must be a name ")
    assert repr(name) in line
    (line,) = problems(space={"model": ["scripted", name]})
    assert "space.model[1]: must be a name " in line
    tables = {**BASE, "baseline": {"prompt": "brief"}}
    if name == name.strip():  # blanks around a variable's value are not part of it
        monkeypatch.setitem(os.environ, "OLLAMA_MODEL", name)
        with pytest.raises(ConfigError, match="OLLAMA_MODEL in the environment: must be a name"):
            SweepConfig.from_dict(tables)


def test_prompts_and_cases_too_and_the_sweep_makes_no_request(tmp_path, capsys) -> None:
    assert any("must be a name of one plain line" in line for line in problems(prompts={"a\nb": "{log}"}))
    path = write_sweep(tmp_path, baseline={"model": 'my "best" model'})
    for command in ("check", "run"):
        assert run_command([command, str(path), "--mlruns", str(tmp_path / "mlruns")]) == 2
        shown = " ".join("".join(capsys.readouterr()).split())
        assert "a Modelfile cannot hold it" in shown
    config = SweepConfig.from_dict(BASE)
    case = Case("a\nb", "log", ())
    with pytest.raises(ConfigError, match=r"case 'a\\nb': its name must be a name of one plain line"):
        load_inputs(config, cases=[case])


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ConfigError, match="is half of one; remove it from the text"):
        Sweep.from_dict({**BASE, "prompts": {"brief": "\ud800 {log}"}})


@given(st.text(min_size=1))
def test_every_name_that_passes_stands_in_every_export(name: str) -> None:
    made = {"options": {}, "prompt": "p", "system": "", "user": "{log}", "study": "s", "configuration": "0"}
    if fault(name, quotes=False):
        return
    export = ExportSet(model=name, date="2026-03-02", shown_better=True, outcome="better", **made)  # type: ignore[arg-type]
    assert f"FROM {name}\n" in render(export, "modelfile")
    (line,) = [line for line in render(export, "env").splitlines() if line.startswith("OLLAMA_MODEL=")]
    assert shlex.split(line) == [f"OLLAMA_MODEL={name}"]
    assert json.loads(render(export, "json"))["model"] == name


@given(st.text(min_size=1))
def test_every_name_that_an_export_refuses_is_refused_before(name: str) -> None:
    made = {"options": {}, "prompt": "p", "system": "", "user": "{log}", "study": "s", "configuration": "0"}
    try:
        ExportSet(model=name, date="2026-03-02", shown_better=True, outcome="better", **made)  # type: ignore[arg-type]
    except ExportError:
        assert fault(name, quotes=False)


@pytest.mark.parametrize("name", ["study.", "con", "Aux.toml", "lpt1"])
def test_a_study_has_a_name_that_its_folder_can_have(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows drops a last dot, and opens a device by some names; stored studies elsewhere keep theirs."""
    assert SweepConfig.from_dict({**BASE, "study": {"name": name}}).study.name == name
    monkeypatch.setattr("sweeps.config.tables.ON_WINDOWS", True)
    assert any("can be no folder's name on Windows" in each for each in problems(study={"name": name}))
    assert SweepConfig.from_dict({**BASE, "study": {"name": f"a{name}a"}}).study.name == f"a{name}a"
