"""Rows that one arm has and the other lacks: nobody knows their scores, and they are no random sample.

A table does not say which rows it should have. It shows it in four ways:

- The arm has no row in a case that the other arm has.
- The arm has fewer rows in some cases than in others, and the other arm does not.
- A seed that an arm has in most cases is absent in some.
- Of seeds that both arms have, some are absent between an arm's first and last.

An arm with gaps is taken to have been planned like the other one, unless it has less than half of its rows. Fewer seeds
in every case alike are a plan, not a gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.arrays import FloatArray, IntArray
from analysis.comparison.pair import Arm, Pair


@dataclass(frozen=True)
class MissingRows:
    """The rows that are missing, and how far they could move the effect.

    Attributes:
        baseline: Missing rows of the baseline.
        finalist: Missing rows of the configuration.
        down: Change of the effect with the worst score for the configuration's missing rows and the best for the
            baseline's; at most 0.
        up: Change in the opposite case; at least 0.
        where: The cases with missing rows, most first, such as `k0 (5 of 8)`, of either arm.
    """

    baseline: int
    finalist: int
    down: float
    up: float
    where: tuple[tuple[str, ...], tuple[str, ...]]

    def against(self, effect: float) -> float:
        """Return the change that speaks most against an effect of this sign."""
        return self.down if effect > 0 else self.up


NONE_MISSING = MissingRows(0, 0, 0.0, 0.0, ((), ()))


def missing_rows(two: Pair) -> MissingRows:
    """Return the rows that an arm lacks, in cases that both arms have and in cases that only the other one has.

    Rows without a score are there: they count on their own (`Pair.effect_with_failures`). A greedy arm needs one row
    per case, and lacks none.
    """
    _, case = np.unique(two.cells.stratum_case[two.strata], return_inverse=True)
    arms = (two.baseline, two.finalist)
    made = [_made(two, each, case) for each in arms]
    most = [max(float(counts.max()), _planned(two, place, len(counts))) for place, counts in enumerate(made)]
    for own, other in ((0, 1), (1, 0)):
        has_gaps = most[own] > made[own].min() and made[other].min() == made[other].max()
        if has_gaps and most[own] > most[other] / 2:
            most[own] = max(most[own], most[other])
    even = np.maximum(made[0] / most[0], made[1] / most[1])
    lacking = [
        np.zeros(len(even)) if each.greedy else np.maximum(np.ceil(full * even - counts - 1e-9), 0)
        for each, full, counts in zip(arms, most, made, strict=True)
    ]
    absent = _absent_cases(two)
    if not (lacking[0].any() or lacking[1].any() or absent[0] or absent[1]):
        return NONE_MISSING
    names = [two.cells.cases[place] for place in np.unique(two.cells.stratum_case[two.strata])]
    room = [_room(two, each, case, own, lost) for each, own, lost in zip(arms, made, lacking, strict=True)]
    (base_down, base_up), (down, up) = room
    down, up = _with_absent(two, absent, -down - base_up, up + base_down)
    rows = [
        1 if each.greedy else max(1, round(full)) for each, full in zip((two.baseline, two.finalist), most, strict=True)
    ]
    (base_cases, cases), (base_rows, own_rows) = absent, rows
    return MissingRows(
        baseline=int(lacking[0].sum()) + base_rows * len(base_cases),
        finalist=int(lacking[1].sum()) + own_rows * len(cases),
        down=down,
        up=up,
        where=(
            (*_none_of(two, base_cases, base_rows), *_where(names, made[0], lacking[0])),
            (*_none_of(two, cases, own_rows), *_where(names, made[1], lacking[1])),
        ),
    )


def _absent_cases(two: Pair) -> tuple[dict[int, float], dict[int, float]]:
    """Return the cases without any row of the baseline, and of the configuration, with the other arm's mean there.

    A case in which an arm has failed rows alone is not absent: these count on their own.
    """
    found: list[dict[int, float]] = []
    for own, other in ((two.baseline.row, two.finalist.row), (two.finalist.row, two.baseline.row)):
        rows = np.bincount(two.cells.stratum_case, weights=two.cells.n[own] + two.cells.lost[own])
        scored = two.cells.n[other] > 0
        cases = [case for case in np.unique(two.cells.stratum_case[scored]).tolist() if not rows[case]]
        means = [two.cells.mean[other, scored & (two.cells.stratum_case == case)].mean() for case in cases]
        found.append({case: float(mean) for case, mean in zip(cases, means, strict=True)})
    return found[0], found[1]


def _with_absent(
    two: Pair, absent: tuple[dict[int, float], dict[int, float]], down: float, up: float
) -> tuple[float, float]:
    """Return how far the effect could fall, and rise, with absent cases beside the rows that are missing elsewhere."""
    base, own = (np.array(list(each.values())) for each in absent)
    scale, shared = two.cells.scale, two.cases
    cases = shared + len(base) + len(own)
    least = shared * (two.effect + down) + (scale.floor - own).sum() + (base - scale.ceiling).sum()
    most = shared * (two.effect + up) + (scale.ceiling - own).sum() + (base - scale.floor).sum()
    return min(down, float(least) / cases - two.effect), max(up, float(most) / cases - two.effect)


def _none_of(two: Pair, cases: dict[int, float], rows: int) -> tuple[str, ...]:
    """Name the cases without any row."""
    return tuple(f"{two.cells.cases[case]} (0 of {rows})" for case in cases)


def _made(two: Pair, own: Arm, case: IntArray) -> IntArray:
    """Return the arm's rows per case, with those without a score, shape (cases,)."""
    rows = two.cells.made[own.row, two.strata] + two.cells.lost[own.row, two.strata]
    return np.bincount(case, weights=rows).astype(np.int64)


def rows_of(two: Pair, own: Arm) -> int:
    """Return the arm's rows in the shared cases, with those without a score."""
    return int((two.cells.made[own.row, two.strata] + two.cells.lost[own.row, two.strata]).sum())


def _planned(two: Pair, place: int, cases: int) -> float:
    """Return the arm's number of seeds per case as its seeds show it; 0 where each case has seeds of its own."""
    both = [_seeds(two, each) for each in (two.baseline, two.finalist)]
    own, other = both[place], both[1 - place]
    seeds, others = np.unique(own), np.unique(other)
    if not len(seeds) or (cases > 1 and len(own) <= len(seeds) * cases / 2):
        return 0.0
    if 2 * np.isin(seeds, others).sum() > len(seeds):
        seeds = np.union1d(seeds, others[(others > seeds[0]) & (others < seeds[-1])])
    return float(len(seeds))


def _seeds(two: Pair, own: Arm) -> IntArray:
    """Return the seed of each of the arm's scores in the shared strata, shape (scores,)."""
    starts = two.cells.starts[own.row, two.strata]
    parts = [two.cells.seeds[start : start + n] for start, n in zip(starts.tolist(), own.n.tolist(), strict=True)]
    return np.concatenate(parts)


def _room(two: Pair, own: Arm, case: IntArray, made: IntArray, lacking: FloatArray) -> tuple[float, float]:
    """Return how far the arm's mean would fall with the worst score for missing rows, and rise with the best."""
    weight = np.bincount(case, weights=two.weights)
    mean = np.bincount(case, weights=two.weights * own.mean) / weight
    share = weight * lacking / (made + lacking)
    scale = two.cells.scale
    return float(share @ (mean - scale.floor)), float(share @ (scale.ceiling - mean))


def _where(names: list[str], made: IntArray, lacking: FloatArray) -> tuple[str, ...]:
    """Name the cases with missing rows, most first."""
    order = sorted(np.flatnonzero(lacking).tolist(), key=lambda place: (-lacking[place], place))
    return tuple(f"{names[place]} ({made[place]} of {math.ceil(made[place] + lacking[place])})" for place in order)
