"""The promises of SECURITY.md, one test each: files of other people are read without harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from objectives.case_files import CaseError, load_cases
from objectives.case_schema import regex_fault
from objectives.matchers.base import ObjectiveError
from objectives.matchers.patterns import PatternText
from objectives.regexes import MAX_COPIES, copies_in
from objectives.rubrics import quality

ITEM = '[[items]]\ntext = "The job moves to Tuesday."\nlevel = 1\nany = ["Tuesday"]\n'


@pytest.mark.parametrize(
    "pattern",
    [
        "a{1000000000}",
        "(?:a{1000}){1000}",
        "(a{1000,2000}){1000,}",
        "(?x)a{1 000 000 000}",
        "(?x)a{1#\n000000000}",
        "(?x)(a{1000}) # twice\n {1000}",
        "[{]a{1000000000}",
        "(" * 3000 + "a" + ")" * 3000,
        "a" * 20_000,
    ],
)
def test_patterns_that_would_take_the_machine_down_are_refused_before_they_are_compiled(pattern: str) -> None:
    assert "is not a valid regular expression" in regex_fault(pattern)
    with pytest.raises(ObjectiveError, match="is invalid"):
        PatternText("a").search(pattern, "i1")


@pytest.mark.parametrize(
    "pattern",
    [r"\d{4}-\d{2}-\d{2}", r"(?:\d{3}[ -]?){3}\d{4}", r"no.{0,5000}yes", r"(?:(\w{2,20})\s){2,5}", "[a-z]{1000}"],
)
def test_patterns_of_people_stay_usable(pattern: str) -> None:
    assert copies_in(pattern) < MAX_COPIES
    assert regex_fault(pattern) == ""


def test_a_rubric_reads_no_log_outside_its_folder(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("The job moves to Tuesday.", encoding="utf-8")
    (cases / "dots.toml").write_text('log = "../secret.txt"\n' + ITEM, encoding="utf-8")
    (cases / "root.toml").write_text(f"log = '{secret}'\n" + ITEM, encoding="utf-8")
    (cases / "link.toml").write_text(ITEM, encoding="utf-8")
    (cases / "link.txt").symlink_to(secret)
    (cases / "inside.toml").write_text('log = "alias.txt"\n' + ITEM, encoding="utf-8")
    (cases / "own.txt").write_text("Moves to Tuesday.", encoding="utf-8")
    (cases / "alias.txt").symlink_to("own.txt")
    with pytest.raises(CaseError) as caught:
        load_cases(cases)
    assert [Path(problem.file).stem for problem in caught.value.problems] == ["dots", "link", "root"]
    assert "lies outside the folder of the rubric" in str(caught.value)
    assert "objective.allow_outside_logs = true" in str(caught.value)
    assert len(load_cases(cases, allow_outside_logs=True)) == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
@pytest.mark.parametrize("name", ["a.toml", "a.txt"])
def test_a_pipe_is_refused_instead_of_read_for_ever(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.toml").write_text(ITEM, encoding="utf-8")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(CaseError, match="is a pipe or a device"):
        load_cases(tmp_path)


def test_items_are_not_tried_on_a_log_that_no_model_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "LONGEST_LOG", 100)
    (tmp_path / "a.toml").write_text(ITEM, encoding="utf-8")
    (tmp_path / "a.txt").write_text("word " * 30, encoding="utf-8")
    monkeypatch.setattr(quality, "_other_logs", lambda cases: [(case.name, case.log) for case in cases])
    messages = [finding.message for finding in quality.check_cases(tmp_path).findings]
    assert any("log of 150 characters" in message for message in messages)
    assert not any("never match the log" in message for message in messages)
