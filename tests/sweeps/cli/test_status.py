"""`sweeps status`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.cli.reading import Capture, answer, text
from tests.sweeps.sweep_files import run, write_sweep


def test_status(finished: Path, capsys: Capture) -> None:
    rows = answer(capsys, "status", "--json", "--mlruns", finished / "mlruns")
    assert [row["study"] for row in rows] == ["t", "other"]
    one = answer(capsys, "status", "t", "--json", "--mlruns", finished / "mlruns")
    assert one["done"] == one["planned"] == {"floor": 12, "explore": 30, "confirm": 18}
    assert (one["status"], one["failed"], one["verdict"], one["failures"]) == ("done", 0, "better", [])
    shown = text(capsys, "status", "--mlruns", finished / "mlruns")
    assert "12/12" in shown
    assert "better" in shown


def test_status_counts_what_failed_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    import sqlite3

    from sweeps.engines.scripted.engine import Fault
    from tests.sweeps.study.test_sweep import engine

    where = ("--mlruns", tmp_path / "mlruns")
    path = write_sweep(tmp_path)
    with pytest.raises(Exception, match="3 requests in a row"):
        run(path, engine=engine(tmp_path, [Fault("timeout", frozenset(range(20, 1000)))]))
    stopped = answer(capsys, "status", "t", "--json", *where)
    assert (stopped["status"], stopped["failed"], stopped["lost"], len(stopped["failures"])) == ("failed", 3, 0, 3)
    assert [row["failed"] for row in answer(capsys, "status", "--json", *where)] == [3]
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
        connection.execute("DELETE FROM failures")
        connection.execute("DELETE FROM scores WHERE generation = (SELECT max(generation) FROM scores)")
    unscored = answer(capsys, "status", "t", "--json", *where)  # stopped between a text and its score
    assert (unscored["failed"], unscored["lost"], unscored["unscored"]) == (0, 0, 1)
    assert sum(unscored["done"].values()) == sum(stopped["done"].values()) - 1
    assert f"1 of the {unscored['observations']} observations so far has no score" in text(
        capsys, "status", "t", *where
    )
    with sqlite3.connect(tmp_path / "mlruns/ledger.db") as connection:
        connection.execute("UPDATE observations SET error = 'EngineTimeout: late', generation = NULL WHERE seed % 2")
    lost = answer(capsys, "status", "t", "--json", *where)
    assert lost["done"]["floor"] < stopped["done"]["floor"]
    done = sum(stopped["done"].values())
    assert 0 < lost["lost"] == done - sum(lost["done"].values()) - lost["unscored"]
    shown = text(capsys, "status", "t", *where)
    assert f"{lost['lost']} of the {done} observations so far have no answer" in shown
