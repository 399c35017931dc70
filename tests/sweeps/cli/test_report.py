"""`sweeps report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweeps.cli.reading import Capture, answer
from tests.sweeps.sweep_files import run, write_sweep


def test_a_report_of_a_study_that_is_not_finished(tmp_path: Path, capsys: Capture) -> None:
    from sweeps.engines.scripted.engine import Fault
    from tests.sweeps.scripted_sweeps import engine

    path = write_sweep(tmp_path)
    with pytest.raises(Exception, match="in a row"):
        run(path, engine=engine(tmp_path, [Fault("unreachable", frozenset(range(45, 1000)))]))
    done = answer(capsys, "report", "--json", "--mlruns", tmp_path / "mlruns")
    assert Path(done["report"]).is_file()
    assert done["exports"] == []
