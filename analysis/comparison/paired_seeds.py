"""Seeds that both arms share: one run of a pipeline per seed, over both of them.

Where a seed stands for an index, a set of retrieved texts or a server that both arms use, it lifts or lowers both, and
their difference has less noise than either. Nobody can see from a table that this must be so. A test finds it, and the
caller says so (`paired_seeds`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.compare import Answer, Test, choose
from analysis.comparison.estimate import ROUNDING
from analysis.comparison.pair import Arm, Pair, case_weights, pair
from analysis.comparison.seed_clusters import SHARED, with_seeds_as_units
from analysis.formatting import p_text
from analysis.observations.table import TableError, summarize
from analysis.observations.views import usable

FEWEST_SEEDS = 6
"""With fewer shared seeds their permutations hardly have a p small enough for the test."""

_FEWEST_PAIRS = 5

_PERMUTATIONS = 1999
_PERMUTE_UP_TO = 40


@dataclass(frozen=True)
class SeedPairs:
    """Scores of the seeds that both arms have in a stratum, shape (pairs,) each.

    Attributes:
        stratum: Stratum, as an index into `Pair.strata`.
        seed: Code of the seed.
        baseline: Score of the baseline; the mean of repeats.
        finalist: Score of the configuration.
    """

    stratum: IntArray
    seed: IntArray
    baseline: FloatArray
    finalist: FloatArray


def seed_pairs(two: Pair) -> SeedPairs:
    """Return the seeds that both arms have, stratum by stratum."""
    size = int(two.cells.seeds.max(initial=0)) + 1
    (base, base_scores), (final, final_scores) = (_by_seed(two, each, size) for each in (two.baseline, two.finalist))
    common, i, j = np.intersect1d(base, final, assume_unique=True, return_indices=True)
    return SeedPairs(common // size, common % size, base_scores[i], final_scores[j])


def _by_seed(two: Pair, own: Arm, size: int) -> tuple[IntArray, FloatArray]:
    """Return the codes stratum * size + seed of an arm's scores, ascending, and the mean score of each."""
    counts = two.cells.n[own.row]
    start = int(two.cells.starts[own.row, 0])
    made = slice(start, start + int(counts.sum()))
    place = np.full(len(counts), -1)
    place[two.strata] = np.arange(len(two.strata))
    at = np.repeat(place, counts)
    used = at >= 0
    found, inverse, times = np.unique(
        at[used] * np.int64(size) + two.cells.seeds[made][used], return_inverse=True, return_counts=True
    )
    return found, np.bincount(inverse, weights=two.cells.scores[made][used]) / times


def rows_in_pairs(observations: pd.DataFrame, baseline: str, finalist: str) -> pd.DataFrame:
    """Return the rows of two arms whose seed of a case (and host) the other arm has, too; rows without a score stay.

    Raises:
        TableError: There is no such seed.
    """
    arm = observations["configuration"].astype(str)
    both = observations[(arm == baseline) | (arm == finalist)]
    scored = usable(both)
    keys = [name for name in ("case", "host", "seed") if name in both]
    arms = scored.groupby(keys, observed=True, dropna=False)["configuration"].transform("nunique")
    single = scored.index[arms.to_numpy() < 2]
    if len(single) == len(scored):
        raise TableError(
            f"{finalist!r} and the baseline {baseline!r} have no seed of a case in common, so seeds cannot be paired: "
            "judge without paired_seeds"
        )
    return both.drop(index=single)


def within_seeds(observations: pd.DataFrame, whole: Pair, *, test: Test = "auto", seed: int = 0) -> tuple[Pair, Answer]:
    """Compare two arms within seeds; return the arms without seeds that only one has, and the answer.

    Args:
        observations: The table.
        whole: The arms.
        test: "auto", or a test for these cases.
        seed: Seed of random rearrangements.

    Raises:
        TableError: They have no seed in common, or no case has two.
    """
    base, final = (whole.cells.configurations[each.row] for each in (whole.baseline, whole.finalist))
    rows = rows_in_pairs(observations, base, final)
    cells = summarize(rows, scale=whole.cells.scale)
    two = pair(cells, cells.index(base), cells.index(final))
    answer = compare_within_seeds(two, test=test, seed=seed)
    both = observations["configuration"].astype(str).isin([base, final])
    if single := int(both.sum()) - len(rows):
        note = f"{single} rows do not count: the other arm has no score with their seed."
        answer = replace(answer, notes=(*answer.notes, note))
    return two, answer


def compare_within_seeds(two: Pair, *, test: Test = "auto", seed: int = 0) -> Answer:
    """Compare two arms on these cases by the differences within seeds.

    The differences are judged like the scores of one arm against an exact 0, by the same tests. So their noise is
    measured within cases, and a part that is common to all cases of a seed makes seeds the units.

    Args:
        two: The arms, of which every seed of a case is in both (`rows_in_pairs`).
        test: "auto", or a test for these cases.
        seed: Seed of random rearrangements.

    Raises:
        TableError: No case has two seeds.
    """
    apart = _differences(two)
    if not apart.finalist.dof:
        raise TableError("no case has two seeds in both arms, so the noise within seeds is unknown: add seeds")
    if apart.finalist.constant:
        why = "No difference within a seed varies within its case, so there is no noise to test with: add seeds."
        return Answer(None, "these-cases", (why,))
    usual = choose(apart, "these-cases", test).compute(apart, seed)
    estimate, shared = with_seeds_as_units(apart, usual)
    paired = "Seeds are paired, as you said: the noise is that of the differences within seeds."
    return Answer(estimate, "these-cases", (paired, *shared), paired=True)


def _differences(two: Pair) -> Pair:
    """Return a pair of which the configuration has the differences within seeds, and the baseline is exactly 0."""
    pairs = seed_pairs(two)
    difference = pairs.finalist - pairs.baseline
    order = np.lexsort((difference, pairs.stratum))
    difference, seeds = difference[order], pairs.seed[order]
    kept, at = np.unique(pairs.stratum[order], return_inverse=True)
    n = np.bincount(at)
    mean: FloatArray = np.bincount(at, weights=difference) / n
    m2: FloatArray = np.asarray(np.bincount(at, weights=(difference - mean[at]) ** 2), dtype=np.float64)
    strata, rows = len(kept), np.array([0, 1])
    starts = np.concatenate(([0], np.cumsum(n)[:-1]))
    cells = replace(
        two.cells,
        configurations=tuple(two.cells.configurations[each.row] for each in (two.baseline, two.finalist)),
        stratum_case=two.cells.stratum_case[two.strata[kept]],
        stratum_host=two.cells.stratum_host[two.strata[kept]],
        n=np.stack([np.ones(strata, dtype=np.int64), n]),
        mean=np.stack([np.zeros(strata), mean]),
        m2=np.stack([np.zeros(strata), m2]),
        starts=np.stack([np.arange(strata), strata + starts]),
        scores=np.concatenate((np.zeros(strata), difference)),
        seeds=np.concatenate((np.zeros(strata, dtype=np.int64), seeds)),
        made=np.stack([np.ones(strata, dtype=np.int64), n]),
        lost=np.zeros((2, strata), dtype=np.int64),
        excluded=np.zeros(2, dtype=np.int64),
        zero_temperature=rows == 0,
    )
    weights = case_weights(cells.stratum_case)
    zero = Arm(0, cells.n[0], cells.mean[0], cells.m2[0], greedy=True)
    return Pair(cells, zero, Arm(1, n, mean, m2, greedy=False), np.arange(strata), weights)


def sharing_note(two: Pair, *, seed: int = 0) -> tuple[str, ...]:
    """Offer to pair seeds where the scores of both arms go up and down together by seed; () elsewhere.

    Args:
        two: The arms.
        seed: Seed of the permutations.
    """
    if len(two.noisy) < 2:
        return ()
    correlation, chance = _shared(seed_pairs(two), two.cases, seed)
    if chance > SHARED:
        return ()
    together = f"correlation {correlation:.2f}, {p_text(chance)}"
    return (
        f"The scores of both arms go up and down together by seed ({together}). If a seed is one run that both share, "
        "judge with --paired-seeds: differences within seeds have less noise.",
    )


def _shared(pairs: SeedPairs, cases: int, seed: int) -> tuple[float, float]:
    """Return the correlation of both arms' scores within strata, and the one-sided p that they share no seeds.

    Seeds are permuted within cases, by the t approximation. Where that finds something and FEWEST_SEEDS seeds recur
    over the cases, whole seeds of an arm are permuted as well, so that what cases of a seed have in common within an
    arm does not count. With fewer seeds that is an offer too many; a comparison within seeds stays valid.
    """
    if len(pairs.stratum) < _FEWEST_PAIRS:
        return 0.0, 1.0
    counts = np.bincount(pairs.stratum)
    base, final = (
        values - (np.bincount(pairs.stratum, weights=values) / np.maximum(counts, 1))[pairs.stratum]
        for values in (pairs.baseline, pairs.finalist)
    )
    squares = float(base @ base) * float(final @ final)
    if squares <= (len(base) * ROUNDING**2) ** 2:
        return 0.0, 1.0
    product, correlation = float(base @ final), float(base @ final) / math.sqrt(squares)
    if correlation <= 0:
        return correlation, 1.0
    own = np.bincount(pairs.stratum, weights=base**2) * np.bincount(pairs.stratum, weights=final**2)
    repeated = counts > 1
    variance = float((own[repeated] / (counts[repeated] - 1)).sum())
    freedom = float((counts[repeated] - 1).sum()) - 1
    if freedom < _FEWEST_PAIRS - 2 or variance <= 0:
        return correlation, 1.0
    ratio = min(product**2 / variance / (freedom + 1), 1 - 1e-12)
    chance = float(special.stdtr(freedom, -math.sqrt(freedom * ratio / (1 - ratio))))
    seeds, code = np.unique(pairs.seed, return_inverse=True)
    if chance > SHARED or len(seeds) < FEWEST_SEEDS or cases == 1 or 2 * len(pairs.stratum) <= len(seeds) * cases:
        return correlation, chance
    return correlation, max(chance, _of_seeds(pairs.stratum, code, base, final, product, seed))


def _of_seeds(at: IntArray, code: IntArray, base: FloatArray, final: FloatArray, product: float, seed: int) -> float:
    """Return the p of a permutation of the baseline's seeds, each with its scores on all cases."""
    shape = int(at.max()) + 1, int(code.max()) + 1
    own, other = np.zeros(shape), np.zeros(shape)
    own[at, code], other[at, code] = base, final
    products = own.T @ other
    size = shape[1]
    if size > _PERMUTE_UP_TO:
        centred = products - products.mean(axis=0) - products.mean(axis=1)[:, None] + products.mean()
        spread = math.sqrt(float((centred**2).sum()) / (size - 1))
        return float(special.ndtr(-(product - float(products.sum()) / size) / spread)) if spread > 0 else 1.0
    rng = np.random.default_rng(seed)
    orders = rng.random((_PERMUTATIONS, size)).argsort(axis=1)
    found = products[np.arange(size), orders].sum(axis=1)
    return float(((found >= product - 1e-12).sum() + 1) / (_PERMUTATIONS + 1))
