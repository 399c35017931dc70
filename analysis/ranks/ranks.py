"""A ranking of configurations: means, intervals of the ranks, and how often one text beats another.

Every pair of configurations is compared, with one level for all pairs by Holm's method. A rank interval counts what is
shown: one more than the configurations shown to be better, up to all but those shown to be worse (Mohamad, Goeman and
van Zwet, Biometrical Journal 61, 2019).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.arrays import FloatArray
from analysis.comparison.claim import Claim, usual_claim
from analysis.comparison.compare import compare
from analysis.comparison.estimate import Estimate
from analysis.comparison.holm import holm
from analysis.comparison.pair import FEWEST_CASES, Pair, pair
from analysis.observations.scale import Scale
from analysis.observations.table import Cells, TableError, summarize
from analysis.observations.views import ByConfiguration
from analysis.sequential.design import SequentialDesign
from analysis.verdict.doubts import doubts_about

_WITHHELD = {"failures": "rows without a score", "missing rows": "missing rows", "drift": "a drift of the scores"}


def rank(
    observations: pd.DataFrame,
    *,
    baseline: str | None = None,
    claim: Claim | None = None,
    alpha: float = 0.05,
    assume_missing_at_random: bool = False,
    cluster: str | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    lower_is_better: bool = False,
    design: SequentialDesign | None = None,
    look: Mapping[str, int] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank configurations, with what the data show about their order.

    The table must hold fresh generations: a ranking of a search begins with its luckiest configurations.

    Args:
        observations: See `analysis.observations.table`.
        baseline: Label of the configuration that the others are held against; by default the best one.
        claim: "these-cases" or "new-cases"; by default see `claim.usual_claim`.
        alpha: Level of all comparisons together.
        assume_missing_at_random: See `analysis.judge`. An order that missing rows, rows without a score or a drift
            could make is left open.
        cluster: Name of a column with the cluster of each case; see `case_clusters.clustered_t`.
        range: Smallest and largest possible score.
        lower_is_better: Whether less is better. Effects are gains all the same: above 0 is better.
        design: The plan of looks that ended the generations, as for `analysis.judge`.
        look: The look that ended each configuration, by label; by default the last one.
        seed: Of random rearrangements, where a test needs them.

    Returns:
        One row per configuration, best mean first:

        - `configuration`, `n` (observations), `cases`.
        - `mean`: mean score over its cases.
        - `rank`: 1 for the best mean. `rank_low`, `rank_high`: all true ranks are inside with 1 - alpha.
        - `effect`: difference to the baseline; `ci_low`, `ci_high`: its interval, all of them with 1 - alpha together.
        - `p_better`: probability that one of its texts beats a text of the baseline on the same case; ties count half.
        - `p_better_low`, `p_better_high`: 1 - alpha interval of that, of each alone; see `probability_of_better`.

        The values against the baseline are NaN for the baseline itself, and where nothing could be compared.
        Where the best one is the baseline, the data chose it, so that the intervals are as wide as those of all pairs.
        `attrs["baseline"]` and `attrs["claim"]` name both. `attrs["notes"]` holds what could not be compared.

    Raises:
        TableError: The table cannot be ranked, or has fewer than two configurations with a score.
        ValueError: `alpha` or `claim` is out of range.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}")
    if claim not in (None, "these-cases", "new-cases"):
        raise ValueError(f'claim must be "these-cases" or "new-cases", not {claim!r}')
    cells = summarize(observations, cluster=cluster, scale=Scale(*range, lower_is_better))
    used = [row for row, made in enumerate(cells.n) if made.any()]
    if len(used) < 2:
        raise TableError("nothing to rank: fewer than two configurations have a score")
    means = {row: _mean(cells, row) for row in used}
    order = sorted(used, key=lambda row: (-means[row], cells.configurations[row]))
    reference = order[0] if baseline is None else cells.index(baseline, "baseline")
    about = usual_claim(cells, FEWEST_CASES) if claim is None else claim
    looks = _Looks(design, look or {})
    shown, notes = _shown_orders(observations, cells, order, about, alpha, seed, assume_missing_at_random, looks)
    pairs = len(order) - 1 if baseline is not None else len(order) * (len(order) - 1) // 2
    against = _against(cells, order, reference, about, alpha, pairs, seed, looks)
    table = pd.DataFrame(
        {
            "configuration": [cells.configurations[row] for row in order],
            "n": [int(cells.n[row].sum()) for row in order],
            "cases": [len(np.unique(cells.stratum_case[cells.n[row] > 0])) for row in order],
            "mean": [cells.scale.shown(means[row]) for row in order],
            "rank": stats.rankdata([-means[row] for row in order], method="min").astype(int),
            "rank_low": [1 + sum((other, row) in shown for other in order) for row in order],
            "rank_high": [len(order) - sum((row, other) in shown for other in order) for row in order],
            **against,
        }
    )
    table.attrs = {"baseline": cells.configurations[reference], "claim": about, "notes": notes}
    return table


@dataclass(frozen=True)
class _Looks:
    """The looks at which configurations ended; two of them were compared for the last time where the first one left."""

    design: SequentialDesign | None
    at: Mapping[str, int]

    def p_value(self, two: Pair, p_value: float) -> float:
        """Return p with an allowance for all looks."""
        return p_value if self.design is None else self.design.repeated_p(self._last(two, self.design), p_value)

    def tail(self, two: Pair, level: float) -> float:
        """Return the level of the test itself."""
        return level if self.design is None else self.design.nominal(self._last(two, self.design), level)

    def _last(self, two: Pair, design: SequentialDesign) -> int:
        names = [two.cells.configurations[arm.row] for arm in (two.baseline, two.finalist)]
        return min(self.at.get(name, design.looks) for name in names)


def probability_of_better(two: Pair, level: float = 0.95) -> tuple[float, float, float]:
    """Estimate how often a text of the finalist beats a text of the baseline on the same case.

    On each case it is the Mann-Whitney statistic divided by the number of pairs of texts; cases count the same. Its
    variance within a case comes from placements (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988). Where a case
    has one text in an arm, it comes from the spread over the cases. The interval is computed on the logit scale.

    Args:
        two: The arms.
        level: Confidence level.

    Returns:
        The probability, and the lower and upper end of its interval (NaN where nothing shows the noise).
    """
    shares, variances = zip(*(_placements(two, stratum) for stratum in two.strata), strict=True)
    probability = float(two.weights @ np.array(shares))
    if not any(math.isnan(each) for each in variances):
        variance = float(two.weights**2 @ np.array(variances))
    elif len(shares) > 1:
        variance = float(np.var(shares, ddof=1)) / len(shares)
    else:
        return probability, math.nan, math.nan
    # A share of 0 or 1 has no variance of its own: half a pair of texts keeps the interval open.
    pairs = float(sum(int(a) * int(b) for a, b in zip(two.baseline.n, two.finalist.n, strict=True)))
    inner = min(max(probability, 0.5 / pairs), 1 - 0.5 / pairs)
    least = inner * (1 - inner) / min(two.baseline.n.sum(), two.finalist.n.sum()) / 2
    error = math.sqrt(max(variance, least)) / (inner * (1 - inner))
    dof = max(1, min(int(two.baseline.n.sum()), int(two.finalist.n.sum())) - 1)
    reach = float(stats.t.isf((1 - level) / 2, dof)) * error
    centre = math.log(inner / (1 - inner))
    return probability, _logistic(centre - reach), _logistic(centre + reach)


def _logistic(value: float) -> float:
    return float(1 / (1 + math.exp(-value)))


def _placements(two: Pair, stratum: int) -> tuple[float, float]:
    """Return the share of pairs of texts that the finalist wins in a stratum, and its variance (NaN if unknown)."""
    first = two.cells.cell_scores(two.baseline.row, stratum)
    second = two.cells.cell_scores(two.finalist.row, stratum)
    wins: FloatArray = (second[:, None] > first) + 0.5 * (second[:, None] == first)
    share = float(wins.mean())
    parts = []
    for arm, axis, scores in ((two.finalist, 1, second), (two.baseline, 0, first)):
        if arm.greedy:
            parts.append(0.0)
        elif len(scores) < 2:
            return share, math.nan
        else:
            parts.append(float(wins.mean(axis=axis).var(ddof=1)) / len(scores))
    return share, sum(parts)


def _mean(cells: Cells, row: int) -> float:
    """Return the mean score of a configuration; hosts of a case, and then cases, count the same."""
    used = cells.n[row] > 0
    _, inverse, hosts = np.unique(cells.stratum_case[used], return_inverse=True, return_counts=True)
    return float((cells.mean[row, used] / hosts[inverse]).sum() / len(hosts))


def _shown_orders(
    observations: pd.DataFrame,
    cells: Cells,
    order: Iterable[int],
    claim: Claim,
    alpha: float,
    seed: int,
    at_random: bool,
    looks: _Looks,
) -> tuple[set[tuple[int, int]], tuple[str, ...]]:
    """Return all (better, worse) that are shown at one level together, and why other pairs are not."""
    pairs, notes = list(itertools.combinations(order, 2)), []
    estimates: list[tuple[Pair, Estimate] | None] = []
    for first, second in pairs:
        try:
            two = pair(cells, first, second)
            estimate = compare(two, claim=claim, seed=seed).estimate
            estimates.append(None if estimate is None else (two, estimate))
        except TableError as error:
            estimates.append(None)
            notes.append(str(error))
    alone = [math.nan if each is None else looks.p_value(each[0], each[1].p_value) for each in estimates]
    adjusted, levels = holm(alone, alpha)
    rows, shown = ByConfiguration(observations), set()
    for (first, second), found, p_value, level in zip(pairs, estimates, adjusted, levels, strict=True):
        if found is None or not p_value <= alpha:
            continue
        two, estimate = found
        names = cells.configurations[first], cells.configurations[second]
        doubts = doubts_about(rows.of(*names), two, two, at_random=at_random)
        tail = looks.tail(two, level)
        outcome, withheld = doubts.outcome(
            estimate, p_value, math.nan, math.nan, alpha=alpha, tail=tail, equal_tail=tail
        )
        if outcome in ("better", "worse"):
            shown.add((second, first) if outcome == "better" else (first, second))
        elif withheld:
            notes.append(f"{names[0]} and {names[1]}, in any order: {_WITHHELD[withheld]} could make the difference.")
    return shown, tuple(dict.fromkeys(notes))


def _against(
    cells: Cells,
    order: list[int],
    reference: int,
    claim: Claim,
    alpha: float,
    pairs: int,
    seed: int,
    looks: _Looks,
) -> dict[str, list[float]]:
    """Return the columns that hold each configuration against the reference; intervals share alpha by Bonferroni."""
    names = ("effect", "ci_low", "ci_high", "p_better", "p_better_low", "p_better_high")
    rows = []
    for row in order:
        found = [math.nan] * len(names)
        if row != reference:
            try:
                two = pair(cells, reference, row)
                found[0] = two.effect
                found[3:] = probability_of_better(two, 1 - looks.tail(two, alpha))
                estimate = compare(two, claim=claim, seed=seed).estimate
                if estimate is not None:
                    found[1:3] = cells.scale.bounded(estimate.interval(1 - looks.tail(two, alpha / pairs)))
            except TableError:
                pass
        rows.append(found)
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
