"""A test for cases with a single seed in an arm, whose own noise is unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.arrays import BoolArray, FloatArray
from analysis.comparison.estimate import PermutationEstimate
from analysis.comparison.pair import Arm, Pair
from analysis.comparison.permutation import PERMUTATIONS, inverted
from analysis.comparison.t_tests import stratified_error, stratified_t

_SIGNS_AT_ONCE = 400
"""With more such cases, sums under random signs are drawn from their normal distribution."""


def single_seeds(two: Pair) -> BoolArray:
    """Return in which strata an arm that is not greedy has one seed, shape (strata,)."""
    found = np.zeros(len(two.strata), dtype=bool)
    for each in two.noisy:
        found |= each.n == 1
    return found


def sign_flip_test(two: Pair, *, seed: int = 0) -> PermutationEstimate:
    """Compare two arms by flipping the sign of the difference in each case with one seed.

    The difference of such a case contains its noise, and is no smaller than that on average: the true difference comes
    on top. So its size stands for the noise, and its sign is taken for chance, as in Fisher's test of paired
    differences. Repeated cases vary as their t distribution says. No noise is borrowed from other cases or the other
    arm. The test assumes symmetric noise, which occasional failures do not have: other tests must agree
    (`compare.RULES`).

    The interval is found as in `permutation.permutation`, from as many random signs.

    Args:
        two: The arms; at least one is not greedy.
        seed: Seed of the random signs.

    Raises:
        TableError: No case was repeated.
    """
    base, rng = stratified_t(two), np.random.default_rng(seed)
    alone = single_seeds(two)
    weights, difference = two.weights[alone], two.difference[alone]
    shuffled, moved = _signs(rng, weights, weights * difference)
    if not alone.all():
        rest = [_without(each, alone) for each in two.noisy]
        error, dof, _ = stratified_error(two.weights[~alone], rest)
        shuffled += error * rng.standard_t(dof, PERMUTATIONS)
    found, least = inverted(base, shuffled, moved, drawn=True, test="signs of cases with one seed")
    # more extreme than all that were drawn: the sample says no more than that
    p_value = min(found.p_value, base.p_value) if least == 1 else found.p_value
    # With a few signs only, the observed ones are drawn again and again: a smallest p, as if all had been enumerated.
    return replace(found, p_value=p_value, drawn=found.same == 1, reach=two.cells.scale.width)


def _without(own: Arm, dropped: BoolArray) -> Arm:
    """Return an arm without some strata."""
    return replace(own, n=own.n[~dropped], mean=own.mean[~dropped], m2=own.m2[~dropped])


def _signs(rng: np.random.Generator, weights: FloatArray, differences: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sums of the weighted differences, and of the weights, under the same random signs."""
    if len(weights) <= _SIGNS_AT_ONCE:
        signs = rng.choice(np.array([-1.0, 1.0]), (PERMUTATIONS, len(weights)))
        return signs @ differences, signs @ weights
    both = np.stack([differences, weights])
    drawn = rng.multivariate_normal(np.zeros(2), both @ both.T, PERMUTATIONS, method="eigh")
    return drawn[:, 0].copy(), drawn[:, 1].copy()
