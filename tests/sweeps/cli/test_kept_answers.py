"""Texts are read from the ledger when somebody asks for them, and a verdict needs none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from sweeps.ledger.observations import Observations
from sweeps.results import reader
from sweeps.results.reader import load_confirmed, load_result
from sweeps.study.measurer import Measurer
from tests.sweeps.sweep_files import run


def test_texts_are_read_once_and_only_if_asked_for(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(
        reader, "open_existing", lambda place, plain=reader.open_existing: (opened.append(place), plain(place))[1]
    )
    result = load_result(finished / "mlruns", "t")
    assert result.verdict is not None
    assert len(opened) == 1
    scored = [row for row in result.rows if not row["error"]]
    assert len(result.answers) == len(scored)
    place = ("stage", "trial", "host", "case", "seed", "repeat", "score")
    for answer, row in zip(result.answers, scored, strict=True):
        assert [answer[name] for name in place] == [row[name] for name in place]
        assert len(answer["detail"]["covered"]) == row["covered"]
    assert result.answers[-1] == result.answers[-2:][1] == list(result.answers)[-1]
    assert len(opened) == 2


def test_a_verdict_reads_no_trial_of_the_search(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stages = load_result(finished / "mlruns", "t"), list[object]()
    plain = Observations.parts_of_study

    def parts(self: Observations, study: str, wanted: object = None, trials: object = None) -> object:
        stages.append(wanted)
        return plain(self, study, wanted, trials)  # type: ignore[arg-type]

    monkeypatch.setattr(Observations, "parts_of_study", parts)
    fresh = load_confirmed(finished / "mlruns", "t")
    assert stages == [("floor", "confirm")]
    assert fresh.verdicts == whole.verdicts
    assert fresh.use_now == whole.use_now
    assert fresh.floor == whole.floor
    assert {row["stage"] for row in fresh.rows} == {"floor", "confirm"}
    pd.testing.assert_frame_equal(
        fresh.texts.query("stage == 'confirm'").reset_index(drop=True),
        whole.texts.query("stage == 'confirm'").reset_index(drop=True),
    )


def test_a_run_has_the_rows_and_texts_that_the_ledger_has(
    finished: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = list[bool]()
    plain = Measurer.rows_of_study

    def rows(self: Measurer) -> list[Mapping[str, Any]] | None:
        found = plain(self)
        given.append(found is not None)
        return found

    monkeypatch.setattr(Measurer, "rows_of_study", rows)
    made = run(finished / "sweep.toml", directory=copy / "mlruns", tracking=False, report=False, keep_trials=False)
    read = load_result(copy / "mlruns", "t")
    assert given == [True]
    assert repr(made.rows) == repr(read.rows)
    assert list(made.answers) == list(read.answers)
    assert made.verdicts == read.verdicts


def test_rows_are_read_where_some_are_missing_or_failed() -> None:
    whole = [{"stage": "floor", "trial": -1, "host": "h", "case": case, "seed": 1, "repeat": 0} for case in "ba"]
    scored, failed = [row | {"error": ""} for row in whole], [row | {"error": "late"} for row in whole]
    for rows, size, expected in ((scored, 2, scored[::-1]), (scored, 3, None), (failed, 2, None)):
        ledger = SimpleNamespace(observations=SimpleNamespace(size=lambda _, size=size: size))
        assert Measurer.rows_of_study(cast("Any", SimpleNamespace(rows=rows, ledger=ledger, name="s"))) == expected
