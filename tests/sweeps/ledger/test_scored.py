"""Which texts have a whole score: as the scores themselves say, without decoding them."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from tests.conformance.ledger import KEY, generation

DAMAGED = ["{", "[1]", "1", "", '{"words": \x011}', "nan"]
"""Details that are no JSON object."""


def test_damaged_scores_count_as_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    entry = ledger.generations.add(KEY, generation(), model="m")
    ledger.observations.add("s", Place("explore", 1, "h", "c", 1), configuration="k", generation=entry.id)
    whole = {
        "a": {},
        "b": {"side": {"x": math.nan}},
        "c": {"words": 1, "text": "\u00e4\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")},
    }
    broken = [f"damaged {i}" for i in range(len(DAMAGED) + 2)]
    given = whole | {rubric: {} for rubric in broken}
    ledger.observations.add_scores((entry.id, "o", rubric, 0.5, detail) for rubric, detail in given.items())
    ledger.observations.add_scores([(entry.id, "another objective", "a", 0.5, {})])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        for rubric, text in zip(broken, [*DAMAGED, b"{}"], strict=False):
            database.execute("UPDATE scores SET detail = ? WHERE rubric = ?", (text, rubric))
        database.execute("UPDATE scores SET score = 'x' WHERE rubric = ?", (broken[-1],))
    found = ledger.observations.scored("s", "o")
    assert found == {(entry.id, rubric) for rubric in whole}
    assert found == set(ledger.observations.scores([entry.id], "o"))
    assert ledger.observations.scored("other", "o") == set()
    ledger.close()
