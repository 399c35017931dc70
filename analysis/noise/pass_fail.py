"""The interval of the noise of scores that are 0 or 1, from few of them."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from analysis.arrays import FloatArray, IntArray

_LENGTH = 2**15
"""Most values of the sum of squares that are told apart."""


def pass_fail_interval(passes: IntArray, n: IntArray, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the standard deviation within cases of scores that are 0 or 1.

    With a share q of the rarer result in each case, the deviation is sqrt(q * (1 - q)), and the sum of squares within
    cases has a known distribution, whichever result is the rarer one in a case. The ends are the q at which a sum as
    large, or as small, has half of the remaining probability (as Clopper and Pearson, 1934). It is exact where q is the
    same in all cases; "The noise floor" in `docs/statistics.md` has the coverage elsewhere.

    Args:
        passes: Number of ones of each case, shape (cases,).
        n: Number of scores of each case, the same shape; cases with one score tell nothing.
        level: Confidence level.
    """
    told = n > 1
    sizes, counts = np.unique(n[told], return_counts=True)
    largest = float((counts * sizes).sum()) / 4
    grid = min(float(sizes[0]) if len(sizes) == 1 else 60.0, _LENGTH / largest)
    observed = int(_squares(passes[told], n[told], grid).sum())
    length = int(sum(count * _squares(size // 2, size, grid) for size, count in zip(sizes, counts, strict=True))) + 1
    tail = (1 - level) / 2

    def above(q: float) -> float:
        return float(_distribution(q, sizes, counts, grid, length)[observed:].sum()) - tail

    def below(q: float) -> float:
        return float(_distribution(q, sizes, counts, grid, length)[: observed + 1].sum()) - tail

    low, high = 0.0, 0.5
    if observed > 0:
        low = float(optimize.brentq(above, 0.0, 0.5)) if above(0.5) > 0 else 0.5
    if below(0.5) < 0:
        high = float(optimize.brentq(below, 0.0, 0.5))
    return math.sqrt(low * (1 - low)), math.sqrt(high * (1 - high))


def _squares(passes: IntArray, n: IntArray, grid: float) -> IntArray:
    """Return the sums of squares of cases in steps of 1 / grid, the same shape."""
    return np.rint(grid * passes * (n - passes) / n).astype(np.int64)


def _distribution(q: float, sizes: IntArray, counts: IntArray, grid: float, length: int) -> FloatArray:
    """Return the distribution of the sum of squares over all cases, in steps of 1 / grid, shape (length,)."""
    transformed = np.ones(length // 2 + 1, dtype=np.complex128)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        k = np.arange(size + 1)
        ways = special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1)
        chance = np.exp(ways + special.xlogy(k, q) + special.xlog1py(size - k, -q))
        own = np.bincount(_squares(k, np.full_like(k, size), grid), weights=chance, minlength=length)
        transformed *= np.fft.rfft(own, length) ** count
    return np.clip(np.fft.irfft(transformed, length), 0.0, 1.0)
