"""The noise variance of a trial's score: given by the trial, estimated from its cases, or unknown.

Unknown variances are NaN; the surface's fit estimates one for all of them (`surrogate.fit_hyperparameters`). The unit
of the scores does not matter: lower limits are shares of their spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.arrays import FloatArray
from analysis.noise.variance_components import double_centred_variance

LEAST_SHARE = 1e-4
"""Smallest standard deviation of a score, as a share of the scores' robust spread."""

MOST = 1e100
"""Largest size of a score; larger ones are clipped, since their squares are fitted."""

_LEAST = 1.0 / MOST  # only for scores that are all zero
_RESOLUTION = 8.0 * np.finfo(float).eps
_WINSOR_WIDTH = 3.0
_MAD_TO_SD = 1.4826
_ENOUGH = 4


def trial_noise(attributes: Mapping[str, Any], noise_sd: float | None = None) -> float:
    """Return the variance of a trial's score, from the trial's attributes.

    Args:
        attributes: The trial's user attributes: `n` (generations behind the score, default 1) and `noise_sd`
            (standard deviation of one generation within a case, best pooled over the study) or its square `score_var`.
        noise_sd: Standard deviation of one generation for trials without their own.

    Returns:
        `noise_sd**2 / n`; NaN if it is unknown. An unusable number counts as missing.
    """
    n = _usable(attributes.get("n"))
    sd = _usable(attributes.get("noise_sd"))
    variance = _usable(attributes.get("score_var")) if math.isnan(sd) else sd**2
    if math.isnan(variance):
        variance = _usable(noise_sd) ** 2
    return variance / (n if n >= 1 else 1.0)


def case_table(case_scores: Sequence[Any]) -> FloatArray:
    """Return the `case_scores` attributes of trials as a table, shape (trials, cases).

    Args:
        case_scores: One entry per trial: a list of scores or a mapping from case to score; any other entry is empty.

    Returns:
        NaN where a trial has no score. The first trial with scores sets the cases; trials with other cases, or a list
        of another length, are all NaN.
    """
    entries = [entry if isinstance(entry, (Mapping, list, tuple)) else () for entry in case_scores]
    first = next((entry for entry in entries if entry), None)
    if first is None:
        return np.full((len(entries), 0), np.nan)
    names: Sequence[Any] = sorted(first, key=str) if isinstance(first, Mapping) else range(len(first))
    table = np.full((len(entries), len(names)), np.nan)
    for row, entry in zip(table, entries, strict=True):
        if isinstance(entry, Mapping) != isinstance(first, Mapping) or len(entry) != len(names):
            continue
        row[:] = [_number(entry.get(name) if isinstance(entry, Mapping) else entry[name]) for name in names]
    return table


def noise_variances(
    attributes: Sequence[Mapping[str, Any]],
    values: FloatArray,
    noise_sd: float | None = None,
    *,
    own: FloatArray | None = None,
) -> FloatArray:
    """Return the variance of each trial's score, shape (trials,): positive, or NaN where it is unknown.

    The trial's own noise (`trial_noise`) comes first, then the double-centred residuals of the trials' `case_scores`.
    No variance is smaller than `least_noise` of the scores. The trials' own noise is `own` where that is given.
    """
    found = np.array([trial_noise(each, noise_sd) for each in attributes] if own is None else own, dtype=float)
    missing = np.isnan(found)
    if missing.any():
        table = case_table([each.get("case_scores") for each in attributes])
        with np.errstate(over="ignore", invalid="ignore"):
            pooled = double_centred_variance(table) / max(table.shape[1], 1)
        found[missing] = _usable(pooled)
    return np.asarray(np.maximum(found, least_noise(values)))


def least_noise(values: FloatArray) -> float:
    """Return the smallest variance of scores: a share of their spread, but at least their rounding."""
    _, spread = centre_and_spread(values)
    return max(LEAST_SHARE * spread, resolution(values)) ** 2


def resolution(values: FloatArray) -> float:
    """Return the largest difference of scores by rounding alone; positive."""
    return max(_RESOLUTION * float(np.max(np.abs(values), initial=0.0)), _LEAST)


def all_equal(values: FloatArray) -> bool:
    """Whether scores differ by no more than their rounding."""
    return bool(np.ptp(values) <= resolution(values))


def centre_and_spread(values: FloatArray) -> tuple[float, float]:
    """Return the median of scores, and a robust standard deviation measured on the upper half alone.

    If most of the upper half equals the median (half of the trials fell off the same cliff), both come from the scores
    above it. With too few of them, the deviation is that of all scores.
    """
    rest = values
    while len(rest) >= _ENOUGH:
        median = float(np.median(rest))
        spread = _upper_spread(rest, median)
        if spread > 0.0:
            return median, spread
        rest = rest[rest > median]
    return (float(np.median(values)), float(np.std(values))) if len(values) else (0.0, 0.0)


def winsorise(values: FloatArray, noise: FloatArray) -> FloatArray:
    """Raise scores that are far below the rest to a floor, so that a cliff does not bend the whole surface.

    The floor is three robust standard deviations below the median. The deviation is measured on the upper half alone,
    and is at least the known noise. Without known noise, median and deviation are those of `centre_and_spread`.
    """
    if len(values) < _ENOUGH:
        return values
    known = noise[~np.isnan(noise)]
    if len(known):
        centre = float(np.median(values))
        sd = max(_upper_spread(values, centre), math.sqrt(float(np.median(known))))
    else:
        centre, sd = centre_and_spread(values)
    raised: FloatArray = np.maximum(values, centre - _WINSOR_WIDTH * sd)
    return raised


def _upper_spread(values: FloatArray, median: float) -> float:
    return _MAD_TO_SD * float(np.median(values[values >= median] - median))


def _number(value: Any) -> float:
    """Return a finite number unchanged, and NaN for any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _usable(value: Any) -> float:
    """Return a number from 0 to `MOST` unchanged, and NaN for any other value."""
    number = _number(value)
    return number if 0.0 <= number <= MOST else math.nan
