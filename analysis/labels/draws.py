"""Questions to a person, drawn with known probabilities where an answer tells most.

A question is a text and an item of its rubric: does the text say it? A question tells more the more it weighs in the
effect, and the less the matcher is sure of its own answer. Every question has a positive probability, so that the
labels estimate the matcher's error without bias (Hansen and Hurwitz 1943: draws with replacement).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.arrays import FloatArray, IntArray

QUESTIONS = ("configuration", "case", "question", "weight", "credit", "probability")
"""Columns of the questions' table.

`question` is an id. `weight` is the question's part of its arm's mean score, below 0 for a forbidden item; `credit` in
[0, 1] is what the score gave for it, so that the sum of weight x credit is the arm's mean score. `probability` in
[0, 1] is the matcher's belief that a person would say yes.
"""

LEAST_ERROR = 0.06
"""Smallest expected squared error of an answer of the matcher, however sure it is."""


def expected_error(probability: FloatArray, credit: FloatArray) -> FloatArray:
    """Return the expected squared error of each credit if the probabilities are right, shape (questions,)."""
    found: FloatArray = np.maximum(probability * (1 - probability) + (probability - credit) ** 2, LEAST_ERROR)
    return found


def sizes(weight: FloatArray, probability: FloatArray, credit: FloatArray) -> FloatArray:
    """Return how much each question tells: weight x root of the expected squared error, shape (questions,).

    Draws in proportion to it make the variance of the estimated error smallest (Neyman 1934). The square of its sum
    over an arm is the variance that one draw from the arm should have.
    """
    found: FloatArray = np.abs(weight) * np.sqrt(expected_error(probability, credit))
    return found


def draw(questions: pd.DataFrame, count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw questions with replacement: as many of each arm, in a random order within each pair.

    Args:
        questions: See `QUESTIONS`; with two arms.
        count: Number of draws.
        rng: Source of the draws.

    Returns:
        The drawn rows in their order, with the probability of each in one draw as `share`. A question is drawn in
        proportion to its size; one of weight 0 never is, and is never needed. Each prefix is a sample as well, so that
        a person may stop at any question, and further draws may follow.
    """
    arms, told = arms_of(questions), sizes_of(questions)
    first, second = (np.flatnonzero(arms == arm) for arm in sorted(set(arms)))
    share = told.copy()
    for own in (first, second):
        share[own] /= told[own].sum()
    pairs = math.ceil(count / 2)
    chosen: IntArray = np.column_stack([rng.choice(own, size=pairs, p=share[own]) for own in (first, second)])
    rows = rng.permuted(chosen, axis=1).ravel()[:count]
    return questions.iloc[rows].assign(share=share[rows]).reset_index(drop=True)


def arms_of(questions: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return the configuration of each question as Python texts, which compare faster than a column of pandas."""
    return questions["configuration"].to_numpy(object)


def sizes_of(questions: pd.DataFrame) -> FloatArray:
    """Return `sizes` of a table."""
    return sizes(*(questions[name].to_numpy(float) for name in ("weight", "probability", "credit")))
