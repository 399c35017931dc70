"""Scores of one seed that go up and down together over the cases: then seeds are the independent units.

A verdict takes the generations of a cell for independent of those of other cells. In a table from elsewhere a seed may
be one run of a whole pipeline over all cases, with an index, a server or a prompt of its own that lifts or lowers all
of them. Noise that cases share does not average out over cases, and a test that does not know it errs several times as
often as it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from analysis.comparison import ROUNDING, Arm, Estimate, Pair

SHARED = 0.01
"""Level of the F test that seeds go together: where they do not, this share of verdicts is more cautious than need be.
"""

TOGETHER = (
    "Scores of one seed go up and down together over the cases (p = {p:.2g}), so seeds and not single generations are "
    "the independent units: p, interval and equality allow for it."
)


@dataclass(frozen=True)
class _Spread:
    """How the scores of an arm's seeds spread.

    Attributes:
        between: Sum of squares of the seeds' means over the strata, as a share of what the independence of all
            generations makes it.
        seeds: Degrees of freedom of `between`.
        rest: Sum of squares of the rest, in the same unit.
        others: Degrees of freedom of `rest`.
        common: Variance of the arm's mean that comes on top of that of independent generations; may be below 0.
        variance: Variance of the arm's mean with seeds as units.
    """

    between: float
    seeds: float
    rest: float
    others: float
    common: float
    variance: float


def with_shocks(two: Pair, estimate: Estimate) -> tuple[Estimate, tuple[str, ...]]:
    """Return an estimate that allows for seeds that go together, with a note; the same one where they do not.

    Two-way analysis of variance, seed x stratum within each arm, each arm in units of its own noise. Where the F test
    of the seeds finds them to go together, the covariances of a seed's scores are added to the squared standard error.
    For these cases and balanced arms that is Welch's t test of the seeds' means; degrees of freedom are Satterthwaite's
    for the arms' seeds, and no more than the estimate has.

    Args:
        two: The arms.
        estimate: What the usual test says.
    """
    if two.cases < 2:
        return estimate, ()
    found = [spread for each in two.noisy if (spread := _spread(two, each)) is not None]
    if not found or not estimate.standard_error:
        return estimate, ()
    seeds, others = sum(each.seeds for each in found), sum(each.others for each in found)
    between, rest = sum(each.between for each in found) / seeds, sum(each.rest for each in found) / others
    chance = float(special.fdtrc(seeds, others, between / rest)) if rest > 0 else 0.0
    common = sum(each.common for each in found)
    if chance > SHARED or common <= 0:
        return estimate, ()
    error = math.sqrt(estimate.standard_error**2 + common)
    spread = sum(each.variance**2 / each.seeds for each in found)
    dof = min(estimate.dof, max(sum(each.variance for each in found) ** 2 / spread, 1.0))
    tail_dof = float(np.fmin(dof, estimate.tail_dof))
    moved = replace(estimate, standard_error=error, dof=dof, tail_dof=tail_dof, both=bool(estimate.same))
    by_t = 2 * moved.tail_probability(-abs(estimate.effect) / error)
    cautious = replace(moved, p_value=max(estimate.p_value, by_t), test=f"{estimate.test}, seeds as units")
    return cautious, (TOGETHER.format(p=max(chance, 1e-9)),)


def _spread(two: Pair, own: Arm) -> _Spread | None:
    """Return how an arm's seeds spread; None where no two seeds have two cases in common to tell it by."""
    cells, n = two.cells, own.n
    first = int(cells.starts[own.row, 0])
    counts = cells.n[own.row]
    stratum = np.repeat(np.arange(counts.size), counts)
    place = np.full(counts.size, -1)
    place[two.strata] = np.where(n > 1, np.arange(n.size), -1)
    at = place[stratum]
    used = at >= 0
    at = at[used]
    residual = cells.scores[first : first + stratum.size][used] - own.mean[at]
    _, seed = np.unique(cells.seeds[first : first + stratum.size][used], return_inverse=True)
    size = np.bincount(seed)
    within = size[seed] > 1
    free = np.bincount(seed, weights=1 - 1 / n[at])[size > 1]
    total = float((residual[within] ** 2).sum())
    if not len(free) or total <= within.sum() * ROUNDING**2:
        return None
    seeds = float((free / size[size > 1]).sum())
    others = float(free.sum()) - seeds
    if seeds < 1 - 1e-9 or others < 1 - 1e-9:
        return None
    sums = np.bincount(seed, weights=residual)[size > 1]
    between = float(np.sort(sums**2 / size[size > 1]).sum())
    unit = total / (seeds + others)
    share = two.weights[at] * residual / np.sqrt(n[at] * (n[at] - 1.0))
    variance = float(np.sort(np.bincount(seed, weights=share) ** 2).sum())
    alone = float((two.weights**2 * own.m2 / (n * np.maximum(n - 1.0, 1.0))).sum())
    return _Spread(between / unit, seeds, (total - between) / unit, others, variance - alone, variance)
