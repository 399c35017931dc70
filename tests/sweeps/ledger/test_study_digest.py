"""The digest of a study's row: a fault that leaves valid JSON is noticed, and ledgers without digests stay readable."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.cli import run_command
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord, StudyUnreadableError
from sweeps.results.reader import load_result
from tests.sweeps.ledger.test_read_only import forbid_writing

RECORD = StudyRecord(plan={"trials": 12}, hosts={"h": {}}, cases=({"name": "a"},), judged={"effect": 0.1})
OLDER = (
    "ALTER TABLE studies DROP COLUMN sha256",
    "UPDATE info SET value = '4' WHERE key = 'schema'",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.db"
    with closing(Ledger(str(file))) as ledger:
        for name in ("s", "other"):
            ledger.studies.add(name, identity={"a": 1}, config="text", record=RECORD)
    return file


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    "flip",
    [
        "record = replace(record, '0.1', '0.9')",
        "identity = replace(identity, '1', '3')",
        "config = 'tezt'",
        "status = 'done'",
        "created = '2020-01-01T00:00:00.000+00:00'",
        "name = 't'",
    ],
)
def test_a_flip_that_leaves_valid_json_is_noticed(file: Path, flip: str) -> None:
    change(file, f"UPDATE studies SET {flip} WHERE name = 's'")
    name = "t" if flip.startswith("name") else "s"
    with closing(Ledger(str(file))) as ledger:
        with pytest.raises(StudyUnreadableError, match="its row was changed by a fault"):
            ledger.studies.get(name)
        with pytest.raises(StudyUnreadableError):
            ledger.studies.update(name, status="done")
        assert ledger.studies.get("other") is not None
        assert sorted(bool(study.damage) for study in ledger.studies.all()) == [False, True]


def test_every_change_renews_it(file: Path) -> None:
    with closing(Ledger(str(file))) as ledger:
        ledger.studies.update("s", lambda record: replace(record, confirm_seed=7), status="done", identity={"b": 2})
        ledger.proposals.add("s", 0, [{"values": {}, "params": {}}])  # changes the time alone
        assert ledger.studies.get("s").record.confirm_seed == 7  # type: ignore[union-attr]


def test_a_ledger_without_digests_gets_them(file: Path) -> None:
    change(file, *OLDER)
    with closing(Ledger(str(file))) as ledger:
        assert ledger.studies.get("s").record == RECORD  # type: ignore[union-attr]
    change(file, "UPDATE studies SET record = replace(record, '0.1', '0.9')")
    with closing(Ledger(str(file))) as ledger, pytest.raises(StudyUnreadableError):
        ledger.studies.get("s")


def test_a_ledger_without_digests_is_read_where_it_may_only_be_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(file, *OLDER)
    forbid_writing(file.parent, monkeypatch)
    with closing(Ledger(str(file))) as ledger:
        assert ledger.read_only
        assert ledger.studies.get("s").record == RECORD  # type: ignore[union-attr]


# ---- proposals

PROPOSAL = {
    "values": {"model": "m", "prompt": "p", "temperature": 0.1839},
    "params": {"temperature": 0.1839},
    "name": "a",
}


@pytest.mark.parametrize("flip", ["'0.1839', '0.9839'", "'params', 'parems'", "'\"a\"', '\"b\"'", "'sha256', 'sha257'"])
def test_a_proposal_whose_flip_leaves_valid_json_is_noticed(file: Path, flip: str) -> None:
    with closing(Ledger(str(file))) as ledger:
        ledger.proposals.add("s", 0, [PROPOSAL, PROPOSAL])
        assert ledger.proposals.of("s")[0]["values"] == PROPOSAL["values"]
    change(file, f"UPDATE proposals SET record = replace(record, {flip}) WHERE number = 1")
    with closing(Ledger(str(file))) as ledger, pytest.raises(ValueError, match="proposal 1"):
        ledger.proposals.of("s")


def test_proposals_that_changed_places_are_noticed(file: Path) -> None:
    with closing(Ledger(str(file))) as ledger:
        ledger.proposals.add("s", 0, [PROPOSAL, PROPOSAL | {"name": "b"}])
    change(file, *(f"UPDATE proposals SET number = {to} WHERE number = {at}" for at, to in ((0, 9), (1, 0), (9, 1))))
    with closing(Ledger(str(file))) as ledger, pytest.raises(ValueError, match="proposal 0"):
        ledger.proposals.of("s")


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_a_flipped_proposal_of_an_older_ledger_contradicts_its_observations(
    plain_folder: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(plain_folder / "mlruns", tmp_path / "mlruns"))
    with closing(sqlite3.connect(folder / "ledger.db")) as database, database:
        for number, text in database.execute("SELECT number, record FROM proposals").fetchall():
            record = json.loads(text)
            del record["sha256"]
            database.execute("UPDATE proposals SET record = ? WHERE number = ?", (json.dumps(record), number))
    finalist = load_result(folder, "t").finalists[0]  # records without a digest are read
    record = finalist.as_record()
    record["values"][name] += 0.1
    change(
        folder / "ledger.db", f"UPDATE proposals SET record = '{json.dumps(record)}' WHERE number = {finalist.number}"
    )
    for command in (["judge", "t"], ["export", "t"], ["report", "t"]):
        assert run_command([*command, "--mlruns", str(folder)]) == 2
        assert f"proposal {finalist.number} has other options than its observations" in capsys.readouterr().err
