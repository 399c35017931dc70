"""The panel for a terminal: it fits, and breaks no word."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from analysis.report.facts import facts
from analysis.report.page import render_note, render_report
from tests.analysis.report.reading import (
    drawn_on,
    panel_of,
)
from tests.analysis.sample import BASELINE


def test_the_terminal_summary_fits(data):
    others = [replace(data.verdict, configuration=f"key {number}") for number in range(19)]
    long = replace(
        data,
        notes=["a long note " * 40] * 5,
        verdicts=[replace(data.verdict, advice="more seeds " * 100), *others],
        configurations={
            key: {
                "model": "m",
                "prompt": "p",
                "options": {f"option_{place}": place + len(key) * (key == BASELINE) for place in range(30)},
            }
            for key in (BASELINE, data.finalist)
        },
    )
    for each in (data, long):
        lines = drawn_on(80, each)
        panel = lines[: next(place for place, line in enumerate(lines) if line.startswith("╰")) + 1]
        assert len(panel) <= 25
        assert all(len(line) <= 80 for line in panel)
    assert "sweeps run examples/quickstart.toml" in "\n".join(drawn_on(80, data))


def test_a_look_is_told_without_the_mark_of_a_warning(data):
    told = replace(
        data,
        notes=["the host changed"],
        looks=["Look 1 of 2: go on.", "Look 2 of 2: done."],
        last_look="Look 2 of 2: done.",
    )
    panel = "\n".join(drawn_on(80, told))
    assert "! the host changed" in panel
    assert "- Look 2 of 2: done." in panel
    assert "Look 1" not in panel  # the panel stays short, and the last one says how it ended
    assert re.findall(r'<div class="card( warn)?">(The host|Look \d)', render_report(told, figures={})) == [
        (" warn", "The host"), ("", "Look 1"), ("", "Look 2"),
    ]  # fmt: skip
    assert "- Look 2 of 2: done." in render_note(told)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_panel_breaks_no_change_and_no_word(data, width):
    pieces = data.use_now.change
    assert len(pieces) > 2
    lines = [line.strip("│ ") for line in drawn_on(width, data)]
    for piece in pieces:
        assert any(piece in line for line in lines), piece
    shown = {word for line in lines for word in line.split()}
    texts = [data.use_now.text, data.verdict.advice, *(text for _, text in facts(data))]
    assert {word for text in texts for word in text.split()} <= shown


def test_the_last_look_is_told_whole(data):
    look = "Look 1 of 2: difference +0.009; " + "the search expected little, " * 10 + "and so it is to stop."
    assert look in panel_of(replace(data, looks=[look], last_look=look))
