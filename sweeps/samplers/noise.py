"""How far the mean score of a trial may lie from the truth: known, estimated from its cases, or the last resort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.variance import double_centred_variance

Array = npt.NDArray[np.float64]

MIN_SD = 1e-3
"""Smallest standard deviation that a told score is taken to have: a score cannot be known better than its rounding."""

_WINSOR_WIDTH = 3.0
_MAD_TO_SD = 1.4826


def trial_noise(attributes: Mapping[str, Any], noise_sd: float | None = None) -> float:
    """Variance of the score that a trial told, from what the trial says of itself.

    Args:
        attributes: The trial's user attributes: `n` (generations behind the score, default 1) and `noise_sd`
            (standard deviation of one generation within a case, best pooled over the study) or its square `score_var`.
        noise_sd: Standard deviation of one generation for trials that give none.

    Returns:
        `noise_sd**2 / n`; NaN if nothing is known.
    """
    n = _number(attributes.get("n"))
    sd = _number(attributes.get("noise_sd"))
    variance = _number(attributes.get("score_var")) if math.isnan(sd) else sd**2
    if math.isnan(variance):
        variance = math.nan if noise_sd is None else noise_sd**2
    return variance / (n if n >= 1 else 1.0)


def case_table(case_scores: Sequence[Any]) -> Array:
    """The `case_scores` attributes of trials as a table, shape (trials, cases).

    Args:
        case_scores: One entry per trial: a list of scores, a mapping from case to score, or None.

    Returns:
        NaN where a trial has no score. Trials with other cases, or a list of another length, than the first one that
        has scores are NaN throughout.
    """
    first = next((entry for entry in case_scores if entry), None)
    if first is None:
        return np.full((len(case_scores), 0), np.nan)
    names: Sequence[Any] = sorted(first) if isinstance(first, Mapping) else range(len(first))
    table = np.full((len(case_scores), len(names)), np.nan)
    for row, entry in zip(table, case_scores, strict=True):
        if isinstance(entry, Mapping) != isinstance(first, Mapping) or not entry or len(entry) != len(names):
            continue
        row[:] = [_number(entry.get(name) if isinstance(entry, Mapping) else entry[name]) for name in names]
    return table


def noise_variances(attributes: Sequence[Mapping[str, Any]], values: Array, noise_sd: float | None = None) -> Array:
    """Variance of each trial's told score, shape (trials,), positive.

    In this order: what the trial says (`trial_noise`), the double-centred residuals of the trials' `case_scores`, and,
    with nothing to go by, a third of the variance of the scores themselves.
    """
    found: Array = np.array([trial_noise(own, noise_sd) for own in attributes], dtype=float)
    missing = np.isnan(found)
    if missing.any():
        table = case_table([own.get("case_scores") for own in attributes])
        pooled = double_centred_variance(table) / max(table.shape[1], 1)
        if math.isnan(pooled):
            pooled = float(np.var(values)) / 3.0
        found[missing] = pooled
    return np.asarray(np.maximum(found, MIN_SD**2))


def winsorise(values: Array, noise: Array) -> Array:
    """Raise scores that are far below the rest to a floor, so that a cliff does not bend the whole surface.

    The floor is three robust standard deviations below the median, the deviation being measured on the upper half
    alone and never taken smaller than the noise.
    """
    if len(values) < 4:
        return values
    median = float(np.median(values))
    above = values[values >= median] - median
    sd = max(_MAD_TO_SD * float(np.median(above)), math.sqrt(float(np.median(noise))))
    raised: Array = np.maximum(values, median - _WINSOR_WIDTH * sd)
    return raised


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return math.nan
    return float(value)
