"""Expected improvement per token against expected improvement, at equal budgets of tokens.

    python -m benchmarks.search.tokens [--quick] [--json] [--replications N] [--first N] [--tokens N ...]

The search alone (`NoiseAwareSampler`, one trial at a time) works on simulated surfaces with one more option:
`num_predict` cuts answers off, and short answers score less. An answer has as many tokens as the model would write,
log-normal around 200, or `num_predict` if that is less. A trial is one answer on each of 6 cases, and costs its tokens.

* `ei`: the product's search, augmented expected improvement.
* `per-token`: the same divided by the expected tokens of an answer (Snoek, Larochelle and Adams 2012, for seconds).
  These come from a ridge regression of the log of a trial's tokens on the options.

Each budget ends with the trial that exceeds it. `saved` is the true mean of the set that `per-token` picks less that of
`ei`, in pairs with the same surface and noise; smooth and rough surfaces take turns.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import command
from benchmarks.search import arena

BUDGETS, REPLICATIONS = (30_000, 60_000), 12
FIRST_SEED = 80_000
CASES, NATURAL, SPREAD = 6, 200.0, 0.4
ENOUGH = 90.0
"""Tokens after which an answer has said all but a share of 1/e of what it can."""

RIDGE = 1.0


class Costly:
    """A surface with `num_predict`: an answer that may be longer says more and costs more."""

    def __init__(self, number: int) -> None:
        from optuna.distributions import IntDistribution

        from sweeps.engines.scripted.surfaces import make_surface

        kind, gain = ("smooth", "rough")[number % 2], (0.05, 0.08)[number // 2 % 2]
        surface = make_surface(kind, seed=FIRST_SEED + number, gain=gain, cases=CASES)  # type: ignore[arg-type]
        self.inner = arena.SurfaceProblem(surface)
        self.distributions = {**self.inner.distributions, "num_predict": IntDistribution(32, 1024, log=True)}
        self.baseline = {**self.inner.baseline, "num_predict": 256}

    def share(self, options: arena.Options) -> float:
        """Share of what it can say that an answer says."""
        return 1 - math.exp(-options["num_predict"] / ENOUGH)

    def truth(self, options: arena.Options) -> float:
        """Mean score over the cases."""
        return self.share(options) * self.inner.truth(options)

    def trial(self, options: arena.Options, rng: np.random.Generator) -> tuple[Any, int]:
        """Scores of one answer per case, and the tokens of all of them."""
        scores = self.share(options) * self.inner.draw_block(options, 1, rng)[:, 0]
        lengths = np.minimum(rng.lognormal(math.log(NATURAL), SPREAD, CASES), options["num_predict"])
        return scores, int(lengths.sum())


def picked(problem: Costly, seed: int, budgets: Sequence[int], *, per_token: bool) -> dict[int, float]:
    """True means of the sets that one search picks at each budget."""
    import optuna

    from sweeps.samplers import gp
    from sweeps.samplers.encoding import Encoding

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    conditions = problem.inner.active_when
    encoding = Encoding(problem.distributions, conditions, problem.baseline)
    trials = round(max(budgets) / (CASES * NATURAL))
    sampler = gp.NoiseAwareSampler(
        seed=seed, space=problem.distributions, active_when=conditions, baseline=problem.baseline, n_trials=trials
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    tried: list[Any] = []
    costs: list[float] = []
    improvement = gp.augmented_expected_improvement

    def by_token(surrogate: Any, features: Any, *rest: Any) -> Any:
        known = np.concatenate(tried)
        return improvement(surrogate, features, *rest) / expected_costs(known, np.array(costs), features)

    found: dict[int, float] = {}
    spent = 0
    with mock.patch.object(gp, "augmented_expected_improvement", by_token if per_token else improvement):
        while len(found) < len(budgets):
            trial = study.ask(problem.distributions)
            options = {**problem.baseline, **trial.params}
            scores, tokens = problem.trial(options, np.random.default_rng([seed, trial.number]))
            tried.append(encoding.features(encoding.codes([trial.params])))
            costs.append(tokens / CASES)
            trial.set_user_attr("case_scores", [float(score) for score in scores])
            trial.set_user_attr("n", CASES)
            trial.set_user_attr("noise_sd", float(problem.inner.surface.noise.mean()))
            study.tell(trial, float(scores.mean()))
            spent += tokens
            for budget in budgets:
                if spent >= budget and budget not in found:
                    best = sampler.pick(study)
                    found[budget] = problem.truth({**problem.baseline, **best.params})
    return found


def expected_costs(known: Any, costs: Any, features: Any) -> Any:
    """Expected tokens of an answer at features, from tried ones: a ridge regression of their logarithm."""
    x = np.column_stack([np.ones(len(known)), known])
    penalty = RIDGE * np.eye(x.shape[1])
    penalty[0, 0] = 0.0
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ np.log(costs))
    return np.exp(np.column_stack([np.ones(len(features)), features]) @ weights)


def replications(numbers: Sequence[int], budgets: Sequence[int]) -> Iterator[dict[str, dict[int, float]]]:
    """True means of both ways at each budget."""
    for number in numbers:
        problem, seed = Costly(number), arena.spread_seed(number, 3)
        ways = {"ei": False, "per-token": True}
        yield {name: picked(problem, seed, budgets, per_token=way) for name, way in ways.items()}


def figures_of(runs: Sequence[Mapping[str, Mapping[int, float]]], budgets: Sequence[int]) -> dict[str, Any]:
    """Means by budget, and the paired differences with their standard errors."""
    found: dict[str, Any] = {"replications": len(runs)}
    for budget in budgets:
        saved = np.array([run["per-token"][budget] - run["ei"][budget] for run in runs])
        error = float(saved.std(ddof=1) / math.sqrt(len(saved))) if len(saved) > 1 else None
        means = {name: float(np.mean([run[name][budget] for run in runs])) for name in ("ei", "per-token")}
        found[str(budget)] = {**means, "saved": float(saved.mean()), "se": error}
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="2 replications with 12,000 tokens")
    parser.add_argument("--replications", type=int, help=f"default {REPLICATIONS}")
    parser.add_argument("--first", type=int, default=0, help="number of the first replication (default 0)")
    parser.add_argument("--tokens", type=int, nargs="+", help=f"budgets (default {' '.join(map(str, BUDGETS))})")
    given = parser.parse_args(argv)
    count = given.replications or (2 if given.quick else REPLICATIONS)
    budgets = sorted(given.tokens or ((12_000,) if given.quick else BUDGETS))
    figures = figures_of(list(replications(range(given.first, given.first + count), budgets)), budgets)
    lines = [f"{count} replications: true mean of the set that is picked"]
    for budget in budgets:
        row = figures[str(budget)]
        error = "" if row["se"] is None else f" ({row['se']:.4f})"
        lines.append(
            f"{budget} tokens: ei {row['ei']:.4f}, per token {row['per-token']:.4f}, saved {row['saved']:+.4f}{error}"
        )
    return command.show(given, figures, lines)


if __name__ == "__main__":
    sys.exit(main())
