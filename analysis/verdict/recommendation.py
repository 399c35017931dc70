"""The recommendation of a configuration that is ahead, apart from any claim.

A claim is based on fresh generations alone. A recommendation also uses the belief of the search in the configuration.
`docs/statistics.md` has the simulations behind the two constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.sequential.decision import Prior

if TYPE_CHECKING:
    from analysis.verdict.verdict import Verdict

RECOMMEND = 0.7
"""The default threshold: the least probability of being truly better with which a configuration is recommended."""

SHRINK = 0.75
"""Share of the expected gain of a search that counts: its best configuration is partly lucky."""


def probability_better(effect: float, standard_error: float, prior: Prior | None = None) -> float:
    """Return the probability that a true effect is above 0.

    The effect is normal around the truth. Without a prior every true effect is as likely beforehand. A prior, its mean
    shrunk by `SHRINK`, is combined with the effect by their precisions (`combined`).

    Args:
        effect: Difference of mean scores of fresh generations, configuration minus baseline.
        standard_error: Its standard error, at least 0.
        prior: The belief before the fresh generations.

    Returns:
        A probability; NaN where effect or standard error is NaN.
    """
    if math.isnan(effect) or math.isnan(standard_error):
        return math.nan
    if not standard_error:
        return _above_0(effect, 0.0)
    if prior is None:
        return _above_0(effect, standard_error)
    mean, sd = combined(effect, standard_error, Prior(SHRINK * prior.mean, prior.sd))
    return _above_0(mean, sd)


def combined(effect: float, standard_error: float, prior: Prior) -> tuple[float, float]:
    """Return mean and standard deviation of a true effect, given a prior and a measured effect.

    Both count by their precisions (normal with known variances; Gelman and others, Bayesian Data Analysis, 2.5).

    Args:
        effect: Difference of mean scores of fresh generations, configuration minus baseline.
        standard_error: Its standard error, above 0.
        prior: The belief before the fresh generations.
    """
    together = math.hypot(standard_error, prior.sd)
    weight = (prior.sd / together) ** 2  # of the effect
    return weight * effect + (1 - weight) * prior.mean, standard_error * prior.sd / together


def _above_0(mean: float, sd: float) -> float:
    """Return the probability that a normal variable is above 0; 1/2 where it is 0 for sure."""
    if not sd:
        return 0.5 if not mean else float(mean > 0)
    return 0.5 * math.erfc(-mean / (sd * math.sqrt(2)))


@dataclass(frozen=True)
class Recommendation:
    """Whether a configuration is recommended.

    Attributes:
        probability: Probability that it is truly better; NaN where nothing varies, so that nobody knows.
        is_given: Whether it is recommended.
    """

    probability: float
    is_given: bool


def recommendation(
    verdict: Verdict,
    *,
    effect: float | None = None,
    prior: Prior | None = None,
    recommend: float = RECOMMEND,
    luck: float = 0.0,
) -> Recommendation:
    """Recommend a configuration, or not.

    It is recommended where it is shown better, and where it is ahead with a probability of being better that reaches
    the threshold. One that is shown worse never is.

    Args:
        verdict: The configuration against the baseline.
        effect: Distance above the mean of all fresh generations of the baseline; by default the verdict's effect.
        prior: The belief of a search before the fresh generations.
        recommend: The threshold, from 0 to below 1. At 0 whatever is ahead is recommended.
        luck: Part of the effect that the best of several equal configurations would show by luck; it does not count for
            the probability.
    """
    ahead = verdict.effect if effect is None else effect
    probability = probability_better(ahead - luck, verdict.standard_error, prior)
    unproven = verdict.outcome != "worse" and ahead > 0 and (not recommend or probability >= recommend)
    return Recommendation(probability, verdict.outcome == "better" or unproven)
