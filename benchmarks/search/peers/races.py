"""An iterated race, as irace makes it, in its smallest form: a rival of the product (see `peers.py`).

After Lopez-Ibanez, Dubois-Lacoste, Perez Caceres, Birattari and Stuetzle, "The irace package", Operations Research
Perspectives 3, 2016. What is here: the number of iterations and of configurations per iteration from the budget, races
over instances with paired t tests against the best mean, elites that keep their scores and their place until the race
has reached them, and sampling around elites with a standard deviation that shrinks from one iteration to the next.
What is not: capping, soft restarts, and numbers that are rounded to significant digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.search.arena import Array, Options, Problem
from benchmarks.search.peers.parts import Peer, Trial, active
from sweeps.samplers.encoding import Encoding

FIRST_TEST = 5
"""Instances before the first test."""

LEVEL = 0.05


@dataclass
class Runner:
    """A configuration in the race: its place in the unit cube, and its scores on the first instances."""

    codes: Array
    options: Options
    scores: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Mean of its scores."""
        return float(np.mean(self.scores))


@dataclass
class Race:
    """The state of one run.

    Attributes:
        problem: What is tuned.
        rng: All chance.
        left: Generations left.
    """

    problem: Problem
    rng: np.random.Generator
    left: int

    def __post_init__(self) -> None:
        self.encoding = Encoding(self.problem.distributions, self.problem.active_when, self.problem.baseline)
        self._cases: list[int] = []

    def case(self, instance: int) -> int:
        """The case of an instance: every round has each case once, in random order."""
        while len(self._cases) <= instance:
            self._cases += [int(case) for case in self.rng.permutation(self.problem.cases)]
        return self._cases[instance]

    def runner(self, codes: Array) -> Runner:
        """A configuration at a place."""
        options = {**self.problem.baseline, **self.encoding.params(codes)}
        return Runner(codes, active(self.problem, options))

    def give(self, runner: Runner, instance: int) -> int:
        """Let a configuration have its scores up to an instance; returns the number of generations."""
        made = 0
        while len(runner.scores) <= instance and self.left > 0:
            case = self.case(len(runner.scores))
            runner.scores.append(self.problem.draw(runner.options, case, self.rng))
            made, self.left = made + 1, self.left - 1
        return made


def race_peer() -> Peer:
    """An iterated race over (case, seed) instances; its recommendation is the elite with the best mean."""

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        race = Race(problem, np.random.default_rng([seed, 1]), budget)
        baseline = race.runner(race.encoding.codes([problem.baseline])[0])
        if race.left < problem.cases:
            return
        made = race.give(baseline, problem.cases - 1)
        yield Trial(baseline.options, baseline.mean, made, leads=True)
        dimensions, elites = len(race.encoding), [baseline]
        iterations = kept = math.floor(2 + math.log2(dimensions))
        number = 0
        while race.left > 0:
            number += 1
            share = race.left // max(1, iterations - number + 1)
            count = max(share // (FIRST_TEST + min(5, number)), len(elites) + 1)
            fresh = [_sampled(race, elites, number, count) for _ in range(count - len(elites))]
            alive = [*elites, *fresh]
            yield from _race(race, alive, share, kept)
            elites = alive

    return run


def _sampled(race: Race, elites: list[Runner], number: int, count: int) -> Runner:
    """A new configuration: anywhere in the first iteration, later near an elite, more likely a better one."""
    dimensions = len(race.encoding)
    if number == 1:
        return race.runner(race.rng.random(dimensions))
    weights = np.arange(len(elites), 0, -1, dtype=float)
    parent = elites[int(race.rng.choice(len(elites), p=weights / weights.sum()))]
    shrink = (1 / count) ** ((number - 1) / dimensions)
    codes = race.rng.normal(parent.codes, 0.5 * shrink)
    outside = (codes < 0) | (codes > 1)
    codes[outside] = race.rng.random(int(outside.sum()))
    for position, axis in enumerate(race.encoding.axes):
        if axis.nominal:  # no order: the parent's, or any with the same shrinking probability
            codes[position] = race.rng.random() if race.rng.random() < shrink else parent.codes[position]
    return race.runner(codes)


def _race(race: Race, alive: list[Runner], share: int, kept: int) -> Iterator[Trial]:
    """Run one race; `alive` is left with the survivors, the best mean first."""
    stop, instance = race.left - share, 0
    reached = [len(runner.scores) for runner in alive]
    while race.left > max(stop, 0) and (len(alive) > kept or instance < max(reached) + 1):
        made = 0
        for runner in list(alive):
            if race.left <= max(stop, 0) and len(runner.scores) <= instance:
                break
            made += race.give(runner, instance)
        ready = [runner for runner in alive if len(runner.scores) > instance]
        instance += 1
        if instance >= FIRST_TEST and len(ready) == len(alive):
            alive[:] = _survivors(alive, instance, kept)
        best = max(ready, key=lambda runner: (len(runner.scores), runner.mean))
        if made:
            yield Trial(best.options, best.mean, made, leads=True)
    alive.sort(key=lambda runner: (-len(runner.scores), -runner.mean))
    del alive[max(kept, 1) :]


def _survivors(alive: list[Runner], instances: int, kept: int) -> list[Runner]:
    """The configurations that a paired t test does not call worse than the best; elites ahead of the race stay."""
    from scipy import stats

    table = np.array([runner.scores[:instances] for runner in alive])
    best = int(table.mean(axis=1).argmax())
    others = table[best] - table
    spread = others.std(axis=1, ddof=1) / math.sqrt(instances)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(others.mean(axis=1) / spread, instances - 1)
    keep = ~(p < LEVEL) | np.array([len(runner.scores) > instances for runner in alive])
    if keep.sum() < kept:  # the best means fill the field
        keep[np.argsort(-table.mean(axis=1))[:kept]] = True
    return [runner for runner, stays in zip(alive, keep, strict=True) if stays]
