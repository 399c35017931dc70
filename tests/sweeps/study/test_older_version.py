"""What version 0.1.0 left is opened, judged, exported and gone on with; see `tests/data/version-0.1.0`."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from objectives.text import normalise
from sweeps.cli import run_command
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.hosts import sweep_hosts
from sweeps.results.reader import load_result
from sweeps.results.report_files import report_data
from sweeps.study.identity import StudyChangedError
from sweeps.study.rescore import rescore_study
from sweeps.study.sweep import Sweep
from tests.sweeps.ledger.test_read_only import forbid_writing
from tests.sweeps.sweep_files import optuna_trials, steady

pytestmark = pytest.mark.usefixtures("no_report")

ARCHIVE = Path(__file__).parents[2] / "data" / "version-0.1.0" / "folder.tar.xz"
EFFECT, P_VALUE = 0.47368421052631576, 0.005390865219855934


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, on the machine that made it: its fingerprint is the stored one."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    (stored,) = load_result("mlruns", "done").hosts.values()

    def take(*_: object, **__: object) -> Fingerprint:
        return stored["scripted"]

    monkeypatch.setattr(sweep_hosts, "take", take)
    return tmp_path


def sweep(file: str) -> Sweep:
    return Sweep.from_toml(file, tracking=False, report=False, progress=None)


def test_its_verdict_is_the_same_to_the_last_digit(home: Path) -> None:
    result = load_result("mlruns", "done")
    assert result.verdict is not None
    assert (result.verdict.effect, result.verdict.p_value) == (EFFECT, P_VALUE)
    assert result.verdict.outcome == "better"
    assert len(result.observations) == 132
    assert result.finalist is not None
    assert [(look.look, look.settled, look.given_up) for look in result.looks] == [(1, (result.finalist.number,), ())]


def test_its_command_line_answers(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status", "--json"]) == 0
    rows = {row["study"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["done"]["status"], rows["stopped"]["status"]) == ("done", "stopped")
    assert run_command(["judge", "done", "--json", "--expect", "better"]) == 0
    assert json.loads(capsys.readouterr().out)["effect"] == EFFECT


def test_in_a_folder_that_may_only_be_read_it_is_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_result("mlruns", "done").proposals
    with tarfile.open(ARCHIVE) as archive:  # not migrated
        archive.extractall(home / "again", filter="data")
    mlruns = home / "again" / "mlruns"
    forbid_writing(mlruns, monkeypatch)
    result = load_result(mlruns, "done")
    assert result.proposals == expected
    assert result.verdict is not None
    assert (result.verdict.effect, result.verdict.p_value) == (EFFECT, P_VALUE)


def test_its_export_is_made_again_with_the_same_options(home: Path) -> None:
    there = Path("mlruns/sweeps/done/production.json")
    before = json.loads(there.read_text())
    load_result("mlruns", "done").export(formats=["json"], folder=home / "again")
    after = json.loads((home / "again" / "production.json").read_text())
    assert after["options"] == before["options"]
    assert after["model"] == before["model"]


def rescored(name: str) -> int:
    """Scores a study again by this version, as the message about its scoring says; returns the changed scores."""
    file = {"done": "sweep.toml"}.get(name, f"{name}.toml")
    with pytest.raises(StudyChangedError, match=f"(?s)scores texts in another way.*sweeps rescore {name}$"):
        sweep(file).run()
    return rescore_study("mlruns", name, cases="cases").changed


def test_a_finished_study_costs_no_generation(home: Path) -> None:
    before = load_result("mlruns", "done")
    assert rescored("done") == 0
    again = sweep("sweep.toml").run()
    assert steady(again.observations) == steady(before.observations)
    assert again.verdict is not None
    assert (again.verdict.effect, again.verdict.p_value, again.verdict.outcome) == (EFFECT, P_VALUE, "better")


def test_a_stopped_study_goes_on_to_the_same_verdict(home: Path) -> None:
    before = load_result("mlruns", "stopped")
    assert before.verdict is None
    assert rescored("stopped") == 0
    result = sweep("stopped.toml").run()
    assert result.proposals[: len(before.proposals)] == before.proposals
    assert result.verdict is not None
    # As version 0.1.0 ends it.
    assert (result.verdict.effect, result.verdict.p_value) == (0.5175438596491228, 0.02730328234747644)
    assert len(optuna_trials(home / "mlruns", "stopped")) == result.plan.trials


def test_it_stays_counted_until_it_is_scored_otherwise(home: Path) -> None:
    kept = rescore_study("mlruns", "done", cases="cases").new
    assert kept.stored.identity["objective.score"] == "counted"
    assert sweep("sweep.toml").run().stored.identity["objective.score"] == "counted"
    expected = rescore_study("mlruns", "done", cases="cases", settings={"score": "expected"}).new
    assert expected.stored.identity["objective.score"] == "expected"
    assert rescore_study("mlruns", "done", cases="cases").new.stored.identity["objective.score"] == "expected"
    assert sweep("sweep.toml").run().stored.identity["objective.score"] == "expected"


def test_a_study_is_scored_again(home: Path) -> None:
    done = rescore_study("mlruns", "done", cases_path="cases", settings={"weights": [1, 1, 1, 1, 1]}, keep=False)
    assert done.old.verdict is not None
    assert done.old.verdict.effect == EFFECT
    assert done.new.stored.record.looks[0].scoring == done.old.stored.record.scoring


def test_its_hosts_have_the_names_of_the_file(home: Path) -> None:
    result = load_result("mlruns", "done")
    assert list(result.host_labels) == list(result.observations["host"].unique())
    assert list(result.hosts) == ["in process"]
    assert list(result.host_labels.values()) == ["this machine"]


def test_its_items_and_texts_are_shown_side_by_side(home: Path) -> None:
    result = load_result("mlruns", "done")
    data = report_data(result)
    assert data.items is not None
    fresh = data.items[data.items["stage"] == "confirm"]
    own = fresh[fresh["configuration"] == data.finalist].groupby("case")["said"].sum()
    counted = result.stage("confirm").query("configuration == @data.finalist").groupby("case")["covered"].sum()
    assert own.to_dict() == counted.to_dict()
    both = {result.baseline.key, data.finalist}
    assert {key[:2] for key in data.marked} == {(arm, case.name) for arm in both for case in result.cases}
    texts = result.texts[result.texts["stage"] == "confirm"].set_index(["configuration", "case", "seed"])["text"]
    for key, pieces in data.marked.items():
        assert "".join(piece.text for piece in pieces) == normalise(texts[key])
    assert any(piece.items for pieces in data.marked.values() for piece in pieces)
