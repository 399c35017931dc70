"""Which test answers a claim, given what the table holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.comparison.claim import Claim
from analysis.comparison.estimate import ROUNDING, Estimate
from analysis.comparison.pair import FEWEST_CASES, Pair
from analysis.comparison.permutation import permutation
from analysis.comparison.seed_clusters import with_shocks
from analysis.comparison.sign_flips import signed, singletons
from analysis.comparison.t_tests import MANY, PERMUTE_BELOW, cautious_t, is_lopsided, paired_t, stratified_t, t_estimate
from analysis.observations.table import TableError

Test = Literal["auto", "welch", "pooled", "permutation", "paired"]
EXACT = "none needed: both are greedy"
_OWN_SIZE = (
    "Some cases have one seed in an arm, and nothing tells their noise: it may be as large as what the arms differ by "
    "there."
)
_LENT = "Some cases have one seed in an arm; their noise is taken to be that of its other cases."
TESTS: tuple[Test, ...] = ("auto", "welch", "pooled", "permutation", "paired")


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
        The comparison. Its claim differs from the one asked for where no score of either arm varies within its case:
        nothing but other cases can tell noise then, and the claim is for new cases or there is none. Two greedy arms
        that agree in every case are equal on these cases, whatever was asked.

    Raises:
        TableError: The data do not suffice for the claim or the test.
        ValueError: The test does not belong to the claim.
    """
    if test not in TESTS:
        raise ValueError(f"no test {test!r}; there are {', '.join(TESTS)}")
    if test != "auto" and (test == "paired") != (claim == "new-cases"):
        raise ValueError(f'the test {test!r} does not answer the claim "{claim}"')
    usual = _usual(two, claim, test, seed)
    if usual.estimate is None:
        return usual
    estimate, shared = with_shocks(two, usual.estimate)
    return replace(usual, estimate=estimate, notes=(*usual.notes, *shared))


def _usual(two: Pair, claim: Claim, test: Test, seed: int) -> Comparison:
    """Compare two arms whose generations are independent."""
    notes = _greedy_notes(two)
    if two.baseline.constant and two.finalist.constant:
        return _nothing_varies(two, claim, notes)
    if claim == "new-cases":
        return _with_noise(paired_t(two), claim, notes)
    greedy = two.baseline.greedy or two.finalist.greedy
    if test != "pooled":
        _require_repeats(two)
    permutes = not greedy and min(each.effective(two.weights) for each in (two.baseline, two.finalist)) < MANY
    few = permutes and max(two.baseline.n.mean(), two.finalist.n.mean()) < PERMUTE_BELOW
    if test == "permutation" or (test == "auto" and few and np.array_equal(two.baseline.n, two.finalist.n)):
        return _with_noise(permutation(two, seed=seed), claim, notes)
    alone = singletons(two)
    if alone.any():
        notes += (_OWN_SIZE if test == "auto" else _LENT,)
    if test == "auto" and (alone.any() or (permutes and is_lopsided(two))):
        others = [signed(two, seed=seed)] if alone.any() else []
        others += [permutation(two, seed=seed)] if permutes else []
        return _with_noise(_agreeing(two, others), claim, notes)
    return _with_noise(stratified_t(two, pooled=test == "pooled"), claim, notes)


def _agreeing(two: Pair, others: Sequence[Estimate]) -> Estimate:
    """Compare arms of which one has far more seeds, or one seed of a case: a t test and others must agree.

    Each errs where the other does not. The few seeds of the smaller arm know least of their noise when their mean is
    luckiest: of a model that passes with .95, three seeds of four cases all pass more often than not and seem to have
    no noise, so that Welch's test calls every second such arm better than 30 seeds of the same model. To permute, or to
    lend the small arm the noise of both, is right there, and wrong where the small arm is really the noisier one, for
    which Welch's form was made. The largest p of the three errs with 0 to .037 in each tail, for nominal .025, over 60
    shapes and sizes: beta, normal, discrete and binary scores, some that fail now and then, noise equal and unequal.

    Where a case has one seed, the t test lends it the noise of other cases. Were the hard cases run once and the easy
    ones often, such tests would call two of three equal arms different; see `singletons.signed` for what must agree.
    """
    by_t, moved = cautious_t(two), max(others, key=lambda each: each.p_value)
    agreed, name = max(by_t.p_value, moved.p_value), f"t and {moved.test}"
    return replace(by_t, p_value=agreed, test=name, draws=moved.draws, same=moved.same, drawn=moved.drawn, both=True)


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


def _with_noise(estimate: Estimate, claim: Claim, notes: tuple[str, ...]) -> Comparison:
    """Claim nothing where no noise was seen: the t statistic would be infinite."""
    if estimate.standard_error > ROUNDING:
        return Comparison(estimate, claim, notes)
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


def _nothing_varies(two: Pair, claim: Claim, notes: tuple[str, ...]) -> Comparison:
    """Two arms without noise within cases: equal, different on these cases as measured, or a claim for new cases."""
    greedy = two.baseline.greedy and two.finalist.greedy
    if (abs(two.difference) < ROUNDING).all():
        if not greedy:
            why = "All scores of a case are the same in both arms, so nothing tells how they vary: add seeds or cases."
            return Comparison(None, claim, (*notes, why))
        why = "Both score the same in each of these cases. How often new cases would differ, equal scores cannot tell."
        exact = t_estimate(0.0, 0.0, max(two.cases - 1, 1), EXACT)
        return Comparison(exact, "these-cases", (*notes, why) if claim == "new-cases" else notes)
    if claim == "these-cases" and greedy:
        exactly = "on these cases two greedy configurations differ exactly as measured"
    else:
        exactly = "no score of either varies within its case, so these cases have no noise to test with"
    if claim == "new-cases" or two.cases >= FEWEST_CASES:
        notes = notes if claim == "new-cases" else (*notes, f"The claim is for new cases, because {exactly}.")
        return _with_noise(paired_t(two), "new-cases", notes)
    why = f"{exactly[:1].upper()}{exactly[1:]}; a claim for new cases takes at least {FEWEST_CASES}, and there are"
    return Comparison(None, "these-cases", (*notes, f"{why} {two.cases}."))


__all__ = ["EXACT", "TESTS", "Claim", "Comparison", "TableError", "Test", "compare"]
