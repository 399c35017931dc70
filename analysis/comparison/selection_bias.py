"""The luck of the best of several: how far chance alone lifts the configuration with the largest difference.

Holm's method makes p and interval allow for several comparisons. The difference itself is not changed, and is too large
on average for a configuration that was picked for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import special

from analysis.comparison.claim import Claim
from analysis.comparison.compare import Answer
from analysis.comparison.pair import Pair
from analysis.formatting import gain_text

_POINTS = 4001


def expected_maximum(deviations: Sequence[float]) -> float:
    """Return the expected maximum of independent normal variables with mean 0.

    Args:
        deviations: Their standard deviations, each at least 0.
    """
    sd = np.asarray(deviations, dtype=float)
    largest = float(sd.max(initial=0.0))
    if len(sd) < 2 or largest == 0:
        return 0.0
    x = np.linspace(0.0, 9 * largest, _POINTS)[:, None]
    scaled = np.divide(x, sd, out=np.full((_POINTS, len(sd)), np.inf), where=sd > 0)
    # E max = integral of P(max > x) over x > 0, less that of P(max < x) over x < 0
    rest = 1 - special.ndtr(scaled).prod(axis=1) - special.ndtr(-scaled).prod(axis=1)
    return float(np.trapezoid(rest, x[:, 0]))


def optimism(compared: Iterable[tuple[Pair, Answer]]) -> float:
    """Return how far the best of several configurations would come out above its true mean if all were equal.

    Where some are truly better than others, the best one owes less to luck. The baseline's own luck does not count: it
    moves all differences alike.

    Args:
        compared: Each configuration beside the baseline, with the answer. For new cases, the choice of cases is luck,
            too.

    Returns:
        A difference in units of the score, at least 0.
    """
    return expected_maximum([_own_error(two, answer.claim) for two, answer in compared])


def _own_error(two: Pair, claim: Claim) -> float:
    """Return the standard error of a configuration's mean, without the baseline's."""
    arm = two.finalist
    noise = two.noise_sd**2 if math.isnan(arm.variance) else arm.variance
    variance = 0.0 if arm.greedy or math.isnan(noise) else noise * arm.spread(two.weights)
    if claim == "new-cases" and two.cases > 1:
        variance += two.interaction()[0] ** 2 / two.cases
    return math.sqrt(variance)


def best_of_note(comparisons: int, excess: float) -> str:
    """Say what to expect of the configuration that is picked.

    Args:
        comparisons: Number of configurations that were compared.
        excess: The result of `optimism`.
    """
    return (
        f"By luck alone the best of {comparisons} equal configurations would come out {gain_text(excess)} above its "
        "true mean: expect less than shown from the one that you pick. p and interval allow for the number of "
        "comparisons, the difference does not."
    )
