"""The trials of an imitated search, with their scores by case and the product's surface through them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.search.arena import Array, Problem
    from sweeps.samplers.posterior import Surface


@dataclass
class Trials:
    """One search and its trials.

    Attributes:
        problem: The problem.
        budget: Generations.
        seed: Seed of everything.
        codes: Codes of the trials, the baseline first.
        sums: Sum of the scores of each trial by case.
        counts: Their numbers.
    """

    problem: Problem
    budget: int
    seed: int
    codes: list[Array] = field(default_factory=list, init=False)
    sums: list[Array] = field(default_factory=list, init=False)
    counts: list[Array] = field(default_factory=list, init=False)

    def begin(self, seeds: int) -> None:
        """Measure the baseline with so many seeds per case, and the noise with it."""
        import numpy as np

        from sweeps.samplers.encoding import Encoding

        problem = self.problem
        self.rng = np.random.default_rng(self.seed)
        self.encoding = Encoding(problem.distributions, problem.active_when, problem.baseline)
        floor = problem.draw_block(problem.baseline, seeds, self.rng)
        self.noise = max(float(floor.var(axis=1, ddof=1).mean()), 1e-6)
        self.keep(self.encoding.canonical(self.encoding.codes([problem.baseline]))[0], floor.sum(axis=1), seeds)

    def keep(self, codes: Array, sums: Array, counts: Any) -> None:
        """Add a trial; `counts` is an array like `sums`, or a number for all cases."""
        self.codes.append(codes)
        self.sums.append(sums)
        self.counts.append(sums * 0 + counts)

    def scores(self) -> tuple[Array, Array, Array]:
        """Scores of the trials as if they had all cases, their variances, and the cases' offsets."""
        import numpy as np

        from analysis.observations.case_offsets import fit_offsets

        sums, counts = np.array(self.sums), np.array(self.counts)
        offsets = fit_offsets(sums / np.maximum(counts, 1), counts)
        totals = counts.sum(axis=1)
        return (sums - counts * offsets).sum(axis=1) / totals, self.noise / totals, offsets

    def surface(self, first: int | None = None) -> Surface | None:
        """The surface through the trials.

        Args:
            first: Trials of the start design, from which the sampler's times of fitting follow; None to fit to all.
        """
        import numpy as np

        from sweeps.samplers.posterior import checkpoint, fit_surrogate

        values, noise, _ = self.scores()
        early = len(values) if first is None else checkpoint(len(values), first)
        return fit_surrogate(self.encoding, np.array(self.codes), values, noise, (values[:early], noise[:early]))


@lru_cache(maxsize=1)
def table_problem() -> Problem:
    """The 48 real sets."""
    from benchmarks.replay import table
    from benchmarks.replay.problem import CachedObjective, TableProblem

    return TableProblem(table.load(), table.Work().cases, CachedObjective())
