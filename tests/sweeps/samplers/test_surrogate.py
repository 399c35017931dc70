"""The Gaussian process, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern

from sweeps.samplers.surrogate import (
    LENGTH_BOUNDS,
    Hyperparameters,
    Surrogate,
    fit_hyperparameters,
    negative_likelihood,
    one_thread,
    squared_distances,
)

LENGTHS = (0.4, 1.5)
KNOWN = Hyperparameters(0.004, 0.006, LENGTHS, (0, 1))


class OwnAndJoint(Kernel):  # type: ignore[misc]
    """The same covariance from scikit-learn's kernels: one per column, and one of all columns."""

    def __init__(self, additive: float, joint: float, lengths: tuple[float, ...]) -> None:
        self.additive, self.joint, self.lengths = additive, joint, lengths

    def __call__(self, a: np.ndarray, b: np.ndarray | None = None, eval_gradient: bool = False) -> np.ndarray:
        assert not eval_gradient
        b = a if b is None else b
        own = [Matern(length, nu=2.5)(a[:, [j]], b[:, [j]]) for j, length in enumerate(self.lengths)]
        return np.asarray(self.additive * np.mean(own, axis=0) + self.joint * Matern(self.lengths, nu=2.5)(a, b))

    def diag(self, a: np.ndarray) -> np.ndarray:
        return np.full(len(a), self.additive + self.joint)

    def is_stationary(self) -> bool:
        return True


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    features = rng.random((15, 2))
    return features, 0.4 + 0.1 * np.sin(5 * features[:, 0]) + rng.normal(0, 0.02, 15), rng.uniform(2e-4, 6e-4, 15)


def test_the_covariance_is_made_of_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((7, 2)), rng.random((4, 2))
    np.testing.assert_allclose(KNOWN.covariance(a, b), OwnAndJoint(0.004, 0.006, LENGTHS)(a, b), atol=1e-12)
    assert KNOWN.signal == pytest.approx(0.01)


def test_columns_of_a_category_are_one_parameter() -> None:
    a = np.array([[0.1, 1.0, 0.0], [0.4, 0.0, 1.0]])
    squared = squared_distances(a, a, (0, 1, 1))
    np.testing.assert_allclose(squared[:, 0, 1], [0.09, 2.0])
    assert squared.shape == (2, 2, 2)


def test_the_gradient_is_that_of_finite_differences(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    squared = squared_distances(features, features, (0, 1))
    theta = np.log([0.003, 0.005, 0.3, 1.2])

    def likelihood(at: np.ndarray) -> float:
        return negative_likelihood(at, squared, values - values.mean(), noise)[0]

    _, gradient = negative_likelihood(theta, squared, values - values.mean(), noise)
    np.testing.assert_allclose(gradient, approx_fprime(theta, likelihood, 1e-6), rtol=1e-3, atol=1e-4)


def test_the_gradient_of_an_unknown_noise_is_that_of_finite_differences(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    squared = squared_distances(features, features, (0, 1))
    unknown = np.arange(15) % 3 == 0
    known = np.where(unknown, 0.0, noise)
    theta = np.log([0.003, 0.005, 0.3, 1.2, 4e-4])

    def likelihood(at: np.ndarray) -> float:
        return negative_likelihood(at, squared, values - values.mean(), known, unknown)[0]

    value, gradient = negative_likelihood(theta, squared, values - values.mean(), known, unknown)
    np.testing.assert_allclose(gradient, approx_fprime(theta, likelihood, 1e-6), rtol=1e-3, atol=1e-4)
    filled = np.where(unknown, 4e-4, noise)
    assert value == pytest.approx(negative_likelihood(theta[:4], squared, values - values.mean(), filled)[0])


def wave(sd: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sixty scores of a sine wave over two parameters, with noise."""
    rng = np.random.default_rng(seed)
    features = rng.random((60, 2))
    return features, np.sin(5 * features[:, 0]) + features[:, 1] + rng.normal(0, sd, 60)


@pytest.mark.parametrize("sd", [0.1, 0.3, 1.0])
def test_unknown_noise_is_estimated_with_the_surface(sd: float) -> None:
    found = []
    for seed in range(5):
        features, values = wave(sd, seed)
        found.append(fit_hyperparameters(features, values, np.full(60, np.nan), np.arange(2)).noise)
    assert 0.75 * sd < np.sqrt(np.mean(found)) < 1.25 * sd


def test_scores_without_noise_are_found_to_have_none() -> None:
    features, values = wave(0.0, 1)
    assert np.sqrt(fit_hyperparameters(features, values, np.full(60, np.nan), np.arange(2)).noise) < 0.02 * values.std()


@pytest.mark.parametrize(("seed", "low", "high"), [(1, 0.0, 0.02), (4, 0.2, 0.5)])
def test_the_likelier_of_two_explanations_is_taken(seed: int, low: float, high: float) -> None:
    """A dozen points on a fast wave: all noise, or none? From one start alone either answer is one of these two."""
    rng = np.random.default_rng(seed)
    features = rng.random((12, 1))
    values = np.sin(15 * features[:, 0]) + 0.1 * rng.normal(0, 1, 12)
    assert low < fit_hyperparameters(features, values, np.full(12, np.nan), np.array([0])).noise < high


def test_noise_that_some_points_tell_is_kept_and_the_others_share_one() -> None:
    features, values = wave(0.3, 2)
    noise = np.where(np.arange(60) < 30, 0.09, np.nan)
    fitted = fit_hyperparameters(features, values, noise, np.arange(2))
    assert 0.2 < np.sqrt(fitted.noise) < 0.45
    surrogate = Surrogate(features, values, noise, fitted)
    np.testing.assert_array_equal(surrogate.noise, np.where(np.arange(60) < 30, 0.09, fitted.noise))
    assert np.isnan(fit_hyperparameters(features, values, np.full(60, 0.09), np.arange(2)).noise)


@pytest.mark.parametrize("exponent", [-300, -20, 30, 300])
def test_an_estimate_does_not_depend_on_the_unit(exponent: int) -> None:
    features, values = wave(0.3, 3)
    unknown = np.full(60, np.nan)
    one = fit_hyperparameters(features, values, unknown, np.arange(2))
    other = fit_hyperparameters(features, values * 2.0**exponent, unknown, np.arange(2))
    assert other == one.in_units(2.0**exponent)


def test_threads_share_the_limit_on_linear_algebra() -> None:
    """A thread that leaves first neither keeps the process at one thread nor lifts the other's limit."""
    from threadpoolctl import ThreadpoolController

    def threads() -> list[int]:
        return [library.num_threads for library in ThreadpoolController().lib_controllers]

    before = threads()
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_the_posterior_is_that_of_a_process_with_an_almost_unknown_constant(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, KNOWN)
    # A constant mean estimated by generalised least squares is the limit of a constant with a wide prior.
    kernel = OwnAndJoint(0.004, 0.006, LENGTHS) + ConstantKernel(1e3)
    reference = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(features, values)
    at = np.random.default_rng(2).random((20, 2))
    mean, sd = surrogate.posterior(at)
    expected_mean, expected_sd = reference.predict(at, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-5)
    np.testing.assert_allclose(sd, expected_sd, rtol=1e-2)


def test_a_main_effect_shows_through_noise_that_a_joint_surface_drowns_in() -> None:
    """One option of eight acts, 60 trials with noise as large as its effect: the sum of functions errs less."""
    rng = np.random.default_rng(9)
    errors = {"own": [], "joint": []}
    for _ in range(10):
        features, at = rng.random((60, 8)), rng.random((200, 8))
        values = 0.1 * features[:, 0] + rng.normal(0, 0.05, 60)
        for name, shares in (("own", (0.009, 0.001)), ("joint", (0.001, 0.009))):
            known = Hyperparameters(*shares, (0.5,) * 8, tuple(range(8)))
            mean, _ = Surrogate(features, values, np.full(60, 0.0025), known).posterior(at)
            errors[name].append(float(np.mean((mean - 0.1 * at[:, 0]) ** 2)))
    assert np.mean(errors["own"]) < 0.9 * np.mean(errors["joint"])


def test_precise_points_are_believed_and_vague_ones_are_not(data: tuple[np.ndarray, ...]) -> None:
    features, values, _ = data
    noise = np.full(15, 1e-8)
    noise[3] = 10.0
    mean, sd = Surrogate(features, values, noise, KNOWN).posterior(features)
    others = np.arange(15) != 3
    np.testing.assert_allclose(mean[others], values[others], atol=1e-3)
    assert sd[3] > 10 * sd[others].max()


def test_far_away_the_mean_returns(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, KNOWN)
    mean, sd = surrogate.posterior(np.array([[100.0, 100.0]]))
    assert mean[0] == pytest.approx(surrogate.mean)
    assert sd[0] >= 0.1


def test_believing_keeps_the_mean_and_shrinks_the_uncertainty(data: tuple[np.ndarray, ...]) -> None:
    features, values, noise = data
    surrogate = Surrogate(features, values, noise, KNOWN)
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
    assert len(fitted.lengths) == 2
    assert fitted.columns == (0, 1, 1, 1)


def test_the_fit_is_the_best_of_its_neighbourhood(data: tuple[np.ndarray, ...]) -> None:
    from scipy.stats import multivariate_normal

    from sweeps.samplers.surrogate import LENGTH_PRIOR, SIGNAL_PRIOR_SD

    features, values, noise = data
    centred = values - np.average(values, weights=1 / noise)
    spread = np.mean(centred**2)
    start = max(spread - np.mean(noise), 0.1 * spread)

    def log_posterior(logs: np.ndarray) -> float:
        additive, joint, *lengths = np.exp(logs)
        covariance = OwnAndJoint(additive, joint, tuple(lengths))(features) + np.diag(noise)
        prior = (((logs[:2] - np.log(0.5 * start)) / SIGNAL_PRIOR_SD) ** 2).sum()
        prior += (((logs[2:] - LENGTH_PRIOR[0]) / LENGTH_PRIOR[1]) ** 2).sum()
        return float(multivariate_normal.logpdf(centred, cov=covariance)) - prior / 2

    fitted = fit_hyperparameters(features, values, noise, np.array([0, 1]))
    found = np.log([fitted.additive, fitted.joint, *fitted.lengths])
    best = log_posterior(found)
    for step in 0.1 * np.vstack([np.eye(4), -np.eye(4)]):
        assert log_posterior(found + step) < best
