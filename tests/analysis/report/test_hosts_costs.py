"""Hosts and costs: means worked out by hand, and names that people gave."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.report.costs import cost_of, duration_text, generating_seconds
from analysis.report.hosts import hosts_text
from analysis.report.tables import Tables
from tests.analysis.report.reading import words_of

ROWS = pd.DataFrame(
    {
        "configuration": ["a"] * 4,
        "case": ["c"] * 4,
        "seed": range(4),
        "score": [0.5, 0.5, 0.5, math.nan],
        "finish": ["stop", "stop", "length", "error"],
        "host": ["h1", "h1", "h2", "h2"],
        "words": [10, 20, 30, None],
        "output_tokens": [20, 40, 60, None],
        "answer_tokens": [10, 30, 50, None],
        "seconds": [1.0, 2.0, 9.0, math.nan],
        "queue_seconds": [0.0, 0.0, 2.0, math.nan],
        "load_seconds": [0.0, 0.0, 4.0, math.nan],
        "decode_seconds": [0.5, 1.0, 1.5, math.nan],
    }
)


def test_a_text_costs_its_own_request_only():
    cost = cost_of(ROWS)
    assert (cost.n, cost.words, cost.answer_tokens) == (3, 20, 30)
    assert cost.seconds == 2.0  # without the wait and the load: 1, 2 and 3
    assert cost.tokens_per_second == 120 / 3
    assert generating_seconds(ROWS) == 9.0  # h2; h1 worked 3 seconds beside it


def test_what_the_table_does_not_say_is_unknown():
    bare = ROWS[["configuration", "case", "seed", "score"]]
    cost = cost_of(bare)
    assert all(math.isnan(x) for x in (cost.words, cost.answer_tokens, cost.seconds, cost.tokens_per_second))
    assert math.isnan(generating_seconds(bare))
    assert cost_of(ROWS.drop(columns=["answer_tokens", "decode_seconds"])).answer_tokens == 40
    assert cost_of(ROWS.drop(columns="decode_seconds")).tokens_per_second == 120 / 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.24, "4.2 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (math.nan, "–")],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration_text(seconds) == text


def test_hosts_have_their_labels_their_failures_and_the_scores_of_both_arms(data):
    rows = data.observations.assign(host=np.where(data.observations["seed"] % 2, "aaa", "bbb"))
    rows.loc[rows.index[:3], "finish"] = "error"
    here = replace(data, observations=rows, texts=None, host_labels={"aaa": "wk-01", "bbb": "mbp"})
    found = {row["label"]: row for row in Tables(here).host_rows}
    assert list(found) == ["mbp", "wk-01"]
    assert sum(row["n"] for row in found.values()) == len(rows)
    assert sum(row["failed"] for row in found.values()) == 3
    fresh = rows[(rows["stage"] == "confirm") & (rows["host"] == "aaa") & (rows["configuration"] == data.finalist)]
    assert found["wk-01"]["scores"][1] == pytest.approx(fresh.groupby("case")["score"].mean().mean())
    page = words_of(here)
    assert "host n failed s per text tokens/s levels 1-2 baseline levels 1-2 finalist" in page
    assert "aaa" not in page  # never a digest alone
    assert "wk-01 (" in hosts_text(here)
    assert "of requests in the whole study" in page


def test_a_host_without_a_name_is_called_a_host(data):
    assert data.host_label("3f9a1c") == "host 3f9a1c"
    assert [row["label"] for row in Tables(data).host_rows] == ["host 3f9a1c"]
