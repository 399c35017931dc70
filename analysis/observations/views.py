"""Small tables made from the observations, for the report and the plots."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray
from analysis.observations.case_offsets import cells_of, means_over_cases
from analysis.observations.marks import says
from analysis.observations.table import COLUMNS, codes_of

LEVEL_COLUMNS = {"1-2": "lv12", "1": "lv1", "2": "lv2", "3": "lv3", "4": "lv4", "5": "lv5"}
"""Levels as people name them, with their columns; 1 and 2 together come first, as the figure that matters most."""

FINISHES = ("stop", "length", "repeat", "empty", "error")
_COUNTS = re.compile(r"\s*(?P<covered>\d+)\s*/\s*(?P<total>\d+)\s*", re.ASCII)
_SHARES = {"cut": "length", "repeats": "repeat", "empty": "empty"}
_MEANS = ("words", "prompt_tokens", "output_tokens", "answer_tokens", "thinking_tokens", "seconds")
_SUMMARISED = ("configuration", "trial", "case", "score", "finish", "truncated", *_MEANS)
_ON_SCORES = ("configuration", "host", "case", "score", "finish")


def columns_of(observations: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return the named columns, as far as the table has them: to pick rows takes time for each column."""
    return observations[[name for name in names if name in observations]]


def summarised(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that `summary` reads, with the stage: to pick rows copies every column there is."""
    return columns_of(observations, "stage", *_SUMMARISED)


def usable(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a score and are no errors."""
    keep = observations["score"].notna()
    if "finish" in observations:
        keep &= observations["finish"] != "error"
    return observations[keep]


class ByConfiguration:
    """The usable rows of a table by configuration: each is looked up once, however many arms are compared."""

    def __init__(self, observations: pd.DataFrame) -> None:
        keep = observations["score"].notna().to_numpy(dtype=bool) & ~says(observations, "finish", "error")
        self._table, places = observations, np.flatnonzero(keep)
        codes, labels = codes_of(observations["configuration"].iloc[places], "configuration")
        ends = np.cumsum(np.bincount(codes, minlength=len(labels)))
        parts = np.split(places[np.argsort(codes, kind="stable")], ends[:-1])
        self._places = dict(zip(labels, parts, strict=False))  # without rows there is one part and no label

    def of(self, *labels: str) -> pd.DataFrame:
        """Return the rows of some configurations."""
        return self._table.iloc[np.sort(np.concatenate([self._places[label] for label in labels]))]


def confirmation(observations: pd.DataFrame, configurations: Sequence[str]) -> pd.DataFrame:
    """Return the rows behind a verdict: those of stage `confirm`, or all where some configuration has none."""
    rows = observations[observations["configuration"].isin(configurations)]
    fresh = rows[rows["stage"] == "confirm"] if "stage" in rows else rows
    return fresh if set(fresh["configuration"]) == set(configurations) else rows


def search(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the search: stage `explore`, or all rows where the table has no stages."""
    return observations[observations["stage"] == "explore"] if "stage" in observations else observations


def request_seconds(observations: pd.DataFrame) -> pd.Series[Any]:
    """Return the seconds of each request, without the wait for the server and the load of the model."""
    seconds = observations["seconds"].astype(float)
    for part in ("queue_seconds", "load_seconds"):
        if part in observations:
            seconds = seconds - observations[part].astype(float).fillna(0.0)
    return seconds


def without_luck(observations: pd.DataFrame, picked: Collection[str]) -> pd.DataFrame:
    """Return all rows, except for the rows of the search by which a configuration was picked.

    Args:
        observations: See `analysis.observations.table`.
        picked: Labels of configurations of which only the fresh rows (stage `confirm`) stay, where there are any.
    """
    if "stage" not in observations:
        return observations
    confirms = observations["stage"] == "confirm"
    fresh = set(observations.loc[confirms, "configuration"]) & set(picked)
    return observations[~observations["configuration"].isin(fresh) | confirms]


def summary(observations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per configuration.

    Returns:
        A frame indexed by configuration, best mean first, as far as the table has these columns:

        - `trial`, `n` (usable generations), `cases`.
        - `mean`: mean over cases of the case's mean score; missing cases are allowed for (`case_offsets`).
        - Means of words, tokens and seconds.
        - Shares `cut` (ended by num_predict), `repeats` (stopped for repeating) and `truncated` (prompt cut).
    """
    rows = usable(columns_of(observations, *_SUMMARISED))
    groups = rows.groupby("configuration", observed=True)
    table = pd.DataFrame(
        {
            "trial": groups["trial"].min() if "trial" in rows else -1,
            "n": groups.size(),
            "cases": groups["case"].nunique(),
            "mean": means_over_cases(cells_of(rows)),
        }
    )
    means = [column for column in _MEANS if column in rows]
    flags = {}
    if "finish" in rows:
        flags = {name: rows["finish"] == finish for name, finish in _SHARES.items()}
    if "truncated" in rows:
        flags["truncated"] = rows["truncated"].astype(bool)
    # One mean over several columns: the time goes into grouping, not into adding up.
    if means:
        table[means] = groups[means].mean()
    if flags:
        table[list(flags)] = pd.DataFrame(flags).groupby(rows["configuration"], observed=True).mean()
    ordered: pd.DataFrame = table.sort_values(["mean", "n"], ascending=False, kind="stable")
    return ordered


def within_sd(observations: pd.DataFrame) -> float:
    """Return the pooled standard deviation of the scores within case (and host); NaN where no cell has two."""
    rows = usable(columns_of(observations, *_ON_SCORES))
    cells = rows.groupby([name for name in ("case", "host") if name in rows], observed=True)["score"]
    degrees = float((cells.size() - 1).sum())
    squares = float(((cells.size() - 1) * cells.var().fillna(0.0)).sum())
    return (squares / degrees) ** 0.5 if degrees > 0 else float("nan")


def swept(observations: pd.DataFrame) -> list[str]:
    """Return the columns that differ between configurations: options, and prompt and model where they vary."""
    options = [name for name in observations.columns if name not in COLUMNS or name in ("model", "prompt")]
    first = observations.drop_duplicates("configuration")
    return [str(name) for name in options if len(first[name].drop_duplicates()) > 1]


def case_means(observations: pd.DataFrame, configurations: Sequence[str]) -> pd.DataFrame:
    """Return mean score and standard error per case and configuration.

    Returns:
        A frame indexed by (case, configuration) with `mean`, `sd`, `n` and `se` (NaN for a single generation).
    """
    rows = usable(columns_of(observations, *_ON_SCORES))
    rows = rows[rows["configuration"].isin(configurations)]
    cells = rows.groupby(["case", "configuration"], observed=True)["score"]
    table = pd.DataFrame({"mean": cells.mean(), "sd": cells.std(), "n": cells.size()})
    return table.assign(se=table["sd"] / np.sqrt(table["n"]))


def levels(observations: pd.DataFrame, by: Sequence[str] = ("configuration",)) -> pd.DataFrame:
    """Return covered and total items per level.

    Args:
        observations: With columns lv1..lv5 and lv12 of the form `3/5`.
        by: Columns to group by.

    Returns:
        A frame indexed by `by` and `level` ("1-2", "1" to "5"): `covered` and `total` (mean number of items per
        generation) and `share` (in [0, 1]). Levels without items are left out; it is empty without such columns.
    """
    rows = usable(columns_of(observations, *by, "score", "finish", *LEVEL_COLUMNS.values()))
    columns = {level: column for level, column in LEVEL_COLUMNS.items() if column in rows}
    if not columns:
        return pd.DataFrame(columns=["covered", "total", "share"])
    counts = {
        (level, name): values for level, column in columns.items() for name, values in _counts(rows[column]).items()
    }
    means = pd.DataFrame(counts, index=rows.index).groupby([rows[name] for name in by], observed=True).mean()
    table: pd.DataFrame = pd.concat([means[level].assign(level=level) for level in columns])
    table = table[table["total"].fillna(0) > 0].set_index("level", append=True)
    table["share"] = table["covered"] / table["total"]
    return table


def _counts(cells: pd.Series[Any]) -> dict[str, FloatArray]:
    """Return both numbers of cells such as `3/5`, NaN where a cell has another form; equal cells are read once."""
    places, distinct = pd.factorize(cells.astype("string"))
    found = [_COUNTS.fullmatch(cell) for cell in distinct]
    read = [(float(match["covered"]), float(match["total"])) if match else (math.nan, math.nan) for match in found]
    pairs = np.array([*read, (math.nan, math.nan)])[places]  # the last one is that of missing cells, whose place is -1
    return {"covered": pairs[:, 0], "total": pairs[:, 1]}


def level_cell(table: pd.DataFrame, where: tuple[str, ...]) -> dict[str, float] | None:
    """Return one row of `levels` as `covered`, `total` and `share`; None where there is none."""
    if where not in table.index:
        return None
    found = table.loc[[where]].iloc[0]
    return {name: float(found[name]) for name in ("covered", "total", "share")}


def endings(observations: pd.DataFrame) -> dict[str, int]:
    """Return the numbers of generations that of each of `FINISHES`, and of `truncated` prompts."""
    finish = observations["finish"] if "finish" in observations else pd.Series(dtype=str)
    found = {name: int((finish == name).sum()) for name in FINISHES}
    found["truncated"] = int(observations["truncated"].astype(bool).sum()) if "truncated" in observations else 0
    return found


def trials(observations: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return the summary of the search's configurations without the baseline."""
    table = summary(search(columns_of(observations, "stage", *_SUMMARISED)))
    return table[table.index != baseline]


def base(observations: pd.DataFrame, baseline: str) -> pd.Series[Any]:
    """Return the summary of the baseline from its fresh generations, as in the verdict; without any from all."""
    rows = columns_of(observations, "stage", *_SUMMARISED)
    own = rows[rows["configuration"] == baseline]
    return summary(confirmation(own, [baseline])).iloc[0]


def fresh(observations: pd.DataFrame, finalist: str | None) -> pd.Series[Any] | None:
    """Return the finalist's summary on its fresh generations; None if it has none."""
    rows = _fresh_rows(observations, finalist)
    return None if rows is None else summary(rows).iloc[0]


def has_fresh(observations: pd.DataFrame, configuration: str | None) -> bool:
    """Return whether a configuration has usable fresh generations, so that `fresh` has a summary."""
    return _fresh_rows(observations, configuration) is not None


def _fresh_rows(observations: pd.DataFrame, configuration: str | None) -> pd.DataFrame | None:
    if configuration is None or "stage" not in observations:
        return None
    rows = usable(columns_of(observations, "stage", *_SUMMARISED))
    rows = rows[(rows["configuration"] == configuration) & (rows["stage"] == "confirm")]
    return rows if len(rows) else None
