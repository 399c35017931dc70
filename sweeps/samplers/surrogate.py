"""A Gaussian process over a search space, with the noise of every point taken as known.

Hyperparameters (signal variance, one length scale per parameter) are fitted by scikit-learn's Gaussian process on its
marginal likelihood, with weak log-normal priors so that a dozen points cannot pin a length scale to a bound. Everything
between two fits is closed-form conditioning: one Cholesky factor per set of points. The method is that of Rasmussen &
Williams, *Gaussian Processes for Machine Learning* (2006), chapters 2 and 5; the constant mean is estimated by
generalised least squares (their section 2.7).
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import fmin_l_bfgs_b

Array = npt.NDArray[np.float64]

LENGTH_BOUNDS = (0.05, 20.0)
"""Length scales in units of an option's whole range."""

LENGTH_PRIOR = (math.log(0.5), 1.0)
"""Mean and standard deviation of the logarithm of a length scale."""

SIGNAL_PRIOR_SD = 1.5
"""Standard deviation of the logarithm of the signal variance around the spread of the scores."""

_MAX_ITERATIONS = 40
_TOLERANCE = 1e-5 / np.finfo(float).eps  # relative change of the objective at which L-BFGS-B stops
_CACHE_SIZE = 256
_JITTER = 1e-9


@dataclass(frozen=True)
class Hyperparameters:
    """What is fitted.

    Attributes:
        signal: Variance of the surface, in squared score units.
        lengths: Length scale of each feature column, shape (n_features,).
    """

    signal: float
    lengths: tuple[float, ...]


_cache: OrderedDict[bytes, Hyperparameters] = OrderedDict()


def fit_hyperparameters(features: Array, values: Array, noise: Array, columns: npt.NDArray[np.intp]) -> Hyperparameters:
    """Fit signal variance and length scales; a pure function of its arguments, remembered within the process.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score around the surface, shape (n,), positive.
        columns: Index of the parameter that each feature column belongs to; columns of one parameter share a length.

    Returns:
        The posterior mode.
    """
    parts = (features, values, noise, columns)
    digest = hashlib.blake2b(b"|".join(np.ascontiguousarray(part).tobytes() for part in parts)).digest()
    if digest in _cache:
        _cache.move_to_end(digest)
        return _cache[digest]
    with one_thread():
        found = _fit(features, values, noise, columns)
    _cache[digest] = found
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return found


def _fit(features: Array, values: Array, noise: Array, columns: npt.NDArray[np.intp]) -> Hyperparameters:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    centred = values - np.average(values, weights=1.0 / noise)
    spread = max(float(np.mean(centred**2)), 1e-8)
    start = max(spread - float(np.mean(noise)), 0.1 * spread)
    kernel = ConstantKernel(start, (1e-4 * spread, 1e2 * spread)) * Matern(
        np.full(features.shape[1], math.exp(LENGTH_PRIOR[0])), LENGTH_BOUNDS, nu=2.5
    )
    model = GaussianProcessRegressor(kernel, alpha=noise, optimizer=_posterior_mode(columns, math.log(start)))
    theta = model.fit(features, centred).kernel_.theta
    return Hyperparameters(float(np.exp(theta[0])), tuple(float(length) for length in np.exp(theta[1:])))


def _posterior_mode(columns: npt.NDArray[np.intp], log_signal: float) -> Callable[..., tuple[Array, float]]:
    """An optimizer for scikit-learn that ties the columns of a category together and adds the log priors."""
    groups = np.concatenate([[0], columns + 1])
    first = np.array([int(np.argmax(groups == g)) for g in range(int(groups.max()) + 1)])
    centre = np.concatenate([[log_signal], np.full(len(first) - 1, LENGTH_PRIOR[0])])
    sd = np.concatenate([[SIGNAL_PRIOR_SD], np.full(len(first) - 1, LENGTH_PRIOR[1])])

    def optimise(objective: Callable[..., Any], theta: Array, bounds: Array) -> tuple[Array, float]:
        def negative(tied: Array) -> tuple[float, Array]:
            value, gradient = objective(tied[groups], eval_gradient=True)
            shared = np.bincount(groups, weights=gradient)
            offset = (tied - centre) / sd
            return float(value) + 0.5 * float(offset @ offset), shared + offset / sd

        found, value, _ = fmin_l_bfgs_b(
            negative, theta[first], bounds=list(bounds[first]), factr=_TOLERANCE, maxiter=_MAX_ITERATIONS
        )
        return found[groups], float(value)

    return optimise


class Surrogate:
    """A surface conditioned on scores.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score around the surface, shape (n,).
        hyperparameters: Signal variance and length scales.

    Attributes:
        mean: The constant that the surface returns to far from any point.
    """

    def __init__(self, features: Array, values: Array, noise: Array, hyperparameters: Hyperparameters) -> None:
        self.features = features
        self.values = values
        self.noise = noise
        self.hyperparameters = hyperparameters
        signal = hyperparameters.signal
        covariance = self._covariance(features)
        covariance[np.diag_indices_from(covariance)] += noise + _JITTER * signal
        self._factor = np.linalg.cholesky(covariance)
        ones = np.ones(len(values))
        self._ones = cho_solve((self._factor, True), ones)
        self._precision = float(self._ones.sum())
        self.mean = float(self._ones @ values) / self._precision
        self._weights = cho_solve((self._factor, True), values - self.mean)

    def posterior(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free surface, each of shape (len(features),)."""
        cross = self._covariance(features, self.features)
        mean = self.mean + cross @ self._weights
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        lacking = 1.0 - cross @ self._ones
        variance = self.hyperparameters.signal - np.einsum("ij,ij->j", half, half) + lacking**2 / self._precision
        return mean, np.sqrt(np.maximum(variance, 1e-14))

    def joint(self, features: Array) -> tuple[Array, Array]:
        """Mean, shape (len(features),), and covariance of the noise-free surface at all points together."""
        cross = self._covariance(features, self.features)
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        lacking = 1.0 - cross @ self._ones
        covariance = self._covariance(features) - half.T @ half + np.outer(lacking, lacking) / self._precision
        return self.mean + cross @ self._weights, covariance

    def believing(self, features: Array, noise: float) -> Surrogate:
        """This surface as if points under way had already scored what is expected of them (kriging believer).

        The mean stays as it is, the uncertainty around those points shrinks, so that the next proposal goes elsewhere
        (Ginsbourger, Le Riche & Carraro 2010).
        """
        if not len(features):
            return self
        expected, _ = self.posterior(features)
        return Surrogate(
            np.vstack([self.features, features]),
            np.concatenate([self.values, expected]),
            np.concatenate([self.noise, np.full(len(features), noise)]),
            self.hyperparameters,
        )

    def _covariance(self, a: Array, b: Array | None = None) -> Array:
        return self.hyperparameters.signal * matern52(a, a if b is None else b, np.array(self.hyperparameters.lengths))


def matern52(a: Array, b: Array, lengths: Array) -> Array:
    """Matern 5/2 correlation between the rows of two tables, shape (len(a), len(b))."""
    x, y = a / lengths, b / lengths
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2.0 * x @ y.T
    scaled = np.sqrt(5.0 * np.maximum(squared, 0.0))
    return np.asarray((1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled))


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def one_thread() -> Any:
    """A context in which linear algebra uses one thread: small matrices gain nothing, and the sums keep their order."""
    return _controller().limit(limits=1)
