"""Equivalence: evidence that two configurations differ by no more than a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.comparison.compare import EXACT, Answer
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import Arm, Pair
from analysis.formatting import gain_text


def tost(estimate: Estimate, margin: float) -> float:
    """Return the p of two one-sided t tests (Schuirmann 1987) that the effect lies within plus or minus a margin.

    Args:
        estimate: The effect and its test.
        margin: The margin, above 0, in units of the score.
    """
    if estimate.standard_error == 0:
        return 0.0 if abs(estimate.effect) < margin else 1.0
    return estimate.tail_probability((abs(estimate.effect) - margin) / estimate.standard_error)


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
        return p_value, ()
    missed = -math.expm1(math.log(0.05) / two.cases)
    return p_value, (
        f"These {two.cases} cases may have missed a kind of case that up to {missed:.0%} of new cases belong to.",
    )


def _unseen(two: Pair, arms: Sequence[Arm]) -> float:
    """Return the most that failures (the worst score) which did not come up may cost of a mean, with 95% confidence.

    n generations without a failure leave its share below 1 - .05 ** (1 / n) with 95% confidence.
    """
    shares = [-math.expm1(math.log(0.05) / each.informative) for each in arms]
    above = [float(two.weights @ each.mean) - two.cells.scale.floor for each in arms]
    return max(share * mean for share, mean in zip(shares, above, strict=True))
