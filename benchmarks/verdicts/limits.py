"""Finalists of searches under a limit, and scores on a Pareto set, against the truth.

    python -m benchmarks.verdicts.limits [--quick] [--json] [--replications N] [--trials N]
                                        [--sampler NAME] [--workers N]

**Limits.** The search's own path (`Explorer`, `trial_result`, `penalised`) works on simulated surfaces
(`sweeps.engines.scripted.surfaces`, half smooth and half rough, best gain .05, 6 cases) whose texts grow on the way to
the best set: the best set lies 30% beyond the limit, and the baseline keeps it. `words` is a limit of 150 words
(standard deviation of 25 within a case), `cut_off` one of 10% of the texts. Each search has 60 trials of 6 generations.
`within_...` is the share of searches whose finalist is truly within the limit, `gain_...` the finalist's true gain over
the baseline, counted as 0 where it is not within; with the limit, and as if there were none (`..._free`).

**Pareto set.** 60 configurations of 6 generations on the four kinds of surfaces, lengths independent of scores: the
mean error of the scores on the front, raw (`raw_KIND`) and as the report has them (`shrunk_KIND`).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.search.batch_regret import CASES, GAIN, space_and_baseline
from benchmarks.search.selection_summary import means
from benchmarks.workers import mapped

FIRST_SEED = 30_000
TRIALS, FLOOR_SEEDS, CONFIGURATIONS = 60, 4, 60
WORDS, WORD_SD, SHARE = 150.0, 25.0, 0.1
AT_BASELINE, AT_BEST = 0.92, 1.3
"""Length of the texts, in units of the limit."""
SCORE_AND_LENGTH = 0.3
"""Correlation of score and words within a case."""
STEEP = 5.0
"""Growth of the logit of the share cut off with the logarithm of the length."""


class World:
    """A surface with texts of a length, in units of the limit, that changes with the options."""

    def __init__(self, seed: int) -> None:
        from sweeps.engines.scripted.surfaces import make_surface, unit

        self.surface = make_surface(("smooth", "rough")[seed % 2], seed=FIRST_SEED + seed, gain=GAIN, cases=CASES)
        rng = np.random.default_rng([99, seed])
        self._start = unit([self.surface.baseline])[0][0]
        way = unit([self.surface.best])[0][0] - self._start
        squared = float(way @ way)
        aside = rng.normal(size=len(way))
        aside -= way * (aside @ way) / squared
        growth = math.log(AT_BEST / AT_BASELINE) / squared
        self._slope = growth * way + 0.25 * aside / np.linalg.norm(aside)
        offsets = rng.normal(0.0, 15.0, CASES)
        self._offsets = offsets - offsets.mean()

    def length(self, options: Mapping[str, Any]) -> float:
        """Mean length of the texts; 1 is the limit (of words, and of the share cut off)."""
        from sweeps.engines.scripted.surfaces import unit

        return AT_BASELINE * math.exp(float((unit([options])[0][0] - self._start) @ self._slope))

    def rows(self, options: Mapping[str, Any], seeds: int, rng: np.random.Generator) -> list[dict[str, Any]]:
        """Observations of a configuration."""
        length, shape = self.length(options), (CASES, seeds)
        share = 1 / (1 + (1 - SHARE) / SHARE * length**-STEEP)
        common, own, chance = rng.normal(size=shape), rng.normal(size=shape), rng.random(shape)
        scores = self.surface.means([options])[0][:, None] + self.surface.noise[:, None] * common
        words = length * WORDS + self._offsets[:, None]
        words = words + WORD_SD * (SCORE_AND_LENGTH * common + math.sqrt(1 - SCORE_AND_LENGTH**2) * own)
        return [
            {
                "case": str(case),
                "score": float(np.clip(scores[case, seed], 0.0, 1.0)),
                "words": max(5.0, float(words[case, seed])),
                "finish": "length" if chance[case, seed] < share else "stop",
            }
            for case in range(CASES)
            for seed in range(seeds)
        ]

    def searched(self, seed: int, sampler: str, trials: int, limits: Mapping[str, float]) -> tuple[float, float]:
        """Whether the finalist of a search is within the limit, and its gain, 0 if it is not."""
        from sweeps.config.tables import ConstraintsTable
        from sweeps.search.explorer import Explorer
        from sweeps.search.trial_scores import penalised, trial_result

        space, baseline = space_and_baseline()
        table, cases = ConstraintsTable(**limits), [str(case) for case in range(CASES)]
        explorer = Explorer(
            "simulated", None, space=space, baseline=baseline, sampler=sampler, seed=seed, trials=trials
        )
        rows = self.rows(baseline.options, FLOOR_SEEDS, np.random.default_rng([seed, 0]))
        floor = trial_result(rows, cases)
        explorer.tell_baseline(penalised(floor, rows, table))
        proposals: list[Any] = []
        while len(proposals) < trials:
            for proposal in explorer.ask(4):
                proposals.append(proposal)
                rng = np.random.default_rng([seed, 1 + proposal.number])
                rows = self.rows(proposal.configuration.options, 1, rng)
                explorer.tell(proposal, penalised(trial_result(rows, cases, floor.noise_sd), rows, table))
        (picked,) = explorer.picks(1)
        options = proposals[picked].configuration.options
        within = self.length(options) <= 1.0
        gain = self.surface.mean(options) - self.surface.mean(self.surface.baseline)
        return float(within), gain if within else 0.0


def limited(number: int, sampler: str, trials: int) -> dict[str, float]:
    """Figures of one surface."""
    world, figures = World(number), {}
    for name, limits in (("words", {"words": WORDS}), ("cut_off", {"cut_off": SHARE}), ("free", {})):
        figures[f"within_{name}"], figures[f"gain_{name}"] = world.searched(number, sampler, trials, limits)
    return figures


def promised(number: int) -> dict[str, float]:
    """How much too high scores on a front are, on one surface of each kind."""
    from analysis.pareto import shrink, undominated
    from sweeps.engines.scripted.surfaces import KINDS, RANGES, make_surface

    figures = {}
    for kind in KINDS:
        surface, rng = (
            make_surface(kind, seed=FIRST_SEED + number, gain=GAIN, cases=CASES),
            np.random.default_rng(number),
        )
        ends = {
            name: (math.log(low), math.log(high)) if log else (low, high) for name, (low, high, log) in RANGES.items()
        }
        points = [
            {
                "mirostat": int(rng.integers(0, 3)),
                **{
                    name: math.exp(rng.uniform(*ends[name])) if RANGES[name][2] else rng.uniform(*ends[name])
                    for name in ends
                },
            }
            for _ in range(CONFIGURATIONS)
        ]
        truth = surface.means(points).mean(axis=1)
        means = surface.draw(points, 1, rng)[:, :, 0].mean(axis=1)
        length = rng.uniform(80, 160, CONFIGURATIONS)[:, None]
        noise = np.full(CONFIGURATIONS, float((surface.noise**2).mean()) / CASES)
        for name, values in (("raw", means), ("shrunk", shrink(means, noise)[0])):
            front = undominated(values, length)
            figures[f"{name}_{kind}"] = float((values - truth)[front].mean())
    return figures


def table(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures as text."""
    shape = f"{figures['trials']} trials of {CASES} generations"
    yield f"{figures['replications']} surfaces, {shape}, sampler {figures['sampler']}"
    for name in figures:
        if f"se_{name}" in figures:
            yield f"{name:<22}{figures[name]:>8.4f}  se {figures[f'se_{name}']:.4f}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = command.parser(__doc__, quick="4 surfaces")
    parser.add_argument("--replications", type=int, help="number of surfaces (default 60)")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"trials of a search (default {TRIALS})")
    parser.add_argument("--sampler", default="gp", help="gp (default), tpe, random or qmc")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    given = parser.parse_args(argv)
    count = given.replications or (4 if given.quick else 60)
    started, numbers = time.perf_counter(), range(count)
    searches = list(mapped(given.workers, limited, numbers, [given.sampler] * count, [given.trials] * count))
    fronts = list(mapped(given.workers, promised, numbers))
    figures: dict[str, Any] = {"replications": count, "trials": given.trials, "sampler": given.sampler}
    figures |= means(searches) | means(fronts) | {"seconds": time.perf_counter() - started}
    return command.show(given, figures, table(figures))


if __name__ == "__main__":
    sys.exit(main())
