"""The cost to the search of asking trials in batches.

    python -m benchmarks.search.batch_regret [--quick] [--json] [--replications N] [--trials N] [--workers N]

The search's own `Explorer` works on simulated surfaces (`sweeps.engines.scripted.surfaces`, half of them smooth and
half rough; a true gain of .05 over the baseline; 6 cases, one generation each per trial) and asks 1, 4 or 12 trials at
a time. All trials of a batch are asked before the first of them is scored. Everything else is the same: surface, seed,
number of trials, and the noise of the trial with a given number.

`regret_B` is the true mean score of the best configuration less that of the finalist, averaged over the surfaces;
`cost_B` is the regret that batches of B add, as a share of `regret_1` (below 0: they did better). `se_...` are standard
errors over surfaces; those of costs are of the ratio of paired means (delta method). A cost within two standard errors
cannot be distinguished from 0.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import command
from benchmarks.workers import mapped

BATCHES = (1, 4, 12)
CASES, FLOOR_SEEDS, GAIN = 6, 4, 0.05
FIRST_SEED = 20_000
"""Surfaces on which nothing was tuned."""
KINDS = ("smooth", "rough")
MODEL = {"model": "simulated", "prompt": "only"}


def space_and_baseline() -> tuple[Any, Any]:
    """All options that a surface reacts to, and its baseline."""
    from sweeps.config.space import configuration_from
    from sweeps.config.space_table import parse_space
    from sweeps.engines.scripted.surfaces import DEFAULTS, RANGES

    whole = ("top_k", "repeat_last_n")
    ends = {name: (int(low), int(high)) if name in whole else (low, high) for name, (low, high, _) in RANGES.items()}
    raw: dict[str, Any] = {
        name: {"low": low, "high": high, "log": RANGES[name][2]} for name, (low, high) in ends.items()
    }
    raw["mirostat"] = [0, 1, 2]
    baseline = {**MODEL, **DEFAULTS}
    space, problems = parse_space(raw, prompts=["only"], baseline=baseline)
    assert not problems, problems
    return space, configuration_from(baseline)


def regret_of_search(surface: Any, seed: int, batch: int, trials: int) -> float:
    """Regret of the finalist of one search that asks `batch` trials at a time."""
    import numpy as np

    from sweeps.search.explorer import Explorer
    from sweeps.search.trial import TrialResult

    space, baseline = space_and_baseline()
    explorer = Explorer("simulated", None, space=space, baseline=baseline, sampler="gp", seed=seed, trials=trials)
    floor = surface.draw([baseline.options], FLOOR_SEEDS, np.random.default_rng([seed, 0]))[0]
    noise_sd = math.sqrt(floor.var(axis=1, ddof=1).mean())
    explorer.tell_baseline(TrialResult(float(floor.mean()), floor.size, list(floor.mean(axis=1)), noise_sd))
    proposals: list[Any] = []
    while len(proposals) < trials:
        asked = explorer.ask(min(batch, trials - len(proposals)))
        proposals += asked
        for proposal in asked:
            rng = np.random.default_rng([seed, 1 + proposal.number])
            scores = surface.draw([proposal.configuration.options], 1, rng)[0, :, 0]
            explorer.tell(proposal, TrialResult(float(scores.mean()), len(scores), list(scores), noise_sd))
    (picked,) = explorer.picks(1)
    return float(surface.regret(proposals[picked].configuration.options))


def replication(number: int, trials: int) -> list[float]:
    """Regret of all batch sizes on one surface."""
    from sweeps.engines.scripted.surfaces import make_surface

    seed = FIRST_SEED + number
    surface = make_surface(KINDS[number % len(KINDS)], seed=seed, gain=GAIN, cases=CASES)
    return [regret_of_search(surface, seed, batch, trials) for batch in BATCHES]


def summary(regrets: Any) -> dict[str, float]:
    """Means, costs and standard errors of regrets of shape (replications, batch sizes)."""
    n = len(regrets)
    figures: dict[str, float] = {}
    means = regrets.mean(axis=0)
    for column, batch in enumerate(BATCHES):
        figures[f"regret_{batch}"] = float(means[column])
        figures[f"se_regret_{batch}"] = float(regrets[:, column].std(ddof=1) / math.sqrt(n))
    for column, batch in enumerate(BATCHES[1:], start=1):
        ratio = means[column] / means[0]
        figures[f"cost_{batch}"] = float(ratio - 1)
        residuals = regrets[:, column] - ratio * regrets[:, 0]
        figures[f"se_cost_{batch}"] = float(residuals.std(ddof=1) / math.sqrt(n) / means[0])
    return figures


def table(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    trials = f"{figures['trials']} trials of {CASES} generations"
    yield f"{figures['replications']} surfaces, {trials}, gain of the best {GAIN}"
    yield f"{'surfaces':<10}{'batch':>6}{'regret':>10}{'se':>9}{'cost':>9}{'se':>8}"
    for name, part in (("all", figures), *((kind, figures[kind]) for kind in KINDS)):
        for batch in BATCHES:
            cost = f"{part[f'cost_{batch}']:>9.1%}{part[f'se_cost_{batch}']:>8.1%}" if batch > 1 else ""
            yield f"{name:<10}{batch:>6}{part[f'regret_{batch}']:>10.4f}{part[f'se_regret_{batch}']:>9.4f}{cost}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="8 surfaces, 36 trials")
    parser.add_argument("--replications", type=int, help="number of surfaces (default 720)")
    parser.add_argument("--trials", type=int, help="trials of a search (default 60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first surface, to go on with other ones")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    given = parser.parse_args(argv)
    import numpy as np

    replications = given.replications or (8 if given.quick else 720)
    trials = given.trials or (36 if given.quick else 60)
    started, numbers = time.perf_counter(), range(given.first, given.first + replications)
    regrets = np.array(list(mapped(given.workers, replication, numbers, [trials] * replications)))
    figures: dict[str, Any] = {"replications": replications, "trials": trials, **summary(regrets)}
    for offset, kind in enumerate(KINDS):
        figures[kind] = summary(regrets[(offset - given.first) % len(KINDS) :: len(KINDS)])
    figures["seconds"] = time.perf_counter() - started
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
