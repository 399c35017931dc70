"""Writes of several threads take turns, and a failed one does not block the rest."""

import threading
import time

import pytest

from sweeps.engines.base import Prompt
from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Key
from sweeps.ledger.study_record import StudyRecord


def test_one_write_at_a_time_and_reads_beside_it(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    inside, most = [], []

    def write(number):
        with ledger._database.writing():
            inside.append(number)
            most.append(len(inside))
            ledger.studies.all()
            time.sleep(0.005)
            inside.remove(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6
    ledger.close()


def test_a_failed_write_gives_its_turn_away(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    with ledger._database._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE failures")
    with pytest.raises(LedgerError, match="could not be written"):
        ledger.generations.add_failure(Key("f", "m", Prompt(user="u"), {}, 1), study="s", kind="k", message="m")
    added = threading.Thread(target=lambda: ledger.studies.add("s", identity={}, config="", record=StudyRecord()))
    added.start()
    added.join(timeout=10)
    assert [study.name for study in ledger.studies.all()] == ["s"]
    ledger.close()
