"""Equivalence: showing that two configurations do not differ by more than a margin."""

from __future__ import annotations

import math

from analysis.comparison import Estimate


def default_margin(noise_sd: float, cases: int) -> float:
    """Return the margin used where the user names none.

    It is the standard error of the mean score of *one pass* over the cases (one seed each), `noise_sd / sqrt(cases)`: a
    difference smaller than that is smaller than what one pass differs from the next by. It can be shown from about 6
    seeds per case on, and with 80% probability for truly equal configurations from 17. (The standard error at the
    confirmation's own size would be no margin at all: the difference of two arms has a larger standard error than that
    whatever the size.)

    Args:
        noise_sd: Standard deviation over seeds within a case.
        cases: Number of cases.
    """
    return noise_sd / math.sqrt(cases)


def tost(estimate: Estimate, margin: float) -> float:
    """Return the p of two one-sided t tests (Schuirmann 1987) that the effect lies within plus or minus a margin.

    Args:
        estimate: The effect with its standard error and degrees of freedom.
        margin: Above 0, in units of the score.
    """
    if estimate.standard_error == 0:
        return 0.0 if abs(estimate.effect) < margin else 1.0
    return estimate.tail_probability((abs(estimate.effect) - margin) / estimate.standard_error)
