"""What a running sweep shows: in its own process, and from another one."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sweeps.progress.base import Complete, Observation, Scored, Standing
from sweeps.progress.live import RichProgress
from sweeps.progress.picture import Painter, Picture
from sweeps.progress.plain import PlainProgress
from sweeps.progress.render import render, short, short_options

LONG = "temperature 0.31, top_k 20, top_p 0.75, repeat_penalty 1.12, num_predict 256"
RANKED = (
    Scored("trial 7", LONG, 0.7, 0.6, 0.8, n=6),
    Scored("a-rather-long-name-of-a-candidate", "prompt short", 0.65, 0.55, 0.75, n=6),
)
STANDING = Standing(0.5, 0.1, 0.1, "x", 0.7, 0.6, 0.8, trials=12, baseline_n=24, ranked=RANKED)


def seen(trial: int, score: float, host: str = "wk-01", seconds: float | None = 2.0) -> Observation:
    title = "baseline" if trial < 0 else f"trial {trial}"
    changes = "" if trial < 0 else LONG
    return Observation(
        "quick", "explore", trial, title, changes, "pump", 42, host, score, seconds, "The pump was replaced"
    )


def painted() -> Painter:
    painter = Painter()
    painter.plan(24, 180, 96)
    painter.stage("explore")
    for score, host in ((0.6, "wk-01"), (0.8, "wk-02"), (math.nan, "wk-01")):
        painter.advance("explore", seconds=2.0)
        painter.observe(seen(3, score, host))
    painter.standing(STANDING)
    return painter


def lines_of(picture: Picture, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(render(picture, width))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_picture_of_a_running_sweep() -> None:
    painter = painted()
    picture = painter.picture
    assert picture.running == Scored("trial 3", LONG, pytest.approx(0.7), n=2)
    assert (picture.failed, picture.done["explore"], picture.planned["explore"]) == (1, 3, 180)
    assert [(line.label, line.texts, line.seconds) for line in picture.hosts] == [("wk-01", 2, 2.0), ("wk-02", 1, 2.0)]
    assert painter.seconds_left == (300 - 3) * 2.0 / 2  # two hosts at the same time


@pytest.mark.parametrize("width", [50, 80, 120])
def test_everything_is_shown_and_no_line_is_too_wide(width: int) -> None:
    lines = lines_of(painted().picture, width)
    text = "\n".join(lines)
    assert all(len(line) <= width for line in lines)
    for part in (
        "explore",
        "3/180",
        "trial 3",
        "best of 12",
        "0.700 [0.600, 0.800]",
        "baseline",
        "host  wk-02",
        "The pump",
    ):
        assert part in text
    assert ("noise band ±0.100" in text) == (width >= 80)
    assert ("temperature 0.31, top_k 20" in text) == (width >= 80)


def test_names_of_trials_are_as_wide_as_they_need_to_be() -> None:
    painter = painted()
    painter.standing(replace(STANDING, trials=1, ranked=RANKED[:1]))
    assert [line.split("  ")[0] for line in lines_of(painter.picture, 80) if "0.500 " in line or "0.700 [" in line] == [
        "trial 7",
        "baseline",
    ]


def test_from_the_first_second_there_is_something_to_see() -> None:
    painter = Painter()
    painter.step("importing")
    assert "importing" in lines_of(painter.picture, 80)[0]
    painter.stage("check")
    painter.step("loading model smollm2:135m")
    assert "loading model smollm2:135m" in lines_of(painter.picture, 80)[0]


def test_the_interval_lies_where_its_numbers_are() -> None:
    # The axis goes from .4 (the band's end) to .8 over 18 columns: .6 is at 8.5, .7 at 12.75, .5 at 4.25.
    (row,) = [line for line in lines_of(painted().picture, 80) if line.startswith("trial 7")]
    assert row.endswith("░░░░│░░░─────●────"[-18:])


@given(
    st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12), max_size=12), st.integers(1, 60)
)
def test_words_stay_whole(words: list[str], room: int) -> None:
    text = " ".join(words)
    cut = short(text, room)
    assert len(cut) <= max(room, 1)
    assert cut.removesuffix("…").split() == words[: len(cut.removesuffix("…").split())]
    assert cut == text or cut.endswith("…")


def test_options_stay_with_their_values() -> None:
    assert short_options(LONG, 30) == "temperature 0.31, top_k 20 …"
    assert short_options(LONG, 14) == "…"


def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    console.print(render(painted().picture, 80))
    assert not {
        code for code in ("\x1b[3", "\x1b[9") for digit in "0123456789" if f"{code}{digit}" in stream.getvalue()
    }


def test_verbose_prints_a_line_for_each_text() -> None:
    stream, terminal = io.StringIO(), io.StringIO()
    plain = PlainProgress(stream, verbose=True)
    live = RichProgress(Console(file=terminal, width=120, force_terminal=True, color_system=None), verbose=True)
    for progress in (plain, live):
        progress.observe(seen(3, 0.625))
        progress.observe(replace(seen(-1, math.nan), seconds=None))
    lines = [
        "explore, trial 3, case pump, seed 42: 0.625, 2 s on wk-01",
        "explore, baseline, case pump, seed 42: no score, from the ledger",
    ]
    assert stream.getvalue().splitlines() == lines
    assert [line for line in terminal.getvalue().splitlines() if "case pump, seed" in line] == lines


def test_a_log_has_a_line_for_each_completed_trial() -> None:
    stream = io.StringIO()
    PlainProgress(stream).standing(replace(STANDING, latest=(Scored("trial 8", "top_k 20", 0.55, 0.5, 0.6, n=6),)))
    assert stream.getvalue().splitlines()[0] == "trial 8: 0.550 [0.500, 0.600] from 6 generations (top_k 20)"


def test_a_progress_of_an_older_script_gets_what_it_knows() -> None:
    class Older:
        def __init__(self) -> None:
            self.stages: list[str] = []

        def stage(self, name: str) -> None:
            self.stages.append(name)

    older = Older()
    whole = Complete(older)
    whole.stage("floor")
    whole.step("importing")
    whole.observe(seen(0, 0.5))
    assert older.stages == ["floor"]
