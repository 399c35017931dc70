"""Rows in little memory have the same columns, and make the same table, as one dict per row."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from sweeps.engines.base import Generation, Timing
from sweeps.ledger.records import Entry, Place
from sweeps.options import Configuration
from sweeps.scoring.observation import ObservationRow
from sweeps.scoring.rows import observation_row, table_of
from sweeps.scoring.scorer import Scored

DETAIL = {
    "covered": ["a"], "missed": ["b"], "forbidden": [], "levels": {"1": [1, 1], "2": [0, 1]},
    "words": 7, "side": {"redundancy": 0.25},
}  # fmt: skip


def row(seed: int, configuration: Configuration, score: float | None, tokens: int | None = 5) -> ObservationRow:
    """A row; without a score its request has failed."""
    digest = f"{seed:064x}" if seed % 2 else "of an older version"
    place = Place("explore", seed % 3, "host", f"case {seed % 2}", seed)
    if score is None:
        return observation_row("s", place, configuration, None, None, "EngineTimeout: late")
    text = Generation(
        "Two words.", finish="stop", timing=Timing(1.5), prompt_tokens=tokens, output_tokens=tokens, effective={}
    )
    return observation_row("s", place, configuration, Entry(seed, text, digest, ""), Scored(score, DETAIL))


def test_the_table_is_that_of_plain_dicts() -> None:
    warm, cold = (Configuration("m", "p", {"temperature": value}) for value in (0.5, 0.0))
    other = Configuration("m", "p", {"temperature": 1, "top_k": 20, "think": "low", "stop": ["a", "b"]})
    kinds = (
        [row(1, warm, 0.5)],
        [row(1, warm, None)],
        [row(1, warm, 0.5), row(2, cold, None), row(3, other, 0.75), row(4, other, 1.0, tokens=None)],
    )
    for rows in kinds:
        pd.testing.assert_frame_equal(table_of(rows), table_of([dict(each) for each in rows]), check_exact=True)
        pd.testing.assert_frame_equal(table_of(rows[::-1]), table_of(rows), check_exact=True)


def test_a_row_is_a_mapping_of_its_columns() -> None:
    made = row(1, Configuration("m", "p", {"top_k": 20}), 0.5)
    assert (made["score"], made["lv1"], made["lv12"], made["top_k"], made["temperature"]) == (
        0.5,
        "1/1",
        "1/2",
        20,
        None,
    )
    assert made["generation"] == 1
    assert made["text_sha256"] == f"{1:064x}"
    assert math.isnan(made["compression"])
    assert len(made) == len(list(made)) == len(dict(made))
    assert all(name in made for name in made)
    assert "text" not in made
    assert made.get("text") is None
    with pytest.raises(KeyError, match="text"):
        made["text"]
