"""A study whose baseline or seed comes from the environment is read with the values of its run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sweeps.check.checker import check_sweep
from sweeps.config.file import load_config
from sweeps.ledger.ledger import Ledger
from sweeps.options import OPTIONS
from sweeps.results.reader import load_result, measured_floor
from sweeps.results.result import SweepResult
from sweeps.study.rescore import rescore_study
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, steady, write_sweep

VARIABLES = [f"OLLAMA_{name.upper()}" for name in ("model", "seed", *OPTIONS)]

FROM_ENVIRONMENT = [
    ("OLLAMA_TEMPERATURE", "1.1", {"baseline": {"temperature": None}}),
    ("OLLAMA_TEMPERATURE", "0", {"baseline": {"temperature": None}}),
    ("OLLAMA_TOP_K", "17", {}),
    ("OLLAMA_MODEL", "scripted", {"baseline": {"model": None}}),
    ("OLLAMA_SEED", "99", {"study": {"seed": None}}),
]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of whoever runs the tests are not those of the tests."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize(("variable", "value", "tables"), FROM_ENVIRONMENT)
def test_it_is_read_as_it_was_run_and_goes_on_when_it_is_scored_again(
    variable: str, value: str, tables: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sweep(tmp_path, **tables)
    monkeypatch.setenv(variable, value)
    config = load_config(path)
    assert config.environment == {variable: value}
    first = run(path)
    monkeypatch.setenv(variable, "5")  # where it is read, they are others
    other = load_result(tmp_path / "mlruns")
    monkeypatch.delenv(variable)
    kept = load_result(tmp_path / "mlruns")
    for result in (first, other, kept):
        assert result.config.identity() == config.identity()
        assert result.baseline == config.baseline
        rows = result.observations
        own = rows[rows["trial"] == -1]
        assert set(own["configuration"]) == {config.baseline.key}
        assert set(own["temperature"]) == {config.baseline.options["temperature"]}
        assert set(own[own["stage"] == "floor"]["seed"]) == set(range(config.study.seed, config.study.seed + 4))
        assert result.floor is not None
        assert result.verdict is not None
        assert result.verdict.baseline == config.baseline.key
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
        (known,) = connection.execute("SELECT DISTINCT configuration FROM observations WHERE trial = -1").fetchall()
    assert known == (config.baseline.key,)
    assert steady(kept.observations) == steady(first.observations)
    done = rescore_study(tmp_path / "mlruns", None)
    assert done.changed == 0
    assert done.new.stored.identity == first.stored.identity
    monkeypatch.setenv(variable, value)
    assert steady(run(path).observations) == steady(first.observations)


def test_a_study_of_before_the_variables_were_kept(tmp_path: Path, plain_study: SweepResult) -> None:
    shutil.copytree(plain_study.directory, tmp_path / "mlruns")
    edit_record(tmp_path / "mlruns", "t", "environment", None)
    assert steady(load_result(tmp_path / "mlruns").observations) == steady(plain_study.observations)


def edit_record(directory: Path, study: str, key: str, value: Any) -> None:
    """Set a key of a study's record, or the first of its proposals; None takes it away."""
    with sqlite3.connect(directory / "ledger.db") as connection:
        if key == "proposals":
            wanted = "study = ? AND number = 0"
            connection.execute(f"UPDATE proposals SET record = ? WHERE {wanted}", [json.dumps(value), study])
            return
        (text,) = connection.execute("SELECT record FROM studies WHERE name = ?", [study]).fetchone()
        record = {**json.loads(text), key: value}
        if value is None:
            del record[key]
        connection.execute("UPDATE studies SET sha256 = NULL, record = ? WHERE name = ?", [json.dumps(record), study])


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Study t, whose folder has a newer one named broken; both have their model from the environment."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLLAMA_MODEL", "scripted")
        first = run(write_sweep(folder, baseline={"model": None}))
        run(write_sweep(folder, baseline={"model": None}, study={"name": "broken"}, file="broken.toml"))
    return first


@pytest.mark.parametrize(("key", "value"), [("environment", None), ("cases", None), ("proposals", {}), ("cases", 1)])
def test_a_study_that_cannot_be_read_hinders_no_other(
    key: str, value: Any, tmp_path: Path, two_studies: SweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODEL", "scripted")
    first = two_studies
    shutil.copytree(first.directory, tmp_path / "mlruns")
    edit_record(tmp_path / "mlruns", "broken", key, value)
    ledger = Ledger(tmp_path / "mlruns/ledger.db")
    assert [study.name for study in ledger.studies.all()] == ["broken", "t"]
    assert measured_floor(ledger, first.stored.identity, Workspace.at(tmp_path / "mlruns")) == (first.floor, "t")
    ledger.close()
    options = {"cases": str(first.directory.parent / "cases")}
    path = write_sweep(tmp_path, study={"name": "u"}, file="u.toml", engine={"options": options})
    assert check_sweep(path, mlruns=tmp_path / "mlruns").noise_sd == first.floor.sd  # type: ignore[union-attr]
    assert run(path).status == "done"
