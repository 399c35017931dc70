"""A study under changed rubrics: scored again, without generating."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from objectives import load_cases, make_objective
from sweeps.cli import run_command
from sweeps.doctor.optuna_trials import difference
from sweeps.errors import ConfigError, SweepError
from sweeps.ledger.study_record import StudyRecord
from sweeps.results.look_history import scorings_of
from sweeps.results.reader import load_result
from sweeps.results.report_files import config_of
from sweeps.results.result import SweepResult
from sweeps.study.rescore import rescore_study
from sweeps.tracking.run_tags import CONFIGURATION, ROLE, TRIAL
from sweeps.workspace.workspace import Workspace
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

UP = [16, 8, 4, 2, 1]


@pytest.fixture
def home(plain_folder: Path, tmp_path: Path) -> Path:
    """A copy of the finished study with cases of its own."""
    shutil.copytree(plain_folder, tmp_path / "home")
    with sqlite3.connect(tmp_path / "home/mlruns/ledger.db") as connection:
        (text,) = connection.execute("SELECT record FROM studies").fetchone()
        record = json.loads(text) | {"cases_path": str(tmp_path / "home/cases")}
        connection.execute("UPDATE studies SET sha256 = NULL, record = ?", [json.dumps(record)])
    return tmp_path / "home"


def count(home: Path, table: str) -> int:
    with sqlite3.connect(home / "mlruns/ledger.db") as connection:
        return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def expected(home: Path, **settings: Any) -> list[float]:
    """The scores of the kept texts by hand, in the order of the observations."""
    result = load_result(home / "mlruns")
    cases = {case.name: case for case in load_cases(home / "cases")}
    objective = make_objective(settings)
    keys = ["configuration", "case", "seed", "stage"]
    texts = result.texts.set_index(keys)["text"]
    rows = result.observations[keys].itertuples(index=False)
    return [objective.score(cases[row.case], texts[tuple(row)]).score for row in rows]


@pytest.mark.usefixtures("no_report")
def test_new_weights_give_new_scores_and_no_generation(home: Path) -> None:
    before, generations = load_result(home / "mlruns"), count(home, "generations")
    by_hand = expected(home, weights=UP)
    done = rescore_study(home / "mlruns", None, settings={"weights": UP})
    after = load_result(home / "mlruns")
    assert list(after.observations["score"]) == by_hand == list(done.new.observations["score"])
    assert steady(done.old.observations) == steady(before.observations)
    assert done.changed == sum(a != b for a, b in zip(before.observations["score"], by_hand, strict=True)) > 0
    assert count(home, "generations") == generations
    assert count(home, "scores") == 2 * len(before.observations)
    means = done.means()
    assert list(means["change"]) == pytest.approx(list(means["new"] - means["old"]))


@pytest.mark.usefixtures("no_report")
def test_optunas_trials_get_the_new_scores(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = optuna_trials(home / "mlruns")
    done = rescore_study(home / "mlruns", "t", settings={"weights": UP})
    assert done.changed > 0
    after = optuna_trials(home / "mlruns")
    assert len(after) == len(before)
    assert after != before
    assert difference(load_result(home / "mlruns")) == ""
    run_command(["doctor", "--mlruns", str(home / "mlruns")])
    assert "ok      t: Optuna: agrees with the ledger" in capsys.readouterr().out


@pytest.mark.usefixtures("no_report")
def test_a_storage_without_the_study_stays_as_it_is(home: Path) -> None:
    (home / "mlruns/optuna.db").unlink()
    warnings: list[str] = []
    rescore_study(home / "mlruns", "t", settings={"weights": UP}, warn=warnings.append)
    assert warnings == []
    assert optuna.get_all_study_names(load_result(home / "mlruns").workspace.trials_url) == []


def test_a_dry_run_changes_nothing(home: Path) -> None:
    before = load_result(home / "mlruns")
    done = rescore_study(home / "mlruns", "t", settings={"weights": UP}, keep=False)
    after = load_result(home / "mlruns")
    assert done.changed > 0
    assert steady(after.observations) == steady(before.observations)
    assert after.verdict == before.verdict
    assert after.stored.identity == before.stored.identity
    assert after.stored == before.stored


@pytest.mark.usefixtures("no_report")
def test_back_to_the_old_rubric_is_back_to_the_old_scores(home: Path) -> None:
    before = load_result(home / "mlruns")
    rescore_study(home / "mlruns", None, settings={"weights": UP})
    done = rescore_study(home / "mlruns", None, reset=True)
    assert steady(done.new.observations) == steady(before.observations)
    assert done.new.verdict is not None
    assert before.verdict is not None
    assert done.new.verdict.sentence == before.verdict.sentence
    assert len(done.new.stored.record.scorings) == 2


@pytest.mark.slow
def test_a_verdict_by_another_scoring_says_that_it_is_another_look_at_the_same_data(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mlruns = home / "mlruns"
    arguments = ["rescore", "--mlruns", str(mlruns), "--weights", "16,8,4,2,1"]
    two = "The study has had 2 scorings: to choose between their verdicts"
    assert not any("scorings" in note for note in load_result(mlruns).verdicts[0].notes)
    would = "With this one the study would have had {} scorings: to choose between their verdicts"
    assert run_command([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert would.format(2) in shown
    for words in (
        "observations of study t would score differently",
        "verdict now:",
        "verdict then:",
        "The verdict would ",
    ):
        assert words in shown
    assert "Nothing was kept" in shown
    assert not load_result(mlruns).verdicts[0].cautions
    # By the scores that there are it is no other look.
    assert run_command(["rescore", "--mlruns", str(mlruns), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cautions"] == []
    assert run_command(arguments) == 0
    assert two in capsys.readouterr().out
    result = load_result(mlruns)
    assert result.exportable, "the study is one that is shown better by these weights too"
    (caution,) = result.verdicts[0].cautions
    assert caution.startswith(two)
    for name in ("note.md", "report.html", "production.env", "production.json"):
        text = (result.folder / name).read_text().replace("\\", "")
        assert two in text, name
    assert run_command(["judge", "--mlruns", str(mlruns)]) == 0
    assert caution in capsys.readouterr().out
    assert run_command(["judge", "--mlruns", str(mlruns), "--json"]) == 0
    assert caution in json.loads(capsys.readouterr().out)["notes"]
    dry = rescore_study(mlruns, None, settings={"weights": [1, 1, 1, 1, 1]}, keep=False)
    assert dry.new.verdicts[0].cautions[0].startswith(would.format(3))


def test_a_scoring_that_was_replaced_before_the_confirmation_is_no_look_at_it() -> None:
    def scorings(*past: dict[str, Any]) -> int:
        return scorings_of(StudyRecord.from_json({**now, "scorings": past}))

    now, earlier = ({"case_digests": {"c": "1"}, "objective_digest": name} for name in ("now", "earlier"))
    assert scorings() == 1
    assert scorings({"until": "then", "fresh": False, **earlier}) == 1
    assert scorings({"until": "then", "fresh": True, **earlier}) == 2
    assert scorings({"until": "then", **earlier}) == 2  # as older versions kept it
    assert scorings({"until": "then", **now}, {"until": "later", **earlier}) == 2


@pytest.mark.usefixtures("no_report")
def test_an_edited_rubric_and_its_verdict(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where only an item counts that no text has, nothing is better any more."""
    only_zebras(home / "cases")
    arguments = ["rescore", "--mlruns", str(home / "mlruns")]
    assert run_command([*arguments, "--json", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["old_verdict"], told["verdict_changed"], told["kept"]) == ("better", True, False)
    assert told["new_verdict"] != "better"
    assert told["new_effect"] == 0
    assert told["observations"] == 60
    assert load_result(home / "mlruns").shown_better
    assert run_command(arguments) == 0
    shown = capsys.readouterr().out
    assert "The verdict changes." in shown
    assert "verdict before: better" in shown
    assert not load_result(home / "mlruns").shown_better
    assert run_command([*arguments, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "0 of 60 observations" in shown
    assert "Nothing was kept (--dry-run)." in shown


@pytest.mark.usefixtures("no_report")
def test_a_study_scored_anew_can_be_run_again_with_its_new_settings(home: Path) -> None:
    rescore_study(home / "mlruns", None, settings={"weights": UP})
    by_hand = list(load_result(home / "mlruns").observations["score"])
    options = {"cases": load_result(home / "mlruns").stored.identity["engine.options"]["cases"]}
    path = write_sweep(home, engine={"options": options}, objective={"weights": UP})
    assert list(run(path).observations["score"]) == by_hand
    with pytest.raises(ConfigError, match=r"objective\.weights"):
        run(write_sweep(home, engine={"options": options}))


def only_zebras(folder: Path) -> None:
    """Rubrics by which no text of the study scores."""
    for path in folder.glob("*.toml"):
        path.write_text('[[items]]\nid = "x"\ntext = "Zebras queue quietly near the harbour."\nlevel = 1\n')


def logged(directory: Path) -> tuple[Any, dict[str, float], list[str]]:
    """MLflow's parent run, the means of its children by configuration, and the files of its exports."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=Workspace.at(directory).runs_url)
    experiment = client.get_experiment_by_name("t")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags[ROLE] == "sweep"]
    children = [run for run in runs if run.data.tags[ROLE] == "configuration"]
    assert len({run.data.tags[TRIAL] for run in children}) == len(children)
    means = {run.data.tags[CONFIGURATION]: run.data.metrics["mean"] for run in children}
    files = [Path(file.path).name for file in client.list_artifacts(parent.info.run_id, "exports")]
    return parent, means, sorted(files)


@pytest.mark.slow
def test_everything_written_follows_the_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left that proves a verdict which no longer holds: no file, no export, no number in MLflow."""
    path = write_sweep(tmp_path)
    rubrics = {path: path.read_text() for path in (tmp_path / "cases").glob("*.toml")}
    before = run(path, tracking=True, report=True)
    directory, folder = tmp_path / "mlruns", before.folder
    assert before.verdict is not None
    exports = sorted(path.name for path in folder.glob("production.*"))
    assert "production.env" in exports
    old, means, files = logged(directory)
    assert (old.data.tags["verdict"], old.data.metrics["effect"]) == ("better", pytest.approx(before.verdict.effect))
    assert means[before.baseline.key] > 0
    assert files == exports
    report = (folder / "report.html").read_bytes()

    only_zebras(tmp_path / "cases")
    arguments = ["rescore", "--mlruns", str(directory)]
    capsys.readouterr()  # MLflow tells of the store that the sweep made, where another test has imported it first
    assert run_command([*arguments, "--dry-run"]) == 0
    assert (folder / "report.html").read_bytes() == report
    assert logged(directory)[2] == files
    assert run_command(arguments) == 0
    shown = capsys.readouterr()
    assert f"The exports of the previous verdict were removed from {folder}" in shown.out
    assert shown.err == ""
    assert not list(folder.glob("production.*"))
    for file in ("report.html", "note.md"):
        assert "Better than the baseline" not in (folder / file).read_text()
    assert set(pd.read_csv(folder / "observations.csv")["score"]) == {0.0}
    new, means, files = logged(directory)
    assert new.info.run_id == old.info.run_id
    assert new.info.status == "FINISHED"
    assert new.data.tags["verdict"] == load_result(directory).verdict.outcome != "better"  # type: ignore[union-attr]
    assert new.data.metrics["effect"] == 0
    assert set(means.values()) == {0.0}
    assert files == []

    for path, text in rubrics.items():
        path.write_text(text)
    assert run_command(arguments) == 0
    assert sorted(path.name for path in folder.glob("production.*")) == exports
    again, means, files = logged(directory)
    assert again.data.tags["verdict"] == "better"
    assert means[before.baseline.key] == pytest.approx(logged_mean(before))
    assert files == exports


def logged_mean(result: SweepResult) -> float:
    """The baseline's mean over cases in its confirmation."""
    own = result.stage("confirm")
    return float(own[own["configuration"] == result.baseline.key].groupby("case")["score"].mean().mean())


def test_mlflow_that_is_away_is_told_and_the_files_are_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    only_zebras(home / "cases")
    assert run_command(["rescore", "--mlruns", str(home / "mlruns")]) == 0
    told = capsys.readouterr().err
    assert "warning: MLflow's tracking server http://127.0.0.1:9 does not answer" in told
    assert "run this command again" in told
    assert "Not distinguishable" in (home / "mlruns/sweeps/t/note.md").read_text()
    assert not load_result(home / "mlruns").shown_better


@pytest.mark.usefixtures("no_report")
def test_a_study_without_mlflow_gets_no_run_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["rescore", "--mlruns", str(home / "mlruns"), "--weights", "9,4,3,2,1"]) == 0
    assert capsys.readouterr().err == ""
    assert not (home / "mlruns/mlflow.db").exists()
    result = load_result(home / "mlruns")
    assert config_of(result)["objective.weights"] == [9, 4, 3, 2, 1]
    assert config_of(result)["study.seed"] == 7
    table = result.robustness
    assert table is not None
    assert result.verdict is not None
    assert table["scoring"][0] == "as configured"
    assert table["effect"][0] == round(result.verdict.effect, 3)


def test_another_log_is_refused(home: Path) -> None:
    (home / "cases/c2.txt").write_text("Another conversation.")
    with pytest.raises(SweepError, match="the log of c2 differs from the log"):
        rescore_study(home / "mlruns", None)


def test_a_case_that_is_gone(home: Path) -> None:
    (home / "cases/c2.toml").unlink()
    with pytest.raises(ConfigError, match="c2"):
        rescore_study(home / "mlruns", None)


def test_settings_that_cannot_be(home: Path) -> None:
    before = load_result(home / "mlruns").stored
    with pytest.raises(ConfigError, match=r"objective\.weights"):
        rescore_study(home / "mlruns", None, settings={"weights": [1, 2]})
    assert load_result(home / "mlruns").stored == before
