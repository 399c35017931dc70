"""Constraints that trials tell."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from scipy.stats import norm

from sweeps.samplers.encoding import Encoding
from sweeps.samplers.feasibility import Feasibility
from sweeps.samplers.gp import NoiseAwareSampler

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
LINE = Encoding({"x": FloatDistribution(0, 1)})
AT = np.linspace(0, 1, 21)[:, None]


def whole(n: int) -> int:
    return n


def test_the_probability_is_that_of_every_surface_below_its_limit() -> None:
    limits = {"a": AT[:, 0] - 0.5, "b": 0.2 - AT[:, 0]}
    made = Feasibility(LINE, AT, limits, whole)
    found = made.probability(AT)
    by_hand = np.ones(21)
    for surface in made.surfaces:
        mean, sd = surface.posterior(AT)
        by_hand *= norm.sf(0.0, loc=mean, scale=sd)  # the surfaces hold the distance from the limit
    np.testing.assert_allclose(found, by_hand, rtol=1e-9, atol=1e-12)
    assert (found[5:10] > 0.95).all()  # .25 to .45
    assert (found[[0, 1, 2, 12, 20]] < 0.05).all()


def test_far_violations_and_infinite_ones_do_not_move_the_limit() -> None:
    values = np.where(AT[:, 0] > 0.7, math.inf, AT[:, 0] - 0.42)
    values[0] = -1e9
    found = Feasibility(LINE, AT, {"a": values}, whole).probability(AT)
    assert (found[1:8] > 0.9).all()
    assert (found[11:] < 0.1).all()


def test_a_constraint_that_few_trials_tell_or_that_never_varies_says_nothing() -> None:
    few = np.where(AT[:, 0] < 0.2, AT[:, 0], math.nan)
    made = Feasibility(LINE, AT, {"few": few, "always": np.full(21, -1.0), "none": np.full(21, math.nan)}, whole)
    assert not made.surfaces
    np.testing.assert_array_equal(made.probability(AT), np.ones(21))


def test_later_trials_do_not_change_an_earlier_fit() -> None:
    values = np.sin(9 * AT[:, 0])
    first = Feasibility(LINE, AT[:12], {"a": values[:12]}, whole).surfaces[0].hyperparameters
    assert Feasibility(LINE, AT, {"a": values}, lambda n: min(n, 12)).surfaces[0].hyperparameters == first


def search(constrain: Callable[[optuna.Trial, float, float], None], n: int = 40, seed: int = 0) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=seed))

    def objective(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        constrain(trial, x, y)
        return x + 0.5 * y

    study.optimize(objective, n_trials=n)
    return study


def below(limit: float) -> Callable[[optuna.Trial, float, float], None]:
    return lambda trial, x, y: trial.set_constraint("sum", x + y - limit)


def test_the_best_is_found_that_keeps_the_constraint() -> None:
    study = search(below(0.6))
    kept = [t for t in study.trials if t.params["x"] + t.params["y"] <= 0.6]
    assert max(t.value for t in kept) > 0.58
    assert len(kept) > 10
    chosen = NoiseAwareSampler(seed=0).pick(study)
    assert chosen in kept
    assert chosen.value > 0.55


def test_while_no_trial_keeps_the_constraint_the_search_looks_for_one() -> None:
    study = search(below(0.04), n=30, seed=1)  # a random trial has one chance in 1250
    sums = [t.params["x"] + t.params["y"] for t in study.trials]
    assert min(sums[:8]) > 0.04
    assert min(sums) <= 0.04


def test_constraints_guide_where_all_scores_are_equal() -> None:
    study = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=1))

    def objective(trial: optuna.Trial) -> float:
        total = sum(trial.suggest_float(name, 0, 1) for name in "xyz")
        trial.set_constraint("sum", total - 0.3)
        return 0.0

    study.optimize(objective, n_trials=30)
    assert sum(t.constraints["sum"] <= 0 for t in study.trials) > 8


def test_a_constraint_that_is_always_kept_changes_nothing() -> None:
    with_one = search(lambda trial, *_: trial.set_constraint("never", -1.0), n=20)
    without = search(lambda *_: None, n=20)
    assert [t.params for t in with_one.trials] == [t.params for t in without.trials]
    broken = search(lambda trial, *_: trial.set_constraint("ever", 1.0), n=12)
    with pytest.raises(ValueError, match="none of the 12 scored trials meets all constraints"):
        NoiseAwareSampler(seed=0).pick(broken)


def test_a_resumed_study_with_constraints_proposes_the_same() -> None:
    whole_study = search(below(0.6), n=30)
    resumed = optuna.create_study(direction="maximize", sampler=NoiseAwareSampler(seed=0))
    resumed.add_trials(whole_study.trials[:25])
    for expected in whole_study.trials[25:]:
        trial = resumed.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        assert {"x": x, "y": y} == expected.params
        trial.set_constraint("sum", x + y - 0.6)
        resumed.tell(trial, expected.value)
