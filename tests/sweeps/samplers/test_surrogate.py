"""The Gaussian process, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from sweeps.samplers.surrogate import (
    LENGTH_BOUNDS,
    Hyperparameters,
    Surrogate,
    fit_hyperparameters,
    matern52,
)

LENGTHS = (0.4, 1.5)


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    features = rng.random((15, 2))
    return features, 0.4 + 0.1 * np.sin(5 * features[:, 0]) + rng.normal(0, 0.02, 15), rng.uniform(2e-4, 6e-4, 15)


def test_the_correlation_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((7, 2)), rng.random((4, 2))
    np.testing.assert_allclose(matern52(a, b, np.array(LENGTHS)), Matern(LENGTHS, nu=2.5)(a, b), atol=1e-12)


def test_the_posterior_is_that_of_a_process_with_an_almost_unknown_constant(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, Hyperparameters(0.01, LENGTHS))
    # A constant mean estimated by generalised least squares is the limit of a constant with a wide prior.
    kernel = ConstantKernel(0.01) * Matern(LENGTHS, nu=2.5) + ConstantKernel(1e3)
    reference = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(features, values)
    at = np.random.default_rng(2).random((20, 2))
    mean, sd = surrogate.posterior(at)
    expected_mean, expected_sd = reference.predict(at, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(sd, expected_sd, rtol=1e-2)


def test_precise_points_are_believed_and_vague_ones_are_not(data: tuple[np.ndarray, ...]) -> None:
    features, values, _ = data
    noise = np.full(15, 1e-8)
    noise[3] = 10.0
    mean, sd = Surrogate(features, values, noise, Hyperparameters(0.01, LENGTHS)).posterior(features)
    others = np.arange(15) != 3
    np.testing.assert_allclose(mean[others], values[others], atol=1e-3)
    assert sd[3] > 10 * sd[others].max()


def test_far_away_the_mean_returns(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, Hyperparameters(0.01, LENGTHS))
    mean, sd = surrogate.posterior(np.array([[100.0, 100.0]]))
    assert mean[0] == pytest.approx(surrogate.mean)
    assert sd[0] >= 0.1


def test_believing_keeps_the_mean_and_shrinks_the_uncertainty(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, Hyperparameters(0.01, LENGTHS))
    at = np.random.default_rng(3).random((30, 2))
    mean, sd = surrogate.posterior(at)
    believing = surrogate.believing(at[:2], 4e-4)
    mean_after, sd_after = believing.posterior(at)
    np.testing.assert_allclose(mean_after, mean, atol=1e-7)
    assert (sd_after <= sd + 1e-9).all()
    assert (sd_after[:2] < 0.9 * sd[:2]).all()
    assert surrogate.believing(np.zeros((0, 2)), 1.0) is surrogate


def test_an_option_without_effect_gets_a_longer_scale() -> None:
    rng = np.random.default_rng(4)
    features = rng.random((60, 2))
    values = 0.1 * np.sin(6 * features[:, 0]) + rng.normal(0, 0.01, 60)
    fitted = fit_hyperparameters(features, values, np.full(60, 1e-4), np.array([0, 1]))
    assert fitted.lengths[1] > 3 * fitted.lengths[0]
    assert all(LENGTH_BOUNDS[0] <= length <= LENGTH_BOUNDS[1] for length in fitted.lengths)


def test_pure_noise_is_not_taken_for_a_surface() -> None:
    rng = np.random.default_rng(5)
    features, noise = rng.random((60, 3)), np.full(60, 0.01)
    values = rng.normal(0.4, 0.1, 60)
    fitted = fit_hyperparameters(features, values, noise, np.arange(3))
    mean, _ = Surrogate(features, values, noise, fitted).posterior(features)
    assert np.ptp(mean) < 0.1 < np.ptp(values)


def test_the_columns_of_one_category_share_a_scale() -> None:
    rng = np.random.default_rng(6)
    kinds = np.eye(3)[rng.integers(0, 3, 40)]
    features = np.hstack([rng.random((40, 1)), kinds])
    values = 0.1 * features[:, 0] + kinds @ [0.0, 0.1, -0.1] + rng.normal(0, 0.01, 40)
    fitted = fit_hyperparameters(features, values, np.full(40, 1e-4), np.array([0, 1, 1, 1]))
    assert fitted.lengths[1] == fitted.lengths[2] == fitted.lengths[3] != fitted.lengths[0]


def test_the_fit_is_the_best_of_its_neighbourhood(data: tuple[np.ndarray, ...]) -> None:
    from scipy.stats import multivariate_normal

    from sweeps.samplers.surrogate import LENGTH_PRIOR, SIGNAL_PRIOR_SD

    features, values, noise = data
    centred = values - np.average(values, weights=1 / noise)
    spread = np.mean(centred**2)
    start = max(spread - np.mean(noise), 0.1 * spread)

    def log_posterior(logs: np.ndarray) -> float:
        signal, *lengths = np.exp(logs)
        covariance = signal * Matern(lengths, nu=2.5)(features) + np.diag(noise)
        prior = ((logs[0] - np.log(start)) / SIGNAL_PRIOR_SD) ** 2
        prior += (((logs[1:] - LENGTH_PRIOR[0]) / LENGTH_PRIOR[1]) ** 2).sum()
        return float(multivariate_normal.logpdf(centred, cov=covariance)) - prior / 2

    fitted = fit_hyperparameters(features, values, noise, np.array([0, 1]))
    found = np.log([fitted.signal, *fitted.lengths])
    best = log_posterior(found)
    for step in 0.1 * np.vstack([np.eye(3), -np.eye(3)]):
        assert log_posterior(found + step) < best
