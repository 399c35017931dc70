"""What stays in a study's folder when its verdict changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.export import write_exports
from sweeps.reporting import remove_unforced
from sweeps.results import SweepResult
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    made = run(write_sweep(tmp_path_factory.mktemp("study")))
    assert made.exportable
    return made


def test_exports_of_a_verdict_that_no_longer_holds_are_removed(result: SweepResult, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("a report")
    names = {path.name for path in result.export(["env", "json", "toml", "modelfile"], folder=tmp_path)}
    assert {path.name for path in tmp_path.iterdir()} == names | {"report.html"}
    remove_unforced(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    remove_unforced(tmp_path / "missing")


@pytest.mark.parametrize("form", ["env", "json", "toml", "modelfile"])
def test_what_was_exported_by_force_stays(result: SweepResult, tmp_path: Path, form: str) -> None:
    unproven = replace(result.export_set(), shown_better=False)
    paths = write_exports(unproven, tmp_path, formats=[form], force=True)  # type: ignore[list-item]
    result.export(["json"], folder=tmp_path, mode="baseline")
    remove_unforced(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
