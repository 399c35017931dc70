"""Equivalence: showing that two configurations do not differ by more than a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.comparison.compare import EXACT, Answer
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import Arm, Pair
from analysis.formatting import gain_text


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


def show_equivalence(two: Pair, comparison: Answer, margin: float, tail: float) -> tuple[float, tuple[str, ...]]:
    """Return the p of equivalence, and a note where it is small but proves nothing; p is NaN then.

    Equality is shown by small noise, so noise that was not seen must not show it. Of scores that are nearly always the
    same, a few seeds see none, and what they miss is where the arms differ: three seeds of six cases, one arm passing
    with .97 and the other with .92, were "equivalent within .05" in a quarter of such tables. And a text in so many
    that fails may not have come up yet: five seeds of six cases miss one in twenty in a fifth of all tables. For new
    cases a greedy arm has one text of each, which may be of a kind that mostly does well.
    """
    estimate = comparison.estimate
    if estimate is None:
        return math.nan, ()
    if estimate.test == EXACT:
        return 0.0, ()
    if not margin > 0:
        why = "no case was repeated, so nothing tells what one pass over the cases differs from the next by"
        return math.nan, (f"Equality is not judged: {why}. Name a margin, or add seeds.",) if math.isnan(margin) else ()
    p_value = tost(estimate, margin)
    if p_value > tail:
        return p_value, ()
    if not estimate.interval_is_within(margin, tail):
        return min(1.0, 2 * tail), ()
    drawn = [two.baseline, two.finalist] if comparison.claim == "new-cases" else two.noisy
    if still := [each for each in two.noisy if (each.n >= 2).any() and not each.mostly_varies]:
        names = " and ".join(two.cells.configurations[each.row] for each in still)
        return math.nan, (f"Equality is not judged: in most cases no score of {names} varies; its noise is unknown.",)
    if drawn and abs(estimate.effect) + (lost := _unseen(two, drawn)) > margin:
        why = f"failures too rare to have come up could cost {gain_text(lost)} more, and the margin is"
        return math.nan, (f"Equality is not judged: {why} {gain_text(margin)}.",)
    if comparison.claim == "these-cases":
        return p_value, ()
    missed = -math.expm1(math.log(0.05) / two.cases)
    return p_value, (f"These {two.cases} cases may have missed a kind that up to {missed:.0%} of new ones are of.",)


def _unseen(two: Pair, arms: Sequence[Arm]) -> float:
    """Return what failures (texts that score 0) may cost of a mean that did not come up, but with a probability of .05.

    n generations without a failure leave its share below 1 - .05 ** (1 / n) with 95% confidence.
    """
    return max(-math.expm1(math.log(0.05) / each.informative) * float(two.weights @ each.mean) for each in arms)
