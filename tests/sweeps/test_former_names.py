"""Python's arguments have the flags' names; their former names still work."""

from __future__ import annotations

from pathlib import Path

from sweeps import Sweep, load_result, rescore_study
from tests.sweeps.sweep_files import write_sweep


def test_former_names_of_arguments(tmp_path: Path) -> None:
    path, mlruns = write_sweep(tmp_path), tmp_path / "mlruns"
    quiet = {"tracking": False, "report": False, "progress": None}
    result = Sweep.from_toml(path, directory=mlruns, **quiet).run()
    assert Sweep.from_toml(path, mlruns=mlruns).workspace == result.workspace
    assert load_result(directory=mlruns).name == load_result(mlruns).name == load_result(mlruns=mlruns).name
    cases = str(tmp_path / "cases")
    new = rescore_study(mlruns=mlruns, cases=cases, keep=False).new
    assert rescore_study(directory=mlruns, name="t", cases_path=cases, keep=False).new.verdict == new.verdict
