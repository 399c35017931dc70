"""A Gaussian process over a search space, in which each point has its own noise, known or estimated.

The surface is a sum of one function per parameter and one of all parameters together: the additive and the full order
of Duvenaud, Nickisch & Rasmussen (*Additive Gaussian Processes*, 2011). Each is a Matern 5/2, with one length scale per
parameter in both. Options mostly act on their own, and main effects show through far more noise than a surface of eight
dimensions does: `docs/benchmarks.md` has the simulated regret.

Hyperparameters are fitted to the marginal likelihood with log-normal priors, so that a dozen noisy points cannot push a
length scale to a bound. One noise variance is fitted for all points without their own. Between two fits everything is
closed-form conditioning, with one Cholesky factor per set of points (Rasmussen & Williams, *Gaussian Processes for
Machine Learning*, 2006, chapters 2 and 5). Generalised least squares give the constant mean (their section 2.7).
"""

from __future__ import annotations

import math
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import fmin_l_bfgs_b

from analysis.arrays import BoolArray, FloatArray
from sweeps.samplers.kernel import matern52_and_slope, own_and_joint, squared_distances
from sweeps.samplers.remembered import Remembered
from sweeps.samplers.trial_noise import LEAST_SHARE

LENGTH_BOUNDS = (0.05, 20.0)
"""Length scales in units of an option's whole range."""

LENGTH_PRIOR = (math.log(0.5), 0.4)
"""Mean and standard deviation of the logarithm of a length scale."""

SIGNAL_PRIOR_SD = 1.5
"""Standard deviation of the logarithm of either variance around half of the spread of the scores."""

NOISE_PRIOR = (math.log(0.05), 2.5)
"""Mean and standard deviation of the logarithm of an unknown noise variance as a share of the scores' variance."""

NOISE_STARTS = (1e-3, 0.5)
"""Shares at which the search for an unknown noise variance starts: nearly none, and half of the variance. The
likelihood may have a peak near each."""

ORDINARY = (2.0**-10, 2.0**10)
"""Scores with known noise and a range within these limits are fitted in their own unit."""

_MAX_ITERATIONS = 40
_TOLERANCE = 1e-5 / np.finfo(float).eps  # relative change of the objective at which L-BFGS-B stops
_JITTER = 1e-9
_LEAST_VARIANCE = 1e-12  # of a posterior, as a share of the surface's


@dataclass(frozen=True)
class Hyperparameters:
    """Variances and length scales of a surface, from a fit.

    Attributes:
        additive: Variance of the sum of the parameters' own functions, in squared score units.
        joint: Variance of the function of all parameters together.
        lengths: Length scale of each parameter, shape (n_parameters,).
        columns: Index of the parameter that each feature column belongs to, shape (n_features,).
        noise: Variance of the scores with unknown noise; NaN if there are none.
    """

    additive: float
    joint: float
    lengths: tuple[float, ...]
    columns: tuple[int, ...]
    noise: float = math.nan

    @property
    def signal(self) -> float:
        """Variance of the surface."""
        return self.additive + self.joint

    @property
    def arrays(self) -> tuple[FloatArray, ...]:
        """All numbers, to know hyperparameters by their content."""
        numbers = (self.additive, self.joint, self.noise)
        return tuple(np.array(each, dtype=float) for each in (numbers, self.lengths, self.columns))

    def in_units(self, unit: float) -> Hyperparameters:
        """Return the hyperparameters of scores that are `unit` times larger."""
        scale = unit**2
        return replace(self, additive=self.additive * scale, joint=self.joint * scale, noise=self.noise * scale)

    def filled(self, noise: FloatArray) -> FloatArray:
        """Fill in unknown variances (NaN)."""
        return np.where(np.isnan(noise), self.noise, noise)

    def covariance(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return the surface's covariance between the rows of two tables of features, shape (len(a), len(b))."""
        return own_and_joint(a, b, self.columns, self.lengths, self.additive, self.joint)


_fits: Remembered[Hyperparameters] = Remembered(256)


def fit_hyperparameters(
    features: FloatArray, values: FloatArray, noise: FloatArray, columns: npt.NDArray[np.intp]
) -> Hyperparameters:
    """Fit variances and length scales; a pure function of its arguments, cached within the process.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score around the surface, shape (n,), positive; NaN to estimate it.
        columns: Index of the parameter that each feature column belongs to; columns of one parameter share a length.

    Returns:
        The posterior mode.
    """

    def fitted() -> Hyperparameters:
        unit = _unit(values, noise)
        with one_thread():
            return _fit(features, values / unit, noise / unit**2, columns).in_units(unit)

    return _fits.get((features, values, noise, columns), fitted)


def _unit(values: FloatArray, noise: FloatArray) -> float:
    """Return the unit to divide scores by before a fit, since the optimiser's stopping rule depends on the unit.

    It is a power of two. Scores between 0 and 1 with known noise, as in sweeps, keep theirs: their proposals stay those
    of published results, to the last digit.
    """
    width = float(np.ptp(values))
    if not np.isnan(noise).any() and ORDINARY[0] <= width <= ORDINARY[1]:
        return 1.0
    return 2.0 ** math.frexp(width)[1]


def _fit(features: FloatArray, values: FloatArray, noise: FloatArray, columns: npt.NDArray[np.intp]) -> Hyperparameters:
    unknown = np.isnan(noise)
    known = np.where(unknown, 0.0, noise)
    centred = values - np.average(values, weights=None if unknown.any() else 1.0 / noise)
    spread = float(np.mean(centred**2))
    squared = squared_distances(features, features, columns)
    n = len(squared)
    start = max(spread - float(np.mean(known)), 0.1 * spread)
    centre = np.concatenate([np.full(2, math.log(0.5 * start)), np.full(n, LENGTH_PRIOR[0])])
    sd = np.concatenate([np.full(2, SIGNAL_PRIOR_SD), np.full(n, LENGTH_PRIOR[1])])
    bounds = [(math.log(1e-4 * spread), math.log(1e2 * spread))] * 2 + [tuple(np.log(LENGTH_BOUNDS))] * n
    starts = [centre]
    if unknown.any():
        starts = [np.append(centre, math.log(share * spread)) for share in NOISE_STARTS]
        centre, sd = np.append(centre, math.log(spread) + NOISE_PRIOR[0]), np.append(sd, NOISE_PRIOR[1])
        bounds.append((math.log(LEAST_SHARE**2 * spread), math.log(2.0 * spread)))

    def negative(theta: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = negative_likelihood(theta, squared, centred, known, unknown)
        offset = (theta - centre) / sd
        return value + 0.5 * float(offset @ offset), gradient + offset / sd

    fits = [fmin_l_bfgs_b(negative, at, bounds=bounds, factr=_TOLERANCE, maxiter=_MAX_ITERATIONS)[:2] for at in starts]
    theta, _ = min(fits, key=lambda fit: float(fit[1]))
    additive, joint, *lengths = (float(each) for each in np.exp(theta[: 2 + n]))
    estimate = float(np.exp(theta[-1])) if unknown.any() else math.nan
    return Hyperparameters(additive, joint, tuple(lengths), tuple(int(column) for column in columns), estimate)


def negative_likelihood(
    theta: FloatArray, squared: FloatArray, values: FloatArray, noise: FloatArray, unknown: BoolArray | None = None
) -> tuple[float, FloatArray]:
    """Return the negative log marginal likelihood of centred scores, up to a constant, and its gradient.

    Args:
        theta: Logarithms of the additive and the joint variance and of the length scales, shape (2 + n_parameters,);
            one more, of the unknown noise variance, where any is unknown.
        squared: Squared distances of the points per parameter, shape (n_parameters, n, n).
        values: Centred scores, shape (n,).
        noise: Variance of each score, shape (n,); 0 where it is unknown.
        unknown: Mask of the unknown variances, shape (n,); by default all are known.
    """
    additive, joint = np.exp(theta[:2])
    own = squared / np.exp(2.0 * theta[2 : 2 + len(squared)])[:, None, None]
    together = own.sum(axis=0)
    (own_correlation, own_slope), (correlation, slope) = matern52_and_slope(own), matern52_and_slope(together)
    of_own, of_all = additive * own_correlation.mean(axis=0), joint * correlation
    covariance = of_own + of_all
    fitted = np.exp(theta[-1]) * unknown if unknown is not None and unknown.any() else None
    covariance[np.diag_indices_from(covariance)] += (noise if fitted is None else noise + fitted) + _JITTER * (
        additive + joint
    )
    factor = np.linalg.cholesky(covariance)
    weights = cho_solve((factor, True), values)
    inner = 0.5 * (cho_solve((factor, True), np.eye(len(values))) - np.outer(weights, weights))
    # The correlation falls with log length as -2 r^2 times its slope in r^2; the chain rule reverses the sign.
    slopes = (additive / len(own)) * own_slope + joint * slope
    gradient = np.concatenate(
        [
            [np.sum(inner * of_own), np.sum(inner * of_all)],
            np.einsum("ij,pij,pij->p", inner, own, slopes),
            [] if fitted is None else [np.diag(inner) @ fitted],
        ]
    )
    return 0.5 * float(values @ weights) + float(np.log(np.diag(factor)).sum()), gradient


class Surrogate:
    """A surface conditioned on scores.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score around the surface, shape (n,); NaN to use that of the hyperparameters.
        hyperparameters: Variances and length scales.
        shared: Covariance of the scores' errors beyond `noise`, shape (n, n); none if not given.

    Attributes:
        mean: The constant that the surface approaches far from any point.
    """

    def __init__(
        self,
        features: FloatArray,
        values: FloatArray,
        noise: FloatArray,
        hyperparameters: Hyperparameters,
        shared: FloatArray | None = None,
    ) -> None:
        self.features = features
        self.values = values
        self._shared = shared
        self.noise = hyperparameters.filled(noise)
        self.hyperparameters = hyperparameters
        signal = hyperparameters.signal
        covariance = self._covariance(features)
        covariance[np.diag_indices_from(covariance)] += self.noise + _JITTER * signal
        if shared is not None:
            covariance += shared
        self._factor = np.linalg.cholesky(covariance)
        ones = np.ones(len(values))
        self._ones = cho_solve((self._factor, True), ones)
        self._precision = float(self._ones.sum())
        self.mean = float(self._ones @ values) / self._precision
        self._weights = cho_solve((self._factor, True), values - self.mean)

    def posterior(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the noise-free surface, each of shape (len(features),)."""
        mean, half, lacking = self._conditioned(features)
        variance = self.hyperparameters.signal - np.einsum("ij,ij->j", half, half) + lacking**2 / self._precision
        return mean, np.sqrt(np.maximum(variance, least_variance(self.hyperparameters.signal)))

    def known_means(self) -> FloatArray:
        """Return the posterior mean at every scored point, shape (n,)."""
        return self.posterior(self.features)[0]

    def reference(self, among: npt.NDArray[np.intp] | None = None) -> float:
        """Return the mean of the scored point whose mean less one standard deviation is the largest.

        Args:
            among: Indices of the points to choose from; all if not given.
        """
        mean, sd = self.posterior(self.features if among is None else self.features[among])
        return float(mean[int(np.argmax(mean - sd))])

    def joint(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean, shape (len(features),), and covariance of the noise-free surface at all points together."""
        mean, half, lacking = self._conditioned(features)
        covariance = self._covariance(features) - half.T @ half + np.outer(lacking, lacking) / self._precision
        return mean, covariance

    def believing(self, features: FloatArray, noise: float) -> Surrogate:
        """Return this surface with running points at their expected scores (kriging believer).

        The mean stays, and the uncertainty around those points shrinks, so that the next proposal goes elsewhere
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
            None if self._shared is None else np.pad(self._shared, (0, len(features))),
        )

    def _conditioned(self, features: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the posterior mean, the root of the variance's reduction, and its increase for the estimated mean."""
        cross = self._covariance(features, self.features)
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        return self.mean + cross @ self._weights, half, 1.0 - cross @ self._ones

    def _covariance(self, a: FloatArray, b: FloatArray | None = None) -> FloatArray:
        return self.hyperparameters.covariance(a, a if b is None else b)


def least_variance(signal: float) -> float:
    """Return the smallest variance that a posterior states, given that of the surface."""
    return _LEAST_VARIANCE * signal


@lru_cache(maxsize=1)
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


class _OneThread:
    """A context in which linear algebra uses one thread: small matrices gain nothing, and the sums keep their order.

    The limit belongs to the process. Threads inside at the same time share it: the first sets it, the last removes it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = _controller().limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


_one_thread = _OneThread()


def one_thread() -> AbstractContextManager[None]:
    """Return the context in which linear algebra uses one thread; it may be nested and entered by several threads."""
    return _one_thread
