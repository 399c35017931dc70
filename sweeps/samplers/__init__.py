"""Samplers by name: the noise-aware Gaussian process (the default) and Optuna's TPE, random, QMC and grid.

Nothing heavy is imported before a sampler is made. Every sampler passes the suite `tests/conformance/samplers.py`,
which states the contract.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

    from sweeps.samplers.encoding import ActiveWhen

SAMPLERS = ("gp", "tpe", "random", "qmc", "grid")
"""Names that `make_sampler` knows."""

GRID_POINTS = 5
"""Values per continuous (or long) range on a grid."""


LEAST_START = 8
"""Smallest size of a start design; with fewer scores no surface is fitted."""


def start_size(dimensions: int, trials: int | None = None) -> int:
    """Return the size of the start design of `gp`, the baseline's trial included.

    Args:
        dimensions: Number of searched parameters.
        trials: Planned number of trials, if known.
    """
    wanted = 2 * dimensions + 2
    return max(LEAST_START, wanted if trials is None else min(wanted, trials // 4))


def start_kind(dimensions: int, planned: int) -> str:
    """Return the kind of start design that pays: "ends" where every parameter gets a change, otherwise "near".

    Args:
        dimensions: Number of searched parameters.
        planned: Trials of the start design, without the baseline's. Every second one is around the baseline.
    """
    return "ends" if planned // 2 >= dimensions else "near"


def make_sampler(
    name: str,
    *,
    seed: int,
    space: Mapping[str, BaseDistribution] | None = None,
    active_when: ActiveWhen | None = None,
    baseline: Mapping[str, Any] | None = None,
    n_trials: int | None = None,
    **options: Any,
) -> BaseSampler:
    """Make a sampler for a study.

    Args:
        name: One of `SAMPLERS`.
        seed: The study's seed.
        space: Optuna distributions by name. `grid` needs it, `gp` works better with it.
        active_when: For conditional parameters, the parents and values under which they act (`gp` only).
        baseline: The configuration in use today, as values by name (`gp` only).
        n_trials: Planned number of trials, if known (`gp` only).
        **options: Passed on to the sampler's class.

    Returns:
        An Optuna sampler.

    Raises:
        ConfigError: If the name is unknown, or `grid` has no space.
    """
    makers: dict[str, Callable[[], BaseSampler]] = {
        "gp": lambda: _gp(seed, space, active_when, baseline, n_trials, options),
        "tpe": lambda: _tpe(seed % 2**32, options),
        "random": lambda: _random(seed % 2**32, options),
        "qmc": lambda: _qmc(seed, options),
        "grid": lambda: _grid(seed, space, options),
    }
    if name not in makers:
        raise ConfigError(f"sampler: unknown {name!r}; valid: {', '.join(SAMPLERS)}")
    return makers[name]()


def grid_values(space: Mapping[str, BaseDistribution], points: int = GRID_POINTS) -> dict[str, Sequence[Any]]:
    """Return a grid's values of each parameter: every choice, or up to `points` evenly spaced values of a range."""
    import numpy as np

    from sweeps.samplers.encoding import Encoding

    values: dict[str, Sequence[Any]] = {}
    for name, distribution in space.items():
        if distribution.single() or not (axes := Encoding({name: distribution}).axes):
            values[name] = [Encoding({name: distribution}).params(np.zeros(0))[name]]
            continue
        axis = axes[0]
        if hasattr(distribution, "choices") or 0 < axis.cells <= points:
            codes = axis.grid()
        else:
            first, last = axis.codes([axis.value(0.0), axis.value(1.0)])
            codes = np.linspace(first, last, points)
        values[name] = list(dict.fromkeys(axis.value(float(code)) for code in codes))
    return values


def grid_size(space: Mapping[str, BaseDistribution]) -> int:
    """Return the number of points on a space's grid."""
    return math.prod(len(values) for values in grid_values(space).values())


def _gp(
    seed: int,
    space: Mapping[str, BaseDistribution] | None,
    active_when: ActiveWhen | None,
    baseline: Mapping[str, Any] | None,
    n_trials: int | None,
    options: Mapping[str, Any],
) -> BaseSampler:
    from sweeps.samplers.gp import NoiseAwareSampler

    return NoiseAwareSampler(
        seed=seed, space=space, active_when=active_when, baseline=baseline, n_trials=n_trials, **options
    )


def _tpe(seed: int, options: Mapping[str, Any]) -> BaseSampler:
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(**{"seed": seed, "multivariate": True, "group": True, "constant_liar": True, **options})


def _random(seed: int, options: Mapping[str, Any]) -> BaseSampler:
    from optuna.samplers import RandomSampler

    return RandomSampler(**{"seed": seed, **options})


def _qmc(seed: int, options: Mapping[str, Any]) -> BaseSampler:
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import QMCSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QMCSampler(**{"seed": seed % 2**32, "scramble": True, "warn_independent_sampling": False, **options})


def _grid(seed: int, space: Mapping[str, BaseDistribution] | None, options: Mapping[str, Any]) -> BaseSampler:
    from sweeps.samplers.grid import PlannedGridSampler

    if space is None and "search_space" not in options:
        raise ConfigError("sampler: 'grid' needs a search space; name the options to sweep in [space]")
    return PlannedGridSampler(**{"search_space": grid_values(space or {}), "seed": seed % 2**32, **options})
