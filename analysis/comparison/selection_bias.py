"""The best of several: by how much luck alone would lift it above the others, so that people expect less of it.

Holm's method makes p and interval of each comparison allow for the others. The difference itself stays what it is, and
that of the one that is picked for its difference is too large on average.
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
        deviations: Their standard deviations, at least 0 each.
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

    That is the most on average: where some are truly better than others, the best one owes less to luck. The baseline
    is left out, since its luck moves all differences alike.

    Args:
        compared: The configurations, each beside the baseline, and what it is compared for: on new cases it is luck
            too how the cases respond that there are.
    """
    return expected_maximum([_own_error(two, comparison.claim) for two, comparison in compared])


def _own_error(two: Pair, claim: Claim) -> float:
    """Return the standard error of a configuration's mean, without the baseline's."""
    arm = two.finalist
    noise = two.noise_sd**2 if math.isnan(arm.variance) else arm.variance
    variance = 0.0 if arm.greedy or math.isnan(noise) else noise * arm.spread(two.weights)
    if claim == "new-cases" and two.cases > 1:
        variance += two.interaction()[0] ** 2 / two.cases
    return math.sqrt(variance)


def best_of_note(comparisons: int, excess: float) -> str:
    """Say what to expect of the one that is picked.

    Args:
        comparisons: How many were compared.
        excess: See `optimism`.
    """
    return (
        f"By luck alone the best of {comparisons} equal configurations would come out {gain_text(excess)} above its "
        "true mean: expect less than shown of the one that is picked. p and interval allow for the number of "
        "comparisons, the difference does not."
    )
