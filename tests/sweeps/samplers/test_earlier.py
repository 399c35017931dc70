"""Scores of earlier studies in a search's surface."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution

from sweeps.samplers.earlier import MORE_NOISE, OFFSET_SHARE, EarlierScores
from sweeps.samplers.encoding import Encoding
from sweeps.samplers.gp import NoiseAwareSampler, study_posterior
from sweeps.samplers.posterior import fit_surrogate
from sweeps.samplers.surrogate import Hyperparameters, Surrogate

SPACE = {"temperature": FloatDistribution(0.0, 1.0), "top_p": FloatDistribution(0.0, 1.0)}
KNOWN = Hyperparameters(0.3, 0.2, (0.4, 0.6), (0, 1))


def hill(n: int, *, lift: float = 0.0) -> EarlierScores:
    """Scores with a top at temperature .8, all of them `lift` too high."""
    rng = np.random.default_rng(4)
    points = [{"temperature": float(t), "top_p": float(p)} for t, p in rng.random((n, 2))]
    values = np.array([-((each["temperature"] - 0.8) ** 2) for each in points]) + lift + rng.normal(0, 0.02, n)
    return EarlierScores(points, values, values, np.full(n, 0.0004), np.ones(n, dtype=np.intp))


def test_what_the_scores_of_a_study_share_is_an_offset_of_its_own() -> None:
    """With an offset of huge variance a posterior equals the one with the study's mean as a free constant."""
    rng = np.random.default_rng(1)
    features, values, noise = rng.random((14, 2)), rng.normal(size=14), np.full(14, 0.1)
    shared = np.zeros((14, 14))
    shared[6:, 6:] = 1e6
    moved = np.concatenate([values[:6], values[6:] + 5.0])
    (mean, sd), (of_moved, sd_of_moved) = (
        Surrogate(features, each, noise, KNOWN, shared).posterior(features[:6] + 0.1) for each in (values, moved)
    )
    assert of_moved == pytest.approx(mean, abs=1e-3)
    assert sd_of_moved == pytest.approx(sd)
    believing = Surrogate(features, values, noise, KNOWN, shared).believing(features[:2] + 0.2, 0.1)
    assert believing.posterior(features[:6])[0] == pytest.approx(
        Surrogate(features, values, noise, KNOWN, shared).posterior(features[:6])[0], abs=1e-6
    )


def test_variances_by_hand() -> None:
    scores = hill(3)
    assert scores.widened == pytest.approx(np.full(3, MORE_NOISE * 0.0004))
    two = EarlierScores(scores.points, scores.values, scores.values, np.array([1.0, 2.0, 9.0]), np.array([1, 2, 2]))
    offset = OFFSET_SHARE * 2.0
    assert two.shared(1).tolist() == [[0] * 4, [0, offset, 0, 0], [0, 0, offset, offset], [0, 0, offset, offset]]


def test_earlier_scores_take_the_place_of_the_start_design_and_are_proposed_again() -> None:
    study = optuna.create_study(
        direction="maximize",
        sampler=NoiseAwareSampler(seed=3, space=SPACE, baseline={"temperature": 0.1, "top_p": 0.5}, earlier=hill(30)),
    )
    proposed = []
    for _ in range(4):
        trial = study.ask(SPACE)
        proposed.append(trial.params["temperature"])
        trial.set_user_attr("score_var", 0.0004)
        study.tell(trial, -((trial.params["temperature"] - 0.8) ** 2))
    assert proposed[0] == 0.1
    assert all(abs(temperature - 0.8) < 0.25 for temperature in proposed[1:])


def test_a_posterior_has_a_surface_of_both_and_picks_from_its_own() -> None:
    study = optuna.create_study(direction="maximize")
    for _ in range(3):
        trial = study.ask(SPACE)
        study.tell(trial, 0.0)
    alone, wiser = (study_posterior(study, SPACE, noise_sd=0.1, earlier=each) for each in (None, hill(30)))
    assert alone.surrogate is None
    assert len(wiser.means()) == len(wiser.noise) == 3
    assert wiser.pick() in range(3)
    low, high = wiser.at([{"temperature": 0.1, "top_p": 0.5}, {"temperature": 0.8, "top_p": 0.5}])[0]
    assert high > low + 0.1


def test_without_earlier_scores_a_surface_is_the_same() -> None:
    rng = np.random.default_rng(7)
    encoding, codes, values = Encoding(SPACE), rng.random((12, 2)), rng.normal(size=12)
    none = EarlierScores([], np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp))
    plain, same = (fit_surrogate(encoding, codes, values, np.full(12, 0.1), earlier=each) for each in (None, none))
    assert plain is same
