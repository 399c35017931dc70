"""The suite for studies, proposals, probes and audits in a ledger."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from subprocess import run
from typing import Any

import pytest
import sqlalchemy as sa

from sweeps.ledger import schema as tables
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord, StudyUnreadableError
from tests.conformance.ledger import Ledgers

WRITERS, CHANGES = 3, 50
CHANGE = """
import sys
from dataclasses import replace
from sweeps.ledger.ledger import Ledger
url, writer, changes = sys.argv[1], sys.argv[2], int(sys.argv[3])
ledger = Ledger(url)
for number in range(changes):
    stage = f"{writer} {number}"
    ledger.studies.update("s", lambda record: replace(record, seconds={**record.seconds, stage: {"wall": 1.0}}))
"""


class StudiesSuite(Ledgers):
    """The contract of a ledger's studies.

    - Updates of a study by several processes follow one another: none is lost. A change that fails leaves the study as
      it was. A damaged study is reported and leaves the others readable.
    - A proposal is added once and comes back as it was given. A study with a damaged or missing one is reported.
    - A probe replaces an older one. An audit that was interrupted goes on, one that is finished does not.
    """

    # ---- studies

    def test_a_study_and_its_changes(self, ledger: Ledger, other: Ledger) -> None:
        assert ledger.studies.get("s") is None
        made = ledger.studies.add("s", identity={"a": 1}, config="text", record=StudyRecord(plan={"trials": 1}))
        assert (made.status, made.identity, made.record) == ("running", {"a": 1}, StudyRecord(plan={"trials": 1}))
        assert other.studies.get("s") == made
        changed = ledger.studies.update("s", lambda record: replace(record, finalists=(3,)), status="done")
        assert (changed.status, changed.record) == ("done", StudyRecord(plan={"trials": 1}, finalists=(3,)))
        assert other.studies.get("s") == changed
        assert other.studies.update("s", lambda record: replace(record, finalists=None)).status == "done"
        changed = ledger.studies.update(
            "s", lambda record: replace(record, priors={3: {"mean": 0.5}}), status="stopped", identity={"a": (2,)}
        )
        assert changed == ledger.studies.get("s")
        assert (changed.status, changed.identity) == ("stopped", {"a": [2]})
        assert changed.record == StudyRecord(plan={"trials": 1}, priors={3: {"mean": 0.5}})
        assert ledger.studies.all() == [changed]
        with pytest.raises(LedgerError):
            other.studies.add("s", identity={}, config="", record=StudyRecord())
        with pytest.raises(LedgerError, match="has a study 's', and some file systems take"):
            other.studies.add("S", identity={}, config="", record=StudyRecord())
        with pytest.raises(LedgerError, match="Write 's', or choose another name"):
            other.studies.refuse_twin("S")
        other.studies.refuse_twin("s")

    def test_studies_come_newest_first(self, ledger: Ledger) -> None:
        for name in "abc":
            ledger.studies.add(name, identity={}, config="", record=StudyRecord())
            time.sleep(0.002)  # the times have milliseconds
        ledger.studies.update("a", status="done")
        assert [study.name for study in ledger.studies.all()] == ["a", "c", "b"]

    def test_a_change_that_fails_leaves_the_study_as_it_was(self, ledger: Ledger, other: Ledger) -> None:
        before = ledger.studies.add("s", identity={}, config="", record=StudyRecord(began=1))

        def fails(record: StudyRecord) -> StudyRecord:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            ledger.studies.update("s", fails, status="done")
        assert ledger.studies.get("s") == before
        assert other.studies.update("s", lambda record: replace(record, began=2)).record.began == 2  # no lock is left

    def test_no_update_of_several_processes_is_lost(self, ledger: Ledger, url: str) -> None:
        ledger.studies.add("s", identity={}, config="", record=StudyRecord())

        def write(writer: int) -> None:
            run([sys.executable, "-c", CHANGE, url, str(writer), str(CHANGES)], check=True)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        study = ledger.studies.get("s")
        assert study is not None
        assert len(study.record.seconds) == WRITERS * CHANGES

    @pytest.mark.parametrize("damage", [{"record": "{"}, {"identity": "[]"}, {"record": '{"looks": 3}'}])
    def test_a_damaged_study_leaves_the_others_readable(self, ledger: Ledger, damage: dict[str, str]) -> None:
        for name in ("good", "bad"):
            ledger.studies.add(name, identity={}, config="", record=StudyRecord())
        with ledger._database.writing() as connection:
            connection.execute(sa.update(tables.studies).where(tables.studies.c.name == "bad").values(damage))
        assert {study.name: bool(study.damage) for study in ledger.studies.all()} == {"good": False, "bad": True}
        assert ledger.studies.update("good", status="done").status == "done"
        for call in (ledger.studies.get, ledger.studies.update):
            with pytest.raises(StudyUnreadableError, match="'bad'"):
                call("bad")

    # ---- proposals

    def test_proposals_come_back_in_their_order(self, ledger: Ledger, other: Ledger) -> None:
        before = ledger.studies.add("s", identity={}, config="", record=StudyRecord())
        records = [
            {"values": {"temperature": n / 7, "case": "\u2028"}, "params": {}, "name": str(n)} for n in range(12)
        ]
        ledger.proposals.add("s", 0, records[:10])
        other.proposals.add("s", 10, records[10:])
        other.proposals.add("s", 12, [])
        ledger.proposals.add("another", 0, records[:1])
        assert ledger.proposals.of("s") == other.proposals.of("s") == records
        assert ledger.proposals.of("none") == []
        study = other.studies.get("s")
        assert study is not None
        assert (study.record, study.updated > before.updated) == (before.record, True)

    def test_a_proposal_is_never_replaced(self, ledger: Ledger, other: Ledger) -> None:
        ledger.proposals.add("s", 0, [{"values": {"seed": 1}}])
        with pytest.raises(LedgerError):
            other.proposals.add("s", 0, [{"values": {"seed": 2}}, {"values": {"seed": 3}}])
        assert ledger.proposals.of("s") == [{"values": {"seed": 1}}]

    @pytest.mark.parametrize("damage", [{"record": "{"}, {"record": "[1]"}, {"record": "{}"}, {"number": 7}])
    def test_a_damaged_proposal_is_reported(self, ledger: Ledger, damage: dict[str, Any]) -> None:
        ledger.proposals.add("s", 0, [{"values": {}}, {"values": {}}])
        with ledger._database.writing() as connection:
            connection.execute(sa.update(tables.proposals).where(tables.proposals.c.number == 1).values(damage))
        with pytest.raises(ValueError, match="proposal"):
            ledger.proposals.of("s")

    def test_proposals_in_the_records_of_studies_get_rows(self, ledger: Ledger, url: str) -> None:
        """As schema 1 left them."""
        proposals = [{"values": {"top_k": n}, "params": {"top_k": n}} for n in range(3)]
        kept = {"plan": {}, "hosts": {}, "cases": [], "finalists": [2]}
        older = {"a": json.dumps(kept | {"proposals": proposals}), "b": "{", "c": json.dumps(kept | {"proposals": 1})}
        for name in (*older, "new"):
            ledger.studies.add(name, identity={}, config="", record=StudyRecord(finalists=(2,)))
        with ledger._database.writing() as connection:
            for name, record in older.items():
                connection.execute(sa.update(tables.studies).where(tables.studies.c.name == name).values(record=record))
            connection.execute(sa.update(tables.info).values(value="1"))
            connection.exec_driver_sql("DROP TABLE proposals")
        ledger.close()
        for _ in range(2):  # a second opening changes nothing
            again = Ledger(url)
            assert again.proposals.of("a") == proposals
            assert [again.proposals.of(name) for name in ("b", "new")] == [[], []]
            with pytest.raises(ValueError, match="proposal 0"):
                again.proposals.of("c")
            studies = {study.name: study for study in again.studies.all()}
            assert {name: bool(each.damage) for name, each in studies.items()} == dict.fromkeys("ac", False) | {
                "b": True, "new": False,
            }  # fmt: skip
            assert studies["a"].record.finalists == (2,)
            with again._database.reading() as connection:
                record = connection.scalar(sa.select(tables.studies.c.record).where(tables.studies.c.name == "a"))
                assert "proposals" not in json.loads(str(record))
            again.close()

    # ---- probes

    def test_a_probe_replaces_an_older_one(self, ledger: Ledger, other: Ledger) -> None:
        for acts in (True, False):
            ledger.probes.add("f", "scripted", "m", option="top_k", context="c", record={"acts": acts})
        ledger.probes.add("f", "scripted", "m", option="top_k", context="d", record={"acts": None})
        found = {("top_k", "c"): {"acts": False}, ("top_k", "d"): {"acts": None}}
        assert other.probes.of_host("f", "scripted", "m") == found
        for elsewhere in (("g", "scripted", "m"), ("f", "ollama", "m"), ("f", "scripted", "n")):
            assert ledger.probes.of_host(*elsewhere) == {}

    # ---- audits

    def test_an_interrupted_audit_goes_on_and_a_finished_one_does_not(self, ledger: Ledger, other: Ledger) -> None:
        first = ledger.audits.begin("i")
        ledger.audits.add(first, "wk-01", "p1", {"text": "\ud800 one"})
        ledger.audits.add(first, "wk-01", "p1", {"text": "two"})  # a part stays
        ledger.audits.add(first, "mbp", "p1", {"text": "three"})
        assert other.audits.begin("i") == first
        assert other.audits.parts(first, "wk-01") == {"p1": {"text": "? one"}}
        assert other.audits.begin("i", again=True) > first
        assert other.audits.begin("j") not in (first, other.audits.begin("i"))
        ledger.audits.finish(other.audits.begin("i"), '{"a": 1}')
        assert [record for _, record in other.audits.finished()] == ['{"a": 1}']
        assert other.audits.begin("i") == first  # the newest that is not finished
