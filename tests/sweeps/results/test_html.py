"""Results as a notebook shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.verdict.use_now import changes
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from tests.analysis.verdict.test_html import Cells
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    return run(write_sweep(tmp_path_factory.mktemp("shown"), search={"probe": False}, budget={"generations": 120}))


def test_a_result_says_what_to_use_and_why(result: SweepResult) -> None:
    assert result.exportable
    assert result.verdict is not None
    assert result.finalist is not None
    html = result._repr_html_()
    shown = Cells(html).cells
    changed = ", ".join(changes(result.baseline.values, result.finalist.configuration.values))
    assert shown[:6] == ["answer", f"Use the new settings: {changed}", "finalist", changed, "outcome", "better"]
    assert html.startswith("<div><p><strong>t: done</strong></p>")
    assert shown[6:] == [text for pair in result.verdict.facts.items() for text in pair]


def test_a_result_that_is_not_shown_better_keeps_the_settings(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"probe": False}, baseline={"temperature": 0.35}, constraints={"words": 1})
    kept = run(path)
    assert not kept.exportable
    assert kept.use_now.settings == "current"
    assert Cells(kept._repr_html_()).cells[:2] == ["answer", kept.use_now.text]
    assert all(sentence in kept.use_now.text for sentence in kept.broken)


class Impatient(Silent):
    def stage(self, name: str) -> None:
        if name == "explore":
            raise KeyboardInterrupt


def test_a_result_without_verdict_shows_how_far_it_is(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, search={"probe": False})
    with pytest.raises(KeyboardInterrupt):
        run(path, progress=Impatient())
    early = load_result(tmp_path / "mlruns", "t")
    html = early._repr_html_()
    assert html.startswith("<div><p><strong>t: stopped</strong></p>")
    assert Cells(html).cells[2:] == ["trials", "0", "generations", "12"]
    assert Cells(html).cells[1].startswith("Keep your current settings: there is no verdict yet")
