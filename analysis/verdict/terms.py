"""The terms that all comparisons of a verdict share: level, looks and their number."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.comparison.compare import EXACT, Answer
from analysis.comparison.estimate import ROUNDING, Estimate
from analysis.comparison.pair import Pair
from analysis.comparison.selection_bias import best_of_note
from analysis.comparison.t_tests import error_with_more_seeds
from analysis.formatting import decimals
from analysis.observations.scale import Scale
from analysis.power.power import critical_drift
from analysis.sequential.design import SequentialDesign

ENDED_EARLY = (
    "A look ended the comparison early, which happens to effects that came out large: expect less from new "
    "generations. The interval allows for that, the difference does not."
)


@dataclass(frozen=True)
class Asked:
    """The caller's terms for all comparisons alike.

    Attributes:
        alpha, margin, min_gain, design: See `judge`.
        comparisons: Number of configurations that share alpha.
        look: The look that this comparison is judged at, or None.
        given_up: Whether that look gave it up.
        overtaken: Whether it left at that look because others were ahead.
        others: Notes on configurations that cannot be judged.
        optimism: See `selection_bias.optimism`.
    """

    alpha: float
    margin: float | None
    min_gain: float | None
    comparisons: int
    design: SequentialDesign | None
    look: int | None
    given_up: bool = False
    others: tuple[str, ...] = ()
    optimism: float = 0.0
    overtaken: bool = False

    @property
    def left_early(self) -> bool:
        """Whether the comparison ended before it could show much."""
        return self.given_up or self.overtaken

    @property
    def cautions(self) -> tuple[str, ...]:
        """Reasons to expect less from the best one than is shown; () where there was nothing to pick from."""
        return (best_of_note(self.comparisons, self.optimism),) if self.optimism > ROUNDING else ()

    def tail(self, level: float) -> float:
        """Return the two-sided level that the test itself must reach, from its share of alpha."""
        return level if self.design is None or self.look is None else self.design.nominal(self.look, level)

    @property
    def equal_tail(self) -> float:
        """The level of each one-sided test of equality: all configurations share alpha evenly.

        Holm's levels grow where others are shown to differ. Equality is claimed of those that are left, which are the
        ones that came out nearest to the baseline.
        """
        return self.tail(self.alpha / self.comparisons)

    def mde(self, two: Pair, comparison: Answer, estimate: Estimate, level: float) -> float:
        """Return the smallest detectable gain: at this look, or at the planned end if it left early."""
        if not self.left_early or self.design is None or self.look is None:
            tail = self.tail(level)
            if estimate.least_p > tail:
                return math.inf
            error = estimate.error_at(tail)
        else:
            tail = self.design.nominal(self.design.looks, level)
            share, new_cases = self.design.fraction(self.look), comparison.claim == "new-cases"
            error = error_with_more_seeds(two, estimate, share, new_cases=new_cases)
        return critical_drift(estimate.dof_at(tail), tail) * error

    def notes_on(self, estimate: Estimate | None, level: float, p_value: float, scale: Scale) -> tuple[str, ...]:
        """Say how looks enter p and interval; where it left early, also the interval without them."""
        if self.design is None or self.look is None or estimate is None or estimate.test == EXACT:
            return self.others
        kind = "repeated confidence interval"
        if self.design.anytime:
            kind = "confidence sequence up to the planned end"
        plan = f"{self.design.name_of(self.look)}: p and interval allow for all looks ({kind}"
        notes = (f"{plan}, O'Brien-Fleming boundaries).", *self.others)
        if not self.left_early:
            early = self.look < self.design.looks and p_value <= self.alpha
            return (ENDED_EARLY, *notes) if early else notes
        low, high = scale.bounded(estimate.interval(1 - level))
        d = decimals(low, high)
        return (f"Without the allowance for looks, the interval would be {low:+.{d}f} to {high:+.{d}f}.", *notes)


def check_arguments(
    claim: str | None, alpha: float, margin: float | None, min_gain: float | None, scale: Scale
) -> None:
    """Raise `ValueError` if an argument of `verdict.judge` is out of its range."""
    if claim not in (None, "these-cases", "new-cases"):
        raise ValueError(f'claim must be "these-cases" or "new-cases", not {claim!r}')
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not {alpha}")
    for name, value in (("margin", margin), ("min_gain", min_gain)):
        if value is not None and not 0 < value <= scale.width:
            raise ValueError(f"{name} must lie above 0 and at most at {scale.width:g}, not {value}")
