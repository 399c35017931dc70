"""Studies moved from SQLite to PostgreSQL and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeps.cli import run_command
from sweeps.errors import SweepError
from sweeps.ledger.existing import StudyMissingError
from sweeps.ledger.ledger import Ledger, at_work
from sweeps.merge.move import Moved, move_studies
from sweeps.results.reader import load_result
from sweeps.workspace.study_lock import RUN, StudyBusyError
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two studies that share texts of the floor; the second one was stopped after it."""
    where = tmp_path_factory.mktemp("moved")
    run(write_sweep(where))
    path = write_sweep(where, study={"name": "second"}, budget={"generations": 80})
    run(path)
    return where / "mlruns"


@pytest.fixture
def there(postgres_url: str, tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "files", storage=postgres_url)


@pytest.mark.slow
def test_a_study_goes_there_and_back(folder: Path, there: Workspace, tmp_path: Path) -> None:
    before = load_result(folder, "t")
    (moved,) = move_studies(folder, there, ["t"])
    assert (moved.study, moved.what) == ("t", "added")
    assert moved.rows["observations"] == moved.rows["texts"] == moved.rows["scores"] == len(before.observations)
    assert move_studies(folder, there, ["t"]) == [Moved("t", "kept", moved.rows)]
    assert [study.name for study in Ledger(there.ledger).studies.all()] == ["t"]
    read = load_result(there)
    assert steady(read.observations) == steady(before.observations)
    assert read.verdict == before.verdict
    back = tmp_path / "back"
    assert move_studies(there, back) == [Moved("t", "added", moved.rows)]
    assert load_result(back).verdict == before.verdict
    assert optuna_trials(back) == optuna_trials(folder)


def test_the_command_moves_all_and_the_study_goes_on_there(
    folder: Path, there: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert there.storage is not None
    monkeypatch.setenv("SWEEPS_STORAGE", there.storage)
    assert run_command(["move", "--mlruns", str(folder), "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert {record["study"]: record["what"] for record in records} == {"t": "added", "second": "added"}
    again = run(write_sweep(folder.parent), directory=there)
    assert again.verdict == load_result(there, "t").verdict
    with sa.create_engine(there.storage).connect() as database:  # nothing was generated again
        assert database.scalar(sa.text("SELECT count(*) FROM generations")) == generations(folder)


def generations(folder: Path) -> int:
    with sa.create_engine(f"sqlite:///{folder / 'ledger.db'}").connect() as database:
        return int(database.scalar(sa.text("SELECT count(*) FROM generations")) or 0)


def test_what_cannot_be_moved_is_refused(folder: Path, there: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StudyMissingError, match="no study 'third'"):
        move_studies(folder, there, ["third"])
    here = Workspace(folder)
    with at_work(here, Ledger(here.ledger), "t", RUN, warn=pytest.fail), pytest.raises(StudyBusyError):
        move_studies(folder, there, ["t"])
    assert Ledger(there.ledger).studies.all() == []
    assert run_command(["move", "--mlruns", str(folder)]) == 2
    assert "--to postgresql+psycopg://" in capsys.readouterr().err


def test_a_row_that_differs_afterwards_is_reported(folder: Path, there: Workspace) -> None:
    move_studies(folder, there, ["t"])
    with sa.create_engine(there.storage or "").begin() as database:
        database.execute(
            sa.text("UPDATE scores SET score = 0.5 WHERE generation = (SELECT min(generation) FROM scores)")
        )
    with pytest.raises(SweepError, match=r"'t' differs after the move: scores 6\d and 6\d rows"):
        move_studies(folder, there, ["t"])
