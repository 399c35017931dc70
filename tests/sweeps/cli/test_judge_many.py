"""`sweeps judge` on a table of many configurations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweeps.cli import run_command
from tests.sweeps.cli.test_judge_tables import write

Capture = pytest.CaptureFixture[str]


def test_many_configurations_have_one_level_above_their_intervals_and_little_advice(
    tmp_path: Path, capsys: Capture
) -> None:
    rng = np.random.default_rng(1)
    names = ["base", *(f"c{number}" for number in range(60))]
    rows = [(name, case, seed, rng.uniform(0.3, 0.6)) for name in names for case in "uvwxyz" for seed in range(3)]
    assert run_command(["judge", str(write(tmp_path / "t.csv", rows)), "--baseline", "base"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("c") and ": " in line for line in lines) == 5
    assert sum("The advice on 55 more is in the output of --json." in line for line in lines) == 1
    assert sum("99.917%" in line for line in lines) == 1
    assert len(lines) < 80
