"""A study under changed rubrics: scored anew without a generation."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from objectives import load_cases, make_objective
from sweeps.cli import run_command
from sweeps.errors import ConfigError, SweepError
from sweeps.rescore import rescore_study
from sweeps.results import load_result
from tests.sweeps.sweep_files import run, steady, write_sweep

UP = [16, 8, 4, 2, 1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run(write_sweep(folder))
    return folder


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished study with cases of its own."""
    shutil.copytree(finished, tmp_path / "home")
    with sqlite3.connect(tmp_path / "home/mlruns/ledger.db") as connection:
        (text,) = connection.execute("SELECT record FROM studies").fetchone()
        record = json.loads(text) | {"cases_path": str(tmp_path / "home/cases")}
        connection.execute("UPDATE studies SET record = ?", [json.dumps(record)])
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


def test_a_dry_run_changes_nothing(home: Path) -> None:
    before = load_result(home / "mlruns")
    done = rescore_study(home / "mlruns", "t", settings={"weights": UP}, keep=False)
    after = load_result(home / "mlruns")
    assert done.changed > 0
    assert steady(after.observations) == steady(before.observations)
    assert after.verdict == before.verdict
    assert after.record.identity == before.record.identity
    assert {k: v for k, v in after.record.record.items() if k != "scorings"} == before.record.record


def test_back_to_the_old_rubric_is_back_to_the_old_scores(home: Path) -> None:
    before = load_result(home / "mlruns")
    rescore_study(home / "mlruns", None, settings={"weights": UP})
    done = rescore_study(home / "mlruns", None)
    assert steady(done.new.observations) == steady(before.observations)
    assert done.new.verdict == before.verdict
    assert len(done.new.record.record["scorings"]) == 2


def test_an_edited_rubric_and_its_verdict(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where only an item counts that no text has, nothing is better any more."""
    for path in (home / "cases").glob("*.toml"):
        path.write_text('[[items]]\nid = "x"\ntext = "Zebras queue quietly near the harbour."\nlevel = 1\n')
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


def test_a_study_scored_anew_can_be_run_again_with_its_new_settings(home: Path) -> None:
    rescore_study(home / "mlruns", None, settings={"weights": UP})
    by_hand = list(load_result(home / "mlruns").observations["score"])
    options = {"cases": load_result(home / "mlruns").record.identity["engine.options"]["cases"]}
    path = write_sweep(home, engine={"options": options}, objective={"weights": UP})
    assert list(run(path).observations["score"]) == by_hand
    with pytest.raises(ConfigError, match=r"objective\.weights"):
        run(write_sweep(home, engine={"options": options}))


def test_another_log_is_refused(home: Path) -> None:
    (home / "cases/c2.txt").write_text("Another conversation.")
    with pytest.raises(SweepError, match="the log of c2 is not the one"):
        rescore_study(home / "mlruns", None)


def test_a_case_that_is_gone(home: Path) -> None:
    (home / "cases/c2.toml").unlink()
    with pytest.raises(ConfigError, match="c2"):
        rescore_study(home / "mlruns", None)


def test_settings_that_cannot_be(home: Path) -> None:
    before = load_result(home / "mlruns").record
    with pytest.raises(ConfigError, match=r"objective\.weights"):
        rescore_study(home / "mlruns", None, settings={"weights": [1, 2]})
    assert load_result(home / "mlruns").record == before
