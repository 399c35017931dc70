"""The chance of an unfinished trial to be better than the best known one; where it is small, the trial may end."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from analysis.arrays import FloatArray
from sweeps.samplers.posterior import Surface


def chances(surface: Surface, features: FloatArray, scores: FloatArray, noise: FloatArray) -> FloatArray:
    """Return the probability of each point to be truly better than the best evaluated one.

    The surface before the trial is the prior, the trial's own scores are combined with it by their precisions (normal
    with known variances; Gelman and others, *Bayesian Data Analysis*, section 2.5). The best evaluated point is
    that of augmented expected improvement (`Surrogate.reference`).

    Args:
        surface: The surface without these trials.
        features: The trials' points, shape (n, n_features).
        scores: Their scores so far, as if they had all cases, shape (n,).
        noise: Variances of these scores, shape (n,), positive.
    """
    mean, sd = surface.posterior(features)
    weight = sd**2 / (sd**2 + noise)
    after, rest = mean + weight * (scores - mean), sd * np.sqrt(1.0 - weight)
    return np.asarray(ndtr((after - surface.reference()) / rest))
