"""What a message says where a study goes on under other settings: the difference, and a remedy that works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sweeps.errors import ConfigError
from tests.sweeps.sweep_files import run, write_sweep


@pytest.fixture
def copied(plain_folder: Path, tmp_path: Path) -> Path:
    """A copy of a finished sweep's folder; its engine still reads the original's cases."""
    return Path(shutil.copytree(plain_folder, tmp_path / "copy"))


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        run(folder / "sweep.toml")
    return str(caught.value)


def test_a_changed_rubric_can_be_scored_again(copied: Path) -> None:
    rubric = copied / "cases/c1.toml"
    rubric.write_text(rubric.read_text().replace("level = 1", "level = 5"))
    text = refusal(copied)
    assert "case c1: its rubric is another one now" in text
    assert "sweeps rescore t" in text


def test_a_changed_log_cannot_be_scored_again(copied: Path) -> None:
    log = copied / "cases/c1.txt"
    log.write_text(log.read_text() + " More.")
    text = refusal(copied)
    assert "case c1: its log is another one now" in text
    assert "rescore" not in text


def test_another_case_is_nothing_to_score_again(copied: Path) -> None:
    for end in ("toml", "txt"):
        shutil.copy(copied / f"cases/c1.{end}", copied / f"cases/c4.{end}")
    text = refusal(copied)
    assert "case c4: stored (not set)" in text
    assert "rescore" not in text


def test_a_smaller_budget_after_the_verdict_cannot_be_raised_instead(copied: Path, plain_folder: Path) -> None:
    write_sweep(copied, budget={"generations": 54}, engine={"options": {"cases": str(plain_folder / "cases")}})
    text = refusal(copied)
    assert "Put the old value back. A smaller sweep needs another study.name" in text
