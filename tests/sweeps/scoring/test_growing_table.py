"""Values that are updated row by row equal those of the whole table, to the last digit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.observations.case_offsets import by_name, case_offsets, cells_of
from sweeps.scoring.growing_table import ByTrial, RunningOffsets


def table(seed: int, rows: int, cases: int) -> list[dict[str, Any]]:
    """Rows of trials that have some of the cases, with repeats, in any order, and with scores that are missing."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        score = math.nan if rng.random() < 0.05 else int(rng.integers(20)) / 19
        trial = int(rng.integers(rows // 8))
        case = f"case {rng.integers(cases)}"
        made.append(
            {"trial": trial, "configuration": f"{hash((seed, trial)) & 0xFFFF:04x}", "case": case, "score": score}
        )
    return made


def from_the_whole(rows: list[dict[str, Any]]) -> dict[str, float]:
    return by_name(case_offsets(cells_of(pd.DataFrame(rows, columns=["configuration", "case", "score"]))))


@pytest.mark.parametrize(("seed", "rows", "cases"), [(1, 60, 3), (2, 300, 12), (3, 900, 50), (4, 400, 7)])
def test_offsets_are_those_of_the_whole_table(seed: int, rows: int, cases: int) -> None:
    made, grown = table(seed, rows, cases), []  # type: ignore[var-annotated]
    running = RunningOffsets(grown)
    for first in range(0, rows, 37):
        grown += made[first : first + 37]
        assert running.by_case() == from_the_whole(grown)


def test_no_rows_have_no_offsets() -> None:
    grown: list[dict[str, Any]] = []
    running = RunningOffsets(grown)
    assert running.by_case() == {}
    grown.append({"configuration": "a", "case": "c1", "score": math.nan})
    assert running.by_case() == {}


def test_rows_by_trial_see_what_is_added() -> None:
    grown: list[dict[str, Any]] = []
    by_trial = ByTrial(grown)
    assert by_trial.of(3) == []
    for part in (table(5, 40, 3), table(6, 40, 3)):
        grown += part
        for trial in range(6):
            assert by_trial.of(trial) == [row for row in grown if row["trial"] == trial]
