"""The displays of a running sweep, and the choice of one."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sweeps.cli.common import PLAIN, say
from sweeps.errors import ConfigError
from sweeps.progress import Silent, Standing
from sweeps.progress.base import Scored
from sweeps.progress.choice import require_choice, shown
from sweeps.progress.live import RichProgress
from sweeps.progress.plain import PlainProgress, standing_line
from sweeps.progress.render import Axis
from tests.sweeps.sweep_files import run, write_sweep

FLOOR = Standing(baseline_mean=0.5, noise_sd=0.1, band=0.1)
BEST = Standing(0.5, 0.1, 0.1, best="top_p 0.7", best_mean=0.7, best_low=0.6, best_high=0.9, trials=4)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


LONG = "the confirmation detects a real gain of 0.131 or more; see /a/very/long/path/that/no/such/terminal/holds"


def test_lines_are_broken_between_words_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        PlainProgress(stream).note(LONG)
    assert log.getvalue() == LONG + "\n", "a log has each message on one line"
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 2
    assert " ".join(line.strip() for line in lines) == LONG
    assert all(len(line) <= 40 for line in lines if " " in line.strip())


@pytest.mark.parametrize("text", [LONG, "warned " * 20])
def test_the_live_display_breaks_no_word_of_a_note(text: str) -> None:
    stream = io.StringIO()
    progress = RichProgress(Console(file=stream, width=40, force_terminal=True, color_system=None))
    progress.note(text)
    lines = stream.getvalue().splitlines()
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert all(len(line) <= 40 for line in lines if " " in line.strip())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_commands_sentence_is_broken_between_words_on_a_terminal_only(terminal: bool) -> None:
    stream = io.StringIO()
    say(Console(file=stream, width=40, force_terminal=terminal, color_system=None, **PLAIN), LONG)
    lines = stream.getvalue().splitlines()
    assert (len(lines) > 1) == terminal
    assert " ".join(line.strip() for line in lines) == LONG


def test_the_floors_mean_has_its_number_of_generations() -> None:
    known = Standing(baseline_mean=0.5, noise_sd=0.1, band=0.1, baseline_n=24)
    assert standing_line(known) == "baseline 0.500 (floor, 24 generations), noise band of one trial ±0.100"
    assert standing_line(Standing(baseline_mean=0.5, noise_sd=0.1, baseline_n=24)) == (
        "baseline 0.500 (floor, 24 generations)"
    )


def test_plain_lines() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.stage("check")
    progress.plan(2, 10, 4)
    progress.stage("explore")
    progress.advance("explore", seconds=2.0)
    progress.advance("explore", seconds=2.0)  # too soon for another line
    progress.standing(BEST)
    progress.note("look [here]")
    progress.note("too hot", warning=True)
    assert stream.getvalue().splitlines() == [
        "check: checking cases, engine and model",
        "explore, 10 generations",
        "explore: 1 of 10, about 30 s left",
        "baseline 0.500, noise band of one trial ±0.100; best of 4 so far 0.700 [0.600, 0.900] (top_p 0.7)",
        "look [here]",
        "warning: too hot",
    ]


def test_quiet_prints_warnings_only() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, quiet=True)
    progress.stage("floor")
    progress.advance("floor", seconds=1.0)
    progress.standing(FLOOR)
    progress.note("a note")
    progress.note("too hot", warning=True)
    assert stream.getvalue() == "warning: too hot\n"


def test_time_left_is_the_pace_times_what_is_missing() -> None:
    progress = PlainProgress(io.StringIO(), quiet=True)
    progress.plan(100, 200, 100)
    assert (progress.seconds_left, progress.time_left) == (None, "")
    progress.advance("floor", seconds=None)  # from the ledger: no pace
    assert (progress.seconds_left, progress.kept) == (None, 1)
    progress.advance("floor", seconds=2.0)
    progress.advance("floor", seconds=4.0)
    assert progress.seconds_left == (400 - 3) * 3.0
    assert progress.time_left == "about 20 min left"


def test_the_axis_marks_band_and_best() -> None:
    assert standing_line(Standing()) == ""
    best = Scored("trial 3", "top_p 0.7", 0.7, 0.6, 0.9)
    # From .4 to .9 on 11 cells of .05: the band to .6, the baseline at .5, the interval from .6, the best at .7.
    axis = Axis.of(replace(BEST, ranked=(best,)), 11)
    assert (axis.low, axis.high) == (0.4, 0.9)
    assert axis.draw(best).plain == "░░│░──●────"


def test_the_rich_display_shows_bars_scale_and_messages() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, record=True, markup=False, highlight=False)
    with RichProgress(console) as progress:
        progress.plan(2, 10, 4)
        progress.stage("floor")
        progress.advance("floor", seconds=1.0)
        progress.standing(FLOOR)
        progress.note("look [here]")
    text = console.export_text()
    assert "1/2" in text
    assert "about 15 s left" in text
    assert "noise band ±0.100" in text
    assert "look [here]" in text


@pytest.mark.parametrize(
    ("choice", "stream", "kind"),
    [
        ("auto", Terminal(), PlainProgress),
        ("auto", io.StringIO(), Silent),
        ("auto", None, Silent),  # pythonw has no stderr
        ("plain", io.StringIO(), PlainProgress),
        ("rich", io.StringIO(), RichProgress),
        (None, Terminal(), Silent),
    ],
)
def test_a_choice_opens_its_display(
    choice: object, stream: object, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with shown(choice) as progress:  # type: ignore[arg-type]
        assert type(progress) is kind


def test_a_script_gets_lines_where_it_asks_for_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_sweep(tmp_path, search={"probe": False})
    result = run(path, progress="plain")
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "check: checking cases, engine and model"
    assert f"explore, {result.plan.explore} generations" in said
    run(path)  # stderr is no terminal here
    assert capsys.readouterr().err == ""


def test_a_progress_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    with pytest.raises(ConfigError, match=r'progress = \'fancy\': .*"auto", "plain", "rich", None'):
        run(path, progress="fancy")


def test_a_progress_without_a_method_is_refused_before_the_sweep() -> None:
    class Partly:
        def advance(self, stage: str, *, seconds: float | None) -> None: ...

    with pytest.raises(ConfigError, match="no method plan, stage, standing, note; derive it from"):
        require_choice(Partly())
    require_choice(Silent())
