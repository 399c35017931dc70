"""The search's surface as plain data: the options that matter, and the score along one and over two of them.

The surface is that of the sampler (`sweeps.samplers.surrogate`), fitted to the scores of the search without penalties.
The share of an option is its main effect's part of the surface's variance over the space (Sobol 1993), estimated from
points spread over the space by their means within bins of the option (Plischke 2010, with the bias of the bins taken
off). Joint draws from the posterior give its interval.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.arrays import FloatArray
from analysis.observations import views
from analysis.report.surface import Contour, Scale, Slice, Surface
from sweeps.config.space import params
from sweeps.results.result import SweepResult
from sweeps.search.quiet_optuna import quiet_optuna
from sweeps.search.trial import LEAST_ERROR

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from sweeps.samplers.encoding import ActiveWhen, Axis, Params
    from sweeps.samplers.posterior import Posterior

_POINTS = 512
_DRAWS = 256
_BINS = 8
_STEPS, _CELLS = 33, 25  # points of a slice, and of each side of a contour
_FEWEST_SHARE = 0.05  # of the points at which an option must act to have a share
_Z95 = 1.959964
_MOST_FOR_FANOVA = 120  # trials: with more, its forests take seconds
_MOST_FOR_OPTUNA = 1000  # trials: shares of more are the same, and Optuna's copies of 9,000 take 60 MB
_TREES = 16


def option_effects(result: SweepResult) -> Surface | None:
    """The search's surface.

    Returns:
        The surface; None for a comparison, with fewer scored configurations than a surface takes, or where no option
        was swept.
    """
    if result.is_comparison:
        return None
    points, scores, counts = _scored(result)
    space = result.config.space
    if not points or not len(space):
        return None
    sd = result.floor.sd if result.floor is not None else views.within_sd(result.observations)
    noise = np.maximum(sd**2 / counts, LEAST_ERROR**2) if math.isfinite(sd) else np.full(len(points), math.nan)
    return surface(
        space.distributions(),
        points,
        scores,
        noise,
        active_when=space.conditions(),
        fixed=params(result.baseline.values),
        at=_centre(result),
    )


def surface(
    distributions: Mapping[str, BaseDistribution],
    points: Sequence[Params],
    scores: FloatArray,
    noise: FloatArray,
    *,
    active_when: ActiveWhen | None = None,
    fixed: Params | None = None,
    at: tuple[str, Params] | None = None,
) -> Surface | None:
    """The surface of scored configurations.

    Args:
        distributions: The space.
        points: Scored configurations, without inactive options.
        scores: Their mean scores, shape (n,).
        noise: Variance of each mean, shape (n,); NaN where it is unknown.
        active_when: Conditions, as in `sweeps.samplers.encoding.Encoding`.
        fixed: Values outside the space that conditions may use.
        at: The configuration that fixes the other options of slices, with its name; by default the best one.

    Returns:
        The surface; None with fewer configurations than one takes.
    """
    from sweeps.samplers.posterior import Posterior, forget_large
    from sweeps.samplers.sparse import uncached_blocks

    with uncached_blocks():
        posterior = Posterior(distributions, points, scores, noise, active_when=active_when, fixed=fixed)
    forget_large()
    if posterior.surrogate is None:
        return None
    name, centre = at or ("the best trial", points[posterior.pick()])
    table, spread = importances(posterior)
    by_optuna = _optuna_shares(points, scores, distributions)
    return Surface(
        table.assign(**{each: table.index.map(shares) for each, shares in by_optuna.items()}),
        spread,
        [each for axis in posterior.encoding.axes if (each := slice_along(posterior, axis, centre)) is not None],
        contour_of(posterior, table["share"].sort_values(ascending=False).index.tolist(), centre),
        name,
        tuple(by_optuna),
    )


def importances(posterior: Posterior) -> tuple[pd.DataFrame, float]:
    """Main effects of the options, as shares of the surface's variance over the space.

    Args:
        posterior: A posterior with a surface.

    Returns:
        Columns `share`, `low` and `high` (median and 95% of the posterior) by option, and the standard
        deviation of the expected score over the space.
    """
    from scipy.stats import qmc

    from sweeps.samplers.surrogate import one_thread

    encoding = posterior.encoding
    assert posterior.surrogate is not None
    codes = encoding.canonical(qmc.Sobol(len(encoding), seed=0).random(_POINTS))
    with one_thread():
        mean, covariance = posterior.surrogate.joint(encoding.features(codes))
        jitter = 1e-8 * float(np.trace(covariance)) / len(covariance)
        root = np.linalg.cholesky(covariance + max(jitter, 1e-15) * np.eye(len(covariance)))
        draws = mean + np.random.default_rng(0).standard_normal((_DRAWS, len(mean))) @ root.T
    acting = encoding.active(codes)
    total = np.maximum(draws.var(axis=1), 1e-18)
    rows = {}
    for place, axis in enumerate(encoding.axes):
        own = acting[:, place]
        shares = np.zeros(_DRAWS)
        if own.mean() >= _FEWEST_SHARE:
            bins = axis.cells if 0 < axis.cells <= _BINS else _BINS
            which = np.minimum((codes[own, place] * bins).astype(int), bins - 1)
            shares = own.mean() * _between(draws[:, own], which) / total
        low, middle, high = np.quantile(np.clip(shares, 0.0, 1.0), [0.025, 0.5, 0.975])
        rows[axis.name] = {"share": middle, "low": low, "high": high}
    return pd.DataFrame.from_dict(rows, orient="index"), float(mean.std())


def _between(values: FloatArray, which: np.ndarray[Any, Any]) -> FloatArray:
    """Variance of the means of bins, less what it would be if bins meant nothing, shape (len(values),)."""
    kinds, counts = np.unique(which, return_counts=True)
    n, k = len(which), len(kinds)
    if k < 2 or n <= k:
        return np.zeros(len(values))
    means = np.stack([values[:, which == kind].mean(axis=1) for kind in kinds], axis=1)
    between = ((means - values.mean(axis=1, keepdims=True)) ** 2 * counts).sum(axis=1) / n
    within = values.var(axis=1) - between
    return np.asarray(between - (k - 1) / (n - k) * within)


def slice_along(posterior: Posterior, axis: Axis, at: Params) -> Slice | None:
    """The score along one option with the others fixed; None where the option does not act there."""
    if not _acts(posterior, axis, at):
        return None
    scale = _scale(axis, _STEPS)
    mean, sd = posterior.at([{**at, axis.name: value} for value in _values(axis, _STEPS)])
    return Slice(scale, mean, mean - _Z95 * sd, mean + _Z95 * sd)


def contour_of(posterior: Posterior, names: Sequence[str], at: Params) -> Contour | None:
    """The score over the first two options that act, with the others fixed; None where there are not two."""
    axes = {axis.name: axis for axis in posterior.encoding.axes}
    acting = [axes[name] for name in names if _acts(posterior, axes[name], at)][:2]
    if len(acting) < 2:
        return None
    x, y = acting
    columns, rows = _values(x, _CELLS), _values(y, _CELLS)
    mean, _ = posterior.at([{**at, x.name: across, y.name: up} for up in rows for across in columns])
    return Contour(_scale(x, _CELLS), _scale(y, _CELLS), mean.reshape(len(rows), len(columns)))


def _scored(result: SweepResult) -> tuple[list[Params], FloatArray, FloatArray]:
    """Configurations inside the space with their mean scores in search or floor, and their numbers of generations."""
    rows = result.observations
    known = result.configurations
    tables = [views.summary(views.search(rows)), views.summary(result.stage("floor"))]
    points: list[Params] = []
    scores: list[float] = []
    counts: list[float] = []
    for table in tables:
        for key, mean, n in zip(table.index, table["mean"], table["n"], strict=True):
            inside = result.config.space.params_of(known[str(key)]) if str(key) in known else None
            if inside is not None and math.isfinite(mean):
                points.append(inside)
                scores.append(float(mean))
                counts.append(float(n))
    return points, np.array(scores), np.array(counts)


def _centre(result: SweepResult) -> tuple[str, Params] | None:
    """The configuration that fixes the other options, with its name: finalist or baseline; None for neither."""
    space = result.config.space
    if result.finalist is not None and (inside := space.params_of(result.finalist.configuration)) is not None:
        return "the finalist", inside
    inside = space.params_of(result.baseline)
    return None if inside is None else ("the baseline", inside)


def _acts(posterior: Posterior, axis: Axis, at: Params) -> bool:
    encoding = posterior.encoding
    codes = encoding.codes([{**at, axis.name: axis.value(0.5)}])
    return bool(encoding.active(codes)[0, encoding.axes.index(axis)])


def _values(axis: Axis, most: int) -> list[Any]:
    """Values along an axis, in order and without repeats: all of a short one."""
    codes = axis.grid() if 0 < axis.cells <= most else np.linspace(0.0, 1.0, most)
    return list(dict.fromkeys(axis.value(float(code)) for code in codes))


def _scale(axis: Axis, most: int) -> Scale:
    values = _values(axis, most)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return Scale(axis.name, [float(value) for value in values], log=axis.log)
    return Scale(axis.name, [float(place) for place in range(len(values))], [str(value) for value in values])


def _optuna_shares(
    points: Sequence[Params], scores: FloatArray, distributions: Mapping[str, BaseDistribution]
) -> dict[str, dict[str, float]]:
    """Importances by Optuna's evaluators, by the evaluator's name; {} where none can say anything.

    They know nothing of the scores' noise, so they stand beside ours for comparison.
    """
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    if len(points) > _MOST_FOR_OPTUNA:
        even = np.linspace(0, len(points) - 1, _MOST_FOR_OPTUNA).round().astype(int)
        points, scores = [points[place] for place in even], scores[even]
    swept = {name: each for name, each in distributions.items() if not each.single()}
    everywhere = [name for name in swept if all(name in point for point in points)]
    evaluators: dict[str, Any] = {"PED-ANOVA": PedAnovaImportanceEvaluator}
    if len(points) <= _MOST_FOR_FANOVA:
        evaluators = {"fANOVA": lambda: FanovaImportanceEvaluator(n_trees=_TREES, seed=0)} | evaluators
    found = {}
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the evaluators are marked as experimental
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            optuna.trial.create_trial(
                params={name: point[name] for name in everywhere},
                distributions={name: swept[name] for name in everywhere},
                value=float(score),
            )
            for point, score in zip(points, scores, strict=True)
        )
        for name, evaluator in evaluators.items():
            try:
                shares = get_param_importances(study, evaluator=evaluator(), params=everywhere)
            except (ValueError, RuntimeError, ZeroDivisionError) as error:
                logging.getLogger(__name__).debug("%s has no importances: %s", name, error)
                continue
            if any(shares.values()):
                found[name] = {option: float(share) for option, share in shares.items()}
    return found
