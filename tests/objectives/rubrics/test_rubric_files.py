"""Rubric files: nothing is overwritten, nothing half written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from objectives.case import Item
from objectives.case_files import CaseError, load_cases
from objectives.rubrics import Candidate, find_candidates, render_rubric, write_case, write_files
from tests.objectives.rubrics.kiln import LOG
from tests.objectives.rubrics.test_quality import findings


def test_drafts_warn_until_they_are_reviewed(tmp_path: Path) -> None:
    (tmp_path / "kiln.txt").write_text(LOG)
    rubric = render_rubric(find_candidates(LOG), reviewed=False, title="Kiln")
    assert tomllib.loads(rubric)["reviewed"] is False
    written = write_case(rubric, tmp_path / "kiln.txt", LOG)
    assert written == [tmp_path / "kiln.toml"]
    assert [finding.case for finding in findings(tmp_path, "reviewed")] == ["kiln"]
    written[0].write_text(rubric.replace("reviewed = false", "reviewed = true"))
    assert findings(tmp_path, "reviewed") == []


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    there = tmp_path / "b.toml"
    there.write_text("mine")
    with pytest.raises(CaseError, match=r"b\.toml: exists already"):
        write_files({tmp_path / "a.txt": "new", there: "new"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.toml"]
    assert there.read_text() == "mine"
    write_files({tmp_path / "deep" / "a.txt": "näw\n", there: "new"}, force=True)
    assert there.read_text() == "new"
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "näw\n".encode()
    assert not list(tmp_path.rglob(".*"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CaseError, match="cannot be written"):
        write_files({tmp_path / "file" / "a.toml": "x"})


def test_a_case_written_elsewhere_takes_its_log_along(tmp_path: Path) -> None:
    items = [
        Item("when", 'Say "no" \\ yes', 2, any=("a",), all=("b",), regex=(r"\d",)),
        Item("x", "Not so", 1, forbidden=True),
    ]
    written = write_case(render_rubric(items, title="T"), tmp_path / "chat.md", "log\n", tmp_path / "set")
    assert [path.name for path in written] == ["chat.toml", "chat.txt"]
    (case,) = load_cases(tmp_path / "set")
    assert case.items == tuple(items)
    assert case.log == "log\n"


def test_notes_become_comments() -> None:
    text = render_rubric([Candidate("A fact", 2, "said by\nAnn")])
    assert "[[items]]  # said by Ann\n" in text
    assert tomllib.loads(text)["items"] == [{"text": "A fact", "level": 2}]
