"""A token-aware search with several fidelities: a rival of the product (see `peers.py`).

After the abstract of Xu, Chen and Wen, "EcoTune", EMNLP 2025, which alone was at hand. It names a fidelity in tokens
with a model of each configuration's cost, an expected improvement per token, and a schedule of fidelities that follows
the budget. Here: a Gaussian process over options and fidelity; fidelity is the share of the cases (a third, two thirds,
all) and rises with each third of the budget; the cost of a configuration is a ridge regression of log tokens on the
options, or one where a problem counts generations; the improvement of the score on all cases is divided by the expected
cost. The recommendation is the set with the largest posterior mean on all cases among those that were tried on most.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.search.arena import Array, Options, Problem
from benchmarks.search.peers.parts import Peer, Trial, active
from sweeps.samplers.encoding import Encoding

START, POOL, NEAR = 8, 200, 40
REFIT = 1.5
"""The hyperparameters are fitted again when there are this many times more trials."""

STEPS = 15
"""Steps of a fit."""

RIDGE = 1.0


@dataclass
class Evaluations:
    """What was tried: places, shares of the cases, mean scores, and log costs of a generation."""

    places: list[Array] = field(default_factory=list)
    options: list[Options] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    fitted: int = 0
    kernel: Any = None

    def add(self, place: Array, options: Options, share: float, score: float, cost: float) -> None:
        """Add one evaluation."""
        for values, value in zip(
            (self.places, self.options, self.shares, self.scores, self.costs),
            (place, options, share, score, math.log(cost)),
            strict=True,
        ):
            values.append(value)  # type: ignore[attr-defined]

    def surface(self) -> Any:
        """A Gaussian process over places and shares."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        features = np.column_stack([np.array(self.places), self.shares])
        again = len(self.scores) >= REFIT * self.fitted
        if self.kernel is None:
            scales = np.full(features.shape[1], 0.5)
            self.kernel = ConstantKernel(1.0, (0.05, 20)) * Matern(scales, (0.1, 10), nu=2.5) + WhiteKernel(1.0)
        found = GaussianProcessRegressor(self.kernel, normalize_y=True, optimizer=_few_steps if again else None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.fit(features, self.scores)
        if again:
            self.kernel, self.fitted = found.kernel_, len(self.scores)
        return found

    def expected_costs(self, places: Array) -> Array:
        """Expected cost of a generation at places."""
        x = np.column_stack([np.ones(len(self.costs)), np.array(self.places)])
        penalty = RIDGE * np.eye(x.shape[1])
        penalty[0, 0] = 0.0
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ np.array(self.costs))
        return np.asarray(np.exp(np.column_stack([np.ones(len(places)), places]) @ weights))


def _few_steps(objective: Any, start: Array, bounds: Array) -> tuple[Array, float]:
    """An optimizer of hyperparameters that stops after few steps: the next fit goes on from there."""
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": STEPS})
    return found.x, float(found.fun)


def token_aware_peer() -> Peer:
    """Expected improvement per token, on more cases the more of the budget is spent."""

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        rng, left = np.random.default_rng([seed, 1]), budget
        encoding = Encoding(problem.distributions, problem.active_when, problem.baseline)
        tried = Evaluations()
        place = encoding.codes([problem.baseline])[0]
        while True:
            third = 3 if not tried.scores else min(1 + 3 * (budget - left) // budget, 3)
            cases = math.ceil(third * problem.cases / 3)
            if cases > left:
                return
            options = active(problem, {**problem.baseline, **encoding.params(place)})
            chosen = rng.permutation(problem.cases)[:cases]
            score = float(np.mean([problem.draw(options, int(case), rng) for case in chosen]))
            tried.add(place, options, cases / problem.cases, score, 1.0)
            left -= cases
            surface = tried.surface() if len(tried.scores) >= START else None
            best = _best(tried, surface)
            yield Trial(tried.options[best], _believed(tried, surface, best), cases, leads=True)
            place = rng.random(len(encoding)) if surface is None else _next(tried, surface, encoding, cases, rng)

    return run


def _at_all_cases(places: Array) -> Array:
    return np.column_stack([places, np.ones(len(places))])


def _best(tried: Evaluations, surface: Any) -> int:
    """The set with the largest posterior mean among those on most cases; before there is a surface the baseline."""
    if surface is None:
        return 0
    most = np.array(tried.shares) >= max(tried.shares) - 1e-9
    means = surface.predict(_at_all_cases(np.array(tried.places)))
    return int(np.where(most, means, -np.inf).argmax())


def _believed(tried: Evaluations, surface: Any, best: int) -> float:
    if surface is None:
        return tried.scores[0]
    return float(surface.predict(_at_all_cases(tried.places[best][None]))[0])


def _next(tried: Evaluations, surface: Any, encoding: Encoding, cases: int, rng: np.random.Generator) -> Array:
    """The place with the largest expected improvement per token."""
    from scipy import stats

    known = np.array(tried.places)
    means = surface.predict(_at_all_cases(known))
    around = known[np.argsort(-means)[:5]]
    near = np.clip(np.repeat(around, NEAR, axis=0) + rng.normal(0, 0.1, (len(around) * NEAR, known.shape[1])), 0, 1)
    pool = encoding.canonical(np.concatenate([rng.random((POOL, known.shape[1])), near, around]))
    mean, sd = surface.predict(_at_all_cases(pool), return_std=True)
    noise = surface.kernel_.k2.noise_level * surface._y_train_std**2  # which the standard deviation includes
    sd = np.sqrt(np.maximum(sd**2 - noise, 1e-12))
    z = (mean - means.max()) / sd
    improvement = sd * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    return np.asarray(pool[int(np.argmax(improvement / (cases * tried.expected_costs(pool))))])
