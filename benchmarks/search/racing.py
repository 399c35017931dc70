"""Racing inside a trial: does a search find more if hopeless trials lose their other cases, and promising ones repeat?

    python -m benchmarks.search.racing [--quick] [--json] [--replications N] [--workers N] [--budgets 100,300]
                                       [--problems smooth,rough,table] [--ways ...] [--out FILE.jsonl]
    python -m benchmarks.search.racing --summary FILE.jsonl

The search alone, one trial at a time, with the product's start design, surface, acquisition and pick; the product
itself does not race. Problems: simulated surfaces with a gain of .05 and 6 cases, `smooth` and `rough`, on which
nothing was tuned; `table`, the 48 real sets of `benchmarks.replay`. Budgets are generations of the search.

Ways:

- `uniform`: one generation on every case (the product's way).
- `drop`: the cases of a trial come in random order. From the second on, the trial ends where its chance to be better
  than the best known set, given the surface and its own scores without the cases' offsets, is below `HOPELESS`.
- `again`: a set that has a trial competes with new ones in the expected improvement, and may have another trial.
- `gradient`: the next trial is the one after which the best posterior mean is expected to be highest (knowledge
  gradient: Frazier, Powell & Dayanik 2009), over new sets and those that have a trial.
- `late`: the same in the last part of the budget only (`LATE`). `late-drop`: with `drop`.

Shown are the regret of the pick (the best true mean less that of the set with the best posterior mean), and `saved`,
the difference to `uniform` on the same problem with the same seed (positive: the way is better). `se_...` are standard
errors over replications. `trials` counts trials, `shares` the generations per trial as a share of the cases.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import command
from benchmarks.search import replications
from benchmarks.search.replications import Record
from benchmarks.search.trials import Trials, table_problem
from benchmarks.workers import mapped

if TYPE_CHECKING:
    from benchmarks.search.arena import Array
    from sweeps.samplers.posterior import Surface

WAYS = ("uniform", "drop", "again", "gradient", "late", "late-drop")
PROBLEMS = ("smooth", "rough", "table")
BUDGETS, QUICK = (100, 300), (60,)
REPLICATIONS = 40
FIRST_SEED = 97_000
"""Surfaces on which nothing was tuned."""

GAIN, CASES, FLOOR_SEEDS = 0.05, 6, 4
HOPELESS = 0.1
LEAST_CASES = 2
LATE = 0.3
"""Share of the budget that `late` chooses by the knowledge gradient."""

REPEATED = 16
"""Sets with the best means, of which one may have another trial."""

NEW = 64
"""New sets with the largest expected improvement, which the knowledge gradient compares."""


@dataclass
class Race(Trials):
    """One search by one of `WAYS`."""

    way: str

    def __post_init__(self) -> None:
        self.begin(FLOOR_SEEDS)
        self.spent = 0

    def run(self) -> dict[str, float]:
        """Search to the end of the budget, and return the regret of the pick."""
        import numpy as np

        from sweeps.samplers.acquisition import start_design
        from sweeps.samplers.surrogate import one_thread

        planned = self.budget // self.problem.cases
        first = max(min(2 * len(self.encoding) + 2, planned // 4), 8)
        design = start_design(self.encoding, first, self.codes[0], self.seed)
        with one_thread():
            while self.spent < self.budget:
                done = len(self.codes) - 1
                surface = self.surface(first) if done >= first else None
                self._trial(design[done] if done < first else self._next(surface), surface)
            means = self._posterior_means()
        picked = self.codes[int(np.argmax(means))]
        trials = len(self.codes) - 1
        truth = self.problem.truth({**self.problem.baseline, **self.encoding.params(picked)})
        return {
            "regret": self.problem.best - truth,
            "trials": trials,
            "shares": self.spent / trials / self.problem.cases,
        }

    def _posterior_means(self) -> Array:
        """Posterior means of the trials, by the pick's own surface (fitted to all of them)."""
        import numpy as np

        surface = self.surface(len(self.codes))
        return np.asarray(self.scores()[0] if surface is None else surface.known_means())

    def _next(self, surface: Surface | None) -> Array:
        """Codes of the next trial."""
        import numpy as np

        from sweeps.samplers.acquisition import augmented_expected_improvement, candidates, distinct

        known = np.array(self.codes)
        if surface is None:
            return np.asarray(self.encoding.canonical(self.rng.random((1, len(self.encoding))))[0])
        ranked = known[np.argsort(-surface.known_means(), kind="stable")]
        taken = set(self.encoding.keys(known))
        pool = candidates(self.encoding, ranked, self.rng)
        new = np.array([key not in taken for key in self.encoding.keys(pool)])
        repeats = distinct(ranked)[:REPEATED]
        if not new.any():
            pool = repeats if "again" in self.way else pool
        else:
            pool = np.vstack([pool[new], repeats]) if "again" in self.way else pool[new]
        noise = self.noise / self.problem.cases
        value = augmented_expected_improvement(surface, self.encoding.features(pool), noise)
        late = "late" in self.way and self.spent >= (1.0 - LATE) * self.budget
        if late or self.way == "gradient":
            best = pool[np.argsort(-value, kind="stable")[:NEW]] if new.any() else pool[:0]
            pool = np.vstack([repeats, best])
            value = self._gradients(surface, pool, len(repeats))
        return np.asarray(pool[int(np.argmax(value))])

    def _gradients(self, surface: Surface, pool: Array, known: int) -> Array:
        """Expected best posterior mean after one more trial of each set of the pool.

        Args:
            surface: The surface.
            pool: Codes; the first have a trial.
            known: Number of these.
        """
        import numpy as np

        mean, covariance = surface.joint(self.encoding.features(pool))
        nodes, weights = np.polynomial.hermite_e.hermegauss(32)
        weights /= weights.sum()
        moves = covariance / np.sqrt(np.diag(covariance) + self.noise / self.problem.cases)
        best = (mean[:known, None, None] + moves[:known, :, None] * nodes).max(axis=0)
        own = mean[:, None] + np.diag(moves)[:, None] * nodes
        return np.asarray(np.maximum(best, own) @ weights)

    def _trial(self, codes: Array, surface: Surface | None) -> None:
        """Generate on the cases, one after the other, until the budget or the trial's hope ends."""
        import numpy as np

        options = {**self.problem.baseline, **self.encoding.params(codes)}
        sums, counts = np.zeros(self.problem.cases), np.zeros(self.problem.cases)
        offsets = self.scores()[2]
        for case in self.rng.permutation(self.problem.cases):
            if self.spent >= self.budget:
                break
            sums[case] += self.problem.draw(options, int(case), self.rng)
            counts[case] += 1
            self.spent += 1
            if surface is not None and "drop" in self.way and counts.sum() >= LEAST_CASES:
                mean = float((sums - counts * offsets).sum() / counts.sum())
                if self._hope(surface, codes, mean, self.noise / counts.sum()) < HOPELESS:
                    break
        if counts.any():
            self.keep(codes, sums, counts)

    def _hope(self, surface: Surface, codes: Array, mean: float, variance: float) -> float:
        """Chance that a set is better than the best known one, given the surface and its scores so far."""
        from scipy.special import ndtr

        (before,), (sd,) = surface.posterior(self.encoding.features(codes[None, :]))
        weight = sd**2 / (sd**2 + variance)
        after, rest = before + weight * (mean - before), sd * math.sqrt(1.0 - weight)
        return float(ndtr((after - surface.reference()) / rest))


def replication(number: int, budgets: Sequence[int], problems: Sequence[str], ways: Sequence[str]) -> Record:
    """All ways on one problem of each kind."""
    from benchmarks.search.arena import SurfaceProblem, spread_seed
    from sweeps.engines.scripted.surfaces import make_surface

    found: Record = {"number": number, "budgets": list(budgets)}
    for kind in problems:
        problem: Any = (
            table_problem()
            if kind == "table"
            else SurfaceProblem(make_surface(kind, seed=FIRST_SEED + number, gain=GAIN, cases=CASES))  # type: ignore[arg-type]
        )
        found[kind] = {
            str(budget): {way: Race(problem, budget, spread_seed(number, budget), way).run() for way in ways}
            for budget in budgets
        }
    return found


def figures(records: Sequence[Record]) -> dict[str, Any]:
    """Means and standard errors by problem, budget and way."""
    import numpy as np

    found: dict[str, Any] = {"replications": len(records), "problems": {}}

    def mean(values: Sequence[float]) -> tuple[float, float]:
        error = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
        return float(np.mean(values)), error

    for kind in PROBLEMS:
        having = [record[kind] for record in records if kind in record]
        for budget, ways in having[0].items() if having else ():
            cells = [record[budget] for record in having]
            for way in ways:
                row = {"replications": float(len(cells))}
                row |= {name: mean([c[way][name] for c in cells])[0] for name in ("trials", "shares")}
                row["regret"], row["se_regret"] = mean([c[way]["regret"] for c in cells])
                base = next(iter(ways))
                row["saved"], row["se_saved"] = mean([c[base]["regret"] - c[way]["regret"] for c in cells])
                found["problems"].setdefault(kind, {}).setdefault(budget, {})[way] = row
    return found


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    yield f"{found['replications']} replications"
    yield f"{'problem':<8}{'budget':>7}{'way':>12}{'regret':>9}{'se':>8}{'saved':>9}{'se':>8}{'trials':>8}{'share':>7}"
    for kind, budgets in found["problems"].items():
        for budget, ways in budgets.items():
            for way, row in ways.items():
                yield (
                    f"{kind:<8}{budget:>7}{way:>12}{row['regret']:>9.4f}{row['se_regret']:>8.4f}{row['saved']:>+9.4f}"
                    f"{row['se_saved']:>8.4f}{row['trials']:>8.0f}{row['shares']:>7.2f}"
                )


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="2 replications of 60 generations")
    parser.add_argument("--replications", type=int, help=f"problems of each kind (default {REPLICATIONS})")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--budgets", type=_list(int), help=f"generations (default {','.join(map(str, BUDGETS))})")
    parser.add_argument("--problems", type=_list(str), default=PROBLEMS, help=f"default {','.join(PROBLEMS)}")
    parser.add_argument(
        "--ways", type=_list(str), default=WAYS, help=f"default {','.join(WAYS)}; the first is the base"
    )
    parser.add_argument("--out", type=Path, help="JSON Lines file of the replications, to go on with")
    parser.add_argument("--summary", type=Path, help="print the figures of such a file, and run nothing")
    given = parser.parse_args(argv)
    if given.summary is not None:
        records = replications.read(given.summary)
        found = figures(records)
        return command.show(given, found, table(found))
    budgets = given.budgets or (QUICK if given.quick else BUDGETS)
    numbers = range(given.replications or (2 if given.quick else REPLICATIONS))

    def make(missing: Sequence[int]) -> Iterator[Record]:
        each = [[value] * len(missing) for value in (budgets, given.problems, given.ways)]
        yield from mapped(given.workers, replication, missing, *each)

    with tempfile.TemporaryDirectory() as folder:
        out = given.out or Path(folder) / "records.jsonl"
        for _ in replications.resume(out, numbers, budgets, make):
            pass
        found = figures(replications.read(out, budgets))
    return command.show(given, found, table(found))


def _list(kind: type) -> Any:
    def parse(text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a list of {kind.__name__}: {text!r}") from None

    return parse


if __name__ == "__main__":
    sys.exit(main())
