"""Scores, noise and constraints of trials, worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.samplers.evaluated import evaluated
from sweeps.samplers.gp import NoiseAwareSampler, pick, study_posterior

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
RANGE: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1)}


def at(x: float, value: float | None = None, **more: Any) -> FrozenTrial:
    return create_trial(value=value, params={"x": x}, distributions=RANGE, **more)


def pruned(x: float, *reported: float, **more: Any) -> FrozenTrial:
    return at(x, state=TrialState.PRUNED, intermediate_values=dict(enumerate(reported)), **more)


def study_of(*trials: FrozenTrial, direction: str = "maximize") -> optuna.Study:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)
    return study


def test_failed_and_unfinished_trials_say_nothing() -> None:
    done = evaluated(study_of(at(0.1, 0.5), at(0.2, state=TrialState.FAIL), at(0.3, 0.25), direction="minimize"))
    assert done.values.tolist() == [-0.5, -0.25]
    assert [t.number for t in done.trials] == [0, 2]
    assert done.eligible.all()


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_an_infinite_score_counts_as_the_worst_or_the_best(direction: str, sign: int) -> None:
    scores = [0.5, sign * math.inf, 0.2, -sign * math.inf]
    done = evaluated(study_of(*(at(0.1 * i, v) for i, v in enumerate(scores)), direction=direction))
    best, worst = (0.5, 0.2) if sign > 0 else (-0.2, -0.5)
    assert done.values.tolist() == [sign * 0.5, best, sign * 0.2, worst]
    assert done.eligible.tolist() == [True, False, True, False]


def test_infinite_scores_alone_are_worse_or_better_still() -> None:
    assert evaluated(study_of(at(0.1, math.inf), at(0.2, -math.inf))).values.tolist() == [1.0, -1.0]


def test_a_pruned_trial_counts_as_what_it_reported_but_never_as_a_good_one() -> None:
    complete = [at(0.1 * i, value) for i, value in enumerate((1.0, 2.0, 3.0, 4.0, 5.0))]
    ran = [pruned(0.6, 9.0, 0.5), pruned(0.7, 0.1, 9.0), pruned(0.8), pruned(0.9, 1.5, math.nan)]
    done = evaluated(study_of(*complete, *ran))
    assert done.values.tolist() == [1, 2, 3, 4, 5, 0.5, 2.0, 2.0, 1.5]  # the quartile of 1 to 5 is 2
    assert done.eligible.tolist() == [True] * 5 + [False] * 4
    assert evaluated(study_of(*complete, pruned(0.6, 4.5), direction="minimize")).values[5] == -4.5
    assert evaluated(study_of(*complete, pruned(0.6, 2.0), direction="minimize")).values[5] == -4.0
    assert evaluated(study_of(pruned(0.1, 3.0), pruned(0.2), pruned(0.3, 5.0))).values.tolist() == [3.0, 3.5, 3.5]
    assert evaluated(study_of(pruned(0.2))).values.tolist() == [0.0]


def test_what_was_known_of_the_first_trials_does_not_change() -> None:
    trials = [at(0.1, math.inf), at(0.2, 0.5), pruned(0.3), at(0.4, 7.0), at(0.5, 0.1)]
    early = evaluated(study_of(*trials)).first(3)
    np.testing.assert_array_equal(early.values, evaluated(study_of(*trials[:3])).values)
    assert early.values.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("value", [math.inf, None])
def test_neither_an_infinite_nor_a_pruned_trial_is_picked(value: float | None) -> None:
    """The odd trial lies at the top of the hill, where its neighbours lift it above all others."""
    hill = [at(x, 1 - 4 * (x - 0.5) ** 2) for x in np.linspace(0, 1, 12)]
    odd = at(0.5, value) if value else pruned(0.5, 0.9)
    study = study_of(*hill, *[odd] * 3)
    model = study_posterior(study)
    for index in (pick(study).number, model.pick(), *model.finalists(20)):
        assert index < 12
    assert NoiseAwareSampler(seed=0).pick(study).number < 12


def test_there_may_be_nothing_to_pick() -> None:
    with pytest.raises(ValueError, match="no trial is complete with a finite score"):
        pick(study_of(at(0.1, math.inf), pruned(0.2, 0.3)))
    with pytest.raises(ValueError, match=r"none of the 1 scored trials meets all constraints \(cost, size\)"):
        pick(study_of(at(0.1, 0.5, constraints={"size": 0.1, "cost": -1.0})))


def bad_half(x: float, kind: str, trial: optuna.Trial) -> float:
    if x > 0.55:
        return (x - 0.5) ** 2
    if kind == "pruned":
        trial.report(9.0, 0)
        raise optuna.TrialPruned
    return math.inf


@pytest.mark.parametrize("kind", ["infinite", "pruned"])
def test_the_search_leaves_a_region_that_yields_nothing(kind: str) -> None:
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=2))

    def objective(trial: optuna.Trial) -> float:
        x, y, z = (trial.suggest_float(name, 0, 1) for name in "xyz")
        return bad_half(x, kind, trial) + (y - 0.5) ** 2 + 0.2 * (z - 0.5) ** 2

    study.optimize(objective, n_trials=40)
    assert sum(t.params["x"] <= 0.55 for t in study.trials) < 18
    assert sum(t.params["x"] <= 0.55 for t in study.trials[20:]) < 8


def huge(trial: optuna.Trial, score: float) -> float:
    x = trial.suggest_float("x", 0, 1)
    return score if trial.number == 5 else x


@pytest.mark.parametrize("score", [1e200, -1e200, 1e308, 1e155])
@pytest.mark.parametrize("noise_sd", [None, 0.1])
@pytest.mark.filterwarnings("error")
def test_one_huge_score_stops_nothing(score: float, noise_sd: float | None) -> None:
    study = optuna.create_study(sampler=RandomSampler(seed=1))
    study.optimize(lambda trial: huge(trial, score), n_trials=12)
    sampler = NoiseAwareSampler(seed=1, noise_sd=noise_sd)
    study.sampler = sampler
    study.optimize(lambda trial: huge(trial, score), n_trials=4)
    assert np.isfinite(sampler.posterior(study).means()).all()
