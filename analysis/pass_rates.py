"""Reliability: how often the runs of a case reach a bar, and how often several runs in a row all do.

A mean of .7 may be a model that always scores .7, or one that scores 1 in seven runs of ten and 0 in the others. Who
runs a pipeline every night needs to know which.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from scipy import special

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.comparison.claim import Claim
from analysis.comparison.means import shares_interval
from analysis.comparison.pair import is_greedy
from analysis.formatting import count_text, decimals
from analysis.observations.scale import Scale
from analysis.observations.table import Cells, summarize

By = Literal["case", "configuration"]
USUAL_K = 3
MOST_RUNS = 100
"""Largest k of pass^k."""

_SAME = 1e-9
"""Part of the scale's width by which a score may lie below the bar: sums of weights are rounded."""


def reliability(
    observations: pd.DataFrame,
    *,
    bar: float,
    k: int = USUAL_K,
    by: By = "case",
    claim: Claim = "these-cases",
    level: float = 0.95,
    range: tuple[float, float] = (0.0, 1.0),
    lower_is_better: bool = False,
) -> pd.DataFrame:
    """Count the runs that reach a bar, and estimate pass^k: the probability that k runs of a case all reach it.

    A run reaches the bar with a score at least as good. A run that failed (`finish` is "error"), or has no score, does
    not: whoever waited for it got nothing. Seeds and texts that were made again count once, as in a verdict. The
    estimate of pass^k is unbiased: of all choices of k runs, the share whose runs all reach the bar.

    Intervals of one case are Clopper and Pearson's (1934); that of pass^k has their k-th powers as ends. Means over
    cases have the intervals of `means.shares_interval`. There n runs say as much about pass^k as n / k groups of k
    runs, which is the least that they say (Hoeffding 1948). A configuration at temperature 0 that never varies gives
    the same again: its intervals have no width.

    Args:
        observations: See `analysis.observations.table`.
        bar: Score to reach, on the scale of the metric.
        k: Number of runs that must all reach it, 1 to MOST_RUNS.
        by: "case" for a row per configuration and case, "configuration" for the means over cases.
        claim: Whether the intervals of means are for these cases or for new ones; rows by case are always of that case.
        level: Confidence level of the intervals, in (0, 1).
        range: Smallest and largest possible score.
        lower_is_better: Whether less is better. A run reaches the bar with at most this score then.

    Returns:
        Columns `configuration`, `case` (with by="configuration": `cases`, their number), `mean` (of the scores, without
        failed runs), `runs`, `reached`, `failed`, `share`, `share_low`, `share_high`, `pass_k`, `pass_k_low` and
        `pass_k_high`. `pass_k` is NaN where a case has fewer than k runs.

    Raises:
        TableError: The table cannot be used; see `table.summarize`.
        ValueError: An argument is out of its range.
    """
    scale = Scale(*range, lower_is_better)
    _check(bar, k, by, level, scale)
    cells = summarize(observations, scale=scale)
    found = []
    for row, label in enumerate(cells.configurations):
        counts = _Counts.of(cells, row, float(scale.oriented(np.array([bar]))[0]), k)
        part = counts.by_case(level) if by == "case" else counts.as_means(claim, level)
        found.append(part.assign(configuration=label))
    table = pd.concat(found, ignore_index=True)
    return table[["configuration", *(name for name in table.columns if name != "configuration")]]


@dataclass(frozen=True)
class Reliability:
    """The reliability of several configurations, for reports.

    Attributes:
        bar: Score to reach.
        k: Number of runs that must all reach it.
        cases: A row per configuration and case; see `reliability`.
        means: A row per configuration.
        lower_is_better: Whether a run reaches the bar with at most this score.
    """

    bar: float
    k: int
    cases: pd.DataFrame
    means: pd.DataFrame
    lower_is_better: bool = False

    @classmethod
    def of(cls, observations: pd.DataFrame, bar: float, k: int = USUAL_K, **options: Any) -> Reliability:
        """Measure it; `options` are those of `reliability` apart from `by`."""
        cases, means = (reliability(observations, bar=bar, k=k, by=by, **options) for by in get_args(By))
        return cls(bar, k, cases, means, bool(options.get("lower_is_better")))

    @property
    def bar_text(self) -> str:
        """The bar in words, such as `0.6 or more`."""
        return f"{self.bar:g} or {'less' if self.lower_is_better else 'more'}"

    def mean_of(self, configuration: str) -> dict[str, Any] | None:
        """The means of a configuration over its cases; None where it has no rows."""
        own = self.means[self.means["configuration"] == configuration]
        return None if own.empty else _plain(own.iloc[0].to_dict())

    def cases_of(self, configuration: str) -> list[dict[str, Any]]:
        """The cases of a configuration, those with the smallest share first."""
        own = self.cases[self.cases["configuration"] == configuration]
        return [_plain(row) for row in own.sort_values(["share", "mean", "case"]).to_dict("records")]

    def text(self, configuration: str) -> str:
        """Share and pass^k of a configuration in words; "" where it has no rows."""
        means = self.mean_of(configuration)
        if means is None:
            return ""
        failed = f", {means['failed']} of them failed" if means["failed"] else ""
        text = f"{share_text(means, 'share')} of {count_text(means['runs'], 'run')}{failed}"
        return text if self.k == 1 else f"{text}; pass^{self.k} {self.pass_text(means)}"

    def row_texts(self, row: Mapping[str, Any]) -> list[str]:
        """Mean, runs, share and, with k above 1, pass^k of a row as texts for a table."""
        mean = "–" if row["mean"] is None else f"{row['mean']:.{decimals(row['mean'])}f}"
        passed = [] if self.k == 1 else ["–" if row["pass_k"] is None else share_text(row, "pass_k")]
        return [mean, str(row["runs"]), share_text(row, "share"), *passed]

    def pass_text(self, row: Mapping[str, Any]) -> str:
        """pass^k of a row in words."""
        return share_text(row, "pass_k") if row["pass_k"] is not None else f"unknown: takes {self.k} runs of a case"

    def as_dict(self, configurations: Sequence[str]) -> dict[str, Any]:
        """Bar, k, and means and cases of some configurations by label, ready for JSON."""
        known = {label: self.mean_of(label) for label in configurations}
        return {
            "bar": self.bar,
            "k": self.k,
            "means": known,
            "cases": {label: self.cases_of(label) for label in configurations},
        }


def share_text(row: Mapping[str, Any], name: str) -> str:
    """A share of a row with its interval, such as `85% (74 to 92%)`."""
    value, low, high = (100 * row[each] for each in (name, f"{name}_low", f"{name}_high"))
    return f"{value:.0f}% ({low:.0f} to {high:.0f}%)"


def _plain(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """A row as Python's own types: numbers that do not exist are None."""
    values = {str(name): value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return {name: None if isinstance(each, float) and math.isnan(each) else each for name, each in values.items()}


def _check(bar: float, k: int, by: str, level: float, scale: Scale) -> None:
    """Raise `ValueError` for an argument of `reliability` that is out of its range."""
    if not scale.low <= bar <= scale.high:
        raise ValueError(f"bar must lie from {scale.low:g} to {scale.high:g}, not {bar}")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= MOST_RUNS:
        raise ValueError(f"k must be a whole number from 1 to {MOST_RUNS}, not {k!r}")
    if by not in get_args(By):
        raise ValueError(f"by must be one of {', '.join(get_args(By))}, not {by!r}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")


@dataclass(frozen=True)
class _Counts:
    """Runs of one configuration that reach the bar, by case; arrays have the shape (cases,)."""

    k: int
    cases: list[str]
    mean: FloatArray
    runs: IntArray
    reached: IntArray
    failed: IntArray
    greedy: bool

    @classmethod
    def of(cls, cells: Cells, row: int, bar: float, k: int) -> _Counts:
        """Count the runs of a configuration; hosts are taken together, since a run is a run."""
        least, case, n = bar - _SAME * cells.scale.width, cells.stratum_case, cells.n[row]

        def by_case(values: IntArray | FloatArray) -> FloatArray:
            return np.asarray(np.bincount(case, weights=values, minlength=len(cells.cases)), dtype=np.float64)

        good = np.array([np.count_nonzero(cells.cell_scores(row, int(i)) >= least) for i in np.arange(len(n))])
        failed, hosts = by_case(cells.lost[row]), by_case((n > 0).astype(np.int64))
        runs = by_case(n) + failed
        with np.errstate(invalid="ignore"):
            mean = by_case(cells.mean[row]) / hosts
        there: BoolArray = runs > 0
        counts = [each[there].astype(np.int64) for each in (runs, by_case(good), failed)]
        names = [name for name, has in zip(cells.cases, there, strict=True) if has]
        shown = np.array([cells.scale.shown(each) for each in mean[there]])
        return cls(k, names, shown, counts[0], counts[1], counts[2], is_greedy(cells, row))

    @property
    def share(self) -> FloatArray:
        """Share of the runs that reach the bar."""
        return np.asarray(self.reached / self.runs)

    @property
    def repeatable(self) -> bool:
        """Whether another run would end as the others did."""
        return self.greedy and bool(np.isin(self.share, (0, 1)).all())

    @property
    def pass_k(self) -> FloatArray:
        """Share of the choices of k runs in which all reach the bar; NaN for fewer than k runs."""
        if self.repeatable:
            return self.share
        steps = np.arange(self.k)
        factors = (self.reached[:, None] - steps) / np.maximum(self.runs[:, None] - steps, 1)
        return np.where(self.runs >= self.k, np.clip(factors, 0, None).prod(axis=1), np.nan)

    def by_case(self, level: float) -> pd.DataFrame:
        """A row per case."""
        tail = (1 - level) / 2
        with np.errstate(invalid="ignore"):
            low = special.betaincinv(self.reached, self.runs - self.reached + 1, tail)
            high = special.betaincinv(self.reached + 1, self.runs - self.reached, 1 - tail)
        low, high = np.where(self.reached == 0, 0.0, low), np.where(self.reached == self.runs, 1.0, high)
        if self.repeatable:
            low = high = self.share
        return pd.DataFrame(
            {
                "case": self.cases,
                "mean": self.mean,
                "runs": self.runs,
                "reached": self.reached,
                "failed": self.failed,
                "share": self.share,
                "share_low": low,
                "share_high": high,
                "pass_k": self.pass_k,
                # An unbiased estimate may be 0 although some runs reach the bar.
                "pass_k_low": np.fmin(low**self.k, self.pass_k),
                "pass_k_high": high**self.k,
            }
        )

    def as_means(self, claim: Claim, level: float) -> pd.DataFrame:
        """One row with the means over cases."""
        row: dict[str, float] = {
            "cases": len(self.cases),
            "mean": float(np.nanmean(self.mean)) if self.failed.sum() < self.runs.sum() else math.nan,
            "runs": int(self.runs.sum()),
            "reached": int(self.reached.sum()),
            "failed": int(self.failed.sum()),
        }
        weights = np.full(len(self.cases), 1 / len(self.cases))
        for name, values, counts in (("share", self.share, self.runs), ("pass_k", self.pass_k, self.runs / self.k)):
            mean = float(values.mean())
            low = high = math.nan
            if not math.isnan(mean):
                low, high = shares_interval(
                    mean, counts, weights, values, claim=claim, level=level, repeatable=self.repeatable
                )
            row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        return pd.DataFrame([row])
