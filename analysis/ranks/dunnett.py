"""Many configurations against one baseline: Dunnett's simultaneous intervals, and a ranking table with them.

All comparisons share the baseline, so their statistics are correlated: by `l_i * l_j`, where `l_i**2` is the baseline's
part of the variance of comparison i. The distribution of the largest |t| is then a double integral (Dunnett, JASA 50,
1955). It is computed by quadrature, without simulation, for any numbers of seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from analysis.arrays import FloatArray
from analysis.comparison.estimate import TEstimate
from analysis.comparison.pair import Pair, pair
from analysis.comparison.t_tests import cautious_t, is_lopsided, stratified_t
from analysis.observations.table import Cells, TableError, summarize

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_MASS = _WEIGHTS / math.sqrt(2 * math.pi)
_MOST_LOADING = 0.99
_GRID = np.linspace(0.0, 10.0, 201)
_BY_GRID = 200
ENOUGH_SEEDS = 3
"""With this many seeds in every cell, rankings use each configuration's own noise."""


def dunnett_p(statistics: Sequence[float], loadings: Sequence[float], dof: float) -> list[float]:
    """Return single-step adjusted p values: the probability of a largest |t| at least this large.

    Args:
        statistics: Values of t (the sign does not matter); above 200 of them, p values are interpolated.
        loadings: Square root of the baseline's part of the variance of each comparison, in [0, 1].
        dof: Degrees of freedom of the common variance; infinite for a known variance.

    Returns:
        The adjusted p values, in the order of the statistics.
    """
    sizes = np.abs(np.asarray(statistics, dtype=np.float64))
    scale, mass = _scales(dof)
    shared, repeats = _distinct(loadings)
    if len(sizes) <= _BY_GRID:
        return [_exceeds(size, shared, repeats, scale, mass) for size in sizes]
    grid = np.array([_exceeds(size, shared, repeats, scale, mass) for size in _GRID])
    found = np.exp(np.interp(sizes, _GRID, np.log(np.maximum(grid, 1e-300))))
    return [float(each) for each in found]


def dunnett_critical(loadings: Sequence[float], dof: float, alpha: float = 0.05) -> float:
    """Return the |t| that the largest of all comparisons exceeds with probability alpha where there is no effect.

    Args:
        loadings: Square root of the baseline's part of the variance of each comparison, in [0, 1].
        dof: Degrees of freedom of the common variance; infinite for a known variance.
        alpha: Two-sided level of all comparisons together.
    """
    scale, mass = _scales(dof)
    shared, repeats = _distinct(loadings)
    low = float(stats.t.isf(alpha / 2, dof)) if math.isfinite(dof) else float(stats.norm.isf(alpha / 2))
    high = 2 * low + 4
    while _exceeds(high, shared, repeats, scale, mass) > alpha:
        high *= 2
    return float(
        optimize.brentq(lambda size: _exceeds(size, shared, repeats, scale, mass) - alpha, 0.9 * low, high, xtol=1e-6)
    )


def _distinct(loadings: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Return the distinct loadings, to two digits, and how often each occurs."""
    rounded = np.round(np.minimum(np.asarray(loadings, dtype=np.float64), _MOST_LOADING), 2)
    shared, repeats = np.unique(rounded, return_counts=True)
    return shared.astype(np.float64), repeats.astype(np.float64)


def _scales(dof: float) -> tuple[FloatArray, FloatArray]:
    """Return nodes and masses of the estimated standard deviation, relative to the true one."""
    if not math.isfinite(dof):
        return np.ones(1), np.ones(1)
    # A scaled chi is nearly a linear function of the normal of the same quantile, which the nodes suit.
    lower = _NODES < 0
    scale = np.where(lower, stats.chi2.ppf(special.ndtr(_NODES), dof), stats.chi2.isf(special.ndtr(-_NODES), dof))
    return np.sqrt(scale / dof), _MASS


def _exceeds(size: float, shared: FloatArray, repeats: FloatArray, scale: FloatArray, mass: FloatArray) -> float:
    """Return the probability that the largest |t| exceeds a size."""
    own = np.sqrt(1 - shared**2)[:, None, None]
    shift = shared[:, None, None] * _NODES
    edge = (size * scale)[None, :, None]
    within = special.ndtr((edge - shift) / own) - special.ndtr((-edge - shift) / own)
    all_within = np.prod(within ** repeats[:, None, None], axis=0)
    # Summing what is outside keeps small probabilities exact.
    return float(np.clip(mass @ ((1 - all_within) @ _MASS), 0.0, 1.0))


def ranking(
    observations: pd.DataFrame,
    baseline: str,
    *,
    alpha: float = 0.05,
    noise: Literal["auto", "common", "own"] = "auto",
) -> pd.DataFrame:
    """Rank configurations by mean score, each with a simultaneous interval against the baseline.

    A ranking of a search begins with its luckiest configurations and is no verdict: use `judge` on fresh seeds for one.

    Args:
        observations: See `analysis.observations.table`.
        baseline: Label of the baseline.
        alpha: Level of all intervals together.
        noise: "common" takes one variance for all cells (Dunnett's model), "own" that of each cell. "auto" is "own"
            where every cell has ENOUGH_SEEDS seeds, else "common".

    Returns:
        One row per configuration, best mean first:

        - `configuration`, `n` (observations), `cases`.
        - `mean`: mean score; where cases of the baseline are missing, the baseline's plus the effect on shared cases.
        - `effect`: difference to the baseline; 0 for the baseline itself.
        - `ci_low`, `ci_high`: simultaneous interval; `p_value`: adjusted.
        - `noise_band`: an equal configuration, taken alone, lies this close to the baseline's mean with 1 - alpha.

        The last four are NaN for the baseline, and for a configuration without a shared case.

    Raises:
        TableError: The table cannot be judged, or its noise is unknown.
    """
    cells = summarize(observations)
    base = cells.index(baseline, "baseline")
    pairs = {}
    for row in range(len(cells.configurations)):
        if row != base and ((cells.n[row] > 0) & (cells.n[base] > 0)).any():
            pairs[row] = pair(cells, base, row)
    if not pairs:
        raise TableError(f"nothing to rank: no configuration has a case in common with the baseline {baseline!r}")
    own = noise == "own" or (noise == "auto" and _enough(pairs.values()))
    columns = _own(pairs, alpha) if own else _common(cells, pairs, alpha)
    rows = [_row(cells, row, base, pairs.get(row), columns.get(row)) for row in range(len(cells.configurations))]
    table = pd.DataFrame(rows)
    reference = table.iloc[base]
    lacking = (table["cases"] < reference["cases"]) & table["effect"].notna()
    table["mean"] = table["mean"].where(~lacking, reference["mean"] + table["effect"])
    return table.sort_values(["mean", "configuration"], ascending=[False, True], kind="stable", ignore_index=True)


def _enough(pairs: Iterable[Pair]) -> bool:
    """Say whether every cell has ENOUGH_SEEDS seeds."""
    return all(min(two.baseline.n.min(), two.finalist.n.min()) >= ENOUGH_SEEDS for two in pairs)


def _row(
    cells: Cells, row: int, base: int, two: Pair | None, found: tuple[float, float, float, float] | None
) -> dict[str, object]:
    """Return the row of one configuration; `found` holds interval, p and noise band."""
    used = cells.n[row] > 0
    n = int(cells.n[row].sum())
    _, inverse, hosts = np.unique(cells.stratum_case[used], return_inverse=True, return_counts=True)
    mean = float((cells.mean[row, used] / hosts[inverse]).sum() / len(hosts)) if n else math.nan
    low, high, p_value, band = found or (math.nan,) * 4
    return {
        "configuration": cells.configurations[row],
        "n": n,
        "cases": len(hosts),
        "mean": mean,
        "effect": 0.0 if row == base else two.effect if two else math.nan,
        "ci_low": low,
        "ci_high": high,
        "p_value": p_value,
        "noise_band": band,
    }


def _own(pairs: dict[int, Pair], alpha: float) -> dict[int, tuple[float, float, float, float]]:
    """Return intervals with each cell's own variance: marginal t values, made normal by way of their p."""
    estimates = {row: _of_one(two) for row, two in pairs.items()}
    rows = [row for row, each in estimates.items() if each is not None and each.standard_error > 0]
    if not rows:
        return {}
    loadings, sizes = [], []
    for row in rows:
        two, estimate = pairs[row], estimates[row]
        assert estimate is not None  # narrowed for the type checker
        part = 0.0 if two.baseline.greedy else _variance_part(two)
        loadings.append(math.sqrt(min(1.0, part / estimate.standard_error**2)))
        sizes.append(float(-special.ndtri(max(estimate.p_value, 1e-300) / 2)))
    adjusted = dunnett_p(sizes, loadings, math.inf)
    level = 2 * float(special.ndtr(-dunnett_critical(loadings, math.inf, alpha)))
    found = {}
    for row, p_value in zip(rows, adjusted, strict=True):
        estimate = estimates[row]
        assert estimate is not None  # narrowed for the type checker
        low, high = pairs[row].cells.scale.bounded(estimate.interval(1 - level))
        band = float(stats.t.isf(alpha / 2, estimate.dof)) * estimate.standard_error
        found[row] = (low, high, max(p_value, estimate.p_value), band)
    return found


def _of_one(two: Pair) -> TEstimate | None:
    """Compare a configuration with the baseline; None where both are greedy.

    A search gives a trial few seeds and the baseline many: the more cautious t test is for trials with lucky seeds.
    """
    if not two.noisy:
        return None
    return cautious_t(two) if len(two.noisy) == 2 and is_lopsided(two) else stratified_t(two)


def _variance_part(two: Pair) -> float:
    """Return the variance of the baseline's mean, from its cells."""
    return float((two.weights**2 * two.baseline.m2 / (two.baseline.n * (two.baseline.n - 1))).sum())


def _common(cells: Cells, pairs: dict[int, Pair], alpha: float) -> dict[int, tuple[float, float, float, float]]:
    """Return intervals with one variance for all cells."""
    variance, dof = common_variance(cells)
    rows = list(pairs)
    errors, loadings = [], []
    for two in pairs.values():
        of_baseline = two.baseline.spread(two.weights)
        of_finalist = two.finalist.spread(two.weights)
        errors.append(math.sqrt(variance * (of_baseline + of_finalist)))
        loadings.append(math.sqrt(of_baseline / (of_baseline + of_finalist)))
    if variance == 0:
        return {}
    statistics = [two.effect / error for two, error in zip(pairs.values(), errors, strict=True)]
    adjusted = dunnett_p(statistics, loadings, dof)
    critical = dunnett_critical(loadings, dof, alpha)
    alone = float(stats.t.isf(alpha / 2, dof))
    return {
        row: (
            *cells.scale.bounded((pairs[row].effect - critical * error, pairs[row].effect + critical * error)),
            p_value,
            alone * error,
        )
        for row, error, p_value in zip(rows, errors, adjusted, strict=True)
    }


def common_variance(cells: Cells) -> tuple[float, int]:
    """Return one variance for all cells, and its degrees of freedom.

    It is the variance within cells. Where nothing was repeated, it is the variance of the configuration x case
    residuals, which holds noise and interaction together.

    Raises:
        TableError: There is neither.
    """
    dof = int(np.maximum(cells.n - 1, 0).sum())
    if dof:
        return float(cells.m2.sum()) / dof, dof
    complete = cells.mean[(cells.n > 0).all(axis=1)]
    dof = (complete.shape[0] - 1) * (complete.shape[1] - 1)
    if dof < 1:
        raise TableError("the noise is unknown: no configuration was repeated; add a second seed")
    rest = complete - complete.mean(axis=1, keepdims=True) - complete.mean(axis=0) + complete.mean()
    return float((rest**2).sum()) / dof, dof
