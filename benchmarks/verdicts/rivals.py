"""The tests that people use today, behind one signature: rows of two arms in, a claim out.

Each is used as its own documentation shows. Where a tool compares one score for each case, it gets the means over the
seeds.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

ALPHA = 0.05


@dataclass(frozen=True)
class Rows:
    """Scores of two arms.

    Attributes:
        baseline: Shape (case, seed); NaN where a row is missing.
        candidate: The same for the second arm.
        others: Shape (set, case, seed): the sets among which the candidate was picked, if it was.
        cluster: Shape (case,): the cluster of each case, if there are clusters.
    """

    baseline: np.ndarray
    candidate: np.ndarray
    others: np.ndarray | None = None
    cluster: np.ndarray | None = None

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Both arms' means over the seeds, for the cases that both have."""
        first, second = np.nanmean(self.baseline, axis=1), np.nanmean(self.candidate, axis=1)
        both = ~np.isnan(first) & ~np.isnan(second)
        return first[both], second[both]


@dataclass(frozen=True)
class Claim:
    """A rival's answer: 1 for better, -1 for worse, 0 for neither, and its interval (NaN where it gives none)."""

    sign: int
    low: float
    high: float


def claim(p_value: float, effect: float, low: float, high: float) -> Claim:
    """A claim from a p value and the sign of the effect."""
    return Claim(int(np.sign(effect)) if p_value < ALPHA else 0, low, high)


def paired_t(rows: Rows) -> Claim | None:
    """Scipy's paired t test on the cases' means."""
    first, second = rows.means()
    found = stats.ttest_rel(second, first)
    interval = found.confidence_interval(1 - ALPHA)
    return claim(float(found.pvalue), float((second - first).mean()), float(interval.low), float(interval.high))


def welch(rows: Rows) -> Claim | None:
    """Scipy's Welch t test on all rows, whatever their case."""
    first, second = (each[~np.isnan(each)] for each in (rows.baseline, rows.candidate))
    found = stats.ttest_ind(second, first, equal_var=False)
    interval = found.confidence_interval(1 - ALPHA)
    return claim(float(found.pvalue), float(second.mean() - first.mean()), float(interval.low), float(interval.high))


def bootstrap(rows: Rows) -> Claim | None:
    """Scipy's BCa bootstrap of the cases' differences; a claim where the interval leaves out 0."""
    first, second = rows.means()
    deltas = second - first
    if np.ptp(deltas) < 1e-12:
        return None
    found = stats.bootstrap((deltas,), np.mean, n_resamples=2000, rng=np.random.default_rng(0)).confidence_interval
    low, high = float(found.low), float(found.high)
    return Claim(1 if low > 0 else -1 if high < 0 else 0, low, high)


def _mlflow() -> Callable[[Rows], Claim | None]:
    """MLflow's rule behind `genai.compare_evaluations`, on the cases' means; it needs 6 pairs."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.genai.evaluation.comparison.paired_comparison import _compare_paired_values

    logging.getLogger("mlflow.genai").setLevel(logging.ERROR)  # it warns of few pairs, table by table

    def rival(rows: Rows) -> Claim | None:
        first, second = rows.means()
        found: Any = _compare_paired_values("score", first, second, value_type="numeric")
        return None if found.status != "ok" else claim(found.p_value, found.diff, found.ci_low, found.ci_high)

    return rival


def _evalsig() -> Callable[[Rows], Claim | None]:
    """`evalsig.compare` with one item for each case and seed, or for each case with its cluster."""
    import evalsig

    def frame(name: str, scores: np.ndarray, cluster: np.ndarray | None) -> Any:
        items = [
            evalsig.ItemResult(f"{case}/{seed}", float(score), None if cluster is None else str(cluster[case]))
            for (case, seed), score in np.ndenumerate(scores)
            if not math.isnan(score)
        ]
        return evalsig.RunFrame(name, name, "task", "score", items)

    def rival(rows: Rows) -> Claim | None:
        arms = [frame(name, each, rows.cluster) for name, each in (("b", rows.baseline), ("f", rows.candidate))]
        cluster = None if rows.cluster is None else "document"
        found = evalsig.compare(*arms, cluster=cluster, n_resamples=2000)
        return claim(found.p_value, found.delta, *found.ci)

    return rival


def installed() -> tuple[dict[str, Callable[[Rows], Claim | None]], list[str]]:
    """The rivals that can run here by name, and a sentence for each of the others."""
    found = {"paired t on case means": paired_t, "Welch t on all rows": welch, "BCa bootstrap of case means": bootstrap}
    missing = []
    for name, make, hint in (
        ("MLflow compare_evaluations", _mlflow, "MLflow 3.18.0 or newer"),
        ("evalsig", _evalsig, "the package evalsig"),
    ):
        try:
            found[name] = make()
        except ImportError:
            missing.append(f"{name} needs {hint}")
    return found, missing
