"""A kernel two-sample test of texts: do two hosts draw their texts from the same distribution?

It serves where seeds mean nothing across hosts. The statistic is the maximum mean discrepancy (Gretton et al., Journal
of Machine Learning Research 13, 2012), case by case. The kernel is exp(-d / m): d is 1 minus the cosine of character
3-grams, and m the median of d within cases. Labels are permuted within cases, so cases may differ in any way.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.noise.ngrams import similarities
from analysis.observations.table_error import TableError

PERMUTATIONS = 999
ENUMERATE = 5000
"""Up to this many, all arrangements are enumerated; beyond that, PERMUTATIONS of them are drawn."""

_POWER_DRAWS, _POWER_PERMUTATIONS, _STEPS = 40, 199, 20
_SLACK = 1e-12


@dataclass(frozen=True)
class KernelTest:
    """The result of a kernel two-sample test.

    Attributes:
        statistic: Squared maximum mean discrepancy, mean over cases; at least 0.
        p_value: Share of arrangements with a statistic at least as large.
        n_x: Texts of the first host.
        n_y: Texts of the second host.
        cases: Cases with texts of both.
        arrangements: Number of arrangements behind p.
        exact: Whether these are all that exist.
        least_p: The smallest p that these numbers of texts can give.
        discrepancy: The same without the bias of few texts: about 0, also below, where both draw alike; comparable
            between unequal numbers of texts. NaN where a host has one text of a case.
    """

    statistic: float
    p_value: float
    n_x: int
    n_y: int
    cases: int
    arrangements: int
    exact: bool
    least_p: float
    discrepancy: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Sample:
    """Texts of both hosts as the test uses them.

    Attributes:
        kernel: Kernel of all pairs of texts, 0 across cases, shape (texts, texts).
        first: Whether a text is the first host's, shape (texts,).
        case: Code of its case, shape (texts,).
        foreign: Kernel of two texts that have nothing in common.
    """

    kernel: FloatArray
    first: BoolArray
    case: IntArray
    foreign: float

    def weights(self, first: BoolArray) -> FloatArray:
        """Return the weight of each text in the difference of the hosts' means.

        Args:
            first: For each arrangement, which texts are the first host's, shape (arrangements, texts).
        """
        n_x = np.bincount(self.case, weights=self.first)[self.case]
        n_y = np.bincount(self.case, weights=~self.first)[self.case]
        return np.where(first, 1 / n_x, -1 / n_y) / math.sqrt(self.case.max() + 1)

    def statistics(self, first: BoolArray) -> FloatArray:
        """Return the statistic of each arrangement, shape (arrangements,)."""
        weights = self.weights(first)
        return np.asarray(np.einsum("ai,ai->a", weights @ self.kernel, weights))

    def arrangements(self) -> int:
        """Return how many arrangements of the labels within cases exist."""
        return math.prod(
            math.comb(int(own.sum() + (~own).sum()), int(own.sum()))
            for own in (self.first[self.case == case] for case in range(int(self.case.max()) + 1))
        )

    def drawn(self, count: int, rng: np.random.Generator) -> BoolArray:
        """Return arrangements drawn at random, shape (count, texts)."""
        # within a case the texts with the smallest random numbers are the first host's
        order = np.argsort(self.case + rng.random((count, len(self.case))), axis=1)
        found = np.empty((count, len(self.case)), dtype=bool)
        np.put_along_axis(found, order, self.first[self._by_case()][None], axis=1)
        return found

    def _by_case(self) -> IntArray:
        return np.argsort(self.case, kind="stable")

    def enumerated(self) -> BoolArray:
        """Return all arrangements, shape (arrangements, texts)."""
        by_case = []
        for case in range(int(self.case.max()) + 1):
            places = np.flatnonzero(self.case == case).tolist()
            by_case.append(list(itertools.combinations(places, int(self.first[places].sum()))))
        found = np.zeros((self.arrangements(), len(self.case)), dtype=bool)
        for row, chosen in enumerate(itertools.product(*by_case)):
            found[row, list(itertools.chain.from_iterable(chosen))] = True
        return found


def kernel_test(
    x_texts: Sequence[str],
    y_texts: Sequence[str],
    case_x: Sequence[Hashable] | None = None,
    case_y: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> KernelTest:
    """Test whether two hosts draw their texts from the same distribution.

    Give one text per request: a repeat of a text on a host that repeats itself is no draw of its own.

    Args:
        x_texts: Texts of one host.
        y_texts: Texts of the other.
        case_x: Case of each text of the first; without cases all texts belong to one.
        case_y: The same of the second. Cases that only one of them has do not count.
        seed: Seed of the arrangements, where they are drawn and not enumerated.
        permutations: Number of arrangements to draw. p is then (1 + k) / (1 + permutations) with k of them at least as
            extreme.

    Raises:
        TableError: Texts and cases differ in number, or the hosts have no case in common.
    """
    return _tested(_sample(x_texts, y_texts, case_x, case_y), seed, permutations)


def matrix_test(
    kernel: FloatArray, first: BoolArray, case: IntArray, *, seed: int = 0, permutations: int = PERMUTATIONS
) -> KernelTest:
    """Make the test with a kernel of your own.

    Args:
        kernel: Kernel of all pairs of texts, symmetric and positive semidefinite, shape (texts, texts).
        first: Whether a text is the first host's, shape (texts,); each case has texts of both hosts.
        case: Code of its case, from 0 without gaps, shape (texts,).
        seed: As for `kernel_test`.
        permutations: As there.
    """
    within = case[:, None] == case
    return _tested(_Sample(np.where(within, kernel, 0.0), first, case, 0.0), seed, permutations)


def _tested(sample: _Sample, seed: int, permutations: int) -> KernelTest:
    exact = sample.arrangements() <= ENUMERATE
    given = sample.statistics(sample.first[None])[0]
    shuffled = sample.enumerated() if exact else sample.drawn(permutations, np.random.default_rng(seed))
    found = sample.statistics(shuffled)
    extreme = int((found >= given - _SLACK).sum()) + (not exact)
    total = len(found) + (not exact)
    return KernelTest(
        statistic=max(float(given), 0.0),
        p_value=extreme / total,
        n_x=int(sample.first.sum()),
        n_y=int((~sample.first).sum()),
        cases=int(sample.case.max()) + 1,
        arrangements=total,
        exact=exact,
        least_p=_least_p(sample, total),
        discrepancy=_unbiased(sample),
    )


def _unbiased(sample: _Sample) -> float:
    """Return the unbiased estimate of the squared discrepancy (Gretton et al., lemma 6), mean over cases."""
    found = []
    for case in range(int(sample.case.max()) + 1):
        x, y = (np.flatnonzero((sample.case == case) & own) for own in (sample.first, ~sample.first))
        if min(len(x), len(y)) < 2:
            return math.nan
        within = [
            (kernel.sum() - np.trace(kernel)) / (len(own) * (len(own) - 1))
            for own in (x, y)
            for kernel in (sample.kernel[np.ix_(own, own)],)
        ]
        found.append(within[0] + within[1] - 2 * sample.kernel[np.ix_(x, y)].mean())
    return float(np.mean(found))


def _least_p(sample: _Sample, total: int) -> float:
    """Return the smallest possible p: with equal numbers in all cases, exchanged hosts are as extreme."""
    n_x, n_y = np.bincount(sample.case, weights=sample.first), np.bincount(sample.case, weights=~sample.first)
    # each case with equal numbers may be mirrored alone, since the statistic is a sum over cases
    return min(1.0, max(2.0 ** int((n_x == n_y).sum()) / sample.arrangements(), 1 / total))


def _sample(
    x_texts: Sequence[str],
    y_texts: Sequence[str],
    case_x: Sequence[Hashable] | None,
    case_y: Sequence[Hashable] | None,
) -> _Sample:
    case_x = [""] * len(x_texts) if case_x is None else case_x
    case_y = [""] * len(y_texts) if case_y is None else case_y
    for texts, cases, which in ((x_texts, case_x, "first"), (y_texts, case_y, "second")):
        if len(texts) != len(cases):
            raise TableError(f"the {which} host has {len(texts)} texts and {len(cases)} cases: give a case per text")
    shared = set(case_x) & set(case_y)
    if not shared:
        raise TableError("the hosts have no case in common, so their texts cannot be compared: run both on one case")
    texts = [*x_texts, *y_texts]
    labels = [*case_x, *case_y]
    kept = [place for place, label in enumerate(labels) if label in shared]
    case, _ = pd.factorize(np.array([str(labels[place]) for place in kept], dtype=object))
    within = case[:, None] == case
    distance = 1 - similarities([texts[place] for place in kept])
    apart = distance[within & ~np.eye(len(kept), dtype=bool)]
    scale = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    first = np.array([place < len(x_texts) for place in kept])
    kernel = np.where(within, np.exp(-distance / scale), 0.0)
    return _Sample(kernel, first, np.asarray(case, dtype=np.int64), math.exp(-1 / scale))


def detectable_share(
    x_texts: Sequence[str],
    y_texts: Sequence[str],
    case_x: Sequence[Hashable] | None = None,
    case_y: Sequence[Hashable] | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    seed: int = 0,
) -> float:
    """Return the smallest difference that `kernel_test` finds with these numbers of texts.

    The difference is a share of the second host's texts that have no three characters in common with any other text.
    All texts are dealt at random to two hosts within cases, that share is replaced in one of them, and the test is run;
    this is repeated for rising shares. Most real differences are subtler, so more texts are needed for them.

    Args:
        x_texts: As for `kernel_test`, like the next three.
        y_texts: Texts of the other host.
        case_x: Cases of the first.
        case_y: Cases of the second.
        alpha: Level of the test.
        power: Probability of finding the difference.
        seed: Seed of the simulation.

    Returns:
        The share, in steps of .05; infinity where not even 1 is found.
    """
    sample = _sample(x_texts, y_texts, case_x, case_y)
    rng = np.random.default_rng(seed)
    low, high = 0, _STEPS + 1  # the smallest share that is found lies above low, and is at most high
    while high - low > 1:
        middle = (low + high) // 2
        found = sum(_is_found(sample, middle / _STEPS, alpha, rng) for _ in range(_POWER_DRAWS))
        low, high = (low, middle) if found >= power * _POWER_DRAWS else (middle, high)
    return high / _STEPS if high <= _STEPS else math.inf


def _is_found(sample: _Sample, share: float, alpha: float, rng: np.random.Generator) -> bool:
    """Say whether the test finds a share of foreign texts in one random deal."""
    first = sample.drawn(1, rng)[0]
    foreign = ~first & (rng.random(len(first)) < share)
    kernel = sample.kernel.copy()
    within = sample.case[:, None] == sample.case
    kernel[foreign] = np.where(within[foreign], sample.foreign, 0.0)
    kernel[:, foreign] = np.where(within[:, foreign], sample.foreign, 0.0)
    kernel[foreign, foreign] = 1.0
    dealt = replace(sample, kernel=kernel, first=first)
    found = dealt.statistics(np.vstack([first, dealt.drawn(_POWER_PERMUTATIONS, rng)]))
    return bool((found >= found[0] - _SLACK).sum() <= alpha * len(found))
