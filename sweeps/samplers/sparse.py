"""A surface on more scores than an exact one can hold: the fully independent training conditional.

All scores count, but only through a few hundred inducing points (Snelson & Ghahramani, *Sparse Gaussian Processes using
Pseudo-inputs*, 2006). A score far from all of them counts as noisier, so it cannot mislead. Time grows with the number
of scores, not with its cube.

The points are taken in blocks of fixed size, which are cached. A new score costs about the same after a
thousand others as after ten thousand, and a resumed study finds the same digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular

from analysis.arrays import FloatArray
from sweeps.samplers.remembered import Remembered
from sweeps.samplers.surrogate import Hyperparameters, least_variance

SPREAD, NEAR_BEST = 200, 200
"""Inducing points that are spread over all points, and over those with the best means."""

BEST_SHARE = 0.1
"""Share of the points that counts as the best ones."""

REFERENCES = 256
"""Evaluated points with the best means, of which one is the reference of expected improvement."""

_BLOCK = 512
_JITTER = 1e-6
_SAME = 1e-9


def inducing_points(
    features: FloatArray, values: FloatArray, noise: FloatArray, hyperparameters: Hyperparameters
) -> FloatArray:
    """Choose inducing points among scored points; a pure function of its arguments, cached within the process.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score, shape (n,); NaN to use that of the hyperparameters.
        hyperparameters: Variances and length scales.

    Returns:
        Rows of `features`: `SPREAD` points as far from each other as possible, in units of the length scales, and
        `NEAR_BEST` such points among the best. Best by posterior means given the first ones, since the best raw scores
        are lucky ones.
    """

    def chosen() -> FloatArray:
        return _chosen(features, values, noise, hyperparameters)

    return _choices.get((features, values, noise, *hyperparameters.arrays), chosen)


def _chosen(
    features: FloatArray, values: FloatArray, noise: FloatArray, hyperparameters: Hyperparameters
) -> FloatArray:
    scaled = features / np.array(hyperparameters.lengths)[list(hyperparameters.columns)]
    spread = _far_apart(scaled, SPREAD)
    rough = SparseSurrogate(features, values, noise, hyperparameters, features[spread])
    most = max(int(BEST_SHARE * len(features)), 2 * NEAR_BEST)
    best = np.argsort(-rough.known_means(), kind="stable")[:most]
    near = best[_far_apart(scaled[best], NEAR_BEST)]
    chosen = np.concatenate([spread, near[~np.isin(near, spread)]])
    return np.asarray(features[np.sort(chosen)])


def _far_apart(points: FloatArray, most: int) -> npt.NDArray[np.intp]:
    """Return indices of up to `most` different points: the first, then always the farthest from all chosen."""
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    while len(chosen) < most:
        nearest = np.minimum(nearest, np.sum((points - points[chosen[-1]]) ** 2, axis=1))
        farthest = int(np.argmax(nearest))
        if nearest[farthest] <= _SAME:
            break
        chosen.append(farthest)
    return np.array(chosen, dtype=np.intp)


@dataclass(frozen=True)
class _Block:
    """Some scored points, without their scores.

    Attributes:
        half: Inverse root of the inducing points' covariance, times theirs with the points, shape (m, k).
        weights: Inverse variances of the scores around the inducing points' surface, shape (k,).
        gram: Weighted product of `half` with itself, shape (m, m).
    """

    half: FloatArray
    weights: FloatArray
    gram: FloatArray


@dataclass(frozen=True)
class _Sums:
    """Weighted sums over scored points.

    Attributes:
        gram: Products of the points' `half` with itself, and one more on the diagonal, shape (m, m).
        of_ones: Sum of the points' `half`, shape (m,).
        of_values: The same times their scores.
        ones: Sum of the weights.
        total: Weighted sum of the scores.
    """

    gram: FloatArray
    of_ones: FloatArray
    of_values: FloatArray
    ones: float
    total: float

    def plus(self, block: _Block, values: FloatArray) -> _Sums:
        """Return the sums with the points of a block and their scores."""
        weighted = block.weights * values
        return _Sums(
            self.gram + block.gram,
            self.of_ones + block.half @ block.weights,
            self.of_values + block.half @ weighted,
            self.ones + float(block.weights.sum()),
            self.total + float(weighted.sum()),
        )


_blocks: Remembered[_Block] = Remembered(48)  # of 3 MB
_choices: Remembered[FloatArray] = Remembered(4)
_caching = ContextVar("caching", default=True)


@contextmanager
def uncached_blocks() -> Iterator[None]:
    """Cache no blocks, and keep none: a surface of 9,000 scores that is made once has 5 MB instead of 70."""
    before = _caching.set(False)
    try:
        yield
    finally:
        _caching.reset(before)


def forget_blocks() -> None:
    """Free the cached blocks and choices: with 9,000 scores they have 70 MB."""
    _blocks.forget()
    _choices.forget()


class SparseSurrogate:
    """A surface conditioned on many scores; see `surrogate.Surrogate` for the methods, which it shares.

    Args:
        features: Points, shape (n, n_features).
        values: Scores, shape (n,).
        noise: Variance of each score around the surface, shape (n,); NaN to use that of the hyperparameters.
        hyperparameters: Variances and length scales.
        inducing: Inducing points, shape (m, n_features).
        settled: A surface on the first of the scores with the same inducing points, to go on from.
    """

    def __init__(
        self,
        features: FloatArray,
        values: FloatArray,
        noise: FloatArray,
        hyperparameters: Hyperparameters,
        inducing: FloatArray,
        settled: SparseSurrogate | None = None,
    ) -> None:
        self.features = features
        self.values = values
        self.noise = hyperparameters.filled(noise)
        self.hyperparameters = hyperparameters
        self.inducing = inducing
        m = len(inducing)
        if settled is None:
            covariance = hyperparameters.covariance(inducing, inducing)
            covariance[np.diag_indices(m)] += _JITTER * hyperparameters.signal
            self._root = np.linalg.cholesky(covariance)
            self._halves: list[tuple[slice, FloatArray | None]] = []
            self._sums = _Sums(np.eye(m), np.zeros(m), np.zeros(m), 0.0, 0.0)
        else:
            self._root, self._halves, self._sums = settled._root, list(settled._halves), settled._sums
        for start in range(0 if settled is None else len(settled.values), len(values), _BLOCK):
            part = slice(start, min(start + _BLOCK, len(values)))
            block = self._block(part)
            self._halves.append((part, block.half if _caching.get() else None))
            self._sums = self._sums.plus(block, values[part])
        of_ones, of_values = self._sums.of_ones, self._sums.of_values
        self._factor = np.linalg.cholesky(self._sums.gram)
        self._ones = cho_solve((self._factor, True), of_ones)
        self._precision = self._sums.ones - float(of_ones @ self._ones)
        self.mean = (self._sums.total - float(of_values @ self._ones)) / self._precision
        self._weights = cho_solve((self._factor, True), of_values - self.mean * of_ones)

    def _block(self, part: slice) -> _Block:
        """Return the sums over a part of the scores; those of a full block are cached within the process."""
        if part.stop - part.start < _BLOCK or not _caching.get():
            return self._made(part)
        parts = (*self.hyperparameters.arrays, self.inducing, self.features[part], self.noise[part])
        return _blocks.get(parts, lambda: self._made(part))

    def _made(self, part: slice) -> _Block:
        half, signal = self._half(self.features[part]), self.hyperparameters.signal
        unexplained = np.maximum(signal - np.einsum("ij,ij->j", half, half), 0.0)
        weights = 1.0 / (unexplained + self.noise[part] + _JITTER * signal)
        rooted = half * np.sqrt(weights)
        return _Block(half, weights, rooted @ rooted.T)

    def known_means(self) -> FloatArray:
        """Return the posterior mean at every scored point, shape (n,)."""
        halves = (self._half(self.features[part]) if half is None else half for part, half in self._halves)
        return self.mean + np.concatenate([half.T @ self._weights for half in halves])

    def reference(self, among: npt.NDArray[np.intp] | None = None) -> float:
        """Return the mean of the scored point whose mean less one standard deviation is the largest.

        Args:
            among: Indices of the points to choose from; all if not given.
        """
        indices = np.arange(len(self.values)) if among is None else among
        means = self.known_means()[indices]
        best = np.argsort(-means, kind="stable")[:REFERENCES]
        mean, sd = self.posterior(self.features[indices[best]])
        return float(mean[int(np.argmax(mean - sd))])

    def posterior(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the noise-free surface, each of shape (len(features),)."""
        found = [self._posterior(features[i : i + _BLOCK]) for i in range(0, max(len(features), 1), _BLOCK)]
        return np.concatenate([mean for mean, _ in found]), np.concatenate([sd for _, sd in found])

    def _posterior(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        half, rest, lacking = self._conditioned(features)
        signal = self.hyperparameters.signal
        variance = signal - np.einsum("ij,ij->j", half, half) + np.einsum("ij,ij->j", rest, rest)
        variance += lacking**2 / self._precision
        return self.mean + half.T @ self._weights, np.sqrt(np.maximum(variance, least_variance(signal)))

    def joint(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean, shape (len(features),), and covariance of the noise-free surface at all points together."""
        half, rest, lacking = self._conditioned(features)
        covariance = self.hyperparameters.covariance(features, features) - half.T @ half + rest.T @ rest
        return self.mean + half.T @ self._weights, covariance + np.outer(lacking, lacking) / self._precision

    def believing(self, features: FloatArray, noise: float) -> SparseSurrogate:
        """Return this surface with running points at their expected scores; see `surrogate.Surrogate.believing`."""
        if not len(features):
            return self
        expected, _ = self.posterior(features)
        return SparseSurrogate(
            np.vstack([self.features, features]),
            np.concatenate([self.values, expected]),
            np.concatenate([self.noise, np.full(len(features), noise)]),
            self.hyperparameters,
            self.inducing,
            self,
        )

    def _conditioned(self, features: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the roots of the variance that inducing points take away and give back, and that of the mean."""
        half = self._half(features)
        rest = solve_triangular(self._factor, half, lower=True, check_finite=False)
        return half, rest, 1.0 - half.T @ self._ones

    def _half(self, features: FloatArray) -> FloatArray:
        cross = self.hyperparameters.covariance(self.inducing, features)
        return np.asarray(solve_triangular(self._root, cross, lower=True, check_finite=False))
