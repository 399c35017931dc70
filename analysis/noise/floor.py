"""The noise floor: how much the score of one configuration varies from seed to seed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.comparison.pair import Arm, arm, is_greedy
from analysis.noise.pass_fail import pass_fail_interval
from analysis.observations.table import Cells, TableError, summarize


@dataclass(frozen=True)
class NoiseFloor:
    """Run-to-run noise of one configuration.

    Attributes:
        sd: Standard deviation over seeds within a case (and host), pooled.
        ci_low: Lower end of its 95% interval; see `sd_interval`, and `pass_fail_interval` for scores of 0 and 1.
        ci_high: Upper end.
        dof: Degrees of freedom, the sum over cells of (n - 1).
        n: Number of usable observations.
        cases: Number of cases.
        seeds_per_case: Mean number of observations per case.
        mean: Mean score over cases.
        greedy: Whether seeds change nothing, by the options: temperature 0, where no score varies within a case.
            Without it, an `sd` of 0 may be chance or come from empty texts; the interval allows for chance where all
            scores are 0 or 1, and is 0 to 0 elsewhere.
        configuration: Label of the configuration.
    """

    sd: float
    ci_low: float
    ci_high: float
    dof: int
    n: int
    cases: int
    seeds_per_case: float
    mean: float
    greedy: bool
    configuration: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def noise_floor(observations: pd.DataFrame, configuration: str | None = None) -> NoiseFloor:
    """Measure the run-to-run noise of one configuration.

    Args:
        observations: See `analysis.observations.table`.
        configuration: Its label; may be left out if the table has only one.

    Raises:
        TableError: Several configurations and none named, or no case has two seeds.
    """
    cells = summarize(observations)
    row = only(cells, configuration)
    return floor_of(cells, row)


def only(cells: Cells, configuration: str | None) -> int:
    """Return the row of a configuration; without a label, that of the only one.

    Raises:
        TableError: Several configurations and none named, or the named one is not there.
    """
    if configuration is None:
        if len(cells.configurations) > 1:
            raise TableError(
                f"the table has {len(cells.configurations)} configurations: name one of them "
                f"(for example {cells.configurations[0]!r})"
            )
        configuration = cells.configurations[0]
    return cells.index(configuration)


def floor_of(cells: Cells, row: int) -> NoiseFloor:
    """Return the noise floor of one row of `Cells`.

    Raises:
        TableError: No case has two seeds.
    """
    used = cells.n[row] > 0
    n = cells.n[row, used]
    own = arm(cells, row, np.flatnonzero(used), is_greedy(cells, row))
    constant, dof = own.constant, own.dof
    if not dof and not constant:
        raise TableError(
            f"{cells.configurations[row]!r} has one seed per case, so its noise is unknown: repeat it with more seeds"
        )
    square = float(cells.m2[row, used].sum())
    case = cells.stratum_case[used]
    cases, inverse, hosts = np.unique(case, return_inverse=True, return_counts=True)
    mean = float((cells.mean[row, used] / hosts[inverse]).sum()) / len(cases)
    low, high = _interval(cells, row, own)
    sd = 0.0 if constant else math.sqrt(square / dof)
    return NoiseFloor(
        sd=sd,
        ci_low=min(low, sd),
        ci_high=max(high, sd),  # no pass/fail score varies by more than .5, but the estimate from a few may
        dof=dof,
        n=int(n.sum()),
        cases=len(cases),
        seeds_per_case=float(n.sum()) / len(cases),
        mean=mean,
        greedy=own.greedy,
        configuration=cells.configurations[row],
    )


def _interval(cells: Cells, row: int, own: Arm) -> tuple[float, float]:
    """Return the 95% interval of a configuration's standard deviation within cells."""
    if own.greedy:
        return 0.0, 0.0
    used = np.flatnonzero(cells.n[row])
    scores = np.concatenate([cells.cell_scores(row, stratum) for stratum in used.tolist()])
    if ((scores == 0) | (scores == 1)).all():
        return pass_fail_interval(np.rint(own.mean * own.n).astype(np.int64), own.n)
    return (0.0, 0.0) if own.constant else sd_interval(float(own.m2.sum()), worth(cells, row))


@dataclass(frozen=True)
class Worth:
    """Degrees of freedom of a pooled variance.

    Attributes:
        dof: The sum over cells of (n - 1).
        effective: Degrees of freedom of the chi-square distribution that is as uncertain as the variance of scores like
            these; at most `dof`.
    """

    dof: int
    effective: float


def worth(cells: Cells, row: int) -> Worth:
    """Return the degrees of freedom of a configuration's pooled variance, from the kurtosis within cases.

    The variance of normal scores has `dof` degrees of freedom. With an excess kurtosis of g it is as uncertain as one
    with `dof / (1 + g * dof / (2 * n))` (Box, Biometrika 40, 1953; O'Neill, The American Statistician 68, 2014). g is
    pooled over all cells, so that cells that differ in noise raise it, too. It comes from the fourth powers of the
    residuals, whose expectation in a cell of n scores is
    `(n - 1) / n**2 * ((n**2 - 3 * n + 3) * mu4 + 3 * (2 * n - 3) * sigma**4)`. A negative g counts as 0.
    """
    fourth, of_mu4, of_sigma4 = 0.0, 0.0, 0.0
    for stratum in np.flatnonzero(cells.n[row] > 1).tolist():
        n = int(cells.n[row, stratum])
        fourth += float(((cells.cell_scores(row, stratum) - cells.mean[row, stratum]) ** 4).sum())
        of_mu4 += (n - 1) * (n * n - 3 * n + 3) / n**2
        of_sigma4 += 3 * (n - 1) * (2 * n - 3) / n**2
    repeated = cells.n[row] > 1
    count, dof = int(cells.n[row, repeated].sum()), int((cells.n[row, repeated] - 1).sum())
    sigma4 = (float(cells.m2[row, repeated].sum()) / dof) ** 2
    excess = (fourth / sigma4 - of_sigma4) / of_mu4 - 3 if sigma4 > 0 else 0.0
    return Worth(dof, dof / (1 + max(excess, 0.0) * dof / (2 * count)))


def sd_interval(square: float, known: Worth, level: float = 0.95) -> tuple[float, float]:
    """Return the chi-square interval of a standard deviation, widened where the scores have long tails.

    For scores with normal or shorter tails it is the plain interval. It can allow only for tails that show in the data.
    "The noise floor" in `docs/statistics.md` has its coverage.

    Args:
        square: Sum of squared deviations from the means of the cells.
        known: Degrees of freedom of the variance.
        level: Confidence level.
    """
    tail, dof = (1 - level) / 2, known.effective
    variance = square / known.dof
    low, high = (math.sqrt(variance * dof / float(stats.chi2.isf(each, dof))) for each in (tail, 1 - tail))
    return low, high
