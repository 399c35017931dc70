"""Power: the gains that a number of generations can see, and the number that a gain takes.

All of it comes from the noncentral t distribution, for the two kinds of comparisons:

- these cases: `cases` x `seeds` generations per arm, standard error `noise_sd * sqrt(2 / (cases * seeds))`,
  `2 * cases * (seeds - 1)` degrees of freedom;
- new cases: paired over cases, standard error `sqrt(2 * (interaction_sd**2 + noise_sd**2 / seeds) / cases)`,
  `cases - 1` degrees of freedom. `interaction_sd` is the standard deviation of configuration x case, which is unknown
  before the arms have run; 0 (all cases respond alike) gives the least that such a claim takes. Below FEWEST_CASES
  cases `judge` claims nothing for new cases, so no gain is seen.

Gains and standard deviations are in units of the score, which lies in [0, 1].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from scipy import optimize, special

from analysis.comparison.estimate import FAR_TAIL
from analysis.comparison.pair import FEWEST_CASES
from analysis.comparison.t_tests import PERMUTE_BELOW

MOST_SEEDS = 100_000
"""A gain that takes more seeds per case than this counts as one that cannot be seen."""

_FARTHEST = 1e4
"""A t test whose critical value is beyond this (tiny level, one or two degrees of freedom) sees nothing."""


def _check(alpha: float, power: float = 0.8) -> None:
    """Raise `ValueError` if a probability is out of its range."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    if not alpha < power < 1:
        raise ValueError(f"power must lie between alpha and 1, not {power}")


def _normal_drift(alpha: float, power: float) -> float:
    """Return the drift that a test with a known variance sees; an estimated variance needs a larger one."""
    return float(special.ndtri(power) - special.ndtri(alpha / 2))


@functools.lru_cache(maxsize=8192)
def _critical_drift(dof: float, alpha: float, power: float) -> float:
    """Return the noncentrality at which a two-sided t test rejects with a given power."""
    normal = _normal_drift(alpha, power)
    if dof > 1e5:
        return normal
    if -special.stdtrit(dof, alpha / 2) > _FARTHEST:
        return math.inf
    low, high = normal, 1.25 * normal
    while power_of_drift(high, dof, alpha) < power:
        low, high = high, 1.5 * high
    return float(optimize.brentq(lambda drift: power_of_drift(drift, dof, alpha) - power, 0.9 * low, high))


def critical_drift(dof: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the true effect, in standard errors, that a two-sided t test sees.

    Args:
        dof: Degrees of freedom; rounded to three digits, which moves the answer by under 0.1%.
        alpha: Two-sided level, in (0, 1).
        power: Probability of a significant result, in (alpha, 1).

    Returns:
        The effect; infinite where there is no degree of freedom.

    Raises:
        ValueError: `alpha` or `power` is out of its range.
    """
    _check(alpha, power)
    if dof <= 0:
        return math.inf
    return _critical_drift(float(f"{dof:.3g}"), alpha, power)


def power_of_drift(drift: float, dof: float, alpha: float = 0.05) -> float:
    """Return the probability that a two-sided t test rejects, for an effect of `drift` standard errors."""
    critical = -float(special.stdtrit(dof, alpha / 2))
    upper = 1.0 - float(special.nctdtr(dof, drift, critical))
    lower = (
        float(special.nctdtr(dof, drift, -critical)) if drift < 3 else 0.0
    )  # below 1e-6 otherwise, and SciPy may return NaN
    return upper + lower


def standard_error(noise_sd: float, *, cases: int, seeds: float, interaction_sd: float | None = None) -> float:
    """Return the standard error of the difference between two configurations.

    Args:
        noise_sd: Standard deviation over seeds within a case.
        cases: Number of cases.
        seeds: Seeds per case and arm.
        interaction_sd: Standard deviation of configuration x case; None claims these cases only.
    """
    between = 0.0 if interaction_sd is None else interaction_sd**2
    return math.sqrt(2 * (between + noise_sd**2 / seeds) / cases)


def degrees_of_freedom(*, cases: int, seeds: int, interaction_sd: float | None = None, alpha: float = 0.05) -> float:
    """Return the degrees of freedom that a balanced comparison has at a two-sided level.

    Below FAR_TAIL a t test on these cases has Satterthwaite's, cell by cell: `V**2 / sum(v_i**2 / dof)` over the cells.
    With equal variances that is, by the expectations of both sums, `(K * dof + 2) / (1 + 2 / dof)` for K cells of `dof`
    degrees of freedom each: half of what the pooled test has at 3 seeds, three quarters at 7.
    """
    if interaction_sd is not None:
        return cases - 1
    own, cells = seeds - 1, 2 * cases
    return cells * own if alpha >= FAR_TAIL or seeds < PERMUTE_BELOW else (cells * own + 2) / (1 + 2 / own)


def _attainable(alpha: float, *, cases: int, seeds: int, interaction_sd: float | None) -> float:
    """Return the largest p up to alpha that a comparison can have (a permutation of two seeds has few), or 0."""
    if interaction_sd is not None or seeds >= PERMUTE_BELOW:
        return alpha
    arrangements = float(math.comb(2 * seeds, seeds)) ** min(cases, 50)
    return 2 * math.floor(alpha * arrangements / 2 + 1e-9) / arrangements


def _sees_nothing(alpha: float, *, cases: int, seeds: int, interaction_sd: float | None) -> bool:
    """Say whether a comparison of this size is refused, has no degree of freedom, or no p as small as alpha."""
    if interaction_sd is not None:
        return cases < FEWEST_CASES
    return seeds < 2 or _attainable(alpha, cases=cases, seeds=seeds, interaction_sd=None) == 0


def mde(
    noise_sd: float,
    *,
    cases: int,
    seeds: int,
    alpha: float = 0.05,
    power: float = 0.8,
    interaction_sd: float | None = None,
) -> float:
    """Return the smallest true gain that a comparison of this size sees (minimum detectable effect).

    Args:
        noise_sd: Standard deviation over seeds within a case, at least 0.
        cases: Number of cases, at least 1.
        seeds: Seeds per case and arm; at least 2 for these cases, 1 for new cases.
        alpha: Two-sided level.
        power: Probability of a significant result.
        interaction_sd: Standard deviation of configuration x case. If given, the answer is for new cases.

    Returns:
        A gain in units of the score. It is infinite where there is no degree of freedom, where a claim for new cases
        has fewer than FEWEST_CASES, or where a permutation of so few seeds has no p of `alpha` or less.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(alpha, power)
    if noise_sd < 0 or cases < 1 or seeds < 1:
        raise ValueError(f"noise_sd must be >= 0, cases and seeds >= 1, not {noise_sd}, {cases}, {seeds}")
    if _sees_nothing(alpha, cases=cases, seeds=seeds, interaction_sd=interaction_sd):
        return math.inf
    dof = degrees_of_freedom(cases=cases, seeds=seeds, interaction_sd=interaction_sd, alpha=alpha)
    level = _attainable(alpha, cases=cases, seeds=seeds, interaction_sd=interaction_sd)
    drift = critical_drift(dof, level, power)
    return drift * standard_error(noise_sd, cases=cases, seeds=seeds, interaction_sd=interaction_sd)


def power_at(
    gain: float,
    noise_sd: float,
    *,
    cases: int,
    seeds: int,
    alpha: float = 0.05,
    interaction_sd: float | None = None,
) -> float:
    """Return the probability that a comparison of this size finds a true gain significant.

    Args:
        gain: The true gain, in units of the score.
        noise_sd: Standard deviation over seeds within a case, at least 0.
        cases: Number of cases, at least 1.
        seeds: Seeds per case and arm.
        alpha: Two-sided level.
        interaction_sd: Standard deviation of configuration x case. If given, the answer is for new cases.
    """
    if _sees_nothing(alpha, cases=cases, seeds=seeds, interaction_sd=interaction_sd):
        return 0.0
    dof = degrees_of_freedom(cases=cases, seeds=seeds, interaction_sd=interaction_sd, alpha=alpha)
    error = standard_error(noise_sd, cases=cases, seeds=seeds, interaction_sd=interaction_sd)
    if error == 0:
        return 1.0 if gain else alpha
    level = _attainable(alpha, cases=cases, seeds=seeds, interaction_sd=interaction_sd)
    return power_of_drift(min(abs(gain) / error, 1e3), dof, level)


def required_seeds(
    gain: float,
    noise_sd: float,
    *,
    cases: int,
    alpha: float = 0.05,
    power: float = 0.8,
    interaction_sd: float | None = None,
) -> int | None:
    """Return the number of seeds per case and arm that it takes to see a gain.

    Args:
        gain: True gain to see, above 0.
        noise_sd: Standard deviation over seeds within a case.
        cases: Number of cases.
        alpha: Two-sided level.
        power: Probability of a significant result.
        interaction_sd: Standard deviation of configuration x case. If given, the answer is for new cases.

    Returns:
        The number of seeds, at least 2; None where no number is enough (for new cases: too few cases).

    Raises:
        ValueError: `gain` is not above 0.
    """
    if gain <= 0:
        raise ValueError(f"gain must be above 0, not {gain}")

    def seen(seeds: int) -> bool:
        found = mde(noise_sd, cases=cases, seeds=seeds, alpha=alpha, power=power, interaction_sd=interaction_sd)
        return found <= gain

    if not seen(MOST_SEEDS):
        return None
    between = 0.0 if interaction_sd is None else interaction_sd**2
    room = cases * (gain / _normal_drift(alpha, power)) ** 2 / 2 - between
    least = math.ceil(noise_sd**2 / room - 1e-9) if room > 0 else 2
    return _smallest(seen, min(max(2, least), MOST_SEEDS), MOST_SEEDS)


def required_cases(
    gain: float,
    noise_sd: float,
    *,
    seeds: int,
    alpha: float = 0.05,
    power: float = 0.8,
    interaction_sd: float | None = None,
    most: int = 10_000,
) -> int | None:
    """Return the number of cases that it takes to see a gain.

    Args:
        gain: True gain to see, above 0.
        noise_sd: Standard deviation over seeds within a case.
        seeds: Seeds per case and arm.
        alpha: Two-sided level.
        power: Probability of a significant result.
        interaction_sd: Standard deviation of configuration x case. If given, the answer is for new cases.
        most: Largest number of cases to consider.

    Returns:
        The number of cases; None if it is above `most`.

    Raises:
        ValueError: `gain` is not above 0.
    """
    if gain <= 0:
        raise ValueError(f"gain must be above 0, not {gain}")

    def seen(cases: int) -> bool:
        found = mde(noise_sd, cases=cases, seeds=seeds, alpha=alpha, power=power, interaction_sd=interaction_sd)
        return found <= gain

    if not seen(most):
        return None
    return _smallest(seen, 1 if interaction_sd is None else FEWEST_CASES, most)


def _smallest(seen: Callable[[int], bool], low: int, high: int) -> int:
    """Return the smallest number from `low` on for which a monotone condition holds; it holds for `high`."""
    step = 1
    while low + step < high and not seen(low + step):
        low, step = low + step, 2 * step
    high = min(high, low + step)
    while low < high:
        middle = (low + high) // 2
        if seen(middle):
            high = middle
        else:
            low = middle + 1
    return low
