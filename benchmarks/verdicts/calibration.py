"""Simulated error rates of everything that `analysis` claims.

    python -m benchmarks.verdicts.calibration [--quick] [--json] [--replications N] [--parts halves ...]

Nominal levels are .05 (A/A check: .01) and the simulated data have no true difference, so each rate is an error rate,
except where a line says coverage, power or found. The standard error of a rate is about sqrt(.05 * .95 / N).
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import pandas as pd
from scipy.special import ndtr

from analysis.comparison.compare import compare
from analysis.comparison.holm import holm
from analysis.comparison.pair import pair
from analysis.noise.aa_check import aa_check
from analysis.observations.table import TableError, summarize
from analysis.ranks.dunnett import ranking
from analysis.sequential.design import SequentialDesign
from benchmarks import command
from tests.analysis import simulate


def fewer(replications, share):
    """One in `share` of the replications, for parts that cost more, but at least 200 of those asked for."""
    return max(min(200, replications), replications // share)


def one_sided_greedy(rng, kind, replications, cases, seeds):
    """Return scores of two arms with equal means; the first has no noise."""
    mean = rng.uniform(0.2, 0.65, (replications, 1, cases))
    scores = simulate.draw(rng, kind, np.repeat(mean, 2, axis=1), np.full((replications, 2, cases), 0.12), seeds)
    scores[:, 0] = mean[:, 0, :, None]
    return scores


def type_one(replications: int) -> dict[str, float]:
    """Error rates of both claims where nothing differs."""
    rates = {}
    for kind in simulate.KINDS:
        for cases, seeds in (*simulate.SIZES, (4, 2), (6, 2)):
            rng = np.random.default_rng([cases, seeds, len(kind)])
            count = replications if seeds > 2 else fewer(replications, 4)
            scores = simulate.null_scores(rng, kind, count, cases, seeds)
            rates[f"these cases, {kind}, {cases} x {seeds}"] = simulate.error_rate(scores)
            if cases >= 6 and seeds > 2:
                scores = simulate.null_scores(rng, kind, count, cases, seeds, interaction=0.05)
                rates[f"new cases, {kind}, {cases} x {seeds}"] = simulate.error_rate(scores, claim="new-cases")
    return rates


def unequal_seeds(replications: int) -> dict[str, float]:
    """Arms with different numbers of seeds, by plan or after failures, the second with twice the first one's noise."""
    rates = {}
    for cases, first, second, lost in (
        (6, 10, 2, 0.0),
        (6, 30, 2, 0.0),
        (4, 3, 3, 0.5),
        (6, 5, 5, 0.5),
        (12, 3, 3, 0.6),
    ):
        rng = np.random.default_rng([cases, first, second])
        rejected = judged = 0
        for _ in range(fewer(replications, 2)):
            mean = np.repeat(rng.uniform(0.3, 0.6, (1, 1, cases)), 2, axis=1)
            noise = np.broadcast_to(np.array([0.08, 0.16])[None, :, None], mean.shape)
            scores = simulate.draw(rng, "beta", mean, noise, max(first, second))[0]
            arm, case, seed = (each.ravel() for each in np.indices(scores.shape))
            kept = (seed < np.where(arm == 0, first, second)) & ((arm == 0) | (rng.random(len(arm)) >= lost))
            table = pd.DataFrame({"configuration": arm, "case": case, "seed": seed, "score": scores.ravel()})[kept]
            try:
                cells = summarize(table)
                estimate = compare(pair(cells, cells.index("0"), cells.index("1"))).estimate
            except TableError:  # nothing was left to judge
                continue
            judged += 1
            rejected += estimate is not None and estimate.p_value <= 0.05
        name = f"{cases} x {first} against {second}" + (f", {lost:.0%} of these lost" if lost else "")
        rates[f"unequal seeds and noise, {name}"] = rejected / judged
    return rates


def skewed_scores(replications: int) -> dict[str, float]:
    """How often few seeds are called better, or worse, than many seeds of the same distribution."""
    rates = {}
    for kind in simulate.SKEWED:
        for cases, many, few in ((4, 30, 3), (6, 10, 2), (6, 10, 5), (1, 100, 10), (6, 12, 8), (6, 5, 5)):
            rng = np.random.default_rng([cases, many, few])
            scores = simulate.lopsided(rng, kind, fewer(replications, 8), (many,) * cases, (few,) * cases)
            claims = [np.sign(each.effect) for each in simulate.estimates(scores) if each.p_value <= 0.05]
            for claim, sign in (("better", 1), ("worse", -1)):
                rates[f"{claim}, {kind}, {cases} x {many} against {few}"] = claims.count(sign) / len(scores)
    return rates


def single_seeds(replications: int) -> dict[str, float]:
    """Error rates where hard cases have one seed and easy cases several, in both arms or in the second alone."""
    rates = {}
    for base, other, noise in (
        ((1, 1, 1, 10), (1, 1, 1, 10), (0.15, 0.15, 0.15, 0.03)),
        ((1, 1, 5, 5, 5, 5), (1, 1, 5, 5, 5, 5), (0.15, 0.15, 0.05, 0.05, 0.05, 0.05)),
        ((10, 10, 10, 10), (1, 1, 1, 10), (0.15, 0.15, 0.15, 0.03)),
        ((1, 5, 5, 5, 5, 5), (1, 5, 5, 5, 5, 5), (0.12,) * 6),
    ):
        rng = np.random.default_rng([len(base), *other])
        count = fewer(replications, 8)
        draws = rng.standard_normal((count, 2, len(base), max(*base, *other)))
        scores = np.clip(0.5 + np.array(noise)[:, None] * draws, 0, 1)
        for arm, seeds in enumerate((base, other)):
            for case, many in enumerate(seeds):
                scores[:, arm, case, many:] = np.nan
        rates[f"cases with one seed, {base} against {other}, noise {noise}"] = simulate.error_rate(scores)
    return rates


def shared_noise(replications: int) -> dict[str, float]:
    """Error rates where a seed lifts or lowers all cases of an arm together."""
    rates = {}
    for cases, seeds, shock in ((6, 10, 0.03), (6, 10, 0.06), (12, 5, 0.06), (6, 5, 0.1), (6, 3, 0.1)):
        rng = np.random.default_rng([cases, seeds, 13])
        count = fewer(replications, 4)
        scores = 0.5 + 0.1 * rng.standard_normal((count, 2, cases, seeds))
        scores = np.clip(scores + shock * rng.standard_normal((count, 2, 1, seeds)), 0, 1)
        name = f"seeds that share {shock:g} of noise .1, {cases} x {seeds}"
        found = simulate.estimates(scores)
        rates[f"{name}: found"] = float(np.mean(["seeds as units" in each.test for each in found]))
        rates[name] = float(np.mean([each.p_value <= 0.05 for each in found]))
        rates[f"{name}, new cases"] = simulate.error_rate(scores, claim="new-cases")
    return rates


def one_generation(replications: int) -> dict[str, float]:
    """Error rates where each question has one generation, and where questions come in clusters that move together."""
    rates = {}
    for questions in (60, 300):
        for kind in ("normal", "pass or fail"):
            rng = np.random.default_rng([questions, len(kind)])
            level = rng.uniform(0.3, 0.7, (fewer(replications, 4), 1, questions, 1))
            noise = rng.standard_normal((len(level), 2, questions, 1))
            scores = np.clip(level + 0.15 * noise, 0, 1) if kind == "normal" else (ndtr(noise) < level).astype(float)
            rates[f"one generation, {kind}, {questions} x 1"] = simulate.error_rate(scores, claim="new-cases")
    for clusters, size in ((30, 10), (10, 6)):
        rng = np.random.default_rng([clusters, size, 17])
        rejected, count, cluster = 0, fewer(replications, 8), np.repeat(np.arange(clusters), size)
        for _ in range(count):
            own = rng.normal(0, 0.08, (2, clusters))[:, cluster] + rng.normal(0.5, 0.1, (2, len(cluster)))
            arm, case = (each.ravel() for each in np.indices(own.shape))
            table = {"configuration": arm, "case": case, "seed": 0, "score": np.clip(own, 0, 1).ravel()}
            cells = summarize(pd.DataFrame({**table, "cluster": cluster[case]}), cluster="cluster")
            rejected += compare(pair(cells, 0, 1), claim="new-cases").estimate.p_value <= 0.05
        rates[f"questions in clusters, {clusters} x {size} x 1"] = rejected / count
    return rates


def other_tests(replications: int) -> dict[str, float]:
    """Error rates of the pooled test, of permutations, and against a baseline without noise."""
    rates = {}
    for kind in ("beta-unequal", "discrete-unequal"):
        for cases, seeds in simulate.SIZES:
            rng = np.random.default_rng([cases, seeds, 7])
            scores = simulate.null_scores(rng, kind, replications // 2, cases, seeds)
            rates[f"pooled, {kind}, {cases} x {seeds}"] = simulate.error_rate(scores, test="pooled")
            if seeds == 3:
                few = scores[: fewer(replications, 8)]
                rates[f"permutation, {kind}, {cases} x {seeds}"] = simulate.error_rate(few, test="permutation")
            scores = one_sided_greedy(rng, kind, replications // 2, cases, seeds)
            rates[f"baseline greedy, {kind}, {cases} x {seeds}"] = simulate.error_rate(scores)
    return rates


def intervals(replications: int) -> dict[str, float]:
    """Shares of 95% intervals that hold the true difference."""
    rates = {}
    for kind in ("beta-unequal", "beta"):
        for cases, seeds in simulate.SIZES:
            rng = np.random.default_rng([cases, seeds, 8])
            scores = simulate.shifted_scores(rng, kind, replications // 2, cases, seeds, 0.05)
            rates[f"coverage, {kind}, {cases} x {seeds}"] = simulate.coverage(scores, 0.05)
    return rates


def sequential(replications: int) -> dict[str, float]:
    """Error rates and power of confirmations with several looks."""
    rates = {}
    for looks, cases, seeds in ((2, 4, 6), (2, 6, 10), (3, 6, 12), (4, 12, 12)):
        design = SequentialDesign(looks)
        open_ended = SequentialDesign(looks, futility=0.0)
        rng = np.random.default_rng([cases, seeds, looks])
        scores = simulate.null_scores(rng, "beta-unequal", replications // 2, cases, seeds)
        name = f"{looks} looks, {cases} x {seeds}"
        estimates = simulate.looks(design, scores)
        for label, each in (("", design), (" without futility", open_ended)):
            found = simulate.stops(each, estimates)
            rates[f"sequential{label}, {name}"] = float(np.mean([stop == "efficacy" for _, stop, _ in found]))
        rates[f"stopped early under no effect, {name}"] = float(
            np.mean([look < looks for look, _, _ in simulate.stops(design, estimates)])
        )
        gain = 2.8 * 0.12 * math.sqrt(2 / (cases * seeds))
        scores = simulate.shifted_scores(rng, "beta", replications // 2, cases, seeds, gain)
        rates[f"power of a fixed test, {name}"] = simulate.error_rate(scores)
        estimates = simulate.looks(design, scores)
        for label, each in (("", design), (" without futility", open_ended)):
            found = simulate.stops(each, estimates)
            better = [stop == "efficacy" and effect > 0 for _, stop, effect in found]
            rates[f"power{label}, {name}"] = float(np.mean(better))
    return rates


def families(replications: int) -> dict[str, float]:
    """Shares of families of finalists with at least one false claim."""
    rates = {}
    for finalists, cases, seeds in ((5, 6, 5), (20, 6, 10)):
        for kind in ("beta", "beta-unequal"):
            rng = np.random.default_rng([finalists, cases, seeds])
            first = {"holm": 0, "dunnett common": 0, "dunnett own": 0}
            count = max(min(100, replications), replications // 10)
            for _ in range(count):
                mean = np.broadcast_to(rng.uniform(0.2, 0.65, (1, 1, cases)), (1, finalists + 1, cases))
                sd = np.full((1, finalists + 1, cases), 0.12)
                if kind == "beta-unequal":
                    sd = sd * rng.choice([0.5, 1.0, 1.5], (1, finalists + 1, 1))
                scores = simulate.draw(rng, kind, mean, sd, seeds)[0]
                index = np.indices(scores.shape).reshape(3, -1)
                table = pd.DataFrame(
                    {"configuration": index[0], "case": index[1], "seed": index[2], "score": scores.ravel()}
                )
                pairs = [np.stack([scores[0], scores[i + 1]]) for i in range(finalists)]
                adjusted, _ = holm([each.p_value for each in simulate.estimates(np.stack(pairs))])
                first["holm"] += min(adjusted) <= 0.05
                for noise in ("common", "own"):
                    first[f"dunnett {noise}"] += ranking(table, "0", noise=noise)["p_value"].min() <= 0.05
            for name, number in first.items():
                rates[f"{name}, {kind}, {finalists} finalists, {cases} x {seeds}"] = number / count
    return rates


def halves(replications: int) -> dict[str, float]:
    """False alarms of the A/A check."""
    rates = {}
    for cases, seeds in ((4, 6), (6, 10), (12, 4)):
        rng = np.random.default_rng([cases, seeds, 9])
        alarms, count = 0, fewer(replications, 4)
        for _ in range(count):
            scores = simulate.null_scores(rng, "beta", 1, cases, seeds)[0, :1]
            index = np.indices(scores.shape).reshape(3, -1)
            table = {"configuration": index[0], "case": index[1], "seed": index[2], "score": scores.ravel()}
            alarms += not aa_check(pd.DataFrame(table)).passed
        rates[f"A/A check (nominal .01), {cases} x {seeds}"] = alarms / count
    return rates


PARTS = {
    part.__name__: part
    for part in (
        type_one, unequal_seeds, skewed_scores, single_seeds, shared_noise, one_generation, other_tests, intervals,
        sequential, families, halves,
    )
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="60 replications, to see that it runs")
    parser.add_argument("--replications", type=int, help="tables of a kind (default 6000)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these (default all)")
    given = parser.parse_args(argv)
    replications = given.replications or (60 if given.quick else 6000)
    start, rates = time.perf_counter(), {}
    for name in given.parts:
        rates |= PARTS[name](replications)
        print(f"{name} is done after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    figures = {"replications": replications, "seconds": time.perf_counter() - start, "rates": rates}
    return command.show(given, figures, (f"{rate:7.4f}  {name}" for name, rate in rates.items()))


if __name__ == "__main__":
    sys.exit(main())
