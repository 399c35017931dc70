"""Small budgets: does a sweep recommend better sets with fewer cases per trial, less floor, less confirmation?

    python -m benchmarks.search.small_budgets [--quick] [--json] [--replications N] [--first N] [--budget 150]
                                              [--problem table] [--ways base,near,...]

A whole sweep in small: floor, trials in batches of four, pick, and a comparison on fresh seeds by the product's start
design, surface, acquisition, case offsets and rule of recommendation. There is no engine, no ledger, and no look before
the end of the confirmation, so a replication takes .03 s of processor time at 150 generations. `table` are the 48 real
sets of `benchmarks.replay`; `smooth`, `rough` and `default-best` are simulated surfaces with 6 cases, the others are
problems of `benchmarks.replay.other_starts`. Each way changes one thing.

Shown are the regret of the recommended set, of the finalist, of the best tried set and of the claimed one (an effect
above 2.02 standard errors), and what each saves against the first way; and the share of sweeps that recommend a truly
worse set than the baseline. Differences are in pairs with standard errors; positive ones are better.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks import command
from benchmarks.replay import other_starts
from benchmarks.search.trials import Trials, table_problem

if TYPE_CHECKING:
    from analysis.sequential.decision import Prior
    from benchmarks.search.arena import Array, Problem
    from sweeps.samplers.acquisition import Start
    from sweeps.samplers.posterior import Surface

BATCH, LEAST_CASES, LEAST_CONFIRM, MOST_TRIALS = 4, 2, 3, 2
GAINS = (0.02, 0.05, 0.08)
FIRST_SEED = 21_000
"""Surfaces of the simulated problems; `search.selection` begins at 30,000."""

CERTAIN, RECOMMEND = 2.02, 0.7
REPLICATIONS, BUDGET = 400, 150
PROBLEMS = ("table", "smooth", "rough", "default-best", *other_starts.KINDS)


@dataclass(frozen=True)
class Way:
    """How a sweep spends its generations.

    Attributes:
        floor: Seeds per case of the floor.
        share: Share of the confirmation.
        parts: Parts of the cases; a trial has one.
        hopeless: Chance below which a trial loses its other cases; 0 for never.
        any_set: Whether the pick may be a set that was never tried.
        greedy: Last share of the trials that take the best posterior mean.
        again: Share of the search after which a tried set may be proposed again; 1 for never.
        start: Kind of the start design.
        first: Its largest size, the baseline included.
        repick: Whether, where nothing is proven, the tried set is recommended that the search believes best after the
            fresh generations, if it believes with a chance of `RECOMMEND` that it is better than the baseline.
    """

    floor: int = 4
    share: float = 0.3
    parts: int = 1
    hopeless: float = 0.0
    any_set: bool = False
    greedy: float = 0.0
    again: float = 1.0
    start: Start | Literal["auto"] = "auto"
    first: int = 100
    repick: bool = False


WAYS: Mapping[str, Way] = {
    "base": Way(),
    "near": Way(start="near"),
    "ends": Way(start="ends"),
    "first-5": Way(first=5),
    "prune": Way(hopeless=0.1),
    "prune-2": Way(hopeless=0.2),
    "prune-3": Way(hopeless=0.3),
    "share": Way(share=0.2),
    "floor-3": Way(floor=3),
    "floor-2": Way(floor=2),
    "parts-2": Way(parts=2),
    "parts-3": Way(parts=3),
    "any": Way(any_set=True),
    "greedy": Way(greedy=0.25),
    "again": Way(again=0.5),
    "repick": Way(repick=True),
}


@dataclass
class Small(Trials):
    """One sweep, and how it spends its generations."""

    way: Way

    def __post_init__(self) -> None:
        from sweeps.budget.plan import Plan
        from sweeps.samplers import start_size

        way, cases = self.way, self.problem.cases
        self.begin(way.floor)
        confirm = max(LEAST_CONFIRM, round(self.budget * way.share / (2 * cases)))
        plan = Plan(cases, way.floor, 1, 1, confirm, parts=way.parts, together=BATCH)
        self.trials = max(plan.rotation.trials_within(self.budget - cases * (way.floor + 2 * confirm)), BATCH)
        self.plan, self.room = plan, plan.rotation.cases_of(self.trials)
        self.fresh = (self.budget - cases * way.floor - self.room) // (2 * cases)
        self.first = min(start_size(len(self.encoding), self.trials), way.first)

    def run(self) -> dict[str, float]:
        """Search, pick and compare."""
        from sweeps.samplers import start_kind
        from sweeps.samplers.acquisition import start_design
        from sweeps.samplers.surrogate import one_thread

        start = start_kind(len(self.encoding), self.first - 1) if self.way.start == "auto" else self.way.start
        design = start_design(self.encoding, self.first, self.codes[0], self.seed, start)
        left = self.room
        with one_thread():
            while batch := self._batch(left):
                surface = self.surface(self.first) if len(self.codes) >= self.first else None
                made = len(self.codes) - 1
                for codes, cases in zip(self._proposals(made, len(batch), design, surface, left), batch, strict=True):
                    left -= self._measure(codes, cases, surface, made)
            return self._end(left)

    def _batch(self, left: int) -> list[list[int]]:
        """The cases of each trial of the next batch, as far as generations are left."""
        made = len(self.codes) - 1
        batch: list[list[int]] = []
        while len(batch) < BATCH and made + len(batch) < MOST_TRIALS * self.trials:
            cases = self.plan.cases_of(made + len(batch), self.seed)
            if len(cases) > left:
                break
            left -= len(cases)
            batch.append(cases)
        return batch

    def _proposals(self, made: int, count: int, design: Array, surface: Surface | None, left: int) -> list[Array]:
        """Codes of the next trials."""
        import numpy as np

        from sweeps.samplers.acquisition import augmented_expected_improvement, candidates

        taken = set(self.encoding.keys(np.array(self.codes)))
        found: list[Array] = []
        progress = 1.0 - left / self.room
        for number in range(made, made + count):
            if surface is None or number < self.first - 1:
                ranked = np.vstack([design[[min(number, self.first - 1)]], self._others()])
            else:
                known = np.array(self.codes)[np.argsort(-surface.known_means(), kind="stable")]
                pool = candidates(self.encoding, known, self.rng)
                features, noise = self.encoding.features(pool), float(np.median(surface.noise))
                running = self.encoding.features(np.array(found).reshape(len(found), len(self.encoding)))
                believing = surface.believing(running, noise)
                value = augmented_expected_improvement(believing, features, noise)
                if progress >= 1.0 - self.way.greedy:
                    value = believing.posterior(features)[0]
                ranked = pool[np.argsort(-value, kind="stable")]
            keys = self.encoding.keys(ranked)
            new = [row for row, key in zip(ranked, keys, strict=True) if key not in taken]
            repeats = surface is not None and number >= self.first - 1 and progress >= self.way.again
            found.append(ranked[0] if repeats or not new else new[0])
            taken.add(self.encoding.keys(found[-1][None, :])[0])
        return found

    def _others(self) -> Array:
        """Random points, in a small space all."""
        import numpy as np

        if self.encoding.size <= 512:
            return np.asarray(self.rng.permutation(self.encoding.grid()))
        return self.encoding.canonical(self.rng.random((64, len(self.encoding))))

    def _measure(self, codes: Array, cases: Sequence[int], surface: Surface | None, batch: int) -> int:
        """Generate case by case until the trial is hopeless; returns the generations."""
        import numpy as np

        from sweeps.samplers.pruning import chances

        options, offsets = {**self.problem.baseline, **self.encoding.params(codes)}, self.scores()[2]
        scores = self.problem.draw_block(options, 1, self.rng)[:, 0]
        order = np.random.default_rng([self.seed, batch]).permutation(cases)
        for done in range(LEAST_CASES, len(order)):
            if surface is not None and self.way.hopeless:
                mean = np.array([(scores - offsets)[order[:done]].mean()])
                features = self.encoding.features(codes[None, :])
                if chances(surface, features, mean, np.array([self.noise / done]))[0] < self.way.hopeless:
                    order = order[:done]
                    break
        has = np.isin(np.arange(self.problem.cases), order)
        self.keep(codes, np.where(has, scores, 0.0), has)
        return len(order)

    def _end(self, left: int) -> dict[str, float]:
        """Pick a set, compare it on fresh seeds, and return the regrets."""
        import numpy as np

        from analysis.verdict.recommendation import probability_better

        problem, codes, surface = self.problem, np.array(self.codes), self.surface()
        pool = self.encoding.grid() if self.way.any_set and self.encoding.size <= 512 else codes
        features = self.encoding.features(pool)
        means = self.scores()[0] if surface is None else surface.posterior(features)[0]
        baseline = self.encoding.keys(codes[:1])[0]
        others = np.array([key != baseline for key in self.encoding.keys(pool)])
        picked = pool[int(np.argmax(np.where(others, means, -np.inf)))]
        options = {**problem.baseline, **self.encoding.params(picked)}
        repeats = self.fresh + left // (2 * problem.cases)
        arms = [problem.draw_block(each, repeats, self.rng) for each in (options, problem.baseline)]
        effect = float(arms[0].mean() - arms[1].mean())
        error = math.sqrt(sum(float(arm.var(axis=1, ddof=1).mean()) for arm in arms) / arms[0].size)
        prior = None if surface is None else self._belief(surface, picked)
        finalist, kept = problem.truth(options), problem.truth(problem.baseline)
        given = finalist if effect > 0 and probability_better(effect, error, prior) >= RECOMMEND else kept
        if self.way.repick and surface is not None and effect <= CERTAIN * error:
            given = self._repicked(picked, arms)
        tried = [problem.truth({**problem.baseline, **self.encoding.params(each)}) for each in codes]
        return {
            "recommended": problem.best - given,
            "finalist": problem.best - finalist,
            "tried": problem.best - max(tried),
            "claimed": problem.best - (finalist if effect > CERTAIN * error else kept),
            "wrong": float(given < kept),
            "trials": float(len(codes) - 1),
        }

    def _belief(self, surface: Surface, codes: Array) -> Prior:
        """The gain of a set over the baseline that a surface believes in."""
        import numpy as np

        from analysis.sequential.decision import Prior

        mean, covariance = surface.joint(self.encoding.features(np.vstack([codes[None, :], self.codes[0][None, :]])))
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        return Prior(float(mean[0] - mean[1]), math.sqrt(max(float(variance), 1e-12)))

    def _repicked(self, picked: Array, arms: Sequence[Array]) -> float:
        """True score of the set that is believed best once the fresh scores of finalist and baseline count too."""
        import numpy as np

        from analysis.verdict.recommendation import SHRINK, probability_better

        for codes, scores in zip((picked, self.codes[0]), arms, strict=True):
            self.keep(codes, scores.sum(axis=1), scores.shape[1])
        surface, codes = self.surface(), np.array(self.codes)
        assert surface is not None
        keys = self.encoding.keys(codes)
        means = np.where([key == keys[0] for key in keys], -np.inf, surface.known_means())
        best = codes[int(np.argmax(means))]
        belief = self._belief(surface, best)
        if probability_better(SHRINK * belief.mean, belief.sd) < RECOMMEND:
            return self.problem.truth(self.problem.baseline)
        return self.problem.truth({**self.problem.baseline, **self.encoding.params(best)})


def problem_of(kind: str, number: int) -> Problem:
    """A problem; the simulated ones differ by number."""
    from benchmarks.search.arena import SurfaceProblem
    from sweeps.engines.scripted.surfaces import make_surface

    if kind == "table":
        return table_problem()
    if kind in other_starts.KINDS:
        return other_starts.problem_of(kind, number)
    gain = GAINS[number % len(GAINS)]
    return SurfaceProblem(make_surface(kind, seed=FIRST_SEED + number, gain=gain, cases=6))  # type: ignore[arg-type]


def figures(kind: str, budget: int, numbers: Sequence[int], ways: Sequence[str]) -> dict[str, dict[str, float]]:
    """Means, savings against the first way, and standard errors, by way."""
    import numpy as np

    from benchmarks.search.arena import spread_seed

    found: dict[str, dict[str, float]] = {}
    base: Mapping[str, Array] = {}
    for name in ways:
        runs = [Small(problem_of(kind, n), budget, spread_seed(n, budget, 5), WAYS[name]).run() for n in numbers]
        of = {key: np.array([run[key] for run in runs]) for key in runs[0]}
        base, row = base or of, {key: float(values.mean()) for key, values in of.items()}
        for key in ("recommended", "finalist", "claimed"):
            saved = base[key] - of[key]
            row[f"saved_{key}"] = float(saved.mean())
            row[f"se_saved_{key}"] = float(saved.std(ddof=1) / math.sqrt(len(saved))) if len(saved) > 1 else math.nan
        found[name] = row
    return found


def table(found: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The figures as text."""
    yield f"{'way':<10}{'trials':>7}{'wrong':>7}{'tried':>8}" + "".join(f"{k:>13}{'saved':>16}" for k in SHOWN)
    for name, row in found.items():
        cells = (f"{row[k]:>13.4f}{row[f'saved_{k}']:>+9.4f}({row[f'se_saved_{k}']:.4f})"[:30] for k in SHOWN)
        yield f"{name:<10}{row['trials']:>7.0f}{row['wrong']:>7.3f}{row['tried']:>8.4f}" + "".join(cells)


SHOWN = ("recommended", "finalist", "claimed")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="10 replications of three ways")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--first", type=int, default=0, help="number of the first one (default 0)")
    parser.add_argument("--budget", type=int, default=BUDGET, help=f"generations (default {BUDGET})")
    parser.add_argument("--problem", choices=PROBLEMS, default="table", help="default table")
    parser.add_argument("--ways", help=f"default {','.join(WAYS)}; the first is the base")
    given = parser.parse_args(argv)
    count = given.replications or (10 if given.quick else REPLICATIONS)
    ways = given.ways.split(",") if given.ways else list(WAYS)[: 3 if given.quick else None]
    found = figures(given.problem, given.budget, range(given.first, given.first + count), ways)
    return command.show(given, {"replications": count, "ways": found}, table(found))


if __name__ == "__main__":
    sys.exit(main())
