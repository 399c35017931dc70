"""Columns that mark rows, and groups of rows, of a table of observations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.arrays import BoolArray, IntArray

SEARCHES = ("explore", "search")
"""Stages of a search: a configuration may have been picked for its scores there."""


def says(observations: pd.DataFrame, column: str, value: str) -> BoolArray:
    """Return in which rows a column has a value, shape (rows,); nowhere if there is no such column."""
    if column not in observations.columns:
        return np.zeros(len(observations), dtype=bool)
    same = (observations[column] == value).fillna(False)  # a missing text compares as neither true nor false
    return np.asarray(same.to_numpy(dtype=bool), dtype=bool)


def all_rows(observations: pd.DataFrame, column: str, value: float, group: IntArray, groups: int) -> BoolArray:
    """Say per group whether a column has a value in every row, shape (groups,)."""
    if column not in observations.columns:
        return np.zeros(groups, dtype=bool)
    numbers = pd.to_numeric(observations[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    other = np.bincount(group, weights=(numbers != value).astype(np.float64), minlength=groups)
    return np.asarray(other == 0, dtype=bool)


def searched_groups(observations: pd.DataFrame, group: IntArray, groups: int) -> BoolArray:
    """Say per group whether some row comes from a search, shape (groups,)."""
    if "stage" not in observations.columns:
        return np.zeros(groups, dtype=bool)
    codes, stages = pd.factorize(observations["stage"])
    search = np.array([str(stage).strip().lower() in SEARCHES for stage in stages] + [False])  # -1 is no stage
    return np.asarray(np.bincount(group[search[codes]], minlength=groups) > 0, dtype=bool)
