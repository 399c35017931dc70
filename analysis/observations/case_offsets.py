"""Case offsets: how much easier each case is than the others, to compare means over different cases."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray


def cells_of(observations: pd.DataFrame, column: str = "score") -> pd.DataFrame:
    """Return `mean` and `size` of a column's values, indexed by (configuration, case); NaN does not count."""
    rows = observations[observations[column].notna()]
    return rows.groupby(["configuration", "case"], observed=True)[column].agg(["mean", "size"])


def case_offsets(cells: pd.DataFrame) -> pd.Series[float]:
    """Fit a level per configuration and an offset per case, by least squares.

    This is the additive two-way layout with unequal numbers of observations (Searle, *Linear Models for Unbalanced
    Data*, 1987, chapter 4). A cell's mean is weighted by its number of observations, and the levels of the
    configurations are eliminated first. Where every configuration has every case equally often, an offset is the case's
    mean minus the grand mean.

    Args:
        cells: The result of `cells_of`.

    Returns:
        Offsets by case, with mean 0. Cases that share no configuration with the others, directly or through further
        cases, get the smallest offsets that fit.
    """
    table = cells.reset_index()
    means, counts = (table.pivot_table(index="configuration", columns="case", values=name) for name in cells.columns)
    offsets = fit_offsets(means.fillna(0.0).to_numpy(dtype=float), counts.fillna(0.0).to_numpy(dtype=float))
    return pd.Series(offsets, index=means.columns)


def by_name(offsets: pd.Series[float]) -> dict[str, float]:
    """Return offsets as a plain mapping."""
    return {str(case): float(offset) for case, offset in offsets.items()}


def have_all_cases(cells: pd.DataFrame) -> bool:
    """Say whether every configuration has all cases, so that plain means can be compared."""
    own = cells.groupby("configuration", observed=True).size()
    return bool((own == cells.index.get_level_values("case").nunique()).all())


def fit_offsets(means: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the offsets of the columns of a table of cell means, shape (columns,); see `case_offsets`.

    Args:
        means: Cell means, shape (rows, columns); any number where a cell is empty.
        counts: Observations per cell, shape (rows, columns); 0 where it is empty.
    """
    if not counts.size:
        return np.zeros(counts.shape[1])
    totals = counts.sum(axis=1)
    known = totals > 0
    means, counts, totals = means[known], counts[known], totals[known]
    levels = (counts * means).sum(axis=1) / totals
    normal = np.diag(counts.sum(axis=0)) - (counts / totals[:, None]).T @ counts
    moments = (counts * (means - levels[:, None])).sum(axis=0)
    # By singular values: the eigenvectors that some builds of OpenBLAS give for such matrices are wrong.
    offsets, *_ = np.linalg.lstsq(normal, moments, rcond=None)
    return np.asarray(offsets - offsets.mean())


def means_over_cases(cells: pd.DataFrame) -> pd.Series[float]:
    """Return the mean over cases of each configuration as if it had all cases; the plain mean where all have them.

    Args:
        cells: The result of `cells_of`.
    """
    means = cells["mean"]
    if not have_all_cases(cells):
        means = means - case_offsets(cells).reindex(cells.index.get_level_values("case")).to_numpy()
    return means.groupby("configuration", observed=True).mean()
