"""Sets that copy the log are told of, and can be limited."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from sweeps.config.tables import ConstraintsTable
from sweeps.results.report_files import report_data
from sweeps.results.result import SweepResult
from sweeps.scoring.copied_text import copied_by, copying_notes
from sweeps.scoring.limits import check_limits
from tests.sweeps.sweep_files import run, write_sweep


def rows(key: str, shares: list[float | None], case: str = "c") -> list[dict[str, Any]]:
    return [{"configuration": key, "case": case, "copied_share": share} for share in shares]


def test_cases_count_alike_and_what_is_not_known_is_left_aside() -> None:
    table = rows("f", [0.9, 0.8, None, math.nan], "x") + rows("f", [0.2], "y") + rows("b", [None])
    assert copied_by(table, "f") == pytest.approx((0.85 + 0.2) / 2)
    assert math.isnan(copied_by(table, "b"))
    assert math.isnan(copied_by(table, "nobody"))


@pytest.mark.parametrize(
    ("baseline", "finalist", "told"),
    [(0.0, 0.9, True), (0.3, 0.5, True), (0.4, 0.55, False), (0.0, 0.49, False), (0.9, 0.95, False), (None, 0.6, True)],
)
def test_who_is_told_of(baseline: float | None, finalist: float, told: bool) -> None:
    notes = copying_notes(rows("b", [baseline]) + rows("f", [finalist]), "b", "f")
    assert bool(notes) == told
    if told:
        assert f"the finalist copies {finalist:.0%} of its words from the log" in notes[0]
        assert ("the baseline" in notes[0]) == (baseline is not None)
    assert copying_notes([], "b", "f") == []


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """A finished study whose finalist is made to have copied its log."""
    result = run(write_sweep(tmp_path_factory.mktemp("copies"), budget={"generations": 120}))
    assert result.finalist is not None
    own = result.finalist.configuration.key
    shares = [{**row, "copied_share": 0.88 if row["configuration"] == own else 0.01} for row in result.rows]
    return replace(result, rows=shares, answers=())


def test_report_and_exports_say_it(copying: SweepResult) -> None:
    said = "the finalist copies 88% of its words from the log (the baseline 1%)"
    assert any(said in note for note in report_data(copying).notes)
    (caution,) = copying.export_set().cautions
    assert said in caution
    folder = copying.folder / "copied"
    paths = copying.export(["env", "json", "toml", "modelfile"], out=folder, force=True)
    own = [path for path in paths if path.suffix != ".txt"]
    assert len(own) == 4
    assert all("finalist copies 88%" in path.read_text() for path in own)
    assert said in json.loads((folder / "production.json").read_text())["caution"]


def test_nothing_is_said_of_a_study_that_does_not(copying: SweepResult) -> None:
    result = replace(copying, rows=[{**row, "copied_share": 0.01} for row in copying.rows], answers=())
    assert not any("copies" in note for note in report_data(result).notes)
    assert result.export_set().cautions == []


def test_it_is_a_limit_like_others() -> None:
    table = ConstraintsTable(copied_share=0.3)
    made = [
        {"configuration": "f", "case": case, "host": "h", "finish": "stop", "copied_share": share}
        for case in ("x", "y")
        for share in (0.5, 0.6, 0.7)
    ]
    (check,) = check_limits(made, table)
    assert (check.name, check.status, check.mean) == ("copied_share", "broken", pytest.approx(0.6))
    assert check.sentence == "breaks copied_share: 60% on average, limit 30%"
    own = [{key: value for key, value in row.items() if key != "copied_share"} for row in made]
    (unknown,) = check_limits(own, table)  # an objective of one's own may not tell
    assert "no generation reports it" in unknown.sentence


def test_a_result_is_short_to_look_at_and_names_its_arms(copying: SweepResult) -> None:
    assert copying.verdict is not None
    shown = repr(copying)
    assert shown == f"<SweepResult 't' (done): {copying.verdict.sentence}>"
    assert "finalist" in shown
    assert "the baseline" in shown
    texts = [copying.verdict.sentence, copying.verdict.advice, *copying.verdict.notes]
    assert not any(key in text for key in copying.configurations for text in texts)
    assert copying.verdict.baseline == copying.baseline.key


def test_the_interval_of_a_share_is_one_of_shares() -> None:
    made = [
        {"configuration": "f", "case": case, "host": "h", "finish": "stop", "copied_share": share}
        for case in ("x", "y")
        for share in (0.0, 0.0, 0.2)
    ]
    (check,) = check_limits(made, ConstraintsTable(copied_share=0.3))
    assert check.low == 0
    assert check.high > check.mean
    (single,) = check_limits(made[:1], ConstraintsTable(copied_share=0.3))
    assert math.isnan(single.low)
