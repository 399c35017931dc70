"""Updates of a study by several processes: none is lost."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import run

from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StudyRecord

WRITERS, KEYS = 3, 50
WRITE = """
import sys
from dataclasses import replace
from sweeps.ledger.ledger import Ledger
url, writer, keys = sys.argv[1], sys.argv[2], int(sys.argv[3])
ledger = Ledger(url)
for key in range(keys):
    stage = f"{writer} {key}"
    ledger.studies.update("s", lambda record: replace(record, seconds={**record.seconds, stage: {"wall": 1.0}}))
"""


def keys_kept(url: str) -> int:
    """Three processes write 50 keys each, one at a time; how many of the 150 the study has in the end."""
    ledger = Ledger(url)
    ledger.studies.add("s", identity={}, config="", record=StudyRecord())

    def write(writer: int) -> None:
        run([sys.executable, "-c", WRITE, url, str(writer), str(KEYS)], check=True)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    study = ledger.studies.get("s")
    ledger.close()
    assert study is not None
    return len(study.record.seconds)


def test_three_writers_on_sqlite(tmp_path: Path) -> None:
    assert keys_kept(str(tmp_path / "ledger.db")) == WRITERS * KEYS


def test_a_change_that_fails_leaves_the_study_as_it_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    before = ledger.studies.add("s", identity={}, config="", record=StudyRecord(began=1))

    def fails(record: StudyRecord) -> StudyRecord:
        raise ZeroDivisionError

    try:
        ledger.studies.update("s", fails, status="done")
    except ZeroDivisionError:
        assert ledger.studies.get("s") == before
    assert ledger.studies.update("s", lambda record: replace(record, began=2)).record.began == 2  # nothing is locked
    ledger.close()
