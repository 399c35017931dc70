"""The chance of an unfinished trial, against draws from the joint belief."""

from __future__ import annotations

import numpy as np

from sweeps.samplers.encoding import Encoding
from sweeps.samplers.posterior import fit_surrogate
from sweeps.samplers.pruning import chances


def test_it_is_that_of_draws_whose_scores_come_near_the_ones_seen() -> None:
    from optuna.distributions import FloatDistribution

    encoding = Encoding({"x": FloatDistribution(0.0, 1.0)})
    points = np.linspace(0.0, 1.0, 12)[:, None]
    rng = np.random.default_rng(3)
    surface = fit_surrogate(encoding, points, points[:, 0] + rng.normal(0, 0.1, 12), np.full(12, 0.01))
    assert surface is not None
    features = encoding.features(np.array([[0.1], [0.9]]))
    scores, noise = np.array([0.3, 0.95]), np.array([0.02, 0.005])
    found = chances(surface, features, scores, noise)
    mean, sd = surface.posterior(features)
    for i in range(2):
        truth = rng.normal(mean[i], sd[i], 400_000)
        weights = np.exp(-((truth - scores[i]) ** 2) / (2 * noise[i]))  # the likelihood of the scores seen
        assert np.isclose(found[i], np.average(truth > surface.reference(), weights=weights), atol=0.01)
    assert found[0] < 0.05 < found[1]
