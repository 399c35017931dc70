"""Variance components: the sources of the spread of the scores, and which kind of data would help."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.arrays import FloatArray
from analysis.observations.table import Cells, TableError, summarize


@dataclass(frozen=True)
class VarianceComponents:
    """Standard deviations of the score by source, in units of the score.

    A component that the table does not show is None (for example an interaction with one configuration). Estimates
    below zero are set to zero.

    Attributes:
        seed: Between seeds within a cell (the noise floor over all configurations).
        configuration: Between configurations.
        case: Between cases.
        host: Between hosts.
        configuration_case: How differently cases respond to configurations.
        configuration_host: How differently hosts respond to configurations.
        case_host: How differently hosts treat cases.
        configurations: Number of configurations used.
        cases: Number of cases used.
        hosts: Number of hosts used.
        seeds: Harmonic mean of the observations per used cell.
        limiting: "seeds" or "cases": whichever limits a comparison for new cases most; None if that is unknown.
        sentence: The same in words.
        notes: Sentences on what was left out.
    """

    seed: float
    configuration: float | None
    case: float | None
    host: float | None
    configuration_case: float | None
    configuration_host: float | None
    case_host: float | None
    configurations: int
    cases: int
    hosts: int
    seeds: float
    limiting: str | None
    sentence: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return {**asdict(self), "notes": list(self.notes)}


def variance_components(observations: pd.DataFrame) -> VarianceComponents:
    """Split the variance of the scores by source, by the method of moments.

    Cells may have any number of observations. The analysis of variance is that of unweighted cell means (Searle,
    Casella and McCulloch 1992): unbiased where cells have equal numbers, and nearly so otherwise. It needs a full table
    of cells. Either configurations that lack a cell are left out, or the cells that few have, whichever loses less.

    Args:
        observations: See `analysis.observations.table`. Leave greedy configurations out: they have no variance between
            seeds.

    Raises:
        TableError: No cell has two observations, so the noise between seeds is unknown.
    """
    cells = summarize(observations, once=False)  # a host that gives the same texts is a host all the same
    dof = int(np.maximum(cells.n - 1, 0).sum())
    if not dof:
        raise TableError("no configuration was repeated with another seed, so its noise is unknown: add seeds")
    seed_variance = float(cells.m2.sum()) / dof
    means, counts, notes = _full_block(cells)
    harmonic = 1.0 / float((1.0 / counts).mean())
    parts = _components(means, seed_variance / harmonic)
    chance = _chance(means, seed_variance / harmonic, dof)
    own = harmonic * means.shape[2]
    limiting, sentence = _limit(math.sqrt(seed_variance), parts.get((0, 1)), own, means.shape[1], chance)
    return VarianceComponents(
        seed=math.sqrt(seed_variance),
        configuration=parts.get((0,)),
        case=parts.get((1,)),
        host=parts.get((2,)),
        configuration_case=parts.get((0, 1)),
        configuration_host=parts.get((0, 2)),
        case_host=parts.get((1, 2)),
        configurations=means.shape[0],
        cases=means.shape[1],
        hosts=means.shape[2],
        seeds=harmonic,
        limiting=limiting,
        sentence=sentence,
        notes=notes,
    )


def double_centred_variance(scores: FloatArray) -> float:
    """Return the variance of configuration x case residuals around additive configuration and case effects.

    Args:
        scores: Mean score of each configuration on each case, shape (configurations, cases); rows with NaN are left
            out.

    Returns:
        Sum of squared residuals over (configurations - 1) x (cases - 1); NaN with fewer than two of either. It holds
        the noise and the configuration x case interaction together.
    """
    table = scores[~np.isnan(scores).any(axis=1)] if scores.size else scores
    return math.nan if min(table.shape, default=0) < 2 else _mean_square(table, (0, 1))


def _full_block(cells: Cells) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return means and counts of the largest full block found, as configurations x cases x hosts."""
    shape = (len(cells.configurations), len(cells.cases), len(cells.hosts))
    counts, means = np.zeros(shape), np.zeros(shape)
    counts[:, cells.stratum_case, cells.stratum_host] = cells.n
    means[:, cells.stratum_case, cells.stratum_host] = cells.mean
    kept = [np.arange(size) for size in shape]
    names = ("configuration", "case", "host")
    while True:
        empty = counts[np.ix_(*kept)] == 0
        if not empty.any():
            break
        # Drop the level with the largest share of empty cells: that loses the fewest full ones.
        shares = [empty.mean(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
        axis = max(range(3), key=lambda each: float(shares[each].max()))
        kept[axis] = np.delete(kept[axis], int(np.argmax(shares[axis])))
    lost = [
        f"{shape[axis] - len(kept[axis])} of {shape[axis]} {names[axis]}s"
        for axis in range(3)
        if len(kept[axis]) < shape[axis]
    ]
    notes = (f"Left out of the components, because cells have no score: {', '.join(lost)}.",) if lost else ()
    return means[np.ix_(*kept)], counts[np.ix_(*kept)], notes


def _components(means: FloatArray, noise: float) -> dict[tuple[int, ...], float]:
    """Return the standard deviation of each factor and interaction that has a degree of freedom, by their axes.

    The layout is balanced, with random factors. The expected mean square of a set of factors is a sum over the sets
    that contain it. Each adds its variance times the number of cells per level; the sums are solved from the largest
    set down.
    """
    factors = [axis for axis in range(means.ndim) if means.shape[axis] > 1]
    sets = [combo for size in range(len(factors), 0, -1) for combo in itertools.combinations(factors, size)]
    variances: dict[tuple[int, ...], float] = {}
    for combo in sets:
        expected = noise
        for larger, variance in variances.items():
            if set(combo) < set(larger):
                expected += variance * math.prod(means.shape[axis] for axis in factors if axis not in larger)
        per_level = math.prod(means.shape[axis] for axis in factors if axis not in combo)
        variances[combo] = (_mean_square(means, combo) - expected) / per_level
    return {combo: math.sqrt(max(0.0, variance)) for combo, variance in variances.items()}


def _mean_square(means: FloatArray, combo: tuple[int, ...]) -> float:
    """Return the mean square of a factor or interaction over the cell means."""
    contrast = means
    for axis in range(means.ndim):
        average = contrast.mean(axis=axis, keepdims=True)
        contrast = contrast - average if axis in combo else np.broadcast_to(average, contrast.shape)
    dof = math.prod(means.shape[axis] - 1 for axis in combo)
    return float((contrast**2).sum() / dof)


def _chance(means: FloatArray, noise: float, dof: int) -> float:
    """Return the probability that noise alone makes configuration x case look as large as it does (an F test)."""
    table = means.mean(axis=2)
    if min(table.shape) < 2 or noise <= 0:
        return 1.0 if min(table.shape) < 2 else 0.0
    ratio = _mean_square(table, (0, 1)) / (noise / means.shape[2])
    return float(special.fdtrc((table.shape[0] - 1) * (table.shape[1] - 1), dof, ratio))


def _limit(seed: float, interaction: float | None, seeds: float, cases: int, chance: float) -> tuple[str | None, str]:
    """Say whether seeds or cases limit a comparison, and how much more of each would help.

    Args:
        seed: Standard deviation between seeds.
        interaction: Standard deviation of configuration x case; None if unknown.
        seeds: Seeds per case.
        cases: Number of cases.
        chance: p of the interaction: an interaction that may be noise is no reason to save seeds.
    """
    of_seeds = 2 * seed**2 / seeds / cases
    these = (
        f"For these {cases} cases only seeds count: the standard error of a difference is {math.sqrt(of_seeds):.3f} "
        f"with {seeds:.3g} seeds per case, and four times the seeds halve it."
    )
    if interaction is None:
        return None, these
    of_cases = 2 * interaction**2 / cases
    total = math.sqrt(of_seeds + of_cases)
    floor = math.sqrt(of_cases)
    if of_cases > of_seeds and chance >= 0.05:
        return None, (
            f"{these} For new cases it is {total:.3f}, if the cases respond as differently as it seems. That may be "
            "chance, so whether more cases or more seeds would help more is not known yet."
        )
    if of_cases > of_seeds:
        return "cases", (
            f"{these} For new cases it is {total:.3f}, and no number of seeds brings it below {floor:.3f}: the cases "
            f"differ more in how they respond than the seeds do. Four times the seeds would make it "
            f"{math.sqrt(of_cases + of_seeds / 4):.3f}, four times the cases {total / 2:.3f}."
        )
    return "seeds", (
        f"{these} For new cases it is {total:.3f}, and seeds make the larger part: more seeds would bring it down to "
        f"{floor:.3f} at best; more cases help as well."
    )
