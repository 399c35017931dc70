"""The sampler on large studies: time of a proposal and of the final pick, memory, and the regret of a sparse surface.

    python -m benchmarks.search.sampler_scale [--quick] [--json] [--trials N ...] [--surfaces N]

The studies pretend a search on simulated surfaces (`sweeps.engines.scripted.surfaces`, half of them smooth and half
rough): a third of the trials are random, the others near the best ones so far. A trial has 6 generations.

Cost, for each number of trials, in a process of its own. `ask`: median processor seconds of a proposal, 12 of them in
batches of 4; `ask_fit`: of the slowest one, which fits the length scales again. `picks`: the posterior over all trials
and two finalists from it, whatever the sampler; `peak_megabytes`: memory of the whole process, the study included. Wall
seconds have `_wall` in their names.

Loss, on pretended studies of `LOSS_TRIALS` trials: regret of the best posterior mean by an exact surface and by the
sparse one with the same hyperparameters, and `loss`, their paired difference. `se_...` are standard errors.
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import benchmarks.search.replications  # noqa: F401 - one thread for linear algebra, before NumPy is loaded
from benchmarks import command

if TYPE_CHECKING:
    from benchmarks.search.arena import Array, SurfaceProblem
    from sweeps.samplers.encoding import Encoding

SIZES = (500, 1000, 4000, 9000)
QUICK = (300, 600)
LOSS_TRIALS = (1500, 3000)
QUICK_LOSS = (600,)
SURFACES = 40
FIRST_SEED = 91_000
"""Surfaces on which nothing was tuned."""
KINDS = ("smooth", "rough")
GAIN, CASES, NOISE_SD = 0.05, 6, 0.1
BATCH, BATCHES = 4, 3


def searched(number: int, trials: int) -> tuple[SurfaceProblem, Encoding, Array, Array, Array]:
    """A pretended search on a surface.

    Returns:
        The surface, its space, and codes, true means and scores of the trials.
    """
    import numpy as np

    from benchmarks.search.arena import SurfaceProblem
    from sweeps.engines.scripted.surfaces import make_surface
    from sweeps.samplers.acquisition import perturb
    from sweeps.samplers.encoding import Encoding

    seed = FIRST_SEED + number
    surface = make_surface(KINDS[number % len(KINDS)], seed=seed, gain=GAIN, cases=CASES, noise=NOISE_SD)  # type: ignore[arg-type]
    problem, rng = SurfaceProblem(surface), np.random.default_rng(seed)
    encoding = Encoding(problem.distributions, problem.active_when, problem.baseline)
    codes, truth, scores = np.zeros((0, len(encoding))), np.zeros(0), np.zeros(0)
    while len(codes) < trials:
        new = rng.random((min(trials // 6, trials - len(codes)), len(encoding)))
        if near := 2 * len(new) // 3 if len(codes) else 0:
            best = codes[np.argsort(-(truth + rng.normal(0.0, 0.02, len(truth))))[:8]]
            scales = np.array([0.03, 0.1, 0.25])[rng.integers(0, 3, near)]
            new[:near] = perturb(best[np.arange(near) % len(best)], scales, rng)
        new = encoding.canonical(new)
        options = [{**problem.baseline, **encoding.params(row)} for row in new]
        codes = np.vstack([codes, new])
        truth = np.concatenate([truth, [problem.truth(each) for each in options]])
        scores = np.concatenate([scores, surface.draw(options, 1, rng).mean(axis=(1, 2))])
    return problem, encoding, codes, truth, scores


def cost(trials: int) -> dict[str, float]:
    """Seconds and memory of one study, in this process."""
    import numpy as np
    import optuna

    from sweeps.samplers.gp import NoiseAwareSampler, study_posterior

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    problem, encoding, codes, _, scores = searched(0, trials)
    sampler = NoiseAwareSampler(
        seed=1, space=problem.distributions, active_when=problem.active_when, n_trials=trials + BATCH * BATCHES
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    attributes = {"n": CASES, "noise_sd": NOISE_SD}
    for row, score in zip(codes, scores, strict=True):
        params, space = encoding.params(row), dict(problem.distributions)
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=space, value=float(score), user_attrs=attributes)
        )
    asks, rng = [], np.random.default_rng(0)
    for _ in range(BATCHES):
        batch = []
        for _ in range(BATCH):
            with Clock() as clock:
                batch.append(study.ask(dict(problem.distributions)))
            asks.append(clock)
        for trial in batch:
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            options = {**problem.baseline, **trial.params}
            study.tell(trial, float(problem.draw_block(options, 1, rng).mean()))
    with Clock() as picks:
        study_posterior(study, problem.distributions, active_when=problem.active_when).finalists(2)
    return {
        "trials": trials,
        "ask": statistics.median(each.cpu for each in asks),
        "ask_wall": statistics.median(each.wall for each in asks),
        "ask_fit": max(each.cpu for each in asks),
        "picks": picks.cpu,
        "picks_wall": picks.wall,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


class Clock:
    """Seconds of a block: `wall`, and `cpu` of this process."""

    def __enter__(self) -> Clock:
        self.wall, self.cpu = -time.perf_counter(), -time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def cost_alone(trials: int) -> dict[str, float]:
    """Seconds and memory of one study, in a process of its own."""
    alone = [sys.executable, "-m", "benchmarks.search.sampler_scale", "--here", "--json", "--trials", str(trials)]
    found = json.loads(subprocess.run(alone, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return dict(found["cost"][0])


def regrets(number: int, trials: int) -> tuple[float, float]:
    """Regret of the best trial by the exact surface and by the sparse one, on one pretended study."""
    import numpy as np

    from sweeps.samplers.posterior import fit_surrogate
    from sweeps.samplers.sparse import SparseSurrogate
    from sweeps.samplers.surrogate import Surrogate, one_thread

    problem, encoding, codes, truth, scores = searched(number, trials)
    sparse = fit_surrogate(encoding, codes, scores, np.full(trials, NOISE_SD**2 / CASES))
    assert isinstance(sparse, SparseSurrogate)
    with one_thread():
        exact = Surrogate(sparse.features, sparse.values, sparse.noise, sparse.hyperparameters)
        picked = [truth[int(np.argmax(surface.known_means()))] for surface in (exact, sparse)]
    return problem.best - float(picked[0]), problem.best - float(picked[1])


def loss(trials: int, surfaces: int) -> dict[str, float]:
    """Mean regrets over surfaces."""
    import numpy as np

    found = np.array([regrets(number, trials) for number in range(surfaces)])
    columns = {"exact": found[:, 0], "sparse": found[:, 1], "loss": found[:, 1] - found[:, 0]}
    means = {name: float(column.mean()) for name, column in columns.items()}
    errors = {f"se_{name}": float(column.std(ddof=1) / math.sqrt(surfaces)) for name, column in columns.items()}
    return {"trials": trials, "surfaces": surfaces, **means, **errors}


def table(found: dict[str, Any]) -> Iterator[str]:
    """The figures as text."""
    for row in found["cost"]:
        yield (
            f"{row['trials']:>6} trials: ask {row['ask']:.3f} s ({row['ask_fit']:.2f} s with a fit), picks"
            f" {row['picks']:.2f} s, {row['peak_megabytes']:.0f} MB; wall: ask {row['ask_wall']:.3f} s, picks"
            f" {row['picks_wall']:.2f} s"
        )
    for row in found["loss"]:
        parts = (f"{name} {row[name]:+.4f} ({row[f'se_{name}']:.4f})" for name in ("exact", "sparse", "loss"))
        yield f"{row['trials']:>6} trials, {row['surfaces']} surfaces: regret {', '.join(parts)}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="300 and 600 trials, 4 surfaces")
    parser.add_argument("--trials", type=int, nargs="+", help=f"of the studies (default {SIZES})")
    parser.add_argument("--surfaces", type=int, help=f"for the loss (default {SURFACES}); 0 leaves it out")
    parser.add_argument("--here", action="store_true", help="the cost alone, in this process, whose memory it reports")
    given = parser.parse_args(argv)
    sizes = given.trials or (QUICK if given.quick else SIZES)
    surfaces = (4 if given.quick else SURFACES) if given.surfaces is None else given.surfaces
    losses = () if given.here or not surfaces else QUICK_LOSS if given.quick else LOSS_TRIALS
    found = {
        "cost": [cost(trials) if given.here else cost_alone(trials) for trials in sizes],
        "loss": [loss(trials, surfaces) for trials in losses],
    }
    return command.show(given, found, table(found))


if __name__ == "__main__":
    sys.exit(main())
