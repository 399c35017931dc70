"""Equivalence: evidence that two configurations differ by no more than a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from analysis.comparison.compare import EXACT, Answer
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import Arm, Pair
from analysis.formatting import gain_text

_NEAR_WORST = 0.25
_MOST_RARE = 10  # more failures show their own noise


def tost(estimate: Estimate, margin: float, least_error: float = 0.0) -> float:
    """Return the p of two one-sided t tests (Schuirmann 1987) that the effect lies within plus or minus a margin.

    Args:
        estimate: The effect and its test.
        margin: The margin, above 0, in units of the score.
        least_error: Smallest standard error to test with; see `_error_at_margin`.
    """
    error = max(estimate.standard_error, least_error)
    if error == 0:
        return 0.0 if abs(estimate.effect) < margin else 1.0
    return estimate.tail_probability((abs(estimate.effect) - margin) / error)


def show_equivalence(two: Pair, answer: Answer, margin: float, tail: float) -> tuple[float, tuple[str, ...]]:
    """Return the p of equivalence, with notes; p is NaN where a small one would prove nothing.

    Small noise is what shows equality, so noise that did not show up must not. A few seeds of scores that hardly ever
    vary see no noise, and rare failures may not have come up yet. "The verdict" in `docs/statistics.md` has the error
    rates without these two rules.

    Args:
        two: The arms.
        answer: The answer of `compare`.
        margin: The margin, in units of the score; NaN where nobody named one.
        tail: Largest one-sided p that shows equality.
    """
    estimate = answer.estimate
    if estimate is None:
        return math.nan, ()
    if estimate.test == EXACT:
        return 0.0, ()
    if not margin > 0:
        return math.nan, ()  # nobody said which difference does not matter
    p_value = tost(estimate, margin)
    if p_value > tail:
        return p_value, ()
    if not estimate.interval_is_within(margin, tail):
        return min(1.0, 2 * tail), ()
    drawn = [two.baseline, two.finalist] if answer.claim == "new-cases" else two.noisy
    if still := [each for each in two.noisy if (each.n >= 2).any() and not each.mostly_varies]:
        names = " and ".join(two.cells.configurations[each.row] for each in still)
        return math.nan, (f"Equality is not judged: in most cases no score of {names} varies; its noise is unknown.",)
    if drawn and abs(estimate.effect) + (lost := _unseen(two, drawn)) > margin:
        why = f"failures too rare to have come up could cost {gain_text(lost)} more, and the margin is"
        return math.nan, (f"Equality is not judged: {why} {gain_text(margin)}.",)
    if answer.claim == "these-cases":
        return max(p_value, tost(estimate, margin, _error_at_margin(two, margin))), ()
    missed = -math.expm1(math.log(0.05) / two.cases)
    return p_value, (
        f"These {two.cases} cases may have missed a kind of case that up to {missed:.0%} of new cases belong to.",
    )


def _error_at_margin(two: Pair, margin: float) -> float:
    """Return the standard error that scores of 0 and 1 would have if the arms differed by the margin; 0 for others.

    Shares near 1 or 0 look less noisy the luckier they are. If the arms really were a margin apart, around the mean of
    both, they would have this error (after Farrington and Manning 1990).
    """
    arms = (two.baseline, two.finalist)
    if len(two.noisy) < 2 or not all(_is_pass_fail(two, each) for each in arms):
        return 0.0
    total = two.baseline.n + two.finalist.n
    mean = (two.baseline.n * two.baseline.mean + two.finalist.n * two.finalist.mean) / total
    ends = np.clip(mean - margin / 2, 0, 1), np.clip(mean + margin / 2, 0, 1)
    errors = [
        sum(
            float((two.weights**2 * share * (1 - share) / each.n).sum()) for each, share in zip(arms, pair, strict=True)
        )
        for pair in (ends, ends[::-1])
    ]
    return math.sqrt(max(errors))


def _is_pass_fail(two: Pair, own: Arm) -> bool:
    """Say whether all scores of an arm are 0 or 1."""
    scores = (two.cells.cell_scores(own.row, stratum) for stratum in two.strata.tolist())
    return all(bool(((each == 0) | (each == 1)).all()) for each in scores)


def _unseen(two: Pair, arms: Sequence[Arm]) -> float:
    """Return the most that failures (the worst score) which did not come up may cost of a mean, with 95% confidence.

    n generations without a failure leave its share below 1 - .05 ** (1 / n) with 95% confidence. Where a few came up,
    it is the distance of their share from the upper end of its one-sided interval (Clopper and Pearson).
    """
    costs = []
    for each in arms:
        n, seen = each.informative, _failures(two, each)
        share = float(special.betaincinv(seen + 1, n - seen, 0.95)) - seen / n if seen < n else 0.0
        costs.append(share * (float(two.weights @ each.mean) - two.cells.scale.floor))
    return max(costs)


def _failures(two: Pair, own: Arm) -> int:
    """Return the number of an arm's scores near the worst one; 0 where they are too many to be rare.

    Scores count as failures in the lowest quarter between the worst score and the mean of the arm.
    """
    floor = two.cells.scale.floor
    limit = floor + _NEAR_WORST * (float(two.weights @ own.mean) - floor)
    if own.greedy:
        scores = own.mean
    else:
        scores = np.concatenate([two.cells.cell_scores(own.row, stratum) for stratum in two.strata.tolist()])
    seen = int((scores <= limit).sum())
    return seen if seen <= _MOST_RARE else 0
