"""Small tables drawn from the observations, for the report and the plots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.observations.case_offsets import cells_of, means_over_cases
from analysis.observations.table import COLUMNS

LEVEL_COLUMNS = {"1-2": "lv12", "1": "lv1", "2": "lv2", "3": "lv3", "4": "lv4", "5": "lv5"}
"""Levels as a person names them, and their columns; 1 and 2 together first, as that is the figure that matters most."""

FINISHES = ("stop", "length", "repeat", "error")
_COUNTS = r"^\s*(?P<covered>\d+)\s*/\s*(?P<total>\d+)\s*$"
_MEANS = ("words", "prompt_tokens", "output_tokens", "seconds")


def usable(observations: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a score: no errors, no blanks."""
    keep = observations["score"].notna()
    if "finish" in observations:
        keep &= observations["finish"] != "error"
    return observations[keep]


def confirmation(observations: pd.DataFrame, configurations: Sequence[str]) -> pd.DataFrame:
    """The rows that a verdict rests on: stage `confirm`, or all rows where there is no such stage."""
    rows = observations[observations["configuration"].isin(configurations)]
    fresh = rows[rows["stage"] == "confirm"] if "stage" in rows else rows
    return fresh if set(fresh["configuration"]) == set(configurations) else rows


def search(observations: pd.DataFrame) -> pd.DataFrame:
    """The rows of the search: stage `explore`, or all rows where the table has no stages."""
    return observations[observations["stage"] == "explore"] if "stage" in observations else observations


def request_seconds(observations: pd.DataFrame) -> pd.Series[Any]:
    """Seconds of each request itself: neither the wait for the server nor the load of the model."""
    seconds = observations["seconds"].astype(float)
    for part in ("queue_seconds", "load_seconds"):
        if part in observations:
            seconds = seconds - observations[part].astype(float).fillna(0.0)
    return seconds


def without_luck(observations: pd.DataFrame, picked: Collection[str]) -> pd.DataFrame:
    """All rows, but of picked configurations that have fresh ones only these: they were picked for the others."""
    if "stage" not in observations:
        return observations
    confirms = observations["stage"] == "confirm"
    fresh = set(observations.loc[confirms, "configuration"]) & set(picked)
    return observations[~observations["configuration"].isin(fresh) | confirms]


def summary(observations: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration.

    Returns:
        A frame indexed by configuration: `trial`, `n` (usable generations), `cases`, `mean` (the mean over cases of the
        case's mean score; of a configuration that lacks cases allowing for how hard the others are found to be, see
        `offsets`), means of words, tokens and seconds, and the shares `cut` (ended by num_predict), `repeats`
        (stopped for repeating) and `truncated` (prompt cut), as far as the table has these columns. Ordered by mean,
        best first.
    """
    rows = usable(observations)
    groups = rows.groupby("configuration", observed=True)
    table = pd.DataFrame(
        {
            "trial": groups["trial"].min() if "trial" in rows else -1,
            "n": groups.size(),
            "cases": groups["case"].nunique(),
            "mean": means_over_cases(cells_of(rows)),
        }
    )
    for column in _MEANS:
        if column in rows:
            table[column] = groups[column].mean()
    if "finish" in rows:
        table["cut"] = (rows["finish"] == "length").groupby(rows["configuration"], observed=True).mean()
        table["repeats"] = (rows["finish"] == "repeat").groupby(rows["configuration"], observed=True).mean()
    if "truncated" in rows:
        table["truncated"] = rows["truncated"].astype(bool).groupby(rows["configuration"], observed=True).mean()
    ordered: pd.DataFrame = table.sort_values(["mean", "n"], ascending=False, kind="stable")
    return ordered


def within_sd(observations: pd.DataFrame) -> float:
    """Standard deviation of the scores within case (and host), pooled; NaN where no cell has two."""
    rows = usable(observations)
    cells = rows.groupby([name for name in ("case", "host") if name in rows], observed=True)["score"]
    degrees = float((cells.size() - 1).sum())
    squares = float(((cells.size() - 1) * cells.var().fillna(0.0)).sum())
    return (squares / degrees) ** 0.5 if degrees > 0 else float("nan")


def swept(observations: pd.DataFrame) -> list[str]:
    """The columns that differ between configurations: options, and prompt and model where they vary."""
    options = [name for name in observations.columns if name not in COLUMNS or name in ("model", "prompt")]
    first = observations.drop_duplicates("configuration")
    return [str(name) for name in options if len(first[name].drop_duplicates()) > 1]


def case_means(observations: pd.DataFrame, configurations: Sequence[str]) -> pd.DataFrame:
    """Mean score and standard error per case and configuration.

    Returns:
        A frame indexed by (case, configuration) with `mean`, `sd`, `n` and `se` (NaN for a single generation).
    """
    rows = usable(observations[observations["configuration"].isin(configurations)])
    cells = rows.groupby(["case", "configuration"], observed=True)["score"]
    table = pd.DataFrame({"mean": cells.mean(), "sd": cells.std(), "n": cells.size()})
    return table.assign(se=table["sd"] / np.sqrt(table["n"]))


def levels(observations: pd.DataFrame, by: Sequence[str] = ("configuration",)) -> pd.DataFrame:
    """Covered and total items per level.

    Args:
        observations: With columns lv1..lv5 and lv12 of the form `3/5`.
        by: Columns to group by.

    Returns:
        A frame indexed by `by` and `level` ("1-2", "1" .. "5"): `covered` and `total` (mean number of items per
        generation) and `share` (0 to 1). Levels without items are left out; empty if the table has no level columns.
    """
    rows = usable(observations)
    parts = []
    for level, column in LEVEL_COLUMNS.items():
        if column not in rows:
            continue
        counts = (
            rows[column]
            .astype("string")
            .str.extract(r"^\s*(?P<covered>\d+)\s*/\s*(?P<total>\d+)\s*$")
            .astype("Float64")
        )
        grouped = counts.groupby([rows[name] for name in by], observed=True).mean()
        parts.append(grouped.assign(level=level))
    if not parts:
        return pd.DataFrame(columns=["covered", "total", "share"])
    table = pd.concat(parts)
    table = table[table["total"].fillna(0) > 0].set_index("level", append=True).astype(float)
    table["share"] = table["covered"] / table["total"]
    return table


def endings(observations: pd.DataFrame) -> dict[str, int]:
    """How generations ended: counts by `stop`, `length`, `repeat`, `error`, and `truncated` prompts."""
    finish = observations["finish"] if "finish" in observations else pd.Series(dtype=str)
    found = {name: int((finish == name).sum()) for name in FINISHES}
    found["truncated"] = int(observations["truncated"].astype(bool).sum()) if "truncated" in observations else 0
    return found


def trials(observations: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The summary of the search's configurations without the baseline."""
    table = summary(search(observations))
    return table[table.index != baseline]


def base(observations: pd.DataFrame, baseline: str) -> pd.Series[Any]:
    """The baseline from all its generations: it was not picked by its score, so none of them is biased."""
    return summary(observations[observations["configuration"] == baseline]).iloc[0]


def fresh(observations: pd.DataFrame, finalist: str | None) -> pd.Series[Any] | None:
    """The finalist's summary on its fresh generations; None if it has none."""
    if finalist is None or "stage" not in observations:
        return None
    rows = observations[(observations["configuration"] == finalist) & (observations["stage"] == "confirm")]
    return summary(rows).iloc[0] if len(usable(rows)) else None
