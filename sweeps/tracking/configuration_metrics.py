"""Metrics of a configuration, as pure functions of its observations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from analysis.arrays import FloatArray
from analysis.observations import views
from analysis.observations.case_offsets import by_name, case_offsets, cells_of, have_all_cases

LEVELS = ("lv12", "lv1", "lv2", "lv3", "lv4", "lv5")


def decisive_stages(stages: Sequence[str]) -> str:
    """Name the stages whose rows give a configuration's metrics, as `floor+explore`.

    They are the rows of `confirm` where there are any, else all: a finalist was chosen for its explore scores, so their
    mean overstates it, and the confirm scores are fresh.

    Args:
        stages: The stages of its rows, each once.
    """
    return "confirm" if "confirm" in stages else "+".join(stages)


def summarise(observations: pd.DataFrame, offsets: Mapping[str, float] | None = None) -> dict[str, float]:
    """Sum up one configuration.

    Args:
        observations: Its rows, with columns of `analysis.observations.table.COLUMNS`; missing columns give no metric.
        offsets: How much easier each case is than the mean case (`analysis.observations.case_offsets`), where
            configurations have different cases; means of scores allow for it.

    Returns:
        `mean`: mean over cases of the cases' mean scores, in [0, 1]; `sd`: pooled within-case standard deviation
        (left out without repeats); `se`: standard error of the mean from it, for these cases; `mean_low` and
        `mean_high`: the 95% interval of the mean from it (Student's t), within [0, 1]; `n`: scored generations;
        `lv1`..`lv5`, `lv12`: covered share of the items, in [0, 1]; means of `words`, `prompt_tokens`,
        `output_tokens`, `answer_tokens`, `thinking_tokens`, `seconds`; `cut_off_rate` (num_predict), `repeat_rate`,
        `empty_rate` (no answer), `error_rate`, `truncation_rate`, in [0, 1] of all rows; `mean_floor`,
        `mean_explore`, `mean_confirm` and `n_...` where there is more than one stage. The rates and the metrics of
        single stages use all rows, the others those of `decisive_stages`.
    """
    stages = list(dict.fromkeys(observations["stage"].tolist())) if "stage" in observations.columns else []
    rows = observations
    if "confirm" in stages and len(stages) > 1:
        rows = observations[observations["stage"] == "confirm"]
    metrics = _scores(rows, offsets)
    for level in LEVELS:
        if level in rows.columns and (share := _share(rows[level].tolist())) is not None:
            metrics[level] = share
    for name in ("words", "prompt_tokens", "output_tokens", "answer_tokens", "thinking_tokens", "seconds"):
        if name in rows.columns:
            values = _numbers(rows[name])
            if (known := ~np.isnan(values)).any():
                metrics[name] = float(values[known].mean())
    if len(observations):
        metrics |= _rates(observations)
    for stage in stages if len(stages) > 1 else []:
        of_stage = _scores(observations[observations["stage"] == stage], offsets)
        metrics |= {f"{name}_{stage}": of_stage[name] for name in ("mean", "n") if name in of_stage}
    return metrics


def offsets_of(observations: pd.DataFrame) -> dict[str, float] | None:
    """How much easier each case is than the mean case, in a whole study; None where all configurations have all cases.

    The rows are the same as for the means of the report.
    """
    rows = views.usable(observations)
    if "stage" in rows:
        rows = views.without_luck(rows, set(rows["configuration"]))
    cells = cells_of(rows)
    return None if have_all_cases(cells) else by_name(case_offsets(cells))


def _scores(rows: pd.DataFrame, offsets: Mapping[str, float] | None) -> dict[str, float]:
    scores = rows["score"].to_numpy(dtype=float, na_value=math.nan)
    scored = np.isfinite(scores)
    if not scored.any():
        return {"n": 0.0}
    scores = scores[scored]
    codes, names = pd.factorize(rows["case"].to_numpy()[scored])
    counts = np.bincount(codes)
    level = np.array([(offsets or {}).get(case, 0.0) for case in names])
    means = np.bincount(codes, weights=scores) / counts - level
    metrics = {"mean": float(means.mean()), "n": float(len(scores))}
    # hosts are blocks as cases are: a host's own level is no noise
    blocks = codes
    if "host" in rows.columns:
        hosts, found = pd.factorize(rows["host"].to_numpy()[scored])
        blocks = np.unique(codes * len(found) + hosts, return_inverse=True)[1]
    of_block = np.bincount(blocks)
    dof = len(scores) - len(of_block)
    if dof > 0:
        within = scores - (np.bincount(blocks, weights=scores) / of_block)[blocks]
        variance = float((within**2).sum()) / dof
        metrics["sd"] = math.sqrt(variance)
        metrics["se"] = math.sqrt(variance * float(np.sum(1 / counts))) / len(counts)
        reach = float(stdtrit(dof, 0.975)) * metrics["se"]
        metrics |= {"mean_low": max(0.0, metrics["mean"] - reach), "mean_high": min(1.0, metrics["mean"] + reach)}
    return metrics


def _numbers(column: pd.Series[Any]) -> FloatArray:
    """A column's values; NaN where there is none."""
    if column.dtype.kind not in "iuf":
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=float, na_value=math.nan)


def _share(column: Iterable[object]) -> float | None:
    """Share of covered items over texts like `3/5`; None where a level has no items."""
    pairs = [str(text).split("/") for text in column if isinstance(text, str) and text.count("/") == 1]
    covered, total = (sum(int(pair[place]) for pair in pairs if pair[place].isdecimal()) for place in (0, 1))
    return covered / total if total else None


_RATES = {"cut_off_rate": "length", "repeat_rate": "repeat", "empty_rate": "empty", "error_rate": "error"}
"""Metrics of shares of generations, with the finish that they count."""


def _rates(rows: pd.DataFrame) -> dict[str, float]:
    rates = {}
    if "finish" in rows.columns:
        finishes = rows["finish"].tolist()
        rates = {name: finishes.count(finish) / len(finishes) for name, finish in _RATES.items()}
    if "truncated" in rows.columns:
        rates["truncation_rate"] = sum(cut is True for cut in rows["truncated"].tolist()) / len(rows)
    return rates


def metric_points(
    rows: pd.DataFrame, steps: Iterable[int], start: int, offsets: Mapping[str, float] | None = None
) -> list[tuple[str, float, int, int]]:
    """Metrics of a configuration: its summary at the step of its last row, and the scores at the given steps.

    Args:
        rows: Its rows, in the order of the steps.
        steps: Steps of the scores to log.
        start: Milliseconds since 1970 of the first step.
        offsets: See `summarise`.

    Returns:
        Name, value, milliseconds and step of each point. Stamps are a millisecond apart instead of real times, so that
        the same rows logged again are the same points.
    """
    last = start + len(rows)
    points = [
        (name, value, last, len(rows)) for name, value in summarise(rows, offsets).items() if math.isfinite(value)
    ]
    scores = rows["score"].to_numpy(dtype=float, na_value=math.nan)
    points += [("score", float(scores[step]), start + step, step) for step in steps if math.isfinite(scores[step])]
    return points
