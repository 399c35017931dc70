"""The A/A check: one half of a configuration's seeds against the other."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arrays import FloatArray
from analysis.comparison.estimate import TEstimate
from analysis.comparison.pair import Pair, pair
from analysis.comparison.t_tests import stratified_t
from analysis.formatting import decimals
from analysis.noise.floor import floor_of, only
from analysis.observations.marks import says
from analysis.observations.table import TableError, summarize

FALSE_ALARM = 0.01
"""Level of the A/A check and of the check for drift: they look for faults, and should seldom raise a false alarm."""


@dataclass(frozen=True)
class AACheck:
    """One half of a configuration's seeds against the other half: a difference means a fault of the set-up.

    Attributes:
        effect: Mean score of the second half minus that of the first.
        ci_low: Lower end of its interval at 1 - alpha.
        ci_high: Upper end.
        p_value: Two-sided p of the comparison of the halves.
        drift_p_value: Two-sided p of a trend of the scores over time; None without a column with the order.
        drift: Change of the score from the first to the last generation; None likewise.
        alpha: Level of each check.
        passed: Whether neither is significant.
        n_per_half: Observations in the smaller half.
        sentence: The result in words.
    """

    effect: float
    ci_low: float
    ci_high: float
    p_value: float
    drift_p_value: float | None
    drift: float | None
    alpha: float
    passed: bool
    n_per_half: int
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def aa_check(
    observations: pd.DataFrame,
    *,
    rng: np.random.Generator | None = None,
    configuration: str | None = None,
    alpha: float = FALSE_ALARM,
    order: str | None = None,
) -> AACheck:
    """Compare a configuration with itself.

    Within each case, seeds are dealt in turn to two halves, which are compared like two configurations. A trend over
    time within cases is looked for, too, where a column has the order of generation. A host that was updated or
    reconfigured half-way changes the scores.

    Args:
        observations: See `analysis.observations.table`.
        rng: Generator that deals the seeds at random instead of in turn.
        configuration: Its label; may be left out if the table has only one.
        alpha: Level of each of the two checks, between 0 and 1.
        order: Column with the order of generation (numbers or times); by default `order` or `created`, if present.

    Raises:
        TableError: Several configurations and none named, too few seeds to halve, or a column without an order.
        ValueError: `alpha` is out of its range.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    cells = summarize(observations)
    label = cells.configurations[only(cells, configuration)]
    own = observations[observations["configuration"].astype(str) == label]
    own = own[_usable(own)]
    floor = floor_of(cells, cells.index(label))
    if floor.greedy or not floor.sd:
        why = f"{label} is greedy: all its seeds give" if floor.greedy else f"all texts of a case of {label} have"
        sentence = f"{why} the same scores, so there are no halves to compare."
        return AACheck(0.0, 0.0, 0.0, 1.0, None, None, alpha, True, int(len(own) // 2), sentence)
    halves = summarize(own.assign(configuration=_halves(own, rng)))
    if len(halves.configurations) < 2:
        raise TableError(f"{label!r} has too few seeds per case to compare one half with the other: add seeds")
    two = pair(halves, 0, 1)
    estimate = _compare_halves(two)
    low, high = two.cells.scale.bounded(estimate.interval(1 - alpha))
    drift, drift_p = _drift(own, order)
    passed = estimate.p_value >= alpha and (drift_p is None or drift_p >= alpha)
    n = min(int(two.baseline.n.sum()), int(two.finalist.n.sum()))
    digits = decimals(estimate.effect, low, high)
    sentence = _aa_sentence(label, f"{estimate.effect:+.{digits}f}", estimate.p_value, alpha, drift, drift_p)
    return AACheck(estimate.effect, low, high, estimate.p_value, drift_p, drift, alpha, passed, n, sentence)


def _compare_halves(two: Pair) -> TEstimate:
    """Compare the halves within cases; where neither varies there (each has one seed, say), from case to case."""
    if any(each.dof and not each.constant for each in (two.baseline, two.finalist)):
        return stratified_t(two)
    differences = two.difference
    if len(differences) < 2:
        raise TableError("one case with two seeds is too little for an A/A check: add seeds")
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return TEstimate(float(differences.mean()), error, len(differences) - 1, "paired t on halves")


def _usable(own: pd.DataFrame) -> Any:
    """Return which rows count, by the rule of `summarize`."""
    usable = pd.to_numeric(own["score"], errors="coerce").notna().to_numpy()
    return usable & ~says(own, "finish", "error")


def _halves(own: pd.DataFrame, rng: np.random.Generator | None) -> Any:
    """Deal the rows of each stratum to two halves, in turn by seed or at random."""
    keys = [name for name in ("case", "host", "seed", "repeat") if name in own.columns]
    ordered = own.reset_index(drop=True).sort_values(keys, kind="stable")
    strata = [name for name in ("case", "host") if name in own.columns]
    if rng is not None:
        ordered = ordered.iloc[rng.permutation(len(ordered))]
    half = ordered.groupby(strata, sort=True, dropna=False).cumcount() % 2
    return np.where(half.sort_index().to_numpy() == 0, "first half", "second half")


def _drift(own: pd.DataFrame, order: str | None) -> tuple[float | None, float | None]:
    """Return the change of the score over time within strata, and its p; None without a column with the order.

    The change is the mean one from the first to the last generation of a stratum. Where cases run one after the other,
    it covers the time of one case and not the whole time.
    """
    name = order or next((each for each in ("order", "created") if each in own.columns), None)
    if name is None:
        return None, None
    if name not in own.columns:
        raise TableError(f"no column {name!r} with the order of generation")
    when = ranks(own[name])
    frame = pd.DataFrame({"when": when, "score": pd.to_numeric(own["score"]).to_numpy(dtype=np.float64)})
    strata = [own[each].astype(str).to_numpy() for each in ("case", "host") if each in own.columns]
    centred = frame - frame.groupby(strata).transform("mean")
    dof = len(frame) - frame.groupby(strata).ngroups - 1
    time, score = centred["when"].to_numpy(), centred["score"].to_numpy()
    square = float(time @ time)
    if dof < 1 or square == 0:
        return None, None
    slope = float(time @ score) / square
    error = math.sqrt(float(((score - slope * time) ** 2).sum()) / dof / square)
    p_value = 2 * float(stats.t.sf(abs(slope) / error, dof)) if error > 0 else 1.0
    time_of = frame.groupby(strata)["when"]
    return slope * float((time_of.max() - time_of.min()).mean()), p_value


def ranks(column: pd.Series) -> FloatArray:
    """Return the ranks of a column, shape (rows,); numbers written as texts count as numbers."""
    if column.isna().any():
        missing = int(column.isna().sum())
        raise TableError(
            f"column {column.name!r} is empty in {missing} of {len(column)} rows, so it has no order: fill or drop it"
        )
    numbers = pd.to_numeric(column, errors="coerce")
    try:
        ranks = (column if numbers.isna().any() else numbers).rank(method="average")
    except TypeError:
        raise TableError(
            f"column {column.name!r} mixes values that cannot be compared, so it has no order: fill or drop it"
        ) from None
    return np.asarray(ranks.to_numpy(dtype=np.float64), dtype=np.float64)


def _aa_sentence(
    label: str, effect: str, p_value: float, alpha: float, drift: float | None, drift_p: float | None
) -> str:
    """Return the result in words."""
    if drift is not None and drift_p is not None and drift_p < alpha:
        change = f"{drift:+.{decimals(drift)}f}"
        return (
            f"The scores of {label} drift: {change} from the first to the last generation of a case "
            f"(p = {drift_p:.2g}). Something on the host changed in that time: comparisons over that time are not "
            "fair."
        )
    if p_value < alpha:
        return (
            f"One half of the seeds of {label} differs from the other half by {effect} (p = {p_value:.2g}), although "
            f"nothing was changed. Chance alone does that in {100 * alpha:.3g}% of such checks: look for a fault in "
            "the set-up before you trust comparisons."
        )
    return f"One half of the seeds of {label} does not differ from the other half ({effect}, p = {p_value:.2g})."
