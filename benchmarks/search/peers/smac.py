"""SMAC as a rival of the product (see `peers.py`): its facade for noisy targets on several instances.

`smac` is no part of the lock file; `pip install smac` lays it beside the environment.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.search.arena import Options, Problem, scratch
from benchmarks.search.peers.parts import Peer, Trial, active


def smac_peer() -> Peer:
    """SMAC's `AlgorithmConfigurationFacade`: random forest, and intensification over (case, seed) instances.

    Its recommendation is the incumbent. The baseline is the default configuration, which SMAC tries first. In a small
    space SMAC ends when it finds no new set, and leaves the rest of the budget.
    """

    def run(problem: Problem, budget: int, seed: int) -> Iterator[Trial]:
        from smac import AlgorithmConfigurationFacade, Scenario
        from smac.main.exceptions import ConfigurationSpaceExhaustedException
        from smac.runhistory.dataclasses import TrialValue

        logging.disable(logging.WARNING)
        rng = np.random.default_rng([seed, 1])
        cases = [str(case) for case in range(problem.cases)]
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            scenario = Scenario(
                _space(problem, seed),
                n_trials=budget,
                instances=cases,
                instance_features={case: [float(case)] for case in cases},
                deterministic=False,
                seed=seed % 2**31,
                output_directory=folder,
            )
            smac = AlgorithmConfigurationFacade(scenario, _unused, overwrite=True, logging_level=False)
            baseline = active(problem, problem.baseline)
            scores: dict[Any, list[float]] = {}
            made = 0
            while made < budget:
                try:
                    info = smac.ask()
                except ConfigurationSpaceExhaustedException:
                    return
                options = active(problem, {**problem.baseline, **dict(info.config)})
                score = problem.draw(options, int(info.instance), rng)
                smac.tell(info, TrialValue(cost=1 - score))
                scores.setdefault(info.config, []).append(score)
                made += 1
                if made < problem.cases:  # SMAC's first trials are those of the default configuration
                    continue
                incumbent = smac.intensifier.get_incumbent()
                chosen = baseline if incumbent is None else active(problem, {**problem.baseline, **dict(incumbent)})
                mean = float(np.mean(scores.get(incumbent, [score])))
                yield Trial(
                    _first(chosen, baseline, made, problem), mean, made if made == problem.cases else 1, leads=True
                )

    return run


def _first(chosen: Options, baseline: Options, made: int, problem: Problem) -> Options:
    """The recommendation; the first one is the baseline, which everybody has before a search."""
    return baseline if made == problem.cases else chosen


def _unused(config: object, instance: str, seed: int = 0) -> float:  # noqa: ARG001 - SMAC asks for these names
    raise AssertionError("trials are asked for and told")


def _space(problem: Problem, seed: int) -> Any:
    """The space as SMAC reads it, with the baseline as default."""
    import ConfigSpace
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = ConfigSpace.ConfigurationSpace(seed=seed % 2**31)
    for name, distribution in problem.distributions.items():
        default = problem.baseline.get(name)
        if isinstance(distribution, CategoricalDistribution):
            made: Any = ConfigSpace.CategoricalHyperparameter(name, list(distribution.choices), default_value=default)
        elif isinstance(distribution, IntDistribution) or (distribution.step and not distribution.log):  # type: ignore[attr-defined]
            made = _steps(name, distribution, default)
        else:
            assert isinstance(distribution, FloatDistribution)
            ends = (distribution.low, distribution.high)
            made = ConfigSpace.UniformFloatHyperparameter(name, *ends, log=distribution.log, default_value=default)
        space.add(made)
    for name, parents in problem.active_when.items():
        conditions = [
            ConfigSpace.InCondition(space[name], space[parent], list(values)) for parent, values in parents.items()
        ]
        space.add(conditions[0] if len(conditions) == 1 else ConfigSpace.AndConjunction(*conditions))
    return space


def _steps(name: str, distribution: Any, default: Any) -> Any:
    """A range of whole numbers; other steps are an ordered list of values."""
    import ConfigSpace
    from optuna.distributions import IntDistribution

    if isinstance(distribution, IntDistribution) and distribution.step == 1:
        ends = (distribution.low, distribution.high)
        return ConfigSpace.UniformIntegerHyperparameter(name, *ends, log=distribution.log, default_value=default)
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    values: Sequence[Any] = [round(distribution.low + i * distribution.step, 9) for i in range(count)]
    nearest = min(values, key=lambda value: abs(value - (values[0] if default is None else default)))
    return ConfigSpace.OrdinalHyperparameter(name, values, default_value=nearest)
