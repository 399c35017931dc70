"""The Pareto front: configurations that no other beats on both score and cost.

A trial's mean comes from few generations, and the best of many such means is partly luck. So every mean is first drawn
towards the mean of all trials, by as much as its noise demands (`shrink`). The result is the score to expect from fresh
generations; the front is drawn through these scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.arrays import BoolArray, FloatArray
from analysis.noise.variance_components import double_centred_variance
from analysis.observations import views
from analysis.observations.case_offsets import cells_of, means_over_cases
from analysis.observations.table import TableError, require_columns

COSTS = ("output_tokens", "words", "seconds")
"""Costs for a front: output tokens, words, and the seconds of the request itself (`views.request_seconds`)."""

_READ = ("configuration", "trial", "stage", "host", "case", "score", "finish", *COSTS, "queue_seconds", "load_seconds")
_WINSOR_WIDTH = 2.5
_MAD_TO_SD = 1.4826
_GRID = 100
_MOST_CELLS = 100_000  # of a table of grid x means


def front_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `expected` that are on the front, in their order and without the column `front`."""
    return table[table["front"]].drop(columns="front").reset_index(drop=True)


def _columns(costs: Sequence[str]) -> list[str]:
    """Return the columns of `expected`, without `front`."""
    named = [column for cost in costs for column in (cost, f"{cost}_se")]
    return ["configuration", "trial", "n", "cases", "mean", "score", "se", *named, "confirmed"]


def expected(
    observations: pd.DataFrame,
    *,
    baseline: str,
    costs: Sequence[str] = ("output_tokens",),
    noise_sd: float | None = None,
) -> pd.DataFrame:
    """Return the score and cost to expect from fresh generations of each configuration.

    Where a configuration has fresh generations (stage `confirm`), only these count: it was picked for the others. So it
    is with the baseline, whose mean is then that of the verdict.

    Args:
        observations: See `analysis.observations.table`; `stage` separates fresh generations from those of the search.
        baseline: Label of the baseline.
        costs: Names from `COSTS`; the first one orders the rows.
        noise_sd: Standard deviation of a score within a case, from the baseline's floor. With None or 0 (no floor, or a
            greedy baseline's, which says nothing about the others) the noise is pooled from the table.

    Returns:
        One row per configuration, the cheapest first. No rows where the noise is unknown (no case was repeated, and
        there are not two cases), where the cost is unknown, or where the table is empty.

        - `configuration`, `trial`, `n` (generations), `cases`.
        - `mean`: mean over cases of the mean score; `score`: expected score; `se`: its standard deviation.
        - A column per cost with its expected mean, and `<cost>_se`.
        - `confirmed`: whether it has fresh generations, or is the baseline; `front`: whether it is on the front.

    Raises:
        TableError: A column is missing, or a cost is not in `COSTS`.
    """
    if len(observations) == 0:
        return pd.DataFrame(columns=[*_columns(costs), "front"]).astype({"front": bool})
    require_columns(observations, ["configuration", "case", "score"])
    for cost in costs:
        if cost not in COSTS:
            raise TableError(f"no cost {cost!r}; there are {', '.join(COSTS)}")
        require_columns(observations, [cost])
    rows = views.columns_of(observations, *_READ)
    rows = views.usable(views.without_luck(rows, set(rows["configuration"])))
    rows = rows.assign(seconds=views.request_seconds(rows)) if "seconds" in costs else rows
    table = views.summary(rows)[["trial", "n", "cases", "mean"]]
    fresh = set(rows.loc[rows["stage"] == "confirm", "configuration"]) if "stage" in rows else set()
    table["confirmed"] = [key == baseline or key in fresh for key in table.index]
    table["score"], table["se"] = _shrunk(rows, "score", table.index, noise_sd)
    for cost in costs:
        table[cost], table[f"{cost}_se"] = _shrunk(rows, cost, table.index)
    table = table.dropna(subset=["score", *costs])
    table["front"] = undominated(table["score"].to_numpy(), table[list(costs)].to_numpy())
    ordered = table.reset_index().sort_values([*costs, "score"], ascending=[*[True] * len(costs), False], kind="stable")
    return ordered[[*_columns(costs), "front"]].reset_index(drop=True)


def undominated(gain: FloatArray, costs: FloatArray) -> BoolArray:
    """Say for each point whether no other is as good in everything and better in something.

    Args:
        gain: Numbers of which more is better, shape (n,).
        costs: Numbers of which less is better, shape (n, number of costs).

    Returns:
        Truth values, shape (n,).
    """
    # Numbers that differ by rounding alone count as equal.
    losses = np.column_stack([-np.asarray(gain, dtype=float), np.asarray(costs, dtype=float)]).round(9)
    stays = np.zeros(len(losses), dtype=bool)
    front = np.empty_like(losses)  # its first `found` rows: what beats a point comes before it in this order
    found = 0
    for place in np.lexsort(losses.T[::-1]):
        own, known = losses[place], front[:found]
        if not ((known <= own).all(axis=1) & (known < own).any(axis=1)).any():
            front[found], stays[place], found = own, True, found + 1
    return stays


def shrink(means: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Draw noisy means towards their common mean, each by as much as its noise demands.

    The model: each mean is normal around its true value with a known variance, and the true values are normal around a
    common mean. The common mean and the standard deviation of the true values have flat priors, and are averaged over
    by their likelihood (Gelman et al., Bayesian Data Analysis, 2013, section 5.4). For the likelihood, means far from
    the rest are moved to two and a half robust standard deviations. Otherwise a few ruined texts would make every other
    difference look real.

    Args:
        means: The means, shape (n,).
        variances: Variance of each mean around its true value, shape (n,), at least 0.

    Returns:
        Expected true values and their standard deviations, each of shape (n,). Fewer than 3 means are not changed.
    """
    means, variances = np.asarray(means, dtype=float), np.asarray(variances, dtype=float)
    exact = variances <= 0
    fitted = _winsorised(means, variances)
    if len(means) < 3 or float(np.ptp(fitted)) == 0 or exact.all():
        return means, np.sqrt(variances)
    known = np.where(exact, 1e-6 * float(np.ptp(fitted)) ** 2, variances)
    grid = np.linspace(0.0, float(np.ptp(fitted)), _GRID)[:, None] ** 2
    # A part of the grid at a time: whole tables for thousands of means would need 50 MB.
    parts = np.array_split(grid, math.ceil(_GRID * len(means) / _MOST_CELLS))
    fits = [_fit(part, fitted, known) for part in parts]
    log_likelihood = np.concatenate([fit[2] for fit in fits])
    likely = np.exp(log_likelihood - log_likelihood.max())
    likely /= likely.sum()
    values, spread = np.zeros(len(means)), np.zeros(len(means))
    shares = np.split(likely, np.cumsum([len(part) for part in parts])[:-1])
    for share, between, (_, centre, _) in zip(shares, parts, fits, strict=True):
        values += share @ (centre + between / (between + known) * (means - centre))
    for share, between, (common, centre, _) in zip(shares, parts, fits, strict=True):
        kept = between / (between + known)
        inner = centre + kept * (means - centre)
        spread += share @ (kept * known + (1.0 - kept) ** 2 * common + (inner - values) ** 2)
    return np.where(exact, means, values), np.where(exact, 0.0, np.sqrt(spread))


def _fit(between: FloatArray, fitted: FloatArray, known: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the common mean's variance, its value, and the log likelihood, for each variance of the true values."""
    weights = 1.0 / (between + known)
    common = 1.0 / weights.sum(axis=1, keepdims=True)
    centre = common * (weights @ fitted)[:, None]
    misfit = (weights * (fitted - centre) ** 2).sum(axis=1)
    return common, centre, 0.5 * (np.log(common[:, 0]) + np.log(weights).sum(axis=1) - misfit)


def _winsorised(means: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the means, with outliers on either side moved nearer."""
    median = float(np.median(means))
    sd = max(_MAD_TO_SD * float(np.median(np.abs(means - median))), math.sqrt(float(np.median(variances))))
    return np.asarray(np.clip(means, median - _WINSOR_WIDTH * sd, median + _WINSOR_WIDTH * sd))


def _shrunk(
    rows: pd.DataFrame, column: str, keys: pd.Index[str], noise_sd: float | None = None
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Return the expected mean of a column over the cases, and its standard deviation, by configuration."""
    places = views.columns_of(rows, "configuration", "case", "host")
    known = places.assign(value=pd.to_numeric(rows[column], errors="coerce").astype(float)).dropna(subset=["value"])
    # A missing case, easy or hard, must not make a configuration look better or worse.
    by_case = cells_of(known, "value")
    cells = (1.0 / by_case["size"]).groupby("configuration", observed=True).agg(share="sum", cases="size")
    cells["own"] = means_over_cases(by_case)
    variance = noise_sd**2 if noise_sd else _noise_variance(known)
    if math.isnan(variance):
        unknown = pd.Series(math.nan, index=keys)
        return unknown, unknown
    values, deviations = shrink(
        cells["own"].to_numpy(dtype=float), variance * (cells["share"] / cells["cases"] ** 2).to_numpy(dtype=float)
    )
    return (
        pd.Series(values, index=cells.index).reindex(keys),
        pd.Series(deviations, index=cells.index).reindex(keys),
    )


def _noise_variance(rows: pd.DataFrame) -> float:
    """Return the pooled variance of the values within configuration, case and host.

    Without repeats it is the variance of the residuals around additive configurations and cases, which includes their
    interaction; NaN if there is neither.
    """
    names = [name for name in ("configuration", "case", "host") if name in rows]
    cells = rows.groupby(names, observed=True)["value"]
    degrees = int((cells.size() - 1).sum())
    if degrees:
        return float(((cells.size() - 1) * cells.var().fillna(0.0)).sum()) / degrees
    table = rows.pivot_table(index="configuration", columns="case", values="value", observed=True)
    return double_centred_variance(table.to_numpy(dtype=float))
