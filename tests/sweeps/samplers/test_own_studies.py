"""The sampler in studies that have nothing to do with sweeps: any scale, any attributes, no space, no parameter."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.trial import create_trial

from sweeps.samplers.encoding import Encoding
from sweeps.samplers.gp import NoiseAwareSampler

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
SIX: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0, 1) for i in range(6)}
THIRD = dict.fromkeys(SIX, 0.3)


def branin(u: float, v: float) -> float:
    """Branin's function on the unit square, less its minimum."""
    x, y = -5 + 15 * u, 15 * v
    hill = (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
    return hill + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887


def bowl(*at: float) -> float:
    return sum((v - 0.4) ** 2 for v in at)


def minimise(
    function: Callable[..., float],
    *,
    sampler: Any,
    n: int = 40,
    d: int = 2,
    noise: float = 0.0,
    attributes: Callable[[int], dict[str, Any]] = lambda number: {},
    scale: float = 1.0,
) -> tuple[optuna.Study, list[float]]:
    """A study, and the true scores of its trials."""
    study = optuna.create_study(sampler=sampler)
    truth = []

    def objective(trial: optuna.Trial) -> float:
        truth.append(function(*(trial.suggest_float(f"x{i}", 0, 1) for i in range(d))))
        for name, value in attributes(trial.number).items():
            trial.set_user_attr(name, value)
        return scale * (truth[-1] + noise * np.random.default_rng(trial.number).normal())

    study.optimize(objective, n_trials=n)
    return study, truth


@pytest.mark.slow
def test_without_a_word_about_noise_the_search_beats_tpe() -> None:
    regrets: dict[tuple[str, float], list[float]] = {}
    for noise in (0.0, 1.0):
        for seed in range(6):
            for name, kind in (("gp", NoiseAwareSampler), ("tpe", TPESampler)):
                study, truth = minimise(branin, sampler=kind(seed=seed), noise=noise)
                chosen = kind(seed=0).pick(study) if kind is NoiseAwareSampler else study.best_trial
                regrets.setdefault((name, noise), []).append(truth[chosen.number])
    means = {key: float(np.mean(values)) for key, values in regrets.items()}
    assert means["gp", 0.0] < 0.05, means
    assert means["gp", 0.0] < means["tpe", 0.0] / 3, means
    assert means["gp", 1.0] < means["tpe", 1.0] / 2, means


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_proposals_do_not_depend_on_the_unit(noise: float) -> None:
    studies = [
        minimise(bowl, sampler=NoiseAwareSampler(seed=3), d=3, noise=noise, scale=2.0**exponent, n=30)[0]
        for exponent in (0, -10, -100, 1, 20, 200)
    ]
    expected = [trial.params for trial in studies[0].trials]
    picks = {NoiseAwareSampler(seed=3).pick(study).number for study in studies}
    assert all([trial.params for trial in study.trials] == expected for study in studies)
    assert len(picks) == 1


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_nor_with_known_noise_in_another_unit(noise: float) -> None:
    found = []
    for exponent in (-60, -20, 20, 60):
        own = {"noise_sd": noise * 2.0**exponent}
        study, _ = minimise(
            bowl, sampler=NoiseAwareSampler(seed=3), d=3, noise=noise, scale=2.0**exponent, n=30,
            attributes=lambda number, own=own: own,
        )  # fmt: skip
        found.append([trial.params for trial in study.trials])
    assert all(params == found[0] for params in found)


@pytest.mark.parametrize(("scale", "noise_known"), [(1e-4, True), (1e-4, False), (1e-9, False), (1e9, True)])
def test_small_and_large_scores_are_searched_as_well_as_any(scale: float, noise_known: bool) -> None:
    own = {"noise_sd": 1e-3 * scale} if noise_known else {}
    best = []
    for seed in range(3):
        _, truth = minimise(
            bowl, sampler=NoiseAwareSampler(seed=seed), d=4, scale=scale, noise=1e-3, attributes=lambda number: own
        )
        best.append(min(truth))
    assert np.mean(best) < 0.003


def test_an_offset_leaves_what_its_rounding_leaves() -> None:
    _, truth = minimise(lambda *at: 1e12 + bowl(*at), sampler=NoiseAwareSampler(seed=1))
    assert min(truth) - 1e12 < 0.002


@pytest.mark.parametrize(
    "odd",
    [
        {"noise_sd": math.inf}, {"noise_sd": -1.0}, {"score_var": math.nan}, {"noise_sd": 1e300}, {"score_var": 1e300},
        {"case_scores": 3.0}, {"case_scores": [1e200, -1e200]}, {"n": math.inf, "noise_sd": 0.1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("every", [1, 3])
def test_odd_attributes_stop_nothing(odd: dict[str, Any], every: int) -> None:
    _, truth = minimise(
        bowl, sampler=NoiseAwareSampler(seed=1), noise=0.01, n=24,
        attributes=lambda number: odd if number % every == 0 else {"n": 1, "noise_sd": 0.01},
    )  # fmt: skip
    assert min(truth) < 0.02


def test_trials_of_which_some_tell_their_noise_are_searched_too() -> None:
    study, truth = minimise(
        branin, sampler=NoiseAwareSampler(seed=1), noise=1.0,
        attributes=lambda number: {"noise_sd": 1.0} if number % 2 else {},
    )  # fmt: skip
    model = NoiseAwareSampler(seed=1).posterior(study)
    assert (model.noise[1::2] == 1.0).all()
    assert len(set(model.noise[::2])) == 1
    assert truth[model.pick()] < 1.5


def test_trials_that_begin_to_say_nothing_are_taken_for_the_others_until_the_next_fit() -> None:
    study, _ = minimise(
        branin, sampler=NoiseAwareSampler(seed=1), noise=1.0, n=16,
        attributes=lambda number: {"noise_sd": 1.0} if number < 13 else {},
    )  # fmt: skip
    assert len(study.trials) == 16
    assert NoiseAwareSampler(seed=1).posterior(study).noise[-1] != 1.0


def objective_of_six(trial: optuna.Trial) -> float:
    return bowl(*(trial.suggest_float(name, 0, 1) for name in SIX))


@pytest.mark.parametrize("first", ["nothing", "enqueued", "part", "added", "no space"])
def test_the_baseline_is_tried_whatever_came_before(first: str) -> None:
    space = None if first == "no space" else SIX
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=1, baseline=THIRD, space=space))
    if first == "enqueued":
        study.enqueue_trial(dict.fromkeys(SIX, 0.9))
    if first == "part":
        study.enqueue_trial({"x0": 0.9})
    if first == "added":
        study.add_trial(create_trial(params=dict.fromkeys(SIX, 0.8), distributions=SIX, value=1))
    study.optimize(objective_of_six, n_trials=20)
    having = [trial.number for trial in study.trials if trial.params == THIRD]
    assert having == [1 if first in ("enqueued", "part", "added") else 0]


def test_a_baseline_that_failed_is_not_tried_again() -> None:
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=1, baseline=THIRD))

    def objective(trial: optuna.Trial) -> float:
        value = objective_of_six(trial)
        return math.nan if trial.number == 0 else value

    study.optimize(objective, n_trials=14)
    assert [trial.params == THIRD for trial in study.trials] == [True] + [False] * 13


def test_a_baseline_with_gaps_does_not_freeze_what_it_has() -> None:
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=1, baseline={"x0": 0.3, "x1": 7.0}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        study.optimize(lambda t: sum(t.suggest_float(f"x{i}", 0, 1 + t.number % 2) for i in range(3)), n_trials=12)
    assert study.trials[0].params["x0"] == 0.3
    assert all(trial.params["x0"] != 0.3 for trial in study.trials[2:])  # the second is a neighbour of the first


def test_threads_without_a_space_try_the_baseline_once() -> None:
    """The first of two trials that ask at the same time has it, before any of its values is stored."""
    sampler = NoiseAwareSampler(seed=1, baseline=THIRD)
    study = optuna.create_study(sampler=sampler)
    study.ask(), study.ask()
    asking = study.get_trials()
    for _ in range(2):
        assert sampler.sample_independent(study, asking[0], "x0", SIX["x0"]) == 0.3
        assert sampler.sample_independent(study, asking[1], "x0", SIX["x0"]) != 0.3


@pytest.mark.parametrize("kind", ["no parameter", "one value", "ranges that change"])
def test_studies_with_nothing_to_search_have_a_posterior(kind: str) -> None:
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=1))

    def objective(trial: optuna.Trial) -> float:
        if kind == "one value":
            trial.suggest_int("a", 1, 1)
        if kind == "ranges that change":
            trial.suggest_float("x", 0, 1 + trial.number)
        return abs(trial.number - 7.0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        study.optimize(objective, n_trials=12)
        model = NoiseAwareSampler(seed=1).posterior(study)
    assert np.isfinite(model.means()).all()
    assert not len(model.encoding)
    # other values beyond the space make another configuration; without them it is the same
    assert NoiseAwareSampler(seed=1).pick(study).number == (7 if kind == "ranges that change" else 0)
    assert Encoding({}).grid().shape == (1, 0)


def test_a_range_that_changes_is_named_once() -> None:
    study = optuna.create_study(sampler=NoiseAwareSampler(seed=1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        study.optimize(lambda t: t.suggest_float("rate", 0, 1 + t.number % 2) + t.suggest_float("y", 0, 1), n_trials=6)
    messages = [str(each.message) for each in caught if "changes between trials" in str(each.message)]
    assert len(messages) == 1
    assert "'rate'" in messages[0]
    assert "space={'rate': ...}" in messages[0]


def in_batches(sampler: NoiseAwareSampler) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=sampler)
    for _ in range(4):
        asked = [study.ask() for _ in range(4)]
        for trial in asked:
            trial.suggest_float("x", 0, 1)
            trial.suggest_categorical("k", ["a", "b"])
        for trial in asked:
            study.tell(trial, (trial.params["x"] - 0.3) ** 2 + (trial.params["k"] == "b"))
    return [trial.params for trial in study.trials]


def test_a_sampler_may_serve_one_study_after_another() -> None:
    sampler = NoiseAwareSampler(seed=3)
    first = in_batches(sampler)
    assert in_batches(sampler) == first
    assert sampler._proposed == {}


def test_what_another_study_has_under_way_is_not_this_ones() -> None:
    """Trials of studies in memory have the same ids: those asked for in one must not be mistaken for the other's."""
    space: dict[str, BaseDistribution] = {"k": CategoricalDistribution(["a", "b", "c"])}

    def asked(sampler: NoiseAwareSampler, order: tuple[int, ...]) -> list[str]:
        study = optuna.create_study(sampler=sampler)
        trials = [study.ask() for _ in order]
        return [trials[i].suggest_categorical("k", ["a", "b", "c"]) for i in order]

    for seed in range(8):
        sampler = NoiseAwareSampler(seed=seed, space=space)
        asked(sampler, (0, 1, 2))
        assert asked(sampler, (2, 1, 0)) == asked(NoiseAwareSampler(seed=seed, space=space), (2, 1, 0))


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(0.0, 1e-12, 1e-13), (0.0, 7e-13, 1e-13), (1e-15, 9e-15, 2e-15), (1e10, 1e10 + 100, 10.0), (1e15, 1e15 + 10, 1.0),
     (1e7, 1e7 + 1, 0.1), (0.0, 100.0, 0.1)],
)  # fmt: skip
def test_steps_of_any_size_are_met(low: float, high: float, step: float) -> None:
    distribution = FloatDistribution(low, high, step=step)
    axis = Encoding({"x": distribution}).axes[0]
    values = [axis.value(float(code)) for code in axis.grid()]
    assert len(set(values)) == axis.cells > 4
    assert all(distribution._contains(value) for value in values)
    np.testing.assert_allclose(values, low + step * np.arange(axis.cells), rtol=1e-14, atol=1e-9 * step)
