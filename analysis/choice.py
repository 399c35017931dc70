"""Which test answers a claim, given what the table holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.comparison import FEWEST_CASES, ROUNDING, Estimate, Pair, paired_t, stratified_t
from analysis.permutation import permutation
from analysis.table import TableError

Claim = Literal["these-cases", "new-cases"]
Test = Literal["auto", "welch", "pooled", "permutation", "paired"]
TESTS: tuple[Test, ...] = ("auto", "welch", "pooled", "permutation", "paired")
PERMUTE_BELOW = 3
"""With fewer seeds per case than this, as many in either arm, "auto" permutes instead of trusting a t distribution.

Simulated with beta and discrete noise, equal and unequal in the arms, the Welch form errs with .041-.058 from 3 seeds
on (4 to 12 cases), but with up to .063 at 2 seeds, where permuting errs with .045-.061. Where the arms have different
numbers of seeds and different noise, permuting errs badly: with .19 at 10 seeds against 2 of twice the noise, where
Welch's form errs with .053.
"""


@dataclass(frozen=True)
class Comparison:
    """The estimate that answers a claim; None where nothing can be claimed, with the reason last in the notes."""

    estimate: Estimate | None
    claim: Claim
    notes: tuple[str, ...] = ()


def compare(two: Pair, *, claim: Claim = "these-cases", test: Test = "auto", seed: int = 0) -> Comparison:
    """Compare two arms with the test that fits.

    Args:
        two: The arms.
        claim: For these cases, or for new cases like them (from FEWEST_CASES cases on).
        test: "auto", or one of TESTS; "paired" belongs to new cases and the others to these cases.
        seed: Of the permutation test.

    Returns:
        The comparison. Its claim differs from the one asked for where both arms are greedy: nothing but other cases
        could make a difference then, and the claim is for new cases or there is none.

    Raises:
        TableError: The data do not suffice for the claim or the test.
        ValueError: The test does not belong to the claim.
    """
    if test not in TESTS:
        raise ValueError(f"no test {test!r}; there are {', '.join(TESTS)}")
    if test != "auto" and (test == "paired") != (claim == "new-cases"):
        raise ValueError(f'the test {test!r} does not answer the claim "{claim}"')
    notes = _greedy_notes(two)
    if claim == "new-cases":
        return _with_noise(paired_t(two), two, claim, notes)
    if two.baseline.greedy and two.finalist.greedy:
        return _both_greedy(two, notes)
    greedy = two.baseline.greedy or two.finalist.greedy
    if test != "pooled":
        _require_repeats(two)
    few = not greedy and max(two.baseline.n.mean(), two.finalist.n.mean()) < PERMUTE_BELOW
    if test == "permutation" or (test == "auto" and few and np.array_equal(two.baseline.n, two.finalist.n)):
        return _with_noise(permutation(two, seed=seed), two, claim, notes)
    if min(int(two.baseline.n.min()), int(two.finalist.n.min())) == 1 and not greedy:
        notes += ("Some cases have one seed in an arm; their noise is taken to be that of its other cases.",)
    return _with_noise(stratified_t(two, pooled=test == "pooled"), two, claim, notes)


def _require_repeats(two: Pair) -> None:
    """Refuse to judge an arm of draws that has no case twice: the noise of the other arm need not be its own.

    Raises:
        TableError: An arm has a single score of each case, and is not greedy.
    """
    for each in (two.baseline, two.finalist):
        if not each.greedy and not each.dof:
            raise TableError(
                f"{two.cells.configurations[each.row]!r} has no case with two seeds, so nothing tells how much its "
                f'scores vary: add seeds, assume that they vary as the other\'s do (test "pooled"), or claim for new '
                f"cases (from {FEWEST_CASES} cases on)"
            )


def _with_noise(estimate: Estimate, two: Pair, claim: Claim, notes: tuple[str, ...]) -> Comparison:
    """Claim nothing where no noise was seen though there is some: the t statistic would be infinite.

    Two greedy arms that agree on every case have no noise to see, and are equal.
    """
    if estimate.standard_error > ROUNDING:
        return Comparison(estimate, claim, notes)
    if abs(estimate.effect) < ROUNDING and two.baseline.greedy and two.finalist.greedy:
        return Comparison(replace(estimate, effect=0.0, standard_error=0.0, p_value=1.0), claim, notes)
    what = "difference of a case differs from the others" if claim == "new-cases" else "score varies within its case"
    return Comparison(None, claim, (*notes, f"No {what}, so there is no noise to test with: add seeds or cases."))


def _greedy_notes(two: Pair) -> tuple[str, ...]:
    """Say which arm is greedy and what follows."""
    names = two.cells.configurations
    greedy = [names[each.row] for each in (two.baseline, two.finalist) if each.greedy]
    if not greedy:
        return ()
    if len(greedy) == 2:
        return (f"{greedy[0]} and {greedy[1]} are greedy: seeds change nothing and count once per case.",)
    return (
        f"{greedy[0]} is greedy: its seeds change nothing and count once per case. The noise is the other arm's alone.",
    )


def _both_greedy(two: Pair, notes: tuple[str, ...]) -> Comparison:
    """Claim for new cases, or nothing."""
    if two.cases >= FEWEST_CASES:
        why = "The claim is for new cases, because on these cases two greedy configurations differ exactly as measured."
        return _with_noise(paired_t(two), two, "new-cases", (*notes, why))
    why = (
        "On these cases the difference is exact, with no noise to test it against; a claim for new cases takes at "
        f"least {FEWEST_CASES} cases, and there are {two.cases}."
    )
    return Comparison(None, "these-cases", (*notes, why))


__all__ = ["PERMUTE_BELOW", "TESTS", "Claim", "Comparison", "TableError", "Test", "compare"]
