"""Folders of several machines in one: one sweep, and copies of its folder that went different ways."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sweeps.cli import run_command
from sweeps.merge.folders import Merged, StudiesDifferError, merge_folders
from sweeps.results.reader import load_result
from sweeps.tracking import mlflow_store
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return run(write_sweep(tmp_path_factory.mktemp("swept"), cases=2, budget={"generations": 44})).directory


@pytest.fixture
def machine(swept: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a machine's folder: a copy of the sweep's, changed in SQL."""

    def made(name: str, *changes: str) -> Path:
        folder = tmp_path / name / "mlruns"
        shutil.copytree(swept, folder)
        with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
            for change in changes:
                database.execute(change)
        return folder

    return made


OTHER = (
    "UPDATE studies SET sha256 = NULL, name = 'u', config = replace(config, '\"t\"', '\"u\"')",
    "UPDATE observations SET study = 'u'",
    "UPDATE proposals SET study = 'u'",
)
STARTED_APART = "UPDATE studies SET sha256 = NULL, created = '2020-01-01T00:00:00.000+00:00'"
LESS = (
    "DELETE FROM observations WHERE stage = 'confirm'",
    "UPDATE studies SET sha256 = NULL, updated = '2020', status = 'stopped'",
)


def contents(folder: Path) -> dict[str, list[Any]]:
    """Everything in a ledger."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables}


def whats(done: list[Merged]) -> list[tuple[str, str]]:
    return [(each.name, each.what) for each in done]


def test_studies_of_three_machines_come_together(machine: Callable[..., Path], tmp_path: Path, swept: Path) -> None:
    a, b, c = machine("a"), machine("b", *OTHER), machine("c")
    into = tmp_path / "all"
    assert whats(merge_folders([a, b, c], into)) == [("t", "added"), ("u", "added"), ("t", "kept")]
    expected = load_result(swept, "t")
    for name in ("t", "u"):
        merged = load_result(into, name)
        assert merged.status == "done"
        assert [{**row, "study": ""} for row in steady(merged.observations)] == [
            {**row, "study": ""} for row in steady(expected.observations)
        ]
        assert merged.verdict is not None
        assert expected.verdict is not None
        assert merged.verdict.sentence == expected.verdict.sentence
    assert optuna_trials(into) == optuna_trials(swept)
    assert len(contents(into)["generations"]) == len(contents(swept)["generations"])  # equal texts once
    before = contents(into)
    assert {what for _, what in whats(merge_folders([a, b, c], into))} == {"kept"}
    assert contents(into) == before


def test_what_was_measured_since_is_added_and_nothing_is_lost(machine: Callable[..., Path], tmp_path: Path) -> None:
    earlier, later = machine("earlier", *LESS), machine("later")
    into = tmp_path / "all"
    assert whats(merge_folders([earlier], into)) == [("t", "added")]
    assert load_result(into).status == "stopped"
    assert whats(merge_folders([later], into)) == [("t", "updated")]
    merged = load_result(into)
    assert merged.status == "done"
    assert len(merged.rows) == len(load_result(later).rows)
    assert whats(merge_folders([earlier], into)) == [("t", "kept")]
    assert load_result(into).status == "done"


def test_one_name_for_two_studies_is_refused_or_named_apart(
    machine: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = machine("a"), machine("b", STARTED_APART)
    into = tmp_path / "all"
    with pytest.raises(StudiesDifferError, match=r"'t' of b and of a; name them apart with --rename"):
        merge_folders([a, b], into)
    assert contents(into)["studies"] == contents(into)["generations"] == []
    arguments = ["merge", str(a), str(b), "--mlruns", str(into), "--no-tracking"]
    assert run_command(arguments) == 2
    assert run_command([*arguments, "--rename"]) == 0
    assert "t as t-b: added" in capsys.readouterr().out
    merged = load_result(into, "t-b")
    assert merged.config.study.name == "t-b"
    assert len(merged.rows) == len(load_result(into, "t").rows)
    assert run_command([*arguments, "--rename"]) == 0
    assert capsys.readouterr().out.count(": kept") == 2


def test_runs_are_written_for_studies_that_had_runs(machine: Callable[..., Path], tmp_path: Path) -> None:
    a = machine("a", "UPDATE studies SET sha256 = NULL, record = json_set(record, '$.tracked', json('true'))")
    b = machine("b", *OTHER)
    into = Workspace.at(tmp_path / "all")
    warnings: list[str] = []
    merge_folders([a, b], into, warn=warnings.append)
    client = mlflow_store.connect(into.runs_url)
    assert {each.name for each in client.search_experiments()} == {"Default", "t"}
    found = client.get_experiment_by_name("t")
    assert len(client.search_runs([found.experiment_id])) == load_result(a).plan.trials + 2
    assert not warnings


def test_a_folder_into_itself_and_a_folder_without_sweeps(swept: Path, tmp_path: Path) -> None:
    assert run_command(["merge", str(swept), "--mlruns", str(swept)]) == 2
    assert run_command(["merge", str(tmp_path), "--mlruns", str(tmp_path / "all")]) == 2
    assert not (tmp_path / "all").exists()
