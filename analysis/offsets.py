"""How much harder or easier each case is than the others, so that means over different cases can be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.table import FloatArray, usable


def case_offsets(observations: pd.DataFrame, column: str = "score") -> pd.Series[float]:
    """Fit a level per configuration and an offset per case to a column, by least squares.

    This is the additive two-way layout with unequal numbers of observations (Searle, *Linear Models for Unbalanced
    Data*, 1987, chapter 4): a cell's mean counts by its number of observations, and the configurations' levels are
    eliminated first. Where every configuration has every case equally often, an offset is the case's mean less the
    grand mean.

    Args:
        observations: Columns `configuration`, `case` and the column named; see `analysis.table`.
        column: What is fitted.

    Returns:
        Offsets by case, their mean 0. Cases that no configuration joins to the others, directly or by way of others,
        cannot be told apart from the configurations and have the smallest offsets that fit.
    """
    rows = usable(observations) if column == "score" else observations[observations[column].notna()]
    means, counts = (
        rows.pivot_table(index="configuration", columns="case", values=column, aggfunc=how, observed=True)
        for how in ("mean", "size")
    )
    offsets = fit_offsets(means.fillna(0.0).to_numpy(dtype=float), counts.fillna(0.0).to_numpy(dtype=float))
    return pd.Series(offsets, index=means.columns)


def by_name(offsets: pd.Series[float]) -> dict[str, float]:
    """Offsets as a plain mapping."""
    return {str(case): float(offset) for case, offset in offsets.items()}


def has_all_cases(observations: pd.DataFrame) -> bool:
    """Whether every configuration has a score on every case that any has, so that plain means can be compared."""
    rows = usable(observations)
    found = rows.groupby("configuration", observed=True)["case"].nunique()
    return bool((found == rows["case"].nunique()).all())


def fit_offsets(means: FloatArray, counts: FloatArray) -> FloatArray:
    """Offsets of the columns of a table of cell means, shape (columns,); see `case_offsets`.

    Args:
        means: Shape (rows, columns); any number where a cell is empty.
        counts: Observations per cell, shape (rows, columns); 0 where it is empty.
    """
    if not counts.size:
        return np.zeros(counts.shape[1])
    totals = counts.sum(axis=1)
    known = totals > 0
    means, counts, totals = means[known], counts[known], totals[known]
    levels = (counts * means).sum(axis=1) / totals
    normal = np.diag(counts.sum(axis=0)) - (counts / totals[:, None]).T @ counts
    offsets = np.linalg.pinv(normal, hermitian=True) @ (counts * (means - levels[:, None])).sum(axis=0)
    return np.asarray(offsets - offsets.mean())


def adjusted_means(by_case: pd.Series[float], offsets: pd.Series[float]) -> pd.Series[float]:
    """Mean over cases of each configuration, as if it had all of them.

    Args:
        by_case: Mean of a cell, indexed by (configuration, case).
        offsets: Of all cases, their mean 0.

    Returns:
        By configuration: the plain mean over the cases where it has them all.
    """
    own = offsets.reindex(by_case.index.get_level_values("case")).to_numpy()
    return (by_case - own).groupby("configuration", observed=True).mean()
