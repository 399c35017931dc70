"""A difference that one case decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import Pair
from analysis.formatting import decimals

DECIDES = 0.25
"""One case decides a difference where the others show less than this share of it."""

FEWEST = 3
"""With fewer cases each of them decides."""


@dataclass(frozen=True)
class CaseBalance:
    """How the cases share in the effect.

    Attributes:
        gaining: Cases in which the configuration scores more.
        losing: Cases in which it scores less.
        case: The case that decides; "" if none does.
        effect_without: The effect over the other cases; the effect itself if none decides.
    """

    gaining: int
    losing: int
    case: str
    effect_without: float

    def note(self, effect: float) -> str:
        """Name the case that decides, or say that more cases go the other way; "" where nothing stands out."""
        with_it, against = (self.gaining, self.losing) if effect > 0 else (self.losing, self.gaining)
        total = f"{_cases(self.gaining, 'gains', 'gain')}, {_cases(self.losing, 'loses', 'lose', noun='')}"
        if self.case:
            digits = decimals(effect, self.effect_without)
            without = f"without {self.case} the difference would be {self.effect_without:+.{digits}f}"
            return f"One case decides: {without} instead of {effect:+.{digits}f}. {total}."
        return f"Most cases go the other way: {total[:1].lower()}{total[1:]}." if against > with_it else ""


def case_balance(two: Pair) -> CaseBalance:
    """Return how the cases share in the effect."""
    differences = two.case_differences()
    gaining, losing = int((differences > ROUNDING).sum()), int((differences < -ROUNDING).sum())
    effect, count = two.effect, len(differences)
    if count < FEWEST or abs(effect) <= ROUNDING:
        return CaseBalance(gaining, losing, "", effect)
    without = (differences.sum() - differences) / (count - 1)
    place = int(np.argmin(without * np.sign(effect)))
    if without[place] / effect >= DECIDES:
        return CaseBalance(gaining, losing, "", effect)
    names = np.unique(two.cells.stratum_case[two.strata])
    return CaseBalance(gaining, losing, two.cells.cases[names[place]], float(without[place]))


def _cases(count: int, one: str, many: str, noun: str = "case") -> str:
    """Write how many cases do something, such as `5 cases gain`."""
    what = f" {noun}{'s' if count != 1 else ''}" if noun else ""
    return f"{count}{what} {one if count == 1 else many}"
