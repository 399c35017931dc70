"""Looks at a confirmation: false claims, power, and the generations that are saved.

    python -m benchmarks.verdicts.looks [--quick] [--json] [--tables N] [--sizes 6x8 12x4 ...] [--only errors costs]
                                        [--sweeps FILE.jsonl]

Compared are the looks of a sweep (`confirm.looks = "auto"`), a look half way (2), and the end alone. Each look has the
tests of a sweep, so the first one, after 2 seeds per case, has a permutation.

- `errors`: share of tables in which nothing differs that have a claim at some look. Giving up is ignored: it can only
  lower this.
- `costs`: share of the planned generations that are made, and of tables in which the second arm is called better. The
  true gain is none, the one that the whole confirmation finds with 80% (the MDE), or twice that. The belief of the
  search is right on average, with a standard deviation of the whole confirmation's standard error; or there is none.
- `--sweeps`: the same for the finalists of real searches, from the file of `benchmarks.search.recommendation --out`.
  The belief and the true gain are those of the sweep, and 4,000 confirmations of each are drawn as normal differences.

The standard error of a rate r is sqrt(r * (1 - r) / N).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis import Prior, mde
from analysis.arrays import FloatArray
from analysis.comparison.compare import compare
from analysis.comparison.estimate import Estimate
from analysis.comparison.pair import pair
from analysis.sequential.design import SequentialDesign
from benchmarks import command
from benchmarks.search import replications
from benchmarks.verdicts.anytime import draw, welch
from sweeps.budget.look_seeds import look_seeds
from tests.analysis import simulate

Flags = npt.NDArray[np.bool_]

SIZES = ("4x4", "4x11", "6x3", "6x8", "8x6", "12x4", "12x15")
KINDS = ("beta", "beta-unequal", "discrete", "pass .5")
GAINS = {"none": 0.0, "MDE": 1.0, "2 x MDE": 2.0}
NOISE = 0.117
"""Pooled standard deviation within a case of the scores with a gain."""

DRAWS = 4000
FUTILITY = 0.1


def designs(seeds: int) -> dict[str, tuple[int, ...]]:
    """Return the seeds at each look, the end included."""
    return {"auto": (*look_seeds("auto", seeds), seeds), "half way": (*look_seeds(2, seeds), seeds), "end": (seeds,)}


def design_of(looks: Sequence[int], futility: float = FUTILITY) -> SequentialDesign:
    """Return the boundaries of the looks."""
    return SequentialDesign([seeds / looks[-1] for seeds in looks], futility=futility)


def estimates(scores: FloatArray) -> list[Estimate | None]:
    """Compare the arms of each table; None where no score varies."""
    if not len(scores):
        return []
    cells = simulate.cells_of(scores)
    return [compare(pair(cells, 2 * i, 2 * i + 1)).estimate for i in range(len(scores))]


def by_seeds(scores: FloatArray, looks: Mapping[str, Sequence[int]]) -> dict[int, list[Estimate | None]]:
    """Return the estimates from the first seeds, for every number of seeds at which some design looks."""
    numbers = sorted({seeds for each in looks.values() for seeds in each})
    return {seeds: estimates(scores[..., :seeds]) for seeds in numbers}


def errors(tables: int, kind: str, cases: int, seeds: int) -> dict[str, float]:
    """Return the shares of tables without a difference that have a claim at some look, before the end, and at it alone.

    A permutation takes long, so tables with a p above .2 by Welch's test have none: its p would not be near .02.
    """
    scores = draw(np.random.default_rng([cases, seeds, len(kind)]), kind, tables, cases, seeds)
    looks, figures = designs(seeds)["auto"], {}
    design = design_of(looks)
    claimed = np.zeros(tables, dtype=bool)
    for look, at in enumerate(looks, start=1):
        if look == design.looks:
            figures["claimed before the end"] = float(claimed.mean())
        near = np.flatnonzero(welch(scores[..., :at])[2] <= 0.2)
        p_value = np.ones(tables)
        p_value[near] = [1.0 if each is None else each.p_value for each in estimates(scores[near][..., :at])]
        claimed |= p_value <= design.nominal(look)
    return {"claimed at any look": float(claimed.mean()), **figures, "end alone": float((p_value <= 0.05).mean())}


def costs(tables: int, kind: str, cases: int, seeds: int) -> dict[str, float]:
    """Return share of the planned generations and power, by true gain, looks and belief."""
    looks = designs(seeds)
    sees = mde(NOISE, cases=cases, seeds=seeds, alpha=design_of(looks["auto"]).nominal(len(looks["auto"])))
    figures = {}
    for name, times in GAINS.items():
        rng = np.random.default_rng([cases, seeds, 5])
        gain = times * sees
        scores = draw(rng, kind, tables, cases, seeds, gain)
        sd = NOISE * math.sqrt(2 / (cases * seeds))
        beliefs = [Prior(float(mean), sd) for mean in rng.normal(gain, sd, tables)]
        found = by_seeds(scores, looks)
        for way, at in looks.items():
            for belief, priors in (("", beliefs), (", no belief", [None] * tables)):
                if way == "end" and belief:
                    continue
                share, better = _run(at, found, priors)
                figures[f"{name}, {way}{belief}: generations"] = share
                figures[f"{name}, {way}{belief}: better"] = better
    return figures


def _run(
    looks: Sequence[int], found: Mapping[int, list[Estimate | None]], priors: Sequence[Prior | None]
) -> tuple[float, float]:
    """Return the mean share of the planned generations, and the share of tables called better."""
    design, made, better = design_of(looks), 0, 0
    for table, prior in enumerate(priors):
        for look, seeds in enumerate(looks, start=1):
            estimate = found[seeds][table]
            stop = None if estimate is None else design.assess(look, estimate, prior=prior).stop
            if stop or look == design.looks:
                made += seeds
                better += estimate is not None and stop == "efficacy" and estimate.effect > 0
                break
    return made / (len(priors) * looks[-1]), better / len(priors)


@dataclass(frozen=True)
class Confirmations:
    """Redrawn confirmations of one finalist.

    Attributes:
        share: Share of the planned seeds that each made, shape (draws,).
        effect: Difference of each at its end.
        error: Standard error of that.
        better: Whether each is shown better.
        worse: Whether each is shown worse.
    """

    share: FloatArray
    effect: FloatArray
    error: FloatArray
    better: Flags
    worse: Flags


def redraw(
    rng: np.random.Generator, looks: Sequence[int], gain: float, error: float, prior: Prior | None, draws: int
) -> Confirmations:
    """Draw confirmations as normal differences, with looks that stop and give up.

    Args:
        rng: Draws.
        looks: Seeds at each look, the end included.
        gain: True gain.
        error: Standard error of the difference at the end.
        prior: The belief of the search; None to give up nothing.
        draws: Number of confirmations.
    """
    design = design_of(looks)
    total, before = np.zeros(draws), 0.0
    share, effect, z_at = np.ones(draws), np.zeros(draws), np.zeros(draws)
    crossed, going = np.zeros(draws, dtype=bool), np.ones(draws, dtype=bool)
    grid = np.linspace(-8, 8, 65)
    for look, fraction in enumerate(design.fractions, start=1):
        step = fraction - before
        total, before = total + rng.normal(gain * step, error * math.sqrt(step), draws), fraction
        now = error / math.sqrt(fraction)
        z = total / fraction / now
        ends = shown = going & (np.abs(z) >= design.bounds[look - 1])
        if look == design.looks:
            ends = going
        elif prior is not None:
            chance = [design.predictive_power(look, float(each), now, prior) for each in grid]
            ends = shown | (going & (np.interp(z, grid, chance) < design.futility))
        share[ends], effect[ends], z_at[ends] = fraction, (total / fraction)[ends], z[ends]
        crossed |= shown
        going = going & ~ends
    return Confirmations(share, effect, error / np.sqrt(share), crossed & (z_at > 0), crossed & (z_at < 0))


def planned_of(record: Mapping[str, Any]) -> tuple[int, float]:
    """Return the planned seeds of a sweep's confirmation, and the standard error of the difference at its end."""
    if record.get("planned_seeds"):
        seeds, made = record["planned_seeds"], record["made_seeds"]
    else:  # a sweep of an earlier version, which looked half way: planned are three tenths of the budget
        seeds = max(3, round(0.3 * record["budget"] / (2 * record["cases"])))
        made = math.ceil(seeds / 2) if record["used"] < 0.95 * record["budget"] else seeds
    return seeds, record["fresh_error"] * math.sqrt(made / seeds)


def of_sweeps(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return generations and power for the finalists of real searches, by their true gain."""
    parts: dict[str, list[float]] = {}
    for record in records:
        if record["finalist"] is None or not record["fresh_error"] or record["believed"] is None:
            continue
        seeds, error = planned_of(record)
        gain = record["finalist"] - record["baseline"]
        size = gain / error
        group = "no gain" if size <= 0 else "below the MDE" if size < 2.8 else "the MDE or more"
        for way, looks in designs(seeds).items():
            prior = Prior(record["believed"], record["believed_sd"])
            drawn = redraw(np.random.default_rng(record["seed"]), looks, gain, error, prior, DRAWS)
            parts.setdefault(f"{group}, {way}: generations", []).append(float(drawn.share.mean()))
            parts.setdefault(f"{group}, {way}: better", []).append(float(drawn.better.mean()))
    found = {f"{name} (of {len(values)} sweeps)": float(np.mean(values)) for name, values in parts.items()}
    return dict(sorted(found.items()))


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    given = _arguments(argv)
    start = time.perf_counter()
    rates = dict(_simulated(given)) if given.sweeps is None else of_sweeps(replications.read(given.sweeps))
    figures = {"tables": given.tables, "seconds": time.perf_counter() - start, "rates": rates}
    return command.show(given, figures, (f"{rate:9.4f}  {name}" for name, rate in rates.items()))


def _simulated(given: argparse.Namespace) -> Iterator[tuple[str, float]]:
    start = time.perf_counter()
    for size in given.sizes:
        cases, seeds = map(int, size.split("x"))
        if "errors" in given.only:
            for kind in KINDS:
                for key, rate in errors(given.tables, kind, cases, seeds).items():
                    yield f"{size}, {kind}: {key}", rate
        if "costs" in given.only:
            for key, rate in costs(given.tables, "beta", cases, seeds).items():
                yield f"{size}: {key}", rate
        print(f"{size} is done after {time.perf_counter() - start:.0f} s", file=sys.stderr)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = command.parser(__doc__, quick="20 tables of two sizes, to see that it runs")
    parser.add_argument("--tables", type=int, help="tables of a kind and size (default 1000)")
    parser.add_argument("--sizes", nargs="+", help="cases x planned seeds (default " + " ".join(SIZES) + ")")
    parser.add_argument("--only", nargs="+", choices=("errors", "costs"), default=["errors", "costs"])
    parser.add_argument("--sweeps", type=Path, help="finalists of real searches, and nothing else")
    given = parser.parse_args(argv)
    given.tables = given.tables or (20 if given.quick else 1000)
    given.sizes = given.sizes or (["6x3", "6x8"] if given.quick else SIZES)
    return given


if __name__ == "__main__":
    sys.exit(main())
