"""Files that were never completed: those of killed processes go, those of others stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analysis.export.files import write_together
from analysis.files import unfinished as module
from analysis.files.unfinished import remove_abandoned, unfinished
from tests.sweeps.forks import needs_fork


def left_by_the_dead(path: Path, *, folder: bool = False) -> Path:
    """An incomplete version of a file or folder whose process has ended."""
    child = os.fork()
    if not child:
        part = unfinished(path)
        if folder:
            part.mkdir()
        (part / "optuna.db" if folder else part).write_text("half")
        os._exit(9)
    os.waitpid(child, 0)
    return next(path.parent.glob(f".{path.name}.*.part"))


@needs_fork
def test_only_what_the_dead_left_of_this_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    abandoned, of_another = left_by_the_dead(path), left_by_the_dead(tmp_path / "note.md")
    mine = unfinished(path)
    mine.write_text("half")
    strange = [mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{pid}-")) for pid in ("9" * 30, "²", "")]
    for file in strange:  # such names are no process's
        file.write_text("")
    monkeypatch.setattr(module.platform, "node", lambda: "elsewhere")  # its processes cannot be asked for here
    remove_abandoned(path)
    assert abandoned.exists()
    monkeypatch.undo()
    remove_abandoned(path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, of_another, *strange])


@needs_fork
def test_writing_a_file_again_removes_what_a_kill_left(tmp_path: Path) -> None:
    left_by_the_dead(tmp_path / "report.html")
    write_together({tmp_path / "report.html": "whole"})
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@needs_fork
def test_a_folder_that_a_kill_left_goes_with_its_files_and_others_stay(tmp_path: Path) -> None:
    left_by_the_dead(tmp_path / "making", folder=True)
    mine = unfinished(tmp_path / "making")
    mine.mkdir()
    remove_abandoned(tmp_path / "making")
    assert [*tmp_path.iterdir()] == [mine]


def test_nothing_is_removed_where_there_is_no_folder(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "missing" / "report.html")
    assert unfinished(tmp_path / "a") != unfinished(tmp_path / "a")


def test_a_long_text_is_written_in_parts(tmp_path: Path) -> None:
    write_together({tmp_path / "a.csv": (f"{number}\n" for number in range(3)), tmp_path / "b.md": "whole"})
    assert [(tmp_path / name).read_text() for name in ("a.csv", "b.md")] == ["0\n1\n2\n", "whole"]
