"""The hosts of a study, by the names that people gave them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.formatting import count_text
from analysis.observations import views
from analysis.report.costs import cost_of
from analysis.report.data import ReportData
from analysis.report.numbers import number

Row = dict[str, Any]


def host_rows(data: ReportData, fresh: pd.DataFrame, arms: list[str]) -> list[Row]:
    """A row per host: its generations, failures and speed, and on its fresh generations the score of each arm.

    Args:
        data: The study.
        fresh: The observations of the verdict.
        arms: Keys of baseline and finalist.

    Returns:
        Rows with `host` (digest), `label`, `n` (generations of all stages), `failed`, `seconds`, `tokens_per_second`,
        and per arm in `cells` the items of levels 1 and 2 and in `scores` the mean score; [] without a column `host`.
    """
    rows = data.observations
    if "host" not in rows:
        return []
    by_host = views.levels(fresh, by=("configuration", "host"))
    found = []
    for host in sorted(rows["host"].dropna().astype(str).unique(), key=data.host_label):
        own, here = rows[rows["host"] == host], fresh[fresh["host"] == host]
        cost = cost_of(own)
        means: dict[Any, float] = views.summary(here)["mean"].to_dict() if len(views.usable(here)) else {}
        found.append(
            {
                "host": host,
                "label": data.host_label(host),
                "n": len(own),
                "failed": len(own) - cost.n,
                "seconds": cost.seconds,
                "tokens_per_second": cost.tokens_per_second,
                "cells": [views.level_cell(by_host, (key, host, "1-2")) for key in arms],
                "scores": [float(means.get(key, math.nan)) for key in arms],
            }
        )
    return found


def hosts_text(data: ReportData) -> str:
    """The hosts on one line, with the generations of each: `wk-01 (48 generations, 71 tokens/s)`."""
    texts = []
    for row in host_rows(data, data.observations, []):
        speed, failed = row["tokens_per_second"], row["failed"]
        parts = [count_text(row["n"], "generation")]
        parts += [f"{number(speed, 0)} tokens/s"] if math.isfinite(speed) else []
        parts += [f"{failed} failed"] if failed else []
        texts.append(f"{row['label']} ({', '.join(parts)})")
    return "; ".join(texts)
