"""Draws of questions with known probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.labels.draws import draw, sizes_of


def table(**columns: list[object]) -> pd.DataFrame:
    base: dict[str, list[object]] = {
        "configuration": ["a", "a", "a", "b", "b"],
        "case": ["1", "1", "1", "1", "1"],
        "question": ["q", "r", "s", "q", "r"],
        "weight": [0.6, 0.3, 0.0, 0.5, -0.5],
        "credit": [1.0, 1.0, 0.0, 0.0, 1.0],
        "probability": [0.5, 0.8, 0.5, 0.0, 0.5],
    }
    return pd.DataFrame(base | columns)


def test_a_question_tells_weight_times_expected_error() -> None:
    # p = .5, credit 1: .25 + .25 = .5; p = .8, credit 1: .16 + .04 = .2; p = 0, credit 0: the least, .06
    expected = [0.6 * 0.5**0.5, 0.3 * 0.2**0.5, 0.0, 0.5 * 0.06**0.5, 0.5 * 0.5**0.5]
    assert sizes_of(table()) == pytest.approx(expected)
    drawn = draw(table(), 200, np.random.default_rng(1)).drop_duplicates(["configuration", "question"])
    for row in drawn.itertuples():
        own = expected[:3] if row.configuration == "a" else expected[3:]
        assert row.share == pytest.approx(own["qrs".index(str(row.question))] / sum(own))


def test_a_sure_matcher_is_asked_as_well() -> None:
    sure = table(probability=[1.0, 1.0, 0.0, 0.0, 1.0])
    assert (sizes_of(sure)[[0, 1, 3, 4]] > 0).all()


def test_each_question_is_drawn_as_often_as_its_share_says() -> None:
    drawn = draw(table(), 20_000, np.random.default_rng(1))
    assert drawn["configuration"].value_counts().to_dict() == {"a": 10_000, "b": 10_000}
    for (arm, question), own in drawn.groupby(["configuration", "question"]):
        share = own["share"].iloc[0]
        spread = (share * (1 - share) / 10_000) ** 0.5
        assert abs(len(own) / 10_000 - share) < 4 * spread, (arm, question)
    assert not ((drawn["configuration"] == "a") & (drawn["question"] == "s")).any()  # weight 0 tells nothing


def test_arms_are_balanced_in_every_prefix_and_in_a_random_order() -> None:
    arms = draw(table(), 400, np.random.default_rng(2))["configuration"].to_numpy()
    pairs = arms.reshape(-1, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert 60 < (pairs[:, 0] == "a").sum() < 140


def test_the_same_seed_draws_the_same_questions() -> None:
    first, second = (draw(table(), 9, np.random.default_rng(3)) for _ in range(2))
    assert len(first) == 9
    pd.testing.assert_frame_equal(first, second)
