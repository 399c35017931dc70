"""The random table from other baselines, and as a smooth surface: how much does a way's rank owe to nearest sets?

    python -m benchmarks.replay.other_starts [--quick] [--json] [--replications N] [--budget N ...]
                                             [--methods NAME ...] [--file FILE]

In the random table a request gets texts of the nearest set. So one change of the usual baseline may get the texts of a
set that differs in all six options. Four problems tell how much that decides:

* `random`: the table with the usual baseline, as `replay.replay --table random` has it.
* `random-elsewhere`: each replication has another set of the table as its baseline, one that scores about the same.
* `surface`: a Gaussian process fitted to the sets' true means; the noise is that of the nearest set's texts.
* `surface-elsewhere`: the surface with these other baselines.

`sweep` is a sweep in small (`benchmarks.search.small_budgets`), the rivals are those of `search.peers`. Shown is
the regret of the recommended set, with standard errors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.replay import table
from benchmarks.replay.problem import CachedObjective, TableProblem
from benchmarks.search import arena
from benchmarks.search.peers import peers

BASELINES = 80
"""Number of other baselines: the sets whose true means are nearest to the usual one's."""

BUDGETS = (300, 600)
REPLICATIONS = 60
SWEEP = "sweep"
METHODS = ("one-factor", "tpe-1", "tpe-3", SWEEP)
KINDS = ("random", "random-elsewhere", "surface", "surface-elsewhere")

_DRAWN, _KEPT, _SCALES = 4_000, 50, (0.2, 0.1, 0.05, 0.03, 0.02, 0.01)


class SmoothProblem:
    """A smooth surface through the random table: each score is its truth, the case's share and a text's residual.

    Args:
        problem: The table.
    """

    def __init__(self, problem: TableProblem) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern

        self.distributions, self.active_when = problem.distributions, problem.active_when
        self.baseline, self.cases, self._table = problem.baseline, problem.cases, problem
        scores = problem.scores
        _, cases, seeds = scores.shape
        self._residuals = (scores - scores.mean(axis=2, keepdims=True)) * np.sqrt(seeds / (seeds - 1))
        self._shares = scores.mean(axis=(0, 2)) / scores.mean()
        self._middle = float(problem.means.mean())
        kernel = ConstantKernel(float(problem.means.var())) * Matern(np.ones(problem.codes.shape[1]), (0.1, 30), nu=2.5)
        noise = float(scores.var(axis=2, ddof=1).mean()) / (cases * seeds)
        self._surface = GaussianProcessRegressor(kernel, alpha=noise)
        self._surface.fit(problem.codes, problem.means - self._middle)
        self._known: dict[tuple[float, ...], float] = {}
        self.best = self._highest()

    def _at(self, codes: arena.Array) -> arena.Array:
        return np.asarray(self._surface.predict(codes)) + self._middle

    def _highest(self) -> float:
        """The largest true mean in the cube: random points, then moves of the best ones."""
        rng = np.random.default_rng(1)
        points = rng.random((_DRAWN, len(self.distributions)))
        for scale in _SCALES:
            points = points[np.argsort(-self._at(points))[:_KEPT]]
            moves = rng.normal(size=(20 * _KEPT, points.shape[1])) * scale
            moved = np.repeat(points, 20, axis=0) + moves * (rng.random(moves.shape) < 0.5)
            points = np.vstack([points, np.clip(moved, 0.0, 1.0)])
        return float(self._at(points).max())

    def truth(self, options: arena.Options) -> float:
        """See `arena.Problem.truth`."""
        key = tuple(float(options[name]) for name in self._table.table.options)
        if key not in self._known:
            self._known[key] = float(self._at(self._table.unit([options]))[0])
        return self._known[key]

    def draw(self, options: arena.Options, case: int, rng: Any) -> float:
        """See `arena.Problem.draw`."""
        residuals = self._residuals[self._table.place(options), case]
        return self.truth(options) * float(self._shares[case]) + float(rng.choice(residuals))

    def draw_block(self, options: arena.Options, repeats: int, rng: Any) -> Any:
        """See `arena.Problem.draw_block`."""
        rows = self._residuals[self._table.place(options)]
        drawn = np.take_along_axis(rows, rng.integers(rows.shape[1], size=(len(rows), repeats)), axis=1)
        return self.truth(options) * self._shares[:, None] + drawn


class Elsewhere:
    """A problem with another baseline.

    Args:
        problem: The problem.
        baseline: The baseline.
    """

    def __init__(self, problem: arena.Problem, baseline: arena.Options) -> None:
        self.distributions, self.active_when, self.cases = problem.distributions, problem.active_when, problem.cases
        self.best, self.baseline = problem.best, baseline
        self.truth, self.draw, self.draw_block = problem.truth, problem.draw, problem.draw_block


@cache
def random_table(file: Path | None = None) -> TableProblem:
    """The random table, or another file of it."""
    chosen = table.AT_RANDOM
    return TableProblem(table.load(file, chosen), table.Work(table=chosen).cases, CachedObjective(), chosen=chosen)


@cache
def smooth_surface(file: Path | None = None) -> SmoothProblem:
    """The surface through it."""
    return SmoothProblem(random_table(file))


def problem_of(kind: str, number: int, file: Path | None = None) -> arena.Problem:
    """One of `KINDS`; other baselines differ by number."""
    whole = random_table(file)
    problem: arena.Problem = whole if kind.startswith("random") else smooth_surface(file)
    if not kind.endswith("elsewhere"):
        return problem
    alike = np.argsort(abs(whole.means - whole.truth(whole.baseline)), kind="stable")[1 : BASELINES + 1]
    return Elsewhere(problem, {**whole.baseline, **whole.sets[alike[number % len(alike)]]})


def regret(method: str, problem: arena.Problem, budget: int, seed: int) -> float:
    """Regret of the set that a way recommends."""
    from benchmarks.search.small_budgets import Small, Way

    if method == SWEEP:
        return Small(problem, budget, seed, Way()).run()["recommended"]
    return problem.best - peers.run_peer(method, problem, [budget], seed)[0].truth


def figures(
    budgets: Sequence[int], numbers: Sequence[int], methods: Sequence[str], file: Path | None = None
) -> dict[str, Any]:
    """Mean regrets and standard errors by problem, method and budget."""
    found: dict[str, Any] = {kind: {method: {} for method in methods} for kind in KINDS}
    for kind in KINDS:
        for method in methods:
            for budget in budgets:
                seeds = [arena.spread_seed(number, budget, 7) for number in numbers]
                all_ = [
                    regret(method, problem_of(kind, n, file), budget, own)
                    for n, own in zip(numbers, seeds, strict=True)
                ]
                error = float(np.std(all_, ddof=1) / np.sqrt(len(all_))) if len(all_) > 1 else None
                found[kind][method][str(budget)] = {"regret": float(np.mean(all_)), "se": error}
    return found


def lines_of(found: Mapping[str, Any], budgets: Sequence[int]) -> Iterator[str]:
    """The figures as text."""
    yield f"{'regret':<20}{'method':<12}" + "".join(f"{budget:>18}" for budget in budgets)
    for kind, methods in found.items():
        for method, row in methods.items():
            cells = (row[str(budget)] for budget in budgets)
            shown = (f"{cell['regret']:>10.4f} ({cell['se'] or 0:.4f})".rjust(18) for cell in cells)
            yield f"{kind:<20}{method:<12}" + "".join(shown)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="2 replications of one factor at a time and of a sweep, 300 generations")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--budget", type=int, nargs="+", help=f"generations (default {' '.join(map(str, BUDGETS))})")
    names = (SWEEP, *peers.PEERS)
    parser.add_argument("--methods", nargs="+", choices=names, help=f"default {' '.join(METHODS)}")
    parser.add_argument("--file", type=Path, help="another file of the table")
    given = parser.parse_args(argv)
    count = given.replications or (2 if given.quick else REPLICATIONS)
    budgets = sorted(given.budget or BUDGETS[: 1 if given.quick else None])
    methods = given.methods or (METHODS[::3] if given.quick else METHODS)
    found = figures(budgets, range(count), methods, given.file)
    return command.show(given, {"replications": count, "problems": found}, lines_of(found, budgets))


if __name__ == "__main__":
    sys.exit(main())
