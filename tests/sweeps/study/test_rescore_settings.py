"""Settings and objectives that a study is scored again by, and the state after a dry run or a kill."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from objectives import Case, FunctionObjective
from sweeps.cli import run_command
from sweeps.errors import ConfigError, SweepError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord
from sweeps.results.reader import load_result
from sweeps.results.result import SweepResult
from sweeps.study.rescore import rescore_study
from tests.sweeps.ledger.test_read_only import contents, forbid_writing
from tests.sweeps.sweep_files import optuna_trials, run, steady, write_sweep

UP = [16, 8, 4, 2, 1]
pytestmark = pytest.mark.usefixtures("no_report")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to kill a process that scores")


@pytest.fixture
def mlruns(plain_folder: Path, tmp_path: Path) -> Path:
    """A copy of the finished study; its cases stay where they are."""
    shutil.copytree(plain_folder / "mlruns", tmp_path / "mlruns")
    return tmp_path / "mlruns"


def settings_of(result: SweepResult) -> tuple[Any, ...]:
    """Weights, budget of words, threshold and digest that a study is scored by."""
    return tuple(
        result.stored.identity[f"objective.{key}"] for key in ("weights", "budget_words", "threshold", "digest")
    )


# ---- settings


def test_settings_add_up_until_they_are_reset(mlruns: Path) -> None:
    """The second rescoring leaves what the first one set; its scores are those of both settings."""
    first = load_result(mlruns)
    weighted = rescore_study(mlruns, "t", settings={"weights": UP}).new
    both = rescore_study(mlruns, "t", settings={"threshold": 0.9}).new
    assert settings_of(both)[:3] == (UP, None, 0.9)
    plain = rescore_study(mlruns, "t")
    assert plain.changed == 0
    assert settings_of(plain.new) == settings_of(both)
    again = rescore_study(mlruns, "t", settings={"threshold": None}).new
    assert steady(again.observations) == steady(weighted.observations)
    at_once = rescore_study(mlruns, "t", settings={"weights": UP, "threshold": 0.9}, reset=True).new
    assert steady(at_once.observations) == steady(both.observations)
    back = rescore_study(mlruns, "t", reset=True).new
    assert steady(back.observations) == steady(first.observations)
    assert back.stored.identity == first.stored.identity
    assert settings_of(rescore_study(mlruns, "t", settings={"threshold": 0.9}).new)[:3] == ([5, 4, 3, 2, 1], None, 0.9)


def test_settings_stay_where_the_rubric_is_edited(mlruns: Path, plain_folder: Path, tmp_path: Path) -> None:
    cases = Path(shutil.copytree(plain_folder / "cases", tmp_path / "cases"))
    rescore_study(mlruns, "t", settings={"weights": UP})
    file = cases / "c1.toml"
    file.write_text(file.read_text().replace("The deadline is Monday morning.", "Zebras queue near the harbour."))
    done = rescore_study(mlruns, "t", cases_path=str(cases))
    assert done.changed > 0
    assert settings_of(done.new)[0] == UP
    assert done.new.observations["score"].tolist() != done.old.observations["score"].tolist()


def test_the_command_says_how_to_go_back(mlruns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["rescore", "t", "--mlruns", str(mlruns)]
    before = steady(load_result(mlruns).observations)
    assert run_command([*own, "--weights", "16,8,4,2,1"]) == 0
    assert run_command([*own, "--threshold", ".9"]) == 0
    assert settings_of(load_result(mlruns))[:3] == (UP, None, 0.9)
    assert run_command(["rescore", "--help"]) == 0
    assert "--reset" in capsys.readouterr().out
    assert run_command([*own, "--reset"]) == 0
    assert steady(load_result(mlruns).observations) == before


def test_what_a_refused_run_names_makes_it_go_on(mlruns: Path, plain_folder: Path) -> None:
    options = {"cases": str(plain_folder / "cases")}
    changes = {"weights": UP, "threshold": 0.6}
    path = write_sweep(mlruns.parent, engine={"options": options}, objective=changes)
    with pytest.raises(ConfigError, match="exists with other settings") as error:
        run(path)
    command = str(error.value).splitlines()[-1].partition("without generating: sweeps ")[2]
    assert command == "rescore t --weights 16,8,4,2,1 --threshold 0.6"
    assert run_command([*command.split(), "--mlruns", str(mlruns)]) == 0
    assert run(path).stored.identity["objective.threshold"] == 0.6


# ---- objectives of one's own


def brief(_: Case, text: str) -> float:
    return 1 / (1 + len(text.split()))


def wordy(_: Case, text: str) -> float:
    return min(1.0, len(text.split()) / 100)


@pytest.mark.parametrize("settings", [{}, {"weights": UP}])
def test_an_objective_of_ones_own_is_not_replaced_unasked(
    settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, own = write_sweep(tmp_path), FunctionObjective(brief)
    first = run(path, objective=own)
    mlruns = tmp_path / "mlruns"
    before = load_result(mlruns).stored
    for keep in (True, False):
        with pytest.raises(SweepError, match=rf"digest {own.digest}\) that .* was given .*rescore t --reset"):
            rescore_study(mlruns, None, settings=settings, keep=keep)
    assert run_command(["rescore", "--mlruns", str(mlruns)]) == 2
    assert "objective=..." in capsys.readouterr().err
    assert load_result(mlruns).stored == before
    assert steady(run(path, objective=own).observations) == steady(first.observations)


def test_an_objective_of_ones_own_is_used_where_it_is_given(tmp_path: Path) -> None:
    path, own = write_sweep(tmp_path), FunctionObjective(brief)
    first, mlruns = run(path, objective=own), tmp_path / "mlruns"
    same = rescore_study(str(mlruns), None, objective=own)
    assert same.changed == 0
    assert same.new.stored.identity == first.stored.identity
    other = FunctionObjective(wordy)
    done = rescore_study(mlruns, None, objective=other).new
    lengths = [len(text.split()) for text in done.texts["text"]]
    assert done.texts["score"].tolist() == pytest.approx([min(1, length / 100) for length in lengths])
    assert steady(run(path, objective=other).observations) == steady(done.observations)
    by_file = rescore_study(mlruns, None, reset=True).new
    assert settings_of(by_file)[:3] == ([5, 4, 3, 2, 1], None, None)
    assert steady(run(path).observations) == steady(by_file.observations)


@pytest.mark.parametrize("changes", [{"settings": {"weights": UP}}, {"reset": True}])
def test_an_objective_goes_without_settings(changes: dict[str, Any], mlruns: Path) -> None:
    with pytest.raises(ConfigError, match="leave them out"):
        rescore_study(mlruns, "t", objective=FunctionObjective(brief), **changes)


def test_an_edited_function_that_the_file_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit is the reason to score again; here the name means another function."""
    monkeypatch.setattr("tests.sweeps.study.test_rescore_settings.scored", brief, raising=False)
    path = write_sweep(tmp_path, objective={"kind": "tests.sweeps.study.test_rescore_settings:scored"})
    run(path)
    monkeypatch.setattr("tests.sweeps.study.test_rescore_settings.scored", wordy)
    done = rescore_study(tmp_path / "mlruns", None).new
    lengths = [len(text.split()) for text in done.texts["text"]]
    assert done.texts["score"].tolist() == pytest.approx([min(1, length / 100) for length in lengths])


def test_a_matcher_reaches_its_model_through_the_studys_engine(tmp_path: Path) -> None:
    """There is no server at the matcher's own address here; the scripted engine embeds."""
    path = write_sweep(tmp_path, objective={"matcher": {"kind": "embedding", "model": "scripted"}})
    run(path)
    file = tmp_path / "cases/c1.toml"
    file.write_text(file.read_text().replace("The deadline is Monday morning.", "Zebras queue near the harbour."))
    done = rescore_study(tmp_path / "mlruns", None)
    assert done.changed > 0
    assert done.new.observations["score"].notna().all()


def test_cases_that_share_a_log_each_have_their_score(tmp_path: Path) -> None:
    path = write_sweep(tmp_path)
    (tmp_path / "cases/c2.txt").write_text((tmp_path / "cases/c1.txt").read_text())
    before = run(path)
    done = rescore_study(tmp_path / "mlruns", None, settings={"weights": UP})
    assert before.observations["score"].notna().all()
    assert done.new.observations["score"].notna().all()
    assert steady(load_result(tmp_path / "mlruns").observations) == steady(done.new.observations)


# ---- what is written


def dump(mlruns: Path) -> list[str]:
    with sqlite3.connect(mlruns / "ledger.db") as connection:
        return list(connection.iterdump())


def kept_files(folder: Path) -> list[str]:
    """The files of a folder, without SQLite's own beside a database: they go when its last connection is collected."""
    return sorted(str(path) for path in folder.rglob("*") if not path.name.endswith(("-shm", "-wal")))


def test_a_dry_run_writes_nothing(mlruns: Path) -> None:
    run(write_sweep(mlruns.parent, study={"name": "u"}, file="u.toml"))
    assert load_result(mlruns).name == "u"
    before, files = dump(mlruns), kept_files(mlruns)
    done = rescore_study(mlruns, "t", settings={"weights": UP}, keep=False)
    assert dump(mlruns) == before
    assert kept_files(mlruns) == files
    assert load_result(mlruns).name == "u"
    kept = rescore_study(mlruns, "t", settings={"weights": UP})
    assert steady(done.new.observations) == steady(kept.new.observations)
    would, has = "With this one the study would have had 2 scorings", "The study has had 2 scorings"
    assert would in str(done.new.verdict.cautions)
    # as text: a number that is not there equals itself
    assert (done.changed, repr(done.new.verdict).replace(would, has)) == (kept.changed, repr(kept.new.verdict))


def test_a_dry_run_of_a_study_that_may_only_be_read(
    mlruns: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rescore", "t", "--dry-run", "--weights", "16,8,4,2,1", "--mlruns", str(mlruns)]
    assert run_command(command) == 0
    told = capsys.readouterr()
    forbid_writing(mlruns, monkeypatch)
    before = contents(mlruns)
    assert run_command(command) == 0
    assert capsys.readouterr() == told
    assert contents(mlruns) == before


def killed_at(commit: int, mlruns: Path, *, keep: bool) -> bool:
    """Score again in a process that is killed before that commit; False if it came to its end."""
    child = os.fork()
    if not child:
        left = [commit]

        def count(_: object) -> None:
            left[0] -= 1
            if not left[0]:
                os._exit(9)

        try:
            sa.event.listen(sa.Engine, "commit", count)
            rescore_study(mlruns, "t", settings={"weights": UP}, keep=keep)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def study_of(mlruns: Path) -> StudyRecord:
    ledger = Ledger(mlruns / "ledger.db")
    study = ledger.studies.get("t")
    ledger.close()
    assert study is not None
    return study


@needs_fork
@pytest.mark.parametrize("keep", [True, False])
def test_a_kill_leaves_the_old_study_or_the_new_one(
    keep: bool, plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.study.rescore.write_trials", lambda *_, **__: None)  # not in the ledger
    old = load_result(plain_folder / "mlruns")
    seen = set()
    for commit in range(1, 12):
        mlruns = tmp_path / str(commit)
        shutil.copytree(plain_folder / "mlruns", mlruns)
        killed = killed_at(commit, mlruns, keep=keep)
        study = study_of(mlruns)
        assert study.identity["objective.digest"] == study.record.objective_digest
        result = load_result(mlruns)
        assert result.observations["score"].notna().all()
        is_old = study == old.stored
        assert is_old == (steady(result.observations) == steady(old.observations))
        assert study.identity["objective.weights"] == ([5, 4, 3, 2, 1] if is_old else UP)
        seen.add(is_old)
        if not killed:
            break
    else:
        pytest.fail("more transactions than were tried")
    assert seen == ({True, False} if keep else {True})


def test_optunas_values_stay_with_the_next_run(mlruns: Path, plain_folder: Path) -> None:
    before = optuna_trials(mlruns)
    rescore_study(mlruns, "t", settings={"weights": UP})
    rescored = optuna_trials(mlruns)
    options = {"cases": str(plain_folder / "cases")}
    again = run(write_sweep(mlruns.parent, engine={"options": options}, objective={"weights": UP}))
    after = optuna_trials(mlruns)
    assert after == rescored
    assert [trial[3] for trial in after] == [trial[3] for trial in before]
    for number, _, value, _, attrs in after:
        rows = again.observations
        own = rows[(rows["configuration"] == attrs["configuration"]) & (rows["stage"] == "explore")]
        assert value == pytest.approx(own.groupby("case")["score"].mean().mean()), number
