"""A whole sweep whose ledger is at a database's URL."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from sweeps.cli import run_command
from sweeps.progress import Silent
from sweeps.results.reader import load_result
from sweeps.study.rescore import rescore_study
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import run, steady, write_sweep

pytestmark = pytest.mark.postgres


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    """The last JSON record of a command."""
    capsys.readouterr()
    assert run_command([*map(str, arguments), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


@pytest.mark.long
def test_one_url_holds_ledger_trials_and_runs(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    path, folder = write_sweep(tmp_path, storage={"url": postgres_url}), ("--mlruns", tmp_path / "mlruns")
    done = answer(capsys, "run", path, *folder)
    assert answer(capsys, "status", "t", *folder, "--storage", postgres_url)["status"] == "done"
    assert "SWEEPS_STORAGE" not in os.environ
    assert {file.suffix for file in (tmp_path / "mlruns").iterdir()} == {""}  # folders, and no database
    with sa.create_engine(postgres_url).connect() as database:
        runs = "SELECT count(*) FROM sweeps_mlflow.runs WHERE status = 'FINISHED'"
        trials = database.scalar(sa.text("SELECT count(*) FROM sweeps_optuna.trials"))
        assert database.scalar(sa.text(runs)) == trials + 2  # of baseline and sweep
    assert done["status"] == "done"


class Impatient(Silent):
    """Stops the sweep, as Ctrl-C does, at its third text of the exploration."""

    seen = 0

    def advance(self, stage: str, *, seconds: float | None) -> None:
        self.seen += stage == "explore"
        if self.seen == 3:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_stopped_sweep_goes_on_and_keeps_the_password_to_itself(
    tmp_path: Path, postgres_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path, password = write_sweep(tmp_path), str(sa.make_url(postgres_url).password)
    there = Workspace(tmp_path / "mlruns", storage=postgres_url)
    with pytest.raises(KeyboardInterrupt):
        run(path, directory=there, progress=Impatient())
    stopped = load_result(there)
    assert stopped.status == "stopped"
    assert stopped.verdict is None
    done = run(path, directory=there, progress="plain", report=True)
    assert steady(done.observations) == steady(run(path, directory=tmp_path / "alone").observations)
    read = load_result(there)
    assert (read.status, read.verdict) == ("done", done.verdict)
    assert rescore_study(there, "t", settings={"weights": [1, 1, 1, 1, 1]}).changed > 0
    shown = f"{''.join(capfd.readouterr())}{done!r}{vars(done)}{done._repr_html_()}"
    with sa.create_engine(postgres_url).connect() as database:
        tables = sa.inspect(database).get_table_names()
        rows = [row for table in tables for row in database.execute(sa.text(f'SELECT * FROM "{table}"'))]
        schemas = set(sa.inspect(database).get_schema_names())
        trials = database.scalar(sa.text("SELECT count(*) FROM sweeps_optuna.trials"))
    assert len(rows) > 60
    assert schemas >= {"public", "sweeps_optuna"}
    assert trials == done.plan.trials
    assert not (tmp_path / "mlruns" / "optuna.db").exists()
    assert password not in f"{shown}{rows}"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert (tmp_path / "mlruns" / "sweeps" / "t" / "report.html") in files
    assert not [file for file in files if password.encode() in file.read_bytes()]
