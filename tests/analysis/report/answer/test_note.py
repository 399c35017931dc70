"""The Markdown note."""

from __future__ import annotations

import re

from analysis.report.page import render_note


def test_the_note_is_short_markdown_with_the_numbers(data):
    note = render_note(data)
    assert note.startswith("## quickstart\n")
    assert len(note.splitlines()) < 30
    assert f"{data.verdict.effect:+.3f}" in note
    assert "temperature 0.8 → " in note.replace("\\", "")
    for line in note.splitlines():
        if line.startswith("| ") and not line.startswith("| |"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3
