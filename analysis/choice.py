"""Which test answers a claim, given what the table holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.comparison import FEWEST_CASES, Estimate, Pair, paired_t, stratified_t
from analysis.permutation import permutation
from analysis.table import TableError

Claim = Literal["these-cases", "new-cases"]
Test = Literal["auto", "welch", "pooled", "permutation", "paired"]
TESTS: tuple[Test, ...] = ("auto", "welch", "pooled", "permutation", "paired")
PERMUTE_BELOW = 3
"""With fewer seeds per case than this in either arm, on average, "auto" permutes instead of trusting a t distribution.

Simulated with beta and discrete noise, equal and unequal in the arms, the Welch form errs with .041-.058 from 3 seeds
on (4 to 12 cases), but with up to .063 at 2 seeds, where permuting errs with .045-.061.
"""


@dataclass(frozen=True)
class Comparison:
    """The estimate that answers a claim; None where nothing can be claimed, with the reason in the notes."""

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
        return Comparison(paired_t(two), claim, notes)
    if two.baseline.greedy and two.finalist.greedy:
        return _both_greedy(two, notes)
    greedy = two.baseline.greedy or two.finalist.greedy
    repeats = [each.dof / len(two.strata) for each in (two.baseline, two.finalist)]
    few = 0 < min(repeats) < PERMUTE_BELOW - 1
    if test == "permutation" or (test == "auto" and few and not greedy):
        return Comparison(permutation(two, seed=seed), claim, notes)
    if min(int(two.baseline.n.min()), int(two.finalist.n.min())) == 1 and not greedy:
        notes += ("Some cases have one seed in an arm; their noise is taken to be that of the other cases.",)
    return Comparison(stratified_t(two, pooled=test == "pooled"), claim, notes)


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
        return Comparison(paired_t(two), "new-cases", (*notes, why))
    why = (
        "On these cases the difference is exact, with no noise to test it against; a claim for new cases takes at "
        f"least {FEWEST_CASES} cases, and there are {two.cases}."
    )
    return Comparison(None, "these-cases", (*notes, why))


__all__ = ["PERMUTE_BELOW", "TESTS", "Claim", "Comparison", "TableError", "Test", "compare"]
