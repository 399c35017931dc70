"""Simulated tables without any true difference, to check how often the tests claim one.

A whole set of replications is one table: replication i has the configurations `<i>b` and `<i>f`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.comparison.compare import compare
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import pair
from analysis.observations.table import Cells, summarize

KINDS = ("beta", "discrete", "beta-unequal", "discrete-unequal")
SIZES = tuple((cases, seeds) for cases in (4, 6, 12) for seeds in (3, 5, 10))


def draw(rng, kind, means, sds, seeds):
    """Return scores of the shape (*means.shape, seeds) with the given means and, about, standard deviations."""
    shape = (*means.shape, seeds)
    means, sds = means[..., None], np.minimum(sds[..., None], 0.85 * np.sqrt(means * (1 - means))[..., None])
    if kind.startswith("beta"):
        both = means * (1 - means) / sds**2 - 1
        return rng.beta(np.broadcast_to(means * both, shape), np.broadcast_to((1 - means) * both, shape))
    items = np.maximum(2, np.round(means * (1 - means) / sds**2)).astype(int)
    return rng.binomial(np.broadcast_to(items, shape), np.broadcast_to(means, shape)) / items


def null_scores(rng, kind, replications, cases, seeds, interaction=0.0):
    """Return scores (replication, arm, case, seed) of two arms that are equally good.

    Cases differ in mean (.2 to .65) and noise (.08 to .15); in the unequal kinds the second arm has half or twice the
    noise. With an interaction the arms are equal over the population of cases, not on each.
    """
    mean = rng.uniform(0.2, 0.65, (replications, 1, cases)) + rng.normal(0, interaction, (replications, 2, cases))
    sd = np.broadcast_to(rng.uniform(0.08, 0.15, (replications, 1, cases)), (replications, 2, cases)).copy()
    if kind.endswith("unequal"):
        sd[:, 1] *= rng.choice([0.5, 2.0], (replications, 1))
    return draw(rng, kind, np.clip(mean, 0.05, 0.95), sd, seeds)


SKEWED = {
    "95% pass": lambda rng, shape: (rng.random(shape) < 0.95).astype(float),
    "10% fail": lambda rng, shape: np.clip(
        np.where(rng.random(shape) < 0.1, 0.1, 0.9) + 0.02 * rng.standard_normal(shape), 0, 1
    ),
    "five items, 90% covered": lambda rng, shape: rng.binomial(5, 0.9, shape) / 5,
}
"""Scores near 1, drawn in a shape: the better the luck, the less noise they show."""


def lopsided(rng, kind, replications, base, few):
    """Return skewed scores (replication, arm, case, seed) of equal arms with so many seeds in each case, NaN beyond."""
    scores = SKEWED[kind](rng, (replications, 2, len(base), max(*base, *few)))
    for arm, seeds in enumerate((base, few)):
        for case, many in enumerate(seeds):
            scores[:, arm, case, many:] = np.nan
    return scores


def cells_of(scores, cluster=None) -> Cells:
    """Return the sufficient statistics of such scores, by way of a table; `cluster` has a number for each case."""
    replications, arms = scores.shape[:2]
    index = np.indices(scores.shape).reshape(4, -1)
    label = pd.Categorical.from_codes(
        index[0] * arms + index[1], [f"{i:06d}{arm}" for i in range(replications) for arm in "bf"[:arms]]
    )
    table = {"configuration": label, "case": index[2], "seed": index[3], "score": scores.ravel()}
    if cluster is None:
        return summarize(pd.DataFrame(table))
    return summarize(pd.DataFrame(table | {"cluster": np.asarray(cluster)[index[2]]}), cluster="cluster")


def estimates(scores, **options) -> list[Estimate]:
    """Compare the two arms of each replication; see `analysis.comparison.compare.compare` for the options."""
    cells = cells_of(scores)
    found = [compare(pair(cells, 2 * i, 2 * i + 1), **options).estimate for i in range(len(scores))]
    return [each for each in found if each is not None]


def error_rate(scores, alpha=0.05, **options) -> float:
    """Return how often a true null is rejected."""
    return float(np.mean([each.p_value <= alpha for each in estimates(scores, **options)]))


def shifted_scores(rng, kind, replications, cases, seeds, gain):
    """Return scores of two arms of which the second is better by `gain` on every case; means stay inside (.2, .8)."""
    mean = np.repeat(rng.uniform(0.25, 0.6, (replications, 1, cases)), 2, axis=1)
    mean[:, 1] += gain
    sd = np.repeat(rng.uniform(0.08, 0.15, (replications, 1, cases)), 2, axis=1)
    if kind.endswith("unequal"):
        sd[:, 1] *= rng.choice([0.5, 2.0], (replications, 1))
    return draw(rng, kind, mean, sd, seeds)


def coverage(scores, truth, level=0.95, **options) -> float:
    """Return how often the interval holds the true effect."""
    inside = []
    for each in estimates(scores, **options):
        low, high = each.interval(level)
        inside.append(low <= truth <= high)
    return float(np.mean(inside))


def looks(design, scores):
    """Return the estimates of each replication after each look, for `stops`."""
    seeds = scores.shape[-1]
    ends = [max(2, math.ceil(design.fraction(look) * seeds - 1e-9)) for look in range(1, design.looks + 1)]
    return [estimates(scores[..., :end]) for end in ends]


def stops(design, found_at, **options):
    """Decide on the estimates of `looks` and return where and why each replication stopped (look, stop, effect)."""
    found = [None] * len(found_at[0])
    for look, known in enumerate(found_at, 1):
        for i, estimate in enumerate(known):
            if found[i] is None:
                decision = design.assess(look, estimate, **options)
                if decision.stop or look == design.looks:
                    found[i] = (look, decision.stop, decision.effect)
    return found
