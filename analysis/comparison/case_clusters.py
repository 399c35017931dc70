"""Cases that come in clusters, such as questions on one document: the clusters are the independent units."""

from __future__ import annotations

import math

import numpy as np

from analysis.comparison.estimate import TEstimate
from analysis.comparison.pair import Pair
from analysis.observations.table import TableError

FEWEST_CLUSTERS = 6
"""Below this many clusters nothing is claimed for new ones."""


def clustered_t(two: Pair) -> TEstimate:
    """Compare two arms for new cases from new clusters: a paired t test with a standard error robust to clusters.

    The variance adds up the deviations of a cluster's cases before it squares them, each sum enlarged as the
    jackknife over clusters has it (Bell and McCaffrey, Survey Methodology 28, 2002). Degrees of freedom follow
    Satterthwaite for equal variances in all cases, so that clusters of unequal size count for less.

    Raises:
        TableError: Fewer than FEWEST_CLUSTERS clusters have a case with both arms.
    """
    cluster = clusters_of(two)
    size = np.bincount(cluster).astype(np.float64)
    count, cases = len(size), len(cluster)
    if count < FEWEST_CLUSTERS:
        raise TableError(
            f"a claim for new cases in clusters takes at least {FEWEST_CLUSTERS} clusters with both arms; there are "
            f'{count}. Add clusters, or claim for these cases only (claim "these-cases").'
        )
    differences = two.case_differences()
    effect = float(differences.mean())
    sums = np.bincount(cluster, weights=differences - effect)
    factor = 1 / np.sqrt(1 - size / cases)
    error = math.sqrt(float(((factor * sums) ** 2).sum())) / cases
    return TEstimate(effect, error, _freedom(size, factor), "paired t, clusters as units")


def _freedom(size: np.ndarray, factor: np.ndarray) -> float:
    """Return Satterthwaite's degrees of freedom of the variance, for independent cases of equal variance."""
    # The sum of a cluster is a linear form of the cases; these are the covariances of all such forms.
    scaled = factor * size
    covariance = np.diag(factor**2 * size) - np.outer(scaled, scaled) / size.sum()
    return float(np.trace(covariance) ** 2 / (covariance**2).sum())


def clusters_of(two: Pair) -> np.ndarray:
    """Return codes of the clusters of the shared cases, without gaps, shape (cases,)."""
    assert two.cells.cluster is not None  # the rule that leads here asks for it
    cases = np.unique(two.cells.stratum_case[two.strata])
    return np.unique(two.cells.cluster[cases], return_inverse=True)[1]
