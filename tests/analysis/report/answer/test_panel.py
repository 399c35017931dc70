"""The panel for a terminal: it fits, and breaks no word."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.report.answer.facts import facts
from analysis.report.answer.panel import whole_sentences
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It copies the log. Read it.", "It copies the log. Read it."),
        ("It copies the log. Read " + "more and " * 9 + "more.", "It copies the log. More is in the report."),
        ("more and " * 9 + "more.", "instead"),
    ],
)
def test_a_text_never_ends_inside_a_sentence(text, shown):
    assert whole_sentences(text, "instead", most=60) == shown


def test_warnings_of_usual_length_are_whole(data):
    notes = [
        "the finalist copies 57% of its words from the log (the baseline 8%), and copies count as covered; read its"
        " texts, or set [constraints] copied_share",
        "By luck alone the best of 3 equal configurations would come out 0.042 above its true mean: expect less than"
        " shown from the one that you pick. p and interval do not allow for the choice among them.",
        "a third",
        "a fourth",
    ]
    panel = panel_of(replace(data, notes=notes))
    assert all(f"! {note}" in panel for note in notes[:2])
    assert "! 2 more warnings are in the report" in panel
    assert "…" not in panel


def test_a_comparison_has_a_line_for_each_candidate(data):
    key = data.finalist
    ranking = pd.DataFrame({"configuration": [key, BASELINE], "effect": [0.12, 0.0]})
    ranking = ranking.assign(ci_low=[0.08, np.nan], ci_high=[0.16, np.nan])
    compared = replace(data, is_comparison=True, names={key: "short"}, ranking=ranking, commands={})
    lines = [line.strip("│ ") for line in drawn_on(80, compared)]
    assert lines[1].startswith("Use short:")
    assert "verdict     Better than the baseline: short" in lines
    assert "ranking     1. short +0.120 (+0.080 to +0.160), better" in lines
    assert "2. baseline" in lines
    page = render_report(compared, figures={})
    assert "Score short" in page or "score short" in page
    assert "<b>short</b>" in page
    assert ">Ranking<" in page
    assert "finalist" not in re.sub(r"<[^>]+>", " ", page)


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
