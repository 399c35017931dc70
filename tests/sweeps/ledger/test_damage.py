"""Damage in a ledger's file: one row concerns one generation of one study, and is mended by a run."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.errors import SweepError
from sweeps.ledger.damage import DAMAGED
from sweeps.ledger.existing import open_existing
from sweeps.ledger.ledger import Ledger, opened_ledger
from sweeps.results.reader import load_result
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, steady, write_sweep

OF_BAD = "id IN (SELECT generation FROM observations WHERE study = 'bad' AND stage = '{}')"
"""Generations of a stage; the two studies have other seeds, so they share none."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished studies `good` and `bad`, to be copied."""
    folder = tmp_path_factory.mktemp("two")
    for name, seed in (("good", 8), ("bad", 7)):
        run(write_sweep(folder, file=f"{name}.toml", study={"name": name, "seed": seed}), keep_trials=False)
    return folder


@pytest.fixture
def copied(two: Path, tmp_path: Path) -> Path:
    """A copy of the folder `mlruns` of `two`."""
    return Path(shutil.copytree(two / "mlruns", tmp_path / "mlruns"))


def flip(file: Path, table: str, column: str, where: str, seed: int = 1) -> None:
    """Flip 20 bytes of one text in the file itself."""
    rng = random.Random(seed)
    with closing(sqlite3.connect(file)) as database:
        database.text_factory = bytes
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        texts = [row[0] for row in database.execute(f"SELECT {column} FROM {table} WHERE {where}")]
    data = bytearray(file.read_bytes())
    slices = (text[start : start + 100] for text in texts for start in range(0, len(text) - 19, 20))
    text = rng.choice([part for part in slices if data.count(part) == 1])
    at = data.index(text)
    for place in rng.sample(range(len(text)), 20):
        data[at + place] ^= rng.randrange(1, 256)
    file.write_bytes(data)


@pytest.mark.parametrize("stage", ["explore", "confirm"])
def test_a_damaged_text_is_one_lost_observation_until_a_run(
    two: Path, copied: Path, stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: load_result(copied, name) for name in ("good", "bad")}
    flip(copied / "ledger.db", "generations", "text", OF_BAD.format(stage))
    assert run_command(["status", "--mlruns", str(copied)]) == 0
    assert run_command(["status", "bad", "--mlruns", str(copied)]) == 0
    assert "1 of the 60 observations so far has no answer" in capsys.readouterr().out
    assert steady(load_result(copied, "good").observations) == steady(before["good"].observations)
    damaged = load_result(copied, "bad").observations
    assert damaged["error"].str.startswith(DAMAGED).sum() == 1
    assert damaged["score"].isna().sum() == 1
    mended = run(two / "bad.toml", directory=copied, keep_trials=False)
    assert steady(mended.observations) == steady(before["bad"].observations)
    assert mended.verdict == before["bad"].verdict


@pytest.mark.parametrize(
    ("table", "column", "where"),
    [
        ("scores", "detail", OF_BAD.format("explore").replace("id IN", "generation IN")),
        ("scores", "detail", OF_BAD.format("confirm").replace("id IN", "generation IN")),
        ("generations", "created", OF_BAD.format("floor")),
    ],
)
def test_other_damaged_values_are_mended_by_a_run(two: Path, copied: Path, table: str, column: str, where: str) -> None:
    before = {name: load_result(copied, name) for name in ("good", "bad")}
    flip(copied / "ledger.db", table, column, where)
    assert run_command(["status", "--mlruns", str(copied)]) == 0
    assert load_result(copied, "good").verdict == before["good"].verdict
    mended = run(two / "bad.toml", directory=copied, keep_trials=False)
    assert steady(mended.observations) == steady(before["bad"].observations)


def test_an_observation_without_a_place_is_made_again(two: Path, copied: Path) -> None:
    before = load_result(copied, "bad")
    with closing(sqlite3.connect(copied / "ledger.db")) as database, database:
        first = "SELECT min(rowid) FROM observations WHERE study = 'bad'"
        database.execute(f"UPDATE observations SET host = CAST(x'61ff62' AS TEXT) WHERE rowid = ({first})")
    assert len(load_result(copied, "bad").observations) == 59
    mended = run(two / "bad.toml", directory=copied, keep_trials=False)
    assert steady(mended.observations) == steady(before.observations)


@pytest.mark.parametrize("column", ["record", "identity", "config", "proposals"])
def test_a_damaged_study_is_named_with_the_doctor(
    two: Path, copied: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if column == "proposals":
        flip(copied / "ledger.db", "proposals", "record", "study = 'bad'")
    else:
        flip(copied / "ledger.db", "studies", column, "name = 'bad'")
    assert run_command(["judge", "good", "--mlruns", str(copied)]) == 0
    capsys.readouterr()
    assert run_command(["judge", "bad", "--mlruns", str(copied)]) == 2
    assert "sweeps doctor bad" in capsys.readouterr().err
    assert run_command(["status", "--mlruns", str(copied)]) == 2
    shown = capsys.readouterr()
    assert "good   done" in shown.out
    assert "Traceback" not in shown.err
    run(two / "good.toml", directory=copied, keep_trials=False)


def test_a_damaged_page_is_told_with_its_rescue(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((copied / "ledger.db").read_bytes())
    data[4096 : len(data)] = random.Random(1).randbytes(len(data) - 4096)
    (copied / "ledger.db").write_bytes(data)
    assert run_command(["status", "--mlruns", str(copied)]) == 2
    error = capsys.readouterr().err
    assert f"sqlite3 {copied / 'ledger.db'} .recover | sqlite3 rescued.db" in error
    assert "sweeps doctor" in error
    assert "free space" not in error


def test_a_lost_generation_is_made_again_and_its_number_means_no_other_text(two: Path, copied: Path) -> None:
    before = load_result(copied, "bad")
    with closing(sqlite3.connect(copied / "ledger.db")) as database, database:
        database.execute("DELETE FROM generations WHERE id > (SELECT max(id) - 5 FROM generations)")
    assert load_result(copied, "bad").observations["error"].str.startswith(DAMAGED).sum() == 5
    mended = run(two / "bad.toml", directory=copied, keep_trials=False)
    assert steady(mended.observations) == steady(before.observations)


def test_an_emptied_ledger_beside_studies_is_refused(copied: Path) -> None:
    workspace = Workspace(copied)
    (copied / "sweeps" / "t").mkdir(parents=True, exist_ok=True)
    (copied / "sweeps" / "t" / "observations.csv").write_text("x")
    for opens in (open_existing, lambda place: opened_ledger(place).__enter__()):
        (copied / "ledger.db").write_bytes(b"")
        with pytest.raises(SweepError, match=r"ledger.db is empty, but .*observations.csv beside it hold studies"):
            opens(workspace)
        assert (copied / "ledger.db").stat().st_size == 0
    (copied / "ledger.db").unlink()
    with opened_ledger(workspace) as ledger:
        assert isinstance(ledger, Ledger)
