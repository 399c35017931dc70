"""The limited quantities of all configurations: which generations count, by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from sweeps.config.tables import ConstraintsTable
from sweeps.results.figures.limit_columns import limit_columns


def _row(key: str, stage: str, case: str, words: int | None) -> dict[str, Any]:
    return {"configuration": key, "stage": stage, "case": case, "words": words, "finish": "stop"}


def test_fresh_generations_count_where_there_are_any_and_all_of_the_baseline():
    rows = [
        _row("b", "confirm", "c1", 40),  # the ledger's order of the stages is that of the alphabet
        _row("f", "confirm", "c1", 10),
        _row("f", "confirm", "c2", 30),
        _row("f", "explore", "c1", 500),
        _row("t", "explore", "c1", 7),
        _row("t", "explore", "c1", 9),
        _row("t", "explore", "c2", 20),
        _row("none", "explore", "c1", None),
        _row("b", "floor", "c1", 20),
    ]
    config = SimpleNamespace(constraints=ConstraintsTable(words=25))
    study: Any = SimpleNamespace(config=config, rows=rows, baseline=SimpleNamespace(key="b"))
    (column,) = limit_columns(study)
    assert math.isnan(column.means.pop("none"))
    assert column.means == {"b": 30, "f": 20, "t": 14}  # of t: the mean of 8 and 20
    assert (column.name, column.limit, column.over("b"), column.over("f")) == ("words", 25, True, False)
