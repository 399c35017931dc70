"""`sweeps compare`, and the commands that read a comparison."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sweeps.cli import run_command
from tests.sweeps.cli.reading import Capture, drawn_in
from tests.sweeps.study.test_comparison import CANDIDATES, compare, write
from tests.sweeps.sweep_files import write_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    compare(write(folder), tracking=True, report=True)
    return folder


def _json(folder: Path, capsys: Capture, *command: str, code: int = 0) -> list[object]:
    capsys.readouterr()
    assert run_command([*command, "--json", "--mlruns", str(folder / "mlruns")]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_plots")
def test_the_same_command_continues_prints_each_candidate_and_draws(folder: Path, capsys: Capture) -> None:
    launch, done = _json(folder, capsys, "compare", str(folder / "sweep.toml"), "--no-tracking")
    assert isinstance(launch, dict)
    assert isinstance(done, dict)
    assert launch["record"] == "launch"
    assert (done["name"], done["verdict"]) == ("cool", "better")
    assert {other["name"] for other in done["others"]} == {"narrow", "hot"}
    assert done["use_now"]["text"] == "Use cool: temperature 1.2 → 0.4"
    ranking = {row["name"]: row for row in done["ranking"]}
    assert next(iter(ranking)) == "cool"
    assert set(ranking) == {*CANDIDATES, "the baseline"}
    assert ranking["the baseline"]["effect"] == 0
    assert all(row["ci_low"] < row["effect"] < row["ci_high"] for name, row in ranking.items() if name in CANDIDATES)
    study = folder / "mlruns/sweeps/t"
    assert {"confirm", "levels"} <= drawn_in(study)
    assert "cool" in (study / "report.html").read_text().partition("<svg")[2]


def test_judge_status_and_export_read_it(folder: Path, capsys: Capture, tmp_path: Path) -> None:
    (status,) = _json(folder, capsys, "status", "t")
    assert isinstance(status, dict)
    assert status["done"]["explore"] == status["planned"]["explore"] == 0
    assert status["planned"]["confirm"] == status["done"]["confirm"]
    assert status["baseline_mean_from"] == {"stage": "floor", "n": 12}
    assert run_command(["judge", "t", "--expect", "better", "--mlruns", str(folder / "mlruns")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Use cool: temperature 1.2 → 0.4\ncandidate cool: temperature 0.4\nbetter: cool is better")
    command = ["export", "t", "--format", "env", "--out", str(tmp_path), "--mlruns", str(folder / "mlruns")]
    assert run_command(command) == 0
    text = (tmp_path / "production.env").read_text()
    assert "OLLAMA_TEMPERATURE=0.4" in text
    assert "candidate: cool" in text
    assert "trial:" not in text


def test_the_report_calls_candidates_by_name(folder: Path) -> None:
    page = (folder / "mlruns/sweeps/t/report.html").read_text()
    words = " ".join(re.sub(r"<(style|svg|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    assert "Use cool" in words
    assert "Other candidates" in words
    assert "Intervals hold for all configurations at once, and for all looks. All means are of fresh" in words
    assert "The baseline scored" in words
    assert "in the comparison (" in words
    assert f"sweeps compare {folder / 'sweep.toml'}" in words
    assert "finalist" not in words.replace("confirm.finalists", "")


def test_mlflow_has_a_run_for_each_candidate(folder: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlruns/mlflow.db'}")
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"t", "baseline", *CANDIDATES}
    assert runs["cool"].data.tags["candidate"] == "cool"
    assert runs["t"].data.metrics["baseline_floor_n"] == 12
    assert "Use cool" in runs["t"].data.tags["mlflow.note.content"]


def test_check_forecasts_a_comparison(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path)
    (report,) = _json(tmp_path, capsys, "check", str(path))
    assert isinstance(report, dict)
    found = {row["name"]: row["found"] for row in report["checks"]}
    assert found["file"] == "study t; compared: temperature, top_p; candidates: cool, narrow, hot"
    assert "comparison of the baseline and 3 candidates, each 3 x 9 fresh seeds" in found["budget"]
    assert "the comparison detects a real gain" in found["precision"]
    assert report["state"] in ("ready", "warning")


def test_without_candidates_it_says_what_to_write(tmp_path: Path, capsys: Capture) -> None:
    assert run_command(["compare", str(write_sweep(tmp_path)), "--mlruns", str(tmp_path / "mlruns")]) == 2
    assert "name a set, such as [candidates.cool] with temperature = 0.3" in capsys.readouterr().err
    assert not (tmp_path / "mlruns" / "ledger.db").exists()
