"""Two configurations side by side: the arms and their effect.

The effect is the mean over cases of (mean score of the configuration - mean score of the baseline): every case counts
the same, whatever its number of seeds. With several hosts, a case's difference is the mean over the hosts that ran both
arms. A stratum is a case on a host.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.arrays import BoolArray, FloatArray, IntArray
from analysis.comparison.claim import FEWEST_CASES as FEWEST_CASES
from analysis.comparison.estimate import ROUNDING
from analysis.observations.table import Cells, TableError

_MANY_ALIKE = 0.1


@dataclass(frozen=True)
class Arm:
    """One configuration in the strata that both arms share.

    Attributes:
        row: Its row in `Cells`.
        n: Number of scores, shape (strata,).
        mean: Mean score, shape (strata,).
        m2: Sum of squared deviations from the mean, shape (strata,).
        greedy: Whether seeds carry no information: the temperature is 0, and no repeated cell varies.
    """

    row: int
    n: IntArray
    mean: FloatArray
    m2: FloatArray
    greedy: bool

    @property
    def constant(self) -> bool:
        """Whether no score varies within its cell, either because the arm is greedy or by chance."""
        return self.greedy or bool((self.n >= 2).all() and not _varies(self.n, self.m2).any())

    def spread(self, weights: FloatArray) -> float:
        """Return the variance of the weighted mean, in units of the variance of one observation."""
        return float((weights**2 / self.n).sum())

    def effective(self, weights: FloatArray) -> float:
        """Return the number of observations that, spread evenly over the strata, would give the mean as exactly."""
        return 1 / self.spread(weights)

    @property
    def mostly_varies(self) -> bool:
        """Whether scores vary in at least half of the repeated cells, so that they show the noise of all."""
        repeated = self.n >= 2
        return bool(_varies(self.n, self.m2)[repeated].mean() >= 0.5) if repeated.any() else False

    @property
    def dof(self) -> int:
        """Degrees of freedom of the variance within cells."""
        return int((self.n - 1).sum())

    @property
    def variance(self) -> float:
        """Variance within cells, pooled; NaN without a degree of freedom, 0 for a greedy arm."""
        if self.greedy:
            return 0.0
        return float(self.m2.sum()) / self.dof if self.dof else math.nan

    @property
    def informative(self) -> int:
        """Number of observations that count: a greedy arm has one per stratum."""
        return len(self.n) if self.greedy else int(self.n.sum())


@dataclass(frozen=True)
class Pair:
    """Two arms in the strata that both have.

    Attributes:
        cells: The table's sufficient statistics.
        baseline: The baseline.
        finalist: The configuration that is compared with it.
        strata: Index of each shared stratum in `cells`, shape (strata,).
        weights: Weight of each stratum, shape (strata,); they add up to 1, and every case has the same share.
        notes: Sentences on what was left out.
        left_out: Number of cases that only one arm has.
    """

    cells: Cells
    baseline: Arm
    finalist: Arm
    strata: IntArray
    weights: FloatArray
    notes: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def cases(self) -> int:
        """Number of cases that both arms have."""
        return len(np.unique(self.cells.stratum_case[self.strata]))

    @property
    def noisy(self) -> list[Arm]:
        """The arms that are not greedy."""
        return [each for each in (self.baseline, self.finalist) if not each.greedy]

    @property
    def difference(self) -> FloatArray:
        """Difference of the means, shape (strata,)."""
        return self.finalist.mean - self.baseline.mean

    @property
    def effect(self) -> float:
        """Mean over cases of the difference of the means."""
        return float(self.weights @ self.difference)

    @property
    def noise_variance(self) -> float:
        """Variance of the effect due to noise within cases; 0 where no arm has repeats.

        An arm without repeats is taken to be as noisy as the other.
        """
        lent = 0.0 if math.isnan(self._mean_variance) else self._mean_variance
        variances = [lent if math.isnan(each.variance) else each.variance for each in self.noisy]
        return sum(own * each.spread(self.weights) for own, each in zip(variances, self.noisy, strict=True))

    @property
    def seeds(self) -> float:
        """Seeds per case of a balanced comparison as exact as this one; the baseline's where both arms are greedy."""
        arms = self.noisy or [self.baseline]
        return len(arms) / sum(self.cases * each.spread(self.weights) for each in arms)

    @property
    def noise_sd(self) -> float:
        """Standard deviation within cases, over the arms that are not greedy; 0 if both are, NaN without any repeat.

        An arm without repeats is taken to be as noisy as the other.
        """
        return math.sqrt(self._mean_variance) if self.noisy else 0.0

    @property
    def _mean_variance(self) -> float:
        """Mean variance within cells over the arms with repeats; NaN if there are none."""
        variances = [each.variance for each in self.noisy if not math.isnan(each.variance)]
        return sum(variances) / len(variances) if variances else math.nan

    def interaction(self) -> tuple[float, float]:
        """Return the standard deviation of configuration x case (by moments), and the p of an F test that it is 0."""
        spread = float(self.case_differences().var(ddof=1))
        noise = self.noise_variance * self.cases
        dof = sum(each.dof for each in self.noisy)
        chance = float(special.fdtrc(self.cases - 1, dof, spread / noise)) if noise > 0 else 0.0
        return math.sqrt(max(0.0, spread - noise) / 2), chance

    @property
    def failed(self) -> tuple[int, int]:
        """Number of rows without a score, of the baseline and of the finalist."""
        return int(self.cells.excluded[self.baseline.row]), int(self.cells.excluded[self.finalist.row])

    @property
    def effect_with_failures(self) -> float:
        """The effect with the worst score for rows without one; cases in which an arm failed altogether count, too."""
        if not any(self.failed):
            return self.effect
        means, made = [], []
        for row in (self.baseline.row, self.finalist.row):
            total = self.cells.n[row] + self.cells.lost[row]
            worst = self.cells.scale.floor * self.cells.lost[row]
            means.append((self.cells.mean[row] * self.cells.n[row] + worst) / np.maximum(total, 1))
            made.append(total > 0)
        strata = np.flatnonzero(made[0] & made[1])
        weights = case_weights(self.cells.stratum_case[strata])
        return float(weights @ (means[1] - means[0])[strata])

    def case_differences(self) -> FloatArray:
        """Return the difference per case, averaged over the hosts, shape (cases,)."""
        _, inverse, hosts = np.unique(self.cells.stratum_case[self.strata], return_inverse=True, return_counts=True)
        return np.bincount(inverse, weights=self.difference) / hosts


def _varies(n: IntArray, m2: FloatArray) -> BoolArray:
    """Return which cells have scores that differ by more than rounding; the same shape."""
    return np.asarray(m2 > n * ROUNDING**2)


def is_greedy(cells: Cells, row: int) -> bool:
    """Say whether seeds carry no information for a configuration: temperature 0 throughout, and no cell varies.

    Scores that do not vary are not enough: they may be luck, and an arm taken for greedy has no noise at all.
    """
    return bool(cells.zero_temperature[row]) and not bool(_varies(cells.n[row], cells.m2[row]).any())


def arm(cells: Cells, row: int, strata: IntArray, greedy: bool) -> Arm:
    """Return one configuration in some strata."""
    return Arm(row, cells.n[row, strata], cells.mean[row, strata], cells.m2[row, strata], greedy)


def case_weights(cases: IntArray) -> FloatArray:
    """Return the weight of each stratum from the index of its case: cases count alike, and weights add up to 1."""
    _, inverse, hosts = np.unique(cases, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (hosts[inverse] * len(hosts)))


def pair(cells: Cells, baseline: int, finalist: int) -> Pair:
    """Bring two configurations together in the strata that both have.

    Args:
        cells: The table's sufficient statistics.
        baseline: Row of the baseline.
        finalist: Row of the configuration that is compared with it.

    Raises:
        TableError: The two have no case (on the same host) in common.
    """
    either = (cells.n[baseline] > 0) | (cells.n[finalist] > 0)
    both = (cells.n[baseline] > 0) & (cells.n[finalist] > 0)
    names = cells.configurations
    if not both.any():
        where = "case on the same host" if len(cells.hosts) > 1 else "case"
        raise TableError(
            f"{names[finalist]!r} and the baseline {names[baseline]!r} have no {where} in common: "
            "run both on the same cases"
        )
    strata = np.flatnonzero(both)
    weights = case_weights(cells.stratum_case[strata])
    notes = _notes(cells, baseline, finalist, either & ~both)
    shared = set(cells.stratum_case[strata].tolist())
    left_out = len(set(cells.stratum_case[np.flatnonzero(either)].tolist()) - shared)
    return Pair(
        cells,
        arm(cells, baseline, strata, is_greedy(cells, baseline)),
        arm(cells, finalist, strata, is_greedy(cells, finalist)),
        strata,
        weights,
        notes,
        left_out,
    )


def _notes(cells: Cells, baseline: int, finalist: int, dropped: BoolArray) -> tuple[str, ...]:
    """Return notes on the strata and rows that were left out."""
    notes = []
    if dropped.any():
        labels = []
        for stratum in np.flatnonzero(dropped):
            host = cells.hosts[cells.stratum_host[stratum]]
            case = cells.cases[cells.stratum_case[stratum]]
            labels.append(f"{case} on {host}" if len(cells.hosts) > 1 else case)
        shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
        notes.append(f"Left out, because one arm has no usable score there: {shown}.")
    for row, role in ((baseline, "the baseline"), (finalist, "the configuration")):
        lost = int(cells.excluded[row])
        if lost:
            made = lost + int(cells.n[row].sum())
            notes.append(f"{lost} of {made} rows of {role} do not count: they are errors or have no score.")
        if merged := int(cells.merged[row]):
            notes.append(
                f"{merged} rows of {role} do not count: their seeds are in the table more than once (on another host "
                "or as a repeat), with the same or similar results, so each seed counts once."
            )
        made = int(cells.n[row].sum())
        if copied := int(cells.copied[row]):
            notes.append(
                f"{copied} {'row' if copied == 1 else 'rows'} of {role} "
                f"{'repeats' if copied == 1 else 'repeat'} the long text of another seed, which chance does not do at "
                "their temperature: a server or a cache ignored the seed. Each text counts once."
            )
        elif cells.alike[row] >= _MANY_ALIKE * made:
            notes.append(
                f"{int(cells.alike[row])} of {made} texts of {role} are those of other seeds. If they are long and "
                "their temperature is well above 0, the seed was ignored: add columns `words` and `temperature`, so "
                "that each text counts once."
            )
    if cells.searched[finalist]:
        notes.append(
            "Some rows of the configuration come from the search. If it was picked for them, the effect is overstated: "
            "judge on fresh seeds."
        )
    return tuple(notes)
