"""What stays in a study's folder when its verdict changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sweeps.constraints import ConstraintsTable
from sweeps.reporting import write_outputs
from tests.sweeps.sweep_files import run, write_sweep


def test_exports_of_a_verdict_that_no_longer_holds_are_removed(tmp_path: Path) -> None:
    result = run(write_sweep(tmp_path))
    assert result.exportable
    assert result.folder / "production.env" in result.export()
    broken = replace(result, config=replace(result.config, constraints=ConstraintsTable(words=1)))
    assert not broken.exportable
    forced = broken.export(mode="baseline", force=True)
    assert write_outputs(broken).exports == []
    assert list(result.folder.glob("production.*")) == []
    assert sorted(result.folder.glob("baseline.*")) == sorted(forced)
