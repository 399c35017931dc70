"""Gain of a search that knows the scores of an earlier study, and its cost where that study was about something else.

    python -m benchmarks.search.earlier_scores [--quick] [--json] [--replications N] [--first N] [--budget N]
                                               [--problems grid,random,smooth,rough,related,unrelated] [--workers N]

Two sweeps follow each other in one folder, each the product's own way from its file to its verdict. The second one is
made twice, with `[search] earlier_scores = true` and without, with the same seed; texts that both need are the same.
Its problem is

* `grid`, `random`: a table of real texts (`benchmarks.replay`), the same for both sweeps;
* `smooth`, `rough`: a simulated surface, the same for both sweeps;
* `related`, `unrelated`: another surface of either kind, as `search.earlier` says; the ledger does not know it is.

Shown are the regret of what the second sweep recommends, and the true means that the scores gain, of the recommended
and of the claimed set: means over the replications with standard errors. A `related` surface has no known best set.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.search import arena
from benchmarks.search.earlier import problems
from benchmarks.workers import mapped

TABLES = ("grid", "random")
SURFACES = ("smooth", "rough")
PROBLEMS = (*TABLES, *SURFACES, "related", "unrelated")
BUDGET, REPLICATIONS = 300, 40


@cache
def _replay(name: str) -> Any:
    from benchmarks.replay import table
    from benchmarks.replay.replay import Replay

    return Replay.of(table.load(None, table.TABLES[name]), table.TABLES[name])


def replication(number: int, budget: int, problem: str) -> dict[str, float]:
    """True means of what both second sweeps recommend and claim, and the best one there is."""
    first, last = arena.spread_seed(number, 0), arena.spread_seed(number, 1, PROBLEMS.index(problem))
    with tempfile.TemporaryDirectory(dir=arena.scratch(), prefix="earlier-") as folder:
        if problem in TABLES:
            run, before, best = partial(_on_table, _replay(problem), budget, folder), None, _replay(problem)
            best = best.problems[False].best
        else:
            kind = number if problem not in SURFACES else 2 * number + SURFACES.index(problem)
            found = problems(kind)
            now = found["same" if problem in SURFACES else problem]
            run, before, best = partial(_on_surface, now, budget, folder), found["same"], now.best
        run(first, "first", {}, **({} if before is None else {"problem": before}))
        known = run(last, "with", {"earlier_scores": True})
        alone = run(last, "without", {})
    return {"best": best, **{f"with_{k}": v for k, v in known.items()}, **{f"without_{k}": v for k, v in alone.items()}}


def _on_table(
    replay: Any, budget: int, folder: str, seed: int, name: str, search: Mapping[str, Any]
) -> dict[str, float]:
    problem = replay.problems[False]
    tables = {"study": {"name": name}, "search": {"probe": False, **search}}
    result = replay.sweep(budget, seed, directory=Path(folder), tables=tables)
    kept = result.finalist.configuration if result.shown_better else result.baseline
    return {"recommended": problem.truth(result.recommended.options), "claimed": problem.truth(kept.options)}


def _on_surface(
    now: arena.Problem,
    budget: int,
    folder: str,
    seed: int,
    name: str,
    search: Mapping[str, Any],
    problem: arena.Problem | None = None,
) -> dict[str, float]:
    tables = {"study": {"name": name}, "search": search}
    swept = arena.run_sweep(problem or now, budget, seed, tables=tables, directory=folder)
    return {"recommended": swept.recommended, "claimed": swept.claimed}


def figures_of(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Means and standard errors over replications."""

    def of(name: str) -> Any:
        return np.array([run[name] for run in runs])

    values = {
        "regret": of("best") - of("without_recommended"),
        "regret_with": of("best") - of("with_recommended"),
        "gained": of("with_recommended") - of("without_recommended"),
        "gained_claimed": of("with_claimed") - of("without_claimed"),
    }
    found: dict[str, Any] = {"replications": len(runs)}
    for name, each in values.items():
        error = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.nan
        found |= {name: float(each.mean()), f"se_{name}": error}
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="1 replication with 84 generations on a surface")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--first", type=int, default=0, help="number of the first replication (default 0)")
    parser.add_argument("--budget", type=int, help=f"generations of each sweep (default {BUDGET})")
    parser.add_argument("--problems", type=command.some_of(PROBLEMS, "problem"), help=f"default {','.join(PROBLEMS)}")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    given = parser.parse_args(argv)
    count = given.replications or (1 if given.quick else REPLICATIONS)
    budget = given.budget or (84 if given.quick else BUDGET)
    figures: dict[str, Any] = {"budget": budget}
    lines = [f"{count} replications, {budget} generations each", f"{'':<12}{'regret':>18}{'with scores':>18}"]
    lines[-1] += f"{'gained':>18}{'claimed':>18}"
    for problem in given.problems or (("related",) if given.quick else PROBLEMS):
        numbers = range(given.first, given.first + count)
        columns = (numbers, [budget] * count, [problem] * count)
        figures[problem] = found = figures_of(list(mapped(given.workers, replication, *columns)))
        names = ("regret", "regret_with", "gained", "gained_claimed")
        cells = (f"{found[k]:+.4f} ({found[f'se_{k}']:.4f})" for k in names)
        lines.append(f"{problem:<12}" + "".join(f"{cell:>18}" for cell in cells))
    return command.show(given, figures, lines)


if __name__ == "__main__":
    sys.exit(main())
