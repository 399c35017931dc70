"""A store that may only be read: in a read-only folder a finished study is as good as in any other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweeps.cli import run_command
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from tests.sweeps.sweep_files import write_sweep

Capture = pytest.CaptureFixture[str]
NO_RIGHTS = SimpleNamespace(access=lambda *_: False, W_OK=os.W_OK)


def forbid_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the right to write from a folder and its files; whoever runs the tests as root is told that it is gone."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.access(folder, os.W_OK):
        monkeypatch.setattr("sweeps.ledger.database.os", NO_RIGHTS)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mlruns(tmp_path: Path, plain_folder: Path) -> Path:
    return Path(shutil.copytree(plain_folder / "mlruns", tmp_path / "mlruns"))


def test_a_finished_study_is_read_and_nothing_is_left_behind(
    mlruns: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    told = []
    commands = (["status", "t"], ["judge", "t"], ["plan", "t", "--gain", "0.1"], ["export", "t", "--out"])
    commands[-1].append(str(tmp_path / "out"))
    for command in commands:
        assert run_command([*command, "--mlruns", str(mlruns)]) == 0
        told.append(capsys.readouterr().out)
    forbid_writing(mlruns, monkeypatch)
    before = contents(mlruns)
    for command, expected in zip(commands, told, strict=True):
        assert run_command([*command, "--mlruns", str(mlruns)]) == 0
        assert capsys.readouterr().out == expected
    assert contents(mlruns) == before


def test_what_must_be_written_is_refused(mlruns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_writing(mlruns, monkeypatch)
    ledger = Ledger(mlruns / "ledger.db")
    assert ledger.read_only
    with pytest.raises(LedgerError, match=r"could not be written: attempt to write a readonly database"):
        ledger.studies.update("t", status="stopped")
    assert [record.status for record in ledger.studies.all()] == ["done"]
    ledger.close()


def test_what_a_writer_has_not_brought_home_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Ledger(tmp_path / "ledger.db")
    writer.studies.add("new", identity={}, config="", record=StudyRecord())  # still in the log beside the file
    assert (tmp_path / "ledger.db-wal").stat().st_size
    monkeypatch.setattr("sweeps.ledger.database.os", NO_RIGHTS)
    reader = Ledger(tmp_path / "ledger.db")
    assert reader.read_only
    assert [record.name for record in reader.studies.all()] == ["new"]
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["report", "t"], "cannot be written: Not a directory; the report goes there: copy "),
        (["export", "t"], "Not a directory; choose another folder with --out"),
    ],
)
def test_reports_and_exports_say_where_they_cannot_write(
    mlruns: Path, capsys: Capture, command: list[str], says: str
) -> None:
    folder = mlruns / "sweeps" / "t"
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.write_text("a file where the folder should be")
    assert run_command([*command, "--mlruns", str(mlruns)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(folder) in err
    assert says in err


@pytest.mark.parametrize("command", ["run", "probe"])
def test_run_and_probe_name_the_option_for_another_folder(tmp_path: Path, capsys: Capture, command: str) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "file").write_text("")
    assert run_command([command, str(path), "--mlruns", str(tmp_path / "file" / "mlruns")]) == 2
    err = capsys.readouterr().err
    assert "file/mlruns cannot be written: Not a directory; choose another folder with --mlruns" in err
