"""Outputs and inputs that are no usual files: other encodings, closed pipes, named pipes, other databases."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import sys
from pathlib import Path

import pytest

from sweeps.cli import main, run_command
from tests.sweeps.cli.reading import Capture
from tests.sweeps.cli.test_errors import fails


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_that_lacks_a_character_shows_its_escape(
    monkeypatch: pytest.MonkeyPatch, copy: Path, encoding: str
) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding, errors="strict"))
    with pytest.raises(SystemExit) as ended:
        main(["judge", "t", "--mlruns", str(copy / "mlruns")])
    sys.stdout.flush()
    assert ended.value.code == 0
    assert r"1.2 \u2192 0." in out.getvalue().decode(encoding)


def test_a_reader_that_is_gone_gets_no_answer(monkeypatch: pytest.MonkeyPatch, copy: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        command = ["judge", "t", "--mlruns", str(copy / "mlruns"), "--expect", "worse"]
        assert run_command(command) == 128 + 13


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    "command",
    [
        ["judge", "--baseline", "a"],
        ["rank"],
        ["judge", "--baseline", "a", "--from", "promptfoo"],
        ["label", "t", "--from"],
    ],
)
def test_a_pipe_is_no_table(tmp_path: Path, copy: Path, capsys: Capture, command: list[str]) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    place = ["--mlruns", str(copy / "mlruns")] if command[0] == "label" else []
    fails(capsys, [*command, str(pipe), *place], 2, "is a pipe or a device")


def test_a_database_of_another_kind_is_refused_with_those_that_work(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPS_STORAGE", "mysql://me@db/x")
    assert "slm-sweeps[postgres]" not in fails(capsys, ["status"], 2, "use SQLite", "PostgreSQL")


def test_texts_without_an_answer_stand_beside_the_verdict(copy: Path, capsys: Capture) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    with sqlite3.connect(copy / "mlruns/ledger.db") as database:
        of = "SELECT generation FROM observations WHERE study = 't' AND stage = 'confirm' LIMIT 2"
        database.execute(f"UPDATE generations SET text = '', text_sha256 = '{empty}' WHERE id IN ({of})")
    assert run_command(["judge", "t", "--mlruns", str(copy / "mlruns")]) == 0
    assert "2 of 18 texts have no answer (empty)" in capsys.readouterr().out
