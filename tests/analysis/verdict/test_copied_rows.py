"""Scores that repeat as copied rows do are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis import judge_one
from analysis.verdict.verdict import Verdict

COPIED, SAME = "They count several times here.", "Every score of f is that of b with the same seed"


def table(scores: np.ndarray) -> pd.DataFrame:
    """Two arms from scores of the shape (2, cases, seeds)."""
    arm, case, seed = np.indices(scores.shape).reshape(3, -1)
    columns = {"configuration": np.array(["b", "f"])[arm], "case": case, "seed": seed, "score": scores.ravel()}
    return pd.DataFrame(columns)


def drawn(number: int, cases: int = 6, seeds: int = 5) -> np.ndarray:
    return np.random.default_rng(number).normal(0.5, 0.1, (2, cases, seeds)).clip(0, 1)


def named(verdict: Verdict, words: str) -> int:
    return sum(words in note for note in verdict.text_notes)


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("cases", [1, 6])
def test_a_table_that_stands_there_several_times_under_other_seeds_is_named(times: int, cases: int) -> None:
    once = table(drawn(1, cases))
    several = pd.concat([once.assign(seed=once["seed"] + 100 * number) for number in range(times)])
    assert named(judge_one(several, baseline="b"), COPIED) == 2
    assert named(judge_one(once, baseline="b"), COPIED) == 0
    other = pd.concat([once, table(drawn(2, cases)).assign(seed=once["seed"] + 100)])
    assert named(judge_one(other, baseline="b"), COPIED) == 0
    texts = several.assign(text_sha256=[f"text {number}" for number in range(len(several))])
    assert named(judge_one(texts, baseline="b"), COPIED) == 0  # texts tell


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.usefixtures("fewer_permutations")
def test_scores_with_few_values_repeat_by_right(share: float) -> None:
    for number in range(20):
        rng = np.random.default_rng(number)
        passes = (rng.random((2, 6, 8)) < share).astype(float)
        items = rng.binomial(6, share, (2, 6, 8)) / 6
        certain = np.repeat((rng.random((1, 6, 1)) < share).astype(float), 8, axis=2) * np.ones((2, 1, 1))
        certain[:, 0] = passes[:, 0]  # most cases always pass or always fail
        for scores in (passes, items, certain):
            verdict = judge_one(table(scores), baseline="b")
            assert named(verdict, COPIED) == named(verdict, SAME) == 0


def test_two_arms_with_one_and_the_same_table_are_named() -> None:
    scores = drawn(3)
    scores[1] = scores[0]
    assert named(judge_one(table(scores), baseline="b"), SAME) == 1
    scores[1, 0, 0] += 0.01
    assert named(judge_one(table(scores), baseline="b"), SAME) == 0
