"""The posterior over a space given scored configurations, and the pick from them, without any Optuna study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution

from analysis.arrays import FloatArray
from sweeps.samplers import LEAST_START
from sweeps.samplers.earlier import EarlierScores
from sweeps.samplers.encoding import ActiveWhen, Encoding, Params
from sweeps.samplers.remembered import Remembered
from sweeps.samplers.sparse import SparseSurrogate, forget_blocks, inducing_points
from sweeps.samplers.surrogate import Surrogate, fit_hyperparameters, one_thread
from sweeps.samplers.trial_noise import all_equal, least_noise, resolution, winsorise

MIN_POINTS = LEAST_START
"""With fewer scored configurations no surface is fitted; their scores are shrunk to the grand mean instead."""

REFIT_EVERY = 12
"""Trials between two fits of the length scales; later a sixth of the present trials, where that is more."""

EXACT = 500
"""With more scored configurations the surface is a sparse one (`sweeps.samplers.sparse`)."""

FITTED = 300
"""With more than `EXACT` scores, the hyperparameters are fitted to so many evenly spaced ones."""

FINALISTS = 500
"""Number of the best configurations that `Posterior.finalists` chooses from."""

_LEAST_SHARE = 0.05
_LEAST_DIFFERENCE = 1e-10  # variance, as a share of the surface's
_TIE = 1e-12  # means count as equal within this share of the range of the scores
_GUESSED_SHARE = 1.0 / 3.0
_DRAWS = 2048

Surface = Surrogate | SparseSurrogate
"""A fitted surface, exact or sparse."""

_surfaces: Remembered[Surface] = Remembered(4)


def forget_large() -> None:
    """Free the memory of large surfaces that are remembered; needed again, they are made again."""
    _surfaces.forget(lambda surface: isinstance(surface, SparseSurrogate))
    forget_blocks()


class Posterior:
    """Posterior of the true mean score over a search space, given scored configurations.

    Args:
        space: Optuna distributions by name.
        points: Scored configurations as values by name, without inactive parameters. Repeats are allowed.
        values: Their scores, larger is better, shape (n,).
        noise: Variance of each score around the truth, shape (n,), positive; NaN where it is unknown.
        active_when: Conditions, as in `Encoding`.
        fixed: Values outside the space that conditions may use.
        eligible: Indices of the configurations that `pick` chooses from; all if not given.
        earlier: Scores of earlier studies, which shape the surface and are never picked.

    Attributes:
        noise: The variances, unknown ones estimated: fitted with the surface, or without a surface guessed as a third
            of the scores' variance.
        surrogate: The fitted surface; None where the scores are too few (`MIN_POINTS`) or all equal. Then means are
            shrunk to the grand mean by the ratio of signal to noise.

    Raises:
        ValueError: If there are no points, or the arguments differ in length.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        points: Sequence[Params],
        values: Sequence[float] | FloatArray,
        noise: Sequence[float] | FloatArray,
        *,
        active_when: ActiveWhen | None = None,
        fixed: Params | None = None,
        eligible: Sequence[int] | None = None,
        earlier: EarlierScores | None = None,
    ) -> None:
        self.encoding = Encoding(space, active_when, fixed)
        self.points = points
        self.codes = self.encoding.codes(points)
        self.values = np.asarray(values, dtype=float)
        self.noise = np.asarray(noise, dtype=float)
        if not len(points) or not len(points) == len(self.values) == len(self.noise):
            sizes = f"{len(points)} points, {len(self.values)} values, {len(self.noise)} variances"
            raise ValueError(f"a posterior needs at least one point and as many values and variances, not {sizes}")
        self._eligible = range(len(points)) if eligible is None else eligible
        self.surrogate = fit_surrogate(self.encoding, self.codes, self.values, self.noise, earlier=earlier)
        if self.surrogate is not None:
            self.noise = self.surrogate.noise[: len(points)]
        else:
            guess = max(_GUESSED_SHARE * float(np.var(self.values)), least_noise(self.values))
            self.noise = np.where(np.isnan(self.noise), guess, self.noise)
        self._grand, self._signal = _moments(self.values, self.noise)

    def at(self, points: Sequence[Params]) -> tuple[FloatArray, FloatArray]:
        """Return posterior mean and standard deviation of the true mean score, each of shape (len(points),)."""
        return self._at_codes(self.encoding.codes(points), points)

    def difference(self, point: Params, other: Params) -> tuple[float, float]:
        """Return posterior mean and standard deviation of a difference of true mean scores: `point` less `other`."""
        if self.surrogate is None:
            mean, sd = self.at([point, other])
            return float(mean[0] - mean[1]), math.hypot(*sd)
        with one_thread():
            mean, covariance = self.surrogate.joint(self.encoding.features(self.encoding.codes([point, other])))
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        return float(mean[0] - mean[1]), math.sqrt(
            max(float(variance), _LEAST_DIFFERENCE * self.surrogate.hyperparameters.signal)
        )

    def means(self) -> FloatArray:
        """Return the posterior mean of every scored configuration, in their order, shape (n,)."""
        if self.surrogate is None:
            return self._shrunk(self.codes, self.points)[0]
        with one_thread():
            return self.surrogate.known_means()[: len(self.values)]

    def pick(self, among: Sequence[int] | None = None) -> int:
        """Return the index of the scored configuration with the largest posterior mean.

        Args:
            among: Indices to choose from; all that are eligible if not given.

        Returns:
            The index; of several with equal means that with the least noise, then the first.

        Raises:
            ValueError: If there is nothing to choose from.
        """
        ranked = self.ranked(among)
        if not ranked:
            raise ValueError("nothing to pick: no scored configuration is eligible")
        return ranked[0]

    def ranked(self, among: Sequence[int] | None = None) -> list[int]:
        """Return the indices of the scored configurations, the largest posterior mean first; see `pick`."""
        means = self.means()
        unit = max(_TIE * float(np.ptp(self.values)), resolution(self.values))
        indices = self._eligible if among is None else among
        return sorted(indices, key=lambda i: (-round(float(means[i] - self._grand) / unit), float(self.noise[i]), i))

    def finalists(self, count: int, among: Sequence[int] | None = None) -> list[int]:
        """Return the indices of the scored configurations to confirm together.

        The first is `pick`. Each further one adds most to the expected best of all, over joint draws from the
        posterior. So a near twin of a chosen one adds nothing, however high its mean.

        Args:
            count: Largest number of finalists.
            among: Indices to choose from; all that are eligible if not given.
        """
        ranked = self.ranked(among)
        if self.surrogate is None or count < 2:
            return ranked[:count]
        ranked = ranked[:FINALISTS]
        with one_thread():
            mean, covariance = self.surrogate.joint(self.encoding.features(self.codes[ranked]))
        root = np.linalg.cholesky(covariance + 1e-9 * np.trace(covariance) * np.eye(len(ranked)))
        normal = np.random.default_rng(len(self.values)).standard_normal((_DRAWS, len(ranked)))
        draws = mean + normal @ root.T
        taken, best = [0], draws[:, 0]
        while len(taken) < min(count, len(ranked)):
            gains = np.maximum(draws - best[:, None], 0.0).mean(axis=0)
            gains[taken] = -1.0
            taken.append(int(np.argmax(gains)))
            best = np.maximum(best, draws[:, taken[-1]])
        return [ranked[i] for i in taken]

    def _at_codes(self, codes: FloatArray, points: Sequence[Params]) -> tuple[FloatArray, FloatArray]:
        if self.surrogate is not None:
            with one_thread():
                return self.surrogate.posterior(self.encoding.features(codes))
        return self._shrunk(codes, points)

    def _shrunk(self, codes: FloatArray, points: Sequence[Params]) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation without a surface, from a configuration's own scores alone."""
        own: dict[tuple[bytes, str], list[int]] = {}
        for i, name in enumerate(self._names(self.codes, self.points)):
            own.setdefault(name, []).append(i)
        mean = np.full(len(codes), self._grand)
        sd = np.full(len(codes), math.sqrt(self._signal))
        for i, name in enumerate(self._names(codes, points)):
            if mine := own.get(name):
                precision = float(np.sum(1.0 / self.noise[mine]))
                observed = float(np.sum(self.values[mine] / self.noise[mine])) / precision
                weight = self._signal / (self._signal + 1.0 / precision)
                mean[i] = self._grand + weight * (observed - self._grand)
                sd[i] = math.sqrt(self._signal * (1.0 - weight))
        return mean, sd

    def _names(self, codes: FloatArray, points: Sequence[Params]) -> list[tuple[bytes, str]]:
        """Return keys of configurations: their place in the space, and parameters outside it."""
        beyond = [sorted((k, v) for k, v in point.items() if k not in self.encoding.space) for point in points]
        return list(zip(self.encoding.keys(codes), map(repr, beyond), strict=True))


def checkpoint(n: int, first: int) -> int:
    """Return the number of first trials that the hyperparameters are fitted to when there are `n`."""
    first = max(first, MIN_POINTS)
    if n <= first:
        return n
    reached = first
    while (following := reached + max(REFIT_EVERY, reached // 6)) <= n:
        reached = following
    return reached


def fit_surrogate(
    encoding: Encoding,
    codes: FloatArray,
    values: FloatArray,
    noise: FloatArray,
    early: tuple[FloatArray, FloatArray] | None = None,
    *,
    cliffs: bool = True,
    earlier: EarlierScores | None = None,
) -> Surface | None:
    """Fit the surface of scores.

    Args:
        encoding: The space.
        codes: Scored points, shape (n, n_axes).
        values: Scores, larger is better, shape (n,).
        noise: Variance of each score, shape (n,); NaN where one variance is fitted to all such scores together.
        early: Scores and variances of the first points: the hyperparameters are fitted to these alone, so that later
            knowledge does not change an earlier fit. All points if not given.
        cliffs: Whether low scores are winsorised.
        earlier: Scores of earlier studies, which are the surface's last points.

    Returns:
        The surface; None if there are fewer than `MIN_POINTS` points, no parameters, or all scores are equal.
    """
    early_values, early_noise = (values, noise) if early is None else early
    kept = np.arange(len(early_values))
    shared = np.zeros((0, 0))
    if earlier:
        kept = np.append(kept, len(values) + np.arange(len(earlier)))
        shared = earlier.shared(len(values))
        codes = np.vstack([codes, encoding.codes(earlier.points)])
        values, early_values = (np.append(each, earlier.values) for each in (values, early_values))
        noise, early_noise = (np.append(each, earlier.widened) for each in (noise, early_noise))
    if len(values) < MIN_POINTS or not len(encoding) or all_equal(early_values):
        return None
    features = encoding.features(codes)
    if cliffs:
        early_values, values = winsorise(early_values, early_noise), winsorise(values, noise)
    parts = (features, values, noise, kept, early_values, early_noise, encoding.columns, shared)
    with one_thread():
        return _surfaces.get(parts, lambda: _fitted(*parts))


def _fitted(
    features: FloatArray,
    values: FloatArray,
    noise: FloatArray,
    kept: npt.NDArray[np.intp],
    early_values: FloatArray,
    early_noise: FloatArray,
    columns: npt.NDArray[np.intp],
    shared: FloatArray,
) -> Surface:
    """Return the surface of scores; see `fit_surrogate`. `kept` are the points of the early scores."""
    first, early = len(early_values), features[kept]
    some = np.arange(first) if first <= EXACT else np.linspace(0, first - 1, FITTED).round().astype(int)
    hyperparameters = fit_hyperparameters(early[some], early_values[some], early_noise[some], columns)
    if math.isnan(hyperparameters.noise):  # the noise of all fitted points is known
        usual = np.nanmedian(early_noise)
        noise, early_noise = (np.where(np.isnan(each), usual, each) for each in (noise, early_noise))
    if len(values) <= EXACT:
        return Surrogate(features, values, noise, hyperparameters, shared if shared.size else None)
    inducing = inducing_points(early, early_values, early_noise, hyperparameters)
    if shared.size:  # a sparse surface has no place for what errors share
        noise = noise + np.diag(shared)
    return SparseSurrogate(features, values, noise, hyperparameters, inducing)


def _moments(values: FloatArray, noise: FloatArray) -> tuple[float, float]:
    """Return the grand mean weighted by precision, and the variance between configurations (method of moments).

    The variance is at least a twentieth of the noise, so that better scores stay ahead of worse ones.
    """
    grand = float(np.average(values, weights=1.0 / noise))
    between = float(np.var(values, ddof=1)) - float(np.mean(noise)) if len(values) > 1 else 0.0
    return grand, max(between, _LEAST_SHARE * float(np.mean(noise)))
