"""Boundaries of group-sequential looks: the part of alpha that each look spends.

A test at each look spends part of alpha in O'Brien and Fleming's shape (Biometrics 35, 1979): next to nothing early,
nearly all at the end. The parts follow the spending function of Lan and DeMets (Biometrika 70, 1983), for looks at any
distance, or O'Brien and Fleming's own constants. Boundaries come from integrating the density of the comparisons that
have not stopped yet (Armitage, McPherson and Rowe 1969). They hold for normal statistics with independent increments; a
t test enters by its p value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import optimize, special

from analysis.arrays import FloatArray

Shape = Literal["spending", "obrien-fleming"]
LARGEST = 9.0
"""A boundary at this many standard errors is never crossed."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


def _tails(bound: float, before: float, now: float, at: FloatArray, mass: FloatArray) -> float:
    """Return the probability of |Z| >= bound at information `now`, given the density at the look `before`."""
    edge, step = bound * math.sqrt(now), math.sqrt(now - before)
    return float(mass @ (special.ndtr((at - edge) / step) + special.ndtr((-edge - at) / step)))


def _survivors(
    bound: float, before: float, now: float, at: FloatArray, mass: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return nodes and probability masses of the comparisons that have not stopped after a look."""
    edge, step = bound * math.sqrt(now), math.sqrt(now - before)
    nodes = edge * _NODES
    density = np.exp(-0.5 * ((nodes[:, None] - at[None, :]) / step) ** 2) @ mass / (step * math.sqrt(2 * math.pi))
    return nodes, edge * _WEIGHTS * density


def spent(alpha: float, fraction: float) -> float:
    """Return the part of alpha that is spent at an information fraction (Lan and DeMets, O'Brien-Fleming type).

    Two-sided alpha is two one-sided halves, each spent as `2 - 2 * Phi(z / sqrt(fraction))` with z for a quarter of
    alpha.
    """
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / math.sqrt(fraction)))


@functools.lru_cache(maxsize=4096)
def boundaries(fractions: tuple[float, ...], alpha: float, shape: Shape = "spending") -> tuple[float, ...]:
    """Return the boundary of |Z| at each look.

    Args:
        fractions: Information at each look as a fraction of the last, ascending; the last is 1.
        alpha: Two-sided level of all looks together.
        shape: "spending" (Lan and DeMets), or "obrien-fleming" (constant / sqrt(fraction)).

    Returns:
        A boundary per look, in standard errors; LARGEST where a look spends next to nothing.
    """
    if shape == "obrien-fleming":
        start = float(-special.ndtri(alpha / 2))
        constant = optimize.brentq(
            lambda c: sum(exits(fractions, [c / math.sqrt(each) for each in fractions])) - alpha,
            start - 1e-9,
            3 * start + 3,
        )
        return tuple(float(constant) / math.sqrt(each) for each in fractions)
    at, mass, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    found: list[float] = []
    for now in fractions:
        share = spent(alpha, now) - used
        used += share
        if _tails(LARGEST, before, now, at, mass) >= share:
            bound = LARGEST
        else:
            bound = float(
                optimize.brentq(
                    lambda c, b=before, n=now, a=at, m=mass, s=share: _tails(c, b, n, a, m) - s, 0.0, LARGEST
                )
            )
        found.append(bound)
        at, mass = _survivors(bound, before, now, at, mass)
        before = now
    return tuple(found)


def exits(fractions: Sequence[float], bounds: Sequence[float]) -> list[float]:
    """Return the probability of stopping at each look where there is no effect."""
    at, mass, before = np.zeros(1), np.ones(1), 0.0
    found = []
    for now, bound in zip(fractions, bounds, strict=True):
        found.append(_tails(bound, before, now, at, mass))
        at, mass = _survivors(bound, before, now, at, mass)
        before = now
    return found
