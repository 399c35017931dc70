"""The covariance of a surface: Matern 5/2 functions of the parameters one by one, and of all together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analysis.arrays import FloatArray

_CELLS = 32_768  # of a part of a covariance: small enough for a processor's cache


def squared_distances(a: FloatArray, b: FloatArray, columns: Sequence[int] | npt.NDArray[np.intp]) -> FloatArray:
    """Return squared distances between the rows of two tables, by parameter, shape (n_parameters, len(a), len(b)).

    Args:
        a: Shape (n, n_features).
        b: Shape (m, n_features).
        columns: Index of the parameter that each feature column belongs to.
    """
    found = np.zeros((int(max(columns)) + 1, len(a), len(b)))
    for feature, parameter in enumerate(columns):
        found[parameter] += (a[:, feature, None] - b[None, :, feature]) ** 2
    return found


def matern52(squared: FloatArray) -> FloatArray:
    """Return the Matern 5/2 correlation at squared distances in units of the length scale, of the same shape."""
    scaled = np.sqrt(5.0 * squared)
    return np.asarray((1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled))


def matern52_and_slope(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return `matern52`, and minus twice its slope in the squared distance."""
    scaled = np.sqrt(5.0 * squared)
    decay = np.exp(-scaled)
    slope = 1.0 + scaled
    correlation = slope + scaled**2 / 3.0
    correlation *= decay
    slope *= 5.0 / 3.0
    slope *= decay
    return correlation, slope


def own_and_joint(
    a: FloatArray, b: FloatArray, columns: Sequence[int], lengths: Sequence[float], additive: float, joint: float
) -> FloatArray:
    """Return `additive` times the mean correlation of the parameters, plus `joint` times that of all together.

    The rows are taken in parts, so memory beyond the result stays small.

    Args:
        a: Shape (n, n_features).
        b: Shape (m, n_features).
        columns: As in `squared_distances`.
        lengths: Length scale of each parameter, shape (n_parameters,).
        additive: Variance of the parameters' own functions.
        joint: Variance of the function of all parameters.

    Returns:
        Shape (n, m).
    """
    found = np.empty((len(a), len(b)))
    rows = max(_CELLS // max(len(b), 1), 1)
    for start in range(0, len(a), rows):
        part = a[start : start + rows]
        own, together = np.zeros((len(part), len(b))), np.zeros((len(part), len(b)))
        for parameter, length in enumerate(lengths):
            squared = np.zeros((len(part), len(b)))
            for feature in (feature for feature, of in enumerate(columns) if of == parameter):
                squared += (part[:, feature, None] - b[None, :, feature]) ** 2
            squared /= np.square(length)
            together += squared
            own += matern52(squared)
        found[start : start + rows] = additive * (own / len(lengths)) + joint * matern52(together)
    return found
