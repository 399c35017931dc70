"""Gain of trying an earlier study's finalist first, and its cost where that study was about something else.

    python -m benchmarks.search.earlier [--quick] [--json] [--replications N] [--first N] [--budget N]
                                        [--relations same,related,unrelated]

Two sweeps follow each other, each the product's own way from its file to its verdict. The second one is made twice:
with the first one's finalist as its first trial, and without. Its surface is

* `same`: that of the first sweep;
* `related`: three tenths of the texts come from another surface, for every set of options;
* `unrelated`: another surface.

`gained` is the true mean of what the second sweep recommends with the finalist, less the same without it: means over
the replications with standard errors. Smooth and rough surfaces take turns, with gains of .05 and .08.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.search import arena

RELATIONS = ("same", "related", "unrelated")
BUDGET, REPLICATIONS = 300, 20
FIRST_SEED = 60_000
OTHER_SHARE = 0.3
CASES = 6


class Mixed:
    """A problem whose texts come from another one with a probability that does not depend on the options."""

    def __init__(self, main: arena.SurfaceProblem, other: arena.SurfaceProblem, share: float) -> None:
        self.distributions, self.active_when, self.baseline = main.distributions, main.active_when, main.baseline
        self.cases, self.best = main.cases, math.nan
        self._main, self._other, self._share = main, other, share

    def draw(self, options: arena.Options, case: int, rng: np.random.Generator) -> float:
        """See `arena.Problem.draw`."""
        return (self._other if rng.random() < self._share else self._main).draw(options, case, rng)

    def draw_block(self, options: arena.Options, repeats: int, rng: np.random.Generator) -> arena.Array:
        """See `arena.Problem.draw_block`."""
        draws = [[self.draw(options, case, rng) for _ in range(repeats)] for case in range(self.cases)]
        return np.array(draws)

    def truth(self, options: arena.Options) -> float:
        """See `arena.Problem.truth`."""
        return (1 - self._share) * self._main.truth(options) + self._share * self._other.truth(options)


def problems(number: int) -> dict[str, arena.Problem]:
    """The second sweep's problem by its relation to the first one, whose problem is `same`."""
    from sweeps.engines.scripted.surfaces import make_surface

    kind, gain = ("smooth", "rough")[number % 2], (0.05, 0.08)[number // 2 % 2]

    def surface(seed: int) -> arena.SurfaceProblem:
        return arena.SurfaceProblem(make_surface(kind, seed=seed, gain=gain, cases=CASES))  # type: ignore[arg-type]

    first, other = surface(FIRST_SEED + 2 * number), surface(FIRST_SEED + 2 * number + 1)
    return {"same": first, "related": Mixed(first, other, OTHER_SHARE), "unrelated": other}


def replication(number: int, budget: int, relations: Sequence[str]) -> dict[str, float]:
    """True mean gained by the earlier finalist, by relation; a first sweep without a finalist gains nothing."""
    found = problems(number)
    finalist = finalist_of(found["same"], budget, arena.spread_seed(number, 0))
    gained = {}
    for relation in relations:
        if finalist is None:
            gained[relation] = 0.0
            continue
        problem, seed = found[relation], arena.spread_seed(number, 1, RELATIONS.index(relation))
        named = {"candidates": {"earlier": _differing(finalist, problem.baseline)}}
        swept = [arena.run_sweep(problem, budget, seed, tables=tables) for tables in (named, None)]
        gained[relation] = swept[0].recommended - swept[1].recommended
    return gained


def finalist_of(problem: arena.Problem, budget: int, seed: int) -> arena.Options | None:
    """The options of a sweep's finalist, if they differ from the baseline's."""
    kept: list[arena.Options] = []

    def remember(found: Any) -> None:
        if found.finalist is not None:
            kept.append(found.finalist.configuration.options)

    arena.run_sweep(problem, budget, seed, seen=remember)
    return kept[0] if kept and _differing(kept[0], problem.baseline) else None


def _differing(options: arena.Options, baseline: arena.Options) -> dict[str, Any]:
    """Options that the baseline does not have, or has with other values."""
    return {name: value for name, value in options.items() if name in baseline and baseline[name] != value} | {
        name: value for name, value in options.items() if name == "mirostat_tau"
    }


def figures_of(runs: Sequence[Mapping[str, float]], relations: Sequence[str]) -> dict[str, Any]:
    """Mean and standard error of what is gained, by relation."""
    found: dict[str, Any] = {"replications": len(runs)}
    for relation in relations:
        values = np.array([run[relation] for run in runs])
        error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        found[relation] = {"gained": float(values.mean()), "se": error}
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="2 replications with 120 generations")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--first", type=int, default=0, help="number of the first replication (default 0)")
    parser.add_argument("--budget", type=int, help=f"generations of each sweep (default {BUDGET})")
    parser.add_argument(
        "--relations",
        type=command.some_of(RELATIONS, "relation"),
        default=RELATIONS,
        help=f"default {','.join(RELATIONS)}",
    )
    given = parser.parse_args(argv)
    count = given.replications or (2 if given.quick else REPLICATIONS)
    budget = given.budget or (120 if given.quick else BUDGET)
    runs = [replication(number, budget, given.relations) for number in range(given.first, given.first + count)]
    figures = {"budget": budget, **figures_of(runs, given.relations)}
    lines = [f"{count} replications, {budget} generations each"]
    for relation in given.relations:
        error = figures[relation]["se"]
        lines.append(f"{relation:<12}{figures[relation]['gained']:+.4f}" + ("" if error is None else f" ({error:.4f})"))
    return command.show(given, figures, lines)


if __name__ == "__main__":
    sys.exit(main())
