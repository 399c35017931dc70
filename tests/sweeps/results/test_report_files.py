"""What a study's folder has: when a plot fails, when scores tell no items, when the verdict changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.report.guard import Guard
from analysis.report.page import PLOTS, render_report
from objectives import Case
from sweeps.config.tables import ConstraintsTable
from sweeps.progress import Silent
from sweeps.results import report_files
from sweeps.results.reader import load_result
from sweeps.results.report_files import write_outputs
from sweeps.results.result import SweepResult
from sweeps.study.measurer import Measurer
from tests.sweeps.sweep_files import run, write_sweep


def length(case: Case, text: str) -> float:
    """An objective of one's own: a number, of no items."""
    return min(1.0, len(text) / 300)


class Warnings(Silent):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str, *, warning: bool = False) -> None:
        if warning:
            self.said.append(text)


def test_an_objective_that_returns_a_number_has_its_verdict_and_report(tmp_path: Path) -> None:
    told = Warnings()
    path = write_sweep(tmp_path, objective={"kind": f"{__name__}:length"})
    result = run(path, report=True, progress=told)
    assert result.verdict is not None
    assert (result.folder / "report.html").is_file()
    drawn = {picture.stem for picture in (result.folder / "plots").glob("*.png")}
    assert "noise_band" in drawn
    assert "levels" not in drawn
    assert told.said == []


@pytest.mark.slow
def test_a_plot_that_fails_costs_neither_verdict_nor_report_nor_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise IndexError("no such row")

    monkeypatch.setattr("analysis.report.plots.figures.history", fails)
    path, told = write_sweep(tmp_path), Warnings()
    with pytest.raises(IndexError):
        run(path, report=True)  # in tests a bug is one
    plots = tmp_path / "mlruns/sweeps/t/plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "history.png").write_bytes(b"of older scores")
    (plots / "mine.png").write_bytes(b"of the user")
    monkeypatch.setattr(Guard, "strict", False)
    result = run(path, report=True, progress=told)
    assert result.status == "done"
    assert told.said == ["the plot 'history' is left out, since it could not be made: IndexError: no such row"]
    assert "Better than the baseline" in (result.folder / "report.html").read_text()
    assert (result.folder / "production.env").is_file()
    drawn = {picture.stem for picture in plots.glob("*.png")}
    assert drawn == {*PLOTS, "mine"} - {"history"}  # an older one, of other scores, does not stay
    # Even the page may fail: an older one, of other scores perhaps, does not stay in its place.
    monkeypatch.setattr("analysis.report.page._verdict", fails)
    outputs = write_outputs(result, warn=told.said.append)
    assert told.said[-1].startswith("the report is left out")
    assert outputs.report is None
    assert not (result.folder / "report.html").exists()
    assert "Better than the baseline" in outputs.note


def test_a_study_without_an_observation_has_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Measurer, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(write_sweep(tmp_path))
    result = load_result(tmp_path / "mlruns", "t")
    assert len(result.observations) == 0
    told: list[str] = []
    monkeypatch.setattr(Guard, "strict", False)
    outputs = write_outputs(result, warn=told.append)
    assert told == []
    assert outputs.report is not None
    assert result.pareto.empty


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


def test_the_page_from_shared_tables_is_that_of_its_data(plain_study: SweepResult) -> None:
    """The tables are made before the marked texts are known, and go on with them."""
    tables = report_files._tables(plain_study, (), None)
    assert tables.data.marked
    assert {"item_changes", "fresh"} <= set(vars(tables))
    page = render_report(tables.data, {}, tables=tables)
    assert page == render_report(tables.data, {})
    assert page.count("<mark") > 2
