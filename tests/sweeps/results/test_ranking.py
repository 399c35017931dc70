"""The ranking of a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from analysis import SequentialDesign
from tests.sweeps.study.test_comparison import compare, write

SAME = {"looks": 1}


def test_candidates_that_end_together_have_dunnetts_intervals(tmp_path: Path) -> None:
    result = compare(write(tmp_path, confirm=SAME))
    table = result.ranking
    assert table is not None
    assert set(table["intervals"]) == {"dunnett"}
    assert list(table["effect"]) == sorted(table["effect"], reverse=True)
    rows = result.stage("confirm")
    for row in table.itertuples():
        own = rows[rows["configuration"] == row.configuration]["score"]
        assert row.mean == pytest.approx(own.mean())
        assert row.n == len(own) == 27
    # Between a single comparison's interval and Bonferroni's share of alpha.
    widths = {row.name: (row.ci_high - row.ci_low) / 2 for row in table.itertuples() if row.name != "the baseline"}
    for verdict in result.verdicts:
        alone = verdict.standard_error * stats.t.isf(0.025, verdict.dof)
        shared = verdict.standard_error * stats.t.isf(0.025 / 3, verdict.dof)
        assert alone < widths[result.called[verdict.configuration]] < shared * 1.001


def test_candidates_that_leave_at_unequal_looks_have_bonferronis_share(tmp_path: Path) -> None:
    result = compare(write(tmp_path, confirm={"futility": 0.0}))
    table = result.ranking
    assert table is not None
    assert set(table["intervals"]) == {"bonferroni"}
    cool = next(verdict for verdict in result.verdicts if result.called[verdict.configuration] == "cool")
    assert cool.look == 1
    row = table.set_index("name").loc["cool"]
    level = SequentialDesign([5 / 9, 1], 0.05 / 3).nominal(1)
    half = cool.standard_error * stats.t.isf(level / 2, min(cool.dof, 1e9))
    assert row["effect"] == pytest.approx(cool.effect)
    assert (row["ci_high"] - row["ci_low"]) / 2 >= half * 0.999
    assert row["ci_low"] > 0
