"""Looks after every seed against two planned looks: false claims, coverage, power and generations.

    python -m benchmarks.verdicts.anytime [--quick] [--json] [--tables N] [--sizes 4x10 6x20 ...]

A table has two arms with equal numbers of seeds per case. The true difference is none, for the error rates, or the one
that both designs find with a power of about .8: the anytime design has more seeds planned, by the part that normal
statistics need for that. Giving up is heeded for power and generations, and ignored for error rates: they must hold at
any look, for whatever reason the looks end. The standard error of a rate r is sqrt(r * (1 - r) / N).
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
from scipy import special

from analysis.arrays import FloatArray
from analysis.comparison.estimate import FAR_TAIL
from analysis.sequential.design import SequentialDesign
from benchmarks import command
from tests.analysis import simulate

FIRST = 3
"""Seeds per case at the first look, as in a sweep."""

MORE_SEEDS = 1.07
"""Seeds planned for looks after every seed, as a multiple of those of two looks with the same power."""

KINDS = ("beta", "beta-unequal", "discrete", "pass .5", "pass .9")
NOISE = {"beta": 0.12, "discrete": 0.12, "pass .5": 0.5, "pass .9": 0.3}
"""Standard deviations within a case of the kinds for which power is simulated."""

SIZES = ("4x10", "4x30", "6x10", "6x20", "12x10", "12x30")


def design_of(seeds: int, *, anytime: bool, futility: float = 0.1) -> SequentialDesign:
    """Return the looks of a confirmation."""
    looks = [each / seeds for each in range(FIRST, seeds + 1)] if anytime else 2
    return SequentialDesign(looks, futility=futility, anytime=anytime)


def draw(rng: np.random.Generator, kind: str, tables: int, cases: int, seeds: int, gain: float = 0.0) -> FloatArray:
    """Return scores of the shape (tables, 2, cases, seeds); the second arm is better by `gain`."""
    if kind.startswith("pass"):
        rate = float(kind.removeprefix("pass "))
        rates = np.array([rate, rate + gain] if rate == 0.5 else [rate - gain, rate])
        return (rng.random((tables, 2, cases, seeds)) < rates[None, :, None, None]).astype(np.float64)
    if gain:
        return np.asarray(simulate.shifted_scores(rng, kind, tables, cases, seeds, gain))
    return np.asarray(simulate.null_scores(rng, kind, tables, cases, seeds))


def welch(scores: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compare the arms of many tables at once, as `t_tests.stratified_t` does for arms with equal numbers of seeds.

    A verdict takes seeds as units where they seem to share noise, which this leaves out.

    Returns:
        Effects, standard errors, and two-sided p values, which are 1 where no score varies; each of shape (tables,).
    """
    n, cases = scores.shape[-1], scores.shape[-2]
    effect = np.asarray((scores[:, 1].mean(axis=-1) - scores[:, 0].mean(axis=-1)).mean(axis=-1))
    own = (scores.var(axis=-1, ddof=1) / n / cases**2).reshape(len(scores), -1)
    total, squares = own.sum(axis=1), (own**2).sum(axis=1)
    varies = (own.reshape(len(scores), 2, cases) > 0).any(axis=2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = np.clip(total**2 * (n + 1) / squares - 2, 1, np.maximum(varies, 1) * cases * (n - 1))
        tail = np.minimum(usual, total**2 * (n - 1) / squares)
        usual = np.where((own.max(axis=1) > 0.5 * total) & (cases > 2), tail, usual)
        errors = -np.abs(effect) / np.sqrt(total)
    p_value = 2 * special.stdtr(usual, errors)
    far = np.minimum(FAR_TAIL, 2 * special.stdtr(tail, errors))
    p_value = np.where(p_value < FAR_TAIL, far, p_value)
    return effect, np.sqrt(total), np.where(total > 0, p_value, 1.0)


def at_any_look(tables: int, kind: str, cases: int, seeds: int) -> dict[str, float]:
    """Return the share of tables with a claim at some look; the others have 0 in the intervals of all looks."""
    scores = draw(np.random.default_rng([cases, seeds, len(kind)]), kind, tables, cases, seeds)
    design = design_of(seeds, anytime=True)
    claimed, early = np.zeros(tables, dtype=bool), np.zeros(tables, dtype=bool)
    for look in range(1, design.looks + 1):
        claimed |= welch(scores[..., : FIRST + look - 1])[2] <= design.nominal(look)
        if design.fraction(look) <= 0.5:
            early = claimed.copy()
    return {"claimed at any look": float(claimed.mean()), "in the first half": float(early.mean())}


def run(design: SequentialDesign, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the number of seeds at which each table stops, and whether it is called better (1 or 0)."""
    seeds = scores.shape[-1]
    stopped, better, going = (np.full(len(scores), each) for each in (float(seeds), 0.0, True))
    for look in range(1, design.looks + 1):
        share = design.fraction(look)
        made = math.ceil(share * seeds - 1e-9)
        effect, _, p_value = welch(scores[..., :made])
        claim = going & (p_value <= design.nominal(look))
        better[claim & (effect > 0)] = 1.0
        ends = claim
        if look < design.looks:
            z = -special.ndtri(np.maximum(p_value, 1e-15) / 2) * np.sign(effect)
            ahead = z * math.sqrt(share) + design.design_drift * (1 - share) - design.bounds[-1]
            ends = claim | (going & (special.ndtr(ahead / math.sqrt(1 - share)) < design.futility))
        stopped[ends] = made
        going = going & ~ends
    return stopped, better


def costs(tables: int, kind: str, cases: int, seeds: int) -> dict[str, float]:
    """Return power and generations per table of both designs, with a gain and without one."""
    figures = {}
    gain = 2.8 * NOISE[kind] * math.sqrt(2 / (cases * seeds))
    planned = {"planned": seeds, "anytime": math.ceil(seeds * MORE_SEEDS)}
    for truth, size in (("gain", gain), ("none", 0.0)):
        scores = draw(np.random.default_rng([cases, seeds, 5]), kind, tables, cases, max(planned.values()), size)
        for name, most in planned.items():
            stopped, better = run(design_of(most, anytime=name == "anytime"), scores[..., :most])
            figures[f"{name}, {truth}: generations"] = float(2 * cases * stopped.mean())
            figures[f"{name}, {truth}: called better"] = float(better.mean())
        ratio = figures[f"anytime, {truth}: generations"] / figures[f"planned, {truth}: generations"]
        figures[f"{truth}: generations of anytime to planned"] = ratio
    return figures


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="20 tables of two sizes, to see that it runs")
    parser.add_argument("--tables", type=int, help="tables of a kind and size (default 4000)")
    parser.add_argument("--sizes", nargs="+", help="cases x seeds (default " + " ".join(SIZES) + ")")
    given = parser.parse_args(argv)
    tables = given.tables or (20 if given.quick else 4000)
    sizes = given.sizes or (["4x10", "6x10"] if given.quick else SIZES)
    start, rates = time.perf_counter(), {}
    for size in sizes:
        cases, seeds = map(int, size.split("x"))
        for kind in KINDS:
            rates |= {f"{size}, {kind}: {key}": rate for key, rate in at_any_look(tables, kind, cases, seeds).items()}
            if kind in NOISE:
                rates |= {f"{size}, {kind}: {key}": each for key, each in costs(tables, kind, cases, seeds).items()}
        print(f"{size} is done after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    figures = {"tables": tables, "seconds": time.perf_counter() - start, "rates": rates}
    return command.show(given, figures, (f"{rate:9.4f}  {name}" for name, rate in rates.items()))


if __name__ == "__main__":
    sys.exit(main())
