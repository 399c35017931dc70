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
        Rows with `host` (digest), `label`, `about` (hardware and engine, where known), `n` (generations of all
        stages), `failed`, `seconds`, `tokens_per_second`, and per arm in `cells` the items of levels 1 and 2 and in
        `scores` the mean score; [] without a column `host`.
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
                "about": _about(data, host),
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
    """The hosts on one line, with hardware and generations of each.

    For example `wk-01: Apple M4, 16 GB, ollama 0.32.15 (48 generations, 71 tokens/s)`.
    """
    texts = []
    for row in host_rows(data, data.observations, []):
        speed, failed = row["tokens_per_second"], row["failed"]
        parts = [count_text(row["n"], "generation")]
        parts += [f"{number(speed, 0)} tokens/s"] if math.isfinite(speed) else []
        parts += [f"{failed} failed"] if failed else []
        about = f": {row['about']}" if row["about"] else ""
        texts.append(f"{row['label']}{about} ({', '.join(parts)})")
    return "; ".join(texts)


def _about(data: ReportData, host: str) -> str:
    """Processor, memory, GPUs and engine of a host, as far as its fingerprint says."""
    facts = data.fingerprints.get(host, {})
    machine, engine = facts.get("host", {}), facts.get("engine", {})
    memory, gpus = machine.get("memory_gib"), machine.get("gpus")
    parts = [machine.get("cpu"), f"{memory} GB" if isinstance(memory, (int, float)) else None]
    parts += [gpu.get("name") for gpu in gpus if isinstance(gpu, dict)] if isinstance(gpus, list) else []
    parts += [" ".join(str(engine[name]) for name in ("name", "version") if engine.get(name))]
    return ", ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part not in ("", "unknown")))
