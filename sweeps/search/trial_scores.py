"""The value of a trial from its scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sweeps.config.tables import ConstraintsTable
from sweeps.scoring.quantities import QUANTITIES, Row, means_of
from sweeps.search.trial import Penalty, TrialResult

LARGEST_EXCESS = 2.0
"""Cap on an excess over a limit. At three times the limit a trial is hopeless, and a larger penalty would make the
differences between all other trials look small."""


def violation(means: Mapping[str, float], limits: Mapping[str, float]) -> float:
    """Sum of the excesses of means over their limits: 0.14 for 171 words where 150 are allowed.

    Excesses of words, tokens and seconds are multiples of the limit; those of shares are differences, since a limit may
    be 0. Each counts up to `LARGEST_EXCESS`. An unknown mean has no excess.
    """
    excesses = (QUANTITIES[name].excess(means[name], limit) for name, limit in limits.items())
    return sum(min(max(excess, 0.0), LARGEST_EXCESS) for excess in excesses if not math.isnan(excess))


def penalised(result: TrialResult, rows: Sequence[Row], table: ConstraintsTable) -> TrialResult:
    """A trial's result for the search: the score less `weight` times the violation.

    Means of few generations scatter, so that the penalty near a limit is smooth on average; see "Limits" in
    `docs/statistics.md`.

    Args:
        result: The trial's scores.
        rows: Its rows.
        table: The limits; without limits the result stays as it is.
    """
    if not table.limits or math.isnan(result.value):
        return result
    means = means_of(rows, list(table.limits))
    penalty = Penalty(result.value, result.noise_sd, means, violation(means, table.limits), table.weight)
    return replace(
        result,
        value=result.value - penalty.lost,
        case_scores=[score - penalty.lost for score in result.case_scores],
        penalty=penalty,
    )


def trial_result(
    rows: Sequence[Mapping[str, Any]],
    cases: Sequence[str],
    noise_sd: float | None = None,
    *,
    offsets: Mapping[str, float] | None = None,
) -> TrialResult:
    """Means of one trial's observations.

    Args:
        rows: Its rows of the observations table, of one stage.
        cases: Names of all cases.
        noise_sd: The floor's within-case standard deviation; None to pool it from these rows.
        offsets: How much easier each case is than the mean case (`analysis.observations.case_offsets`), where trials
            differ in cases.

    Returns:
        The result. Its value is NaN where half of its cases or more have no score. With `offsets` its cases are the
        cases of its rows, else all cases, since a mean over some cannot be compared with means over all.
    """
    by_case: dict[str, list[float]] = {case: [] for case in cases}
    for row in rows:
        if not math.isnan(row["score"]):
            by_case[row["case"]].append(row["score"])
    scores = [np.array(by_case[case]) for case in cases]
    means = [float(s.mean()) if s.size else math.nan for s in scores]
    short = any(math.isnan(mean) for mean in means)
    level = (offsets or {}) if short else {}  # over all cases the offsets add up to 0
    have = [mean - level.get(case, 0.0) for case, mean in zip(cases, means, strict=True) if not math.isnan(mean)]
    wanted = len(cases) if offsets is None else len({row["case"] for row in rows})
    value = float(np.mean(have)) if 2 * len(have) > wanted else math.nan
    if noise_sd is None:
        squares = sum(float(((s - s.mean()) ** 2).sum()) for s in scores if s.size)
        dof = sum(s.size - 1 for s in scores if s.size)
        noise_sd = math.sqrt(squares / dof) if dof else 0.0
    return TrialResult(value, sum(s.size for s in scores), means, noise_sd)
