"""The choice of the test that answers a claim: a table of rules (`RULES`), read from the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.comparison.case_clusters import clustered_t
from analysis.comparison.claim import Claim
from analysis.comparison.estimate import ROUNDING, Agreement, Estimate, PermutationEstimate, TEstimate
from analysis.comparison.pair import FEWEST_CASES, Pair
from analysis.comparison.permutation import permutation
from analysis.comparison.seed_clusters import with_seeds_as_units
from analysis.comparison.sign_flips import sign_flip_test, single_seeds
from analysis.comparison.t_tests import MANY, PERMUTE_BELOW, cautious_t, is_lopsided, paired_t, stratified_t
from analysis.observations.table import TableError

Test = Literal["auto", "welch", "pooled", "permutation", "paired"]
TESTS: tuple[Test, ...] = ("auto", "welch", "pooled", "permutation", "paired")

EXACT = "none needed: both are greedy"
"""Name of the test where two greedy arms score the same in every case, so that their difference is known to be 0."""

_UNKNOWN_NOISE = (
    "Some cases have one seed in an arm, so their noise is unknown: it may be as large as the difference of the arms "
    "there."
)
_LENT_NOISE = "Some cases have one seed in an arm: their noise is taken to be that of the arm's other cases."


@dataclass(frozen=True)
class Answer:
    """The answer to a claim.

    Attributes:
        estimate: The result of the test; None where nothing can be claimed, with the reason last in the notes.
        claim: The claim that it answers; see `compare` for when this is not the claim asked for.
        notes: Sentences on what was assumed.
        paired: Whether arms are compared within seeds (`paired_seeds`).
    """

    estimate: Estimate | None
    claim: Claim
    notes: tuple[str, ...] = ()
    paired: bool = False


@dataclass(frozen=True)
class Rule:
    """One row of the table of tests.

    Attributes:
        name: Name of the test, as in `docs/statistics.md`.
        claim: The claim that it answers.
        asked_by: The `test` that asks for it by name; None where only "auto" leads to it.
        applies: Whether "auto" uses it for a pair, unless a rule above applies.
        compute: The test: from a pair and the seed of its random rearrangements to an estimate.
        why: The reason in one sentence.
        note: Note on the answer where some cases have one seed in an arm; "" for none.
        needs_repeats: Whether each arm needs a case with two seeds.
    """

    name: str
    claim: Claim
    asked_by: Test | None
    applies: Callable[[Pair], bool]
    compute: Callable[[Pair, int], Estimate]
    why: str
    note: str = ""
    needs_repeats: bool = True


def _can_permute(two: Pair) -> bool:
    """Say whether seeds can be exchanged between the arms: none is greedy, and one has fewer than MANY scores."""
    if two.baseline.greedy or two.finalist.greedy:
        return False
    return min(each.effective(two.weights) for each in (two.baseline, two.finalist)) < MANY


def _few_and_equal(two: Pair) -> bool:
    """Say whether both arms have the same few seeds in every case."""
    few = max(two.baseline.n.mean(), two.finalist.n.mean()) < PERMUTE_BELOW
    return bool(few and np.array_equal(two.baseline.n, two.finalist.n) and _can_permute(two))


def _has_single_seeds(two: Pair) -> bool:
    """Say whether some case has one seed in an arm that is not greedy."""
    return bool(single_seeds(two).any())


def _agreeing(two: Pair, others: Sequence[Callable[..., PermutationEstimate]], seed: int) -> Estimate:
    """Compare arms with a t test and others that must agree: the largest p counts.

    The interval holds that of the t test and that of the other test with the largest p.
    """
    rearranged = max((test(two, seed=seed) for test in others), key=lambda each: each.p_value)
    return Agreement(cautious_t(two), rearranged, f"t and {rearranged.test}")


def _agreeing_with_signs(two: Pair, seed: int) -> Estimate:
    """Compare arms where some cases have one seed: t, signs and, where both arms vary, permutation must agree."""
    return _agreeing(two, [sign_flip_test, permutation] if _can_permute(two) else [sign_flip_test], seed)


RULES: tuple[Rule, ...] = (
    Rule(
        name="permutation of seeds within cases",
        claim="these-cases",
        asked_by="permutation",
        applies=_few_and_equal,
        compute=lambda two, seed: permutation(two, seed=seed),
        why="With two seeds a case, a t distribution is not to be trusted.",
    ),
    Rule(
        name="t, signs and permutation, which must agree",
        claim="these-cases",
        asked_by=None,
        applies=_has_single_seeds,
        compute=_agreeing_with_signs,
        why="A single seed says nothing about its own noise.",
        note=_UNKNOWN_NOISE,
    ),
    Rule(
        name="t and permutation, which must agree",
        claim="these-cases",
        asked_by=None,
        applies=lambda two: is_lopsided(two) and _can_permute(two),
        compute=lambda two, seed: _agreeing(two, [permutation], seed),
        why="A few lucky seeds seem to have no noise.",
    ),
    Rule(
        name="stratified Welch t",
        claim="these-cases",
        asked_by="welch",
        applies=lambda _: True,
        compute=lambda two, _: stratified_t(two),
        why="Arms, and cases, may differ in noise.",
        note=_LENT_NOISE,
    ),
    Rule(
        name="stratified pooled t",
        claim="these-cases",
        asked_by="pooled",
        applies=lambda _: False,
        compute=lambda two, _: stratified_t(two, pooled=True),
        why="You say that all cells are equally noisy.",
        note=_LENT_NOISE,
        needs_repeats=False,
    ),
    Rule(
        name="paired t, clusters as units",
        claim="new-cases",
        asked_by=None,
        applies=lambda two: two.cells.cluster is not None,
        compute=lambda two, _: clustered_t(two),
        why="Cases of one cluster go up and down together.",
        needs_repeats=False,
    ),
    Rule(
        name="paired t on case means",
        claim="new-cases",
        asked_by="paired",
        applies=lambda _: True,
        compute=lambda two, _: paired_t(two),
        why="How differently the cases respond is noise, too.",
        needs_repeats=False,
    ),
)
"""All tests, in the order of the table in `docs/statistics.md`: the first rule that applies decides."""


def compare(two: Pair, *, claim: Claim = "these-cases", test: Test = "auto", seed: int = 0) -> Answer:
    """Compare two arms with the test that fits.

    Args:
        two: The arms.
        claim: For these cases, or for new cases like them (from FEWEST_CASES cases on).
        test: "auto", or one of TESTS; "paired" belongs to new cases and the others to these cases.
        seed: Seed of random rearrangements.

    Returns:
        The answer. Its claim differs from `claim` in two cases. Where no score varies within its case, noise can come
        from other cases only: the claim is for new cases, or there is none. Two greedy arms that agree in every case
        are equal on these cases, whatever was asked.

    Raises:
        TableError: The data do not suffice for the claim or the test.
        ValueError: The test does not exist, or does not belong to the claim.
    """
    if test not in TESTS:
        raise ValueError(f"no test {test!r}; there are {', '.join(TESTS)}")
    if test != "auto" and claim != claim_of_test(test):
        raise ValueError(f'the test {test!r} does not answer the claim "{claim}"')
    usual = _answer(two, claim, test, seed)
    if usual.estimate is None:
        return usual
    estimate, shared = with_seeds_as_units(two, usual.estimate)
    return replace(usual, estimate=estimate, notes=(*usual.notes, *shared))


def claim_of_test(test: Test) -> Claim:
    """Return the claim that a test other than "auto" answers."""
    return next(rule.claim for rule in RULES if rule.asked_by == test)


def _answer(two: Pair, claim: Claim, test: Test, seed: int) -> Answer:
    """Compare two arms, taking their generations for independent."""
    notes = _greedy_notes(two)
    if two.baseline.constant and two.finalist.constant:
        return _nothing_varies(two, claim, notes)
    rule = choose(two, claim, test)
    if rule.needs_repeats:
        _require_repeats(two)
    if rule.note and _has_single_seeds(two):
        notes += (rule.note,)
    return _with_noise(rule.compute(two, seed), claim, notes)


def choose(two: Pair, claim: Claim, test: Test = "auto") -> Rule:
    """Return the rule that a test asks for by name; for "auto" the first that applies."""
    rules = (rule for rule in RULES if rule.claim == claim)
    return next(rule for rule in rules if (rule.applies(two) if test == "auto" else rule.asked_by == test))


def _require_repeats(two: Pair) -> None:
    """Refuse an arm that is not greedy and has no case twice: the noise of the other arm may not be its own.

    Raises:
        TableError: There is such an arm.
    """
    arms = [each for each in (two.baseline, two.finalist) if not each.greedy]
    for each in arms:
        if not each.dof:
            lost = two.failed[each is two.finalist]
            failed = f" ({lost} of its rows have no score)" if lost else ""
            known = any(other.dof for other in arms)
            pooled = ' assume that it is as noisy as the other (test "pooled"),' if known else ""
            raise TableError(
                f"{two.cells.configurations[each.row]!r} has no case with two seeds{failed}, so its noise is unknown: "
                f"add seeds,{pooled} or claim for new cases (from {FEWEST_CASES} cases on)"
            )


def _with_noise(estimate: Estimate, claim: Claim, notes: tuple[str, ...]) -> Answer:
    """Claim nothing where no noise was seen: the t statistic would be infinite."""
    if estimate.standard_error > ROUNDING:
        return Answer(estimate, claim, notes)
    still = "difference of a case differs from the others" if claim == "new-cases" else "score varies within its case"
    return Answer(None, claim, (*notes, f"No {still}, so there is no noise to test with: add seeds or cases."))


def _greedy_notes(two: Pair) -> tuple[str, ...]:
    """Say which arm is greedy, and what follows."""
    names = two.cells.configurations
    greedy = [names[each.row] for each in (two.baseline, two.finalist) if each.greedy]
    if not greedy:
        return ()
    if len(greedy) == 2:
        return (f"{greedy[0]} and {greedy[1]} are greedy: seeds change nothing and count once per case.",)
    return (
        f"{greedy[0]} is greedy: its seeds change nothing and count once per case. The noise is the other arm's alone.",
    )


def _nothing_varies(two: Pair, claim: Claim, notes: tuple[str, ...]) -> Answer:
    """Compare two arms without noise within cases.

    They are equal, or differ on these cases exactly as measured, or a claim for new cases is made.
    """
    greedy = two.baseline.greedy and two.finalist.greedy
    if (abs(two.difference) < ROUNDING).all():
        if not greedy:
            why = "All scores of a case are the same in both arms, so their noise is unknown: add seeds or cases."
            return Answer(None, claim, (*notes, why))
        why = "Both score the same in each of these cases. Equal scores cannot say how often new cases would differ."
        exact = TEstimate(0.0, 0.0, max(two.cases - 1, 1), EXACT)
        return Answer(exact, "these-cases", (*notes, why) if claim == "new-cases" else notes)
    if claim == "these-cases" and greedy:
        exactly = "on these cases two greedy configurations differ exactly as measured"
    else:
        exactly = "no score of either varies within its case, so these cases have no noise to test with"
    if claim == "new-cases" or two.cases >= FEWEST_CASES:
        notes = notes if claim == "new-cases" else (*notes, f"The claim is for new cases, because {exactly}.")
        return _with_noise(paired_t(two), "new-cases", notes)
    why = f"{exactly[:1].upper()}{exactly[1:]}; a claim for new cases takes at least {FEWEST_CASES}, and there are"
    return Answer(None, "these-cases", (*notes, f"{why} {two.cases}."))
