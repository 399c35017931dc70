"""A draw that was only made again counts once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one, noise_floor, variance_components
from analysis.observations.table import summarize


def table(rng, *, cases=6, seeds=5, arms="bf"):
    """Scores of arms that are equally good."""
    rows = [(arm, f"c{c}", s, rng.normal(0.5, 0.12)) for arm in arms for c in range(cases) for s in range(seeds)]
    frame = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    return frame.assign(score=frame["score"].clip(0, 1))


def again(frame, column, times, **changes):
    """The same rows on several hosts or as repeats."""
    names = range(times) if column == "repeat" else [f"h{k}" for k in range(times)]
    return pd.concat([frame.assign(**{column: name}, **changes) for name in names], ignore_index=True)


@pytest.mark.parametrize("column", ["host", "repeat"])
def test_copies_change_nothing_but_the_notes(column):
    frame = table(np.random.default_rng(0))
    once, copied = judge_one(frame, baseline="b"), judge_one(again(frame, column, 3), baseline="b")
    assert (copied.p_value, copied.effect, copied.n_per_arm) == (once.p_value, once.effect, once.n_per_arm)
    assert "60 rows of the baseline do not count: their seeds are in the table more than once" in copied.notes[0]
    assert noise_floor(again(frame, column, 3), "b").dof == noise_floor(frame, "b").dof


def test_equal_arms_of_which_every_text_stands_there_three_times_err_as_often_as_alpha_allows():
    rng = np.random.default_rng(1)
    found = sum(judge_one(again(table(rng), "repeat", 3), baseline="b").p_value <= 0.05 for _ in range(300))
    assert found <= 300 * 0.05 + 2 * (300 * 0.05 * 0.95) ** 0.5


def test_repeats_that_differ_are_repeats():
    rng = np.random.default_rng(2)
    frame = again(table(rng), "repeat", 3)
    frame["score"] = rng.uniform(0.2, 0.8, len(frame))
    cells = summarize(frame)
    assert cells.n.sum() == len(frame)
    assert not cells.merged.any()
    # Equal scores of other texts are other draws.
    equal = again(table(rng), "repeat", 3)
    texts = equal.assign(text_sha256=[f"text {k}" for k in range(len(equal))])
    assert summarize(texts).n.sum() == len(equal)
    assert summarize(equal).n.sum() == len(equal) // 3
    assert summarize(equal.assign(text_sha256="")).n.sum() == len(equal) // 3


def test_where_half_of_the_seeds_recur_alike_the_others_count_with_their_mean():
    frame = again(table(np.random.default_rng(3), cases=1, seeds=4, arms="b"), "repeat", 2)
    frame.loc[(frame["repeat"] == 1) & (frame["seed"] < 2), "score"] += 0.1
    cells = summarize(frame.sample(frac=1, random_state=0))
    assert cells.n.tolist() == [[4]]
    first = frame.loc[frame["repeat"] == 0, "score"].to_numpy()
    assert sorted(cells.scores) == pytest.approx(sorted([*(first[:2] + 0.05), *first[2:]]))
    frame.loc[(frame["repeat"] == 1) & (frame["seed"] == 2), "score"] += 0.1
    assert summarize(frame).n.tolist() == [[8]]


def test_greedy_arms_are_on_every_host_and_count_once_per_case_anyhow():
    frame = again(table(np.random.default_rng(4)), "host", 2)
    frame.loc[frame["configuration"] == "b", "score"] = 0.5
    frame["temperature"] = np.where(frame["configuration"] == "b", 0.0, 0.8)
    frame.loc[frame["configuration"] == "f", "seed"] += 100 * (frame["host"] == "h1")
    cells = summarize(frame)
    assert cells.n.sum() == len(frame)
    assert judge_one(frame, baseline="b").n_finalist == 60


def test_hosts_that_give_the_same_texts_are_hosts_in_the_components():
    parts = variance_components(again(table(np.random.default_rng(5)), "host", 2))
    assert (parts.hosts, parts.host) == (2, 0.0)
