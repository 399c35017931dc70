"""The surface on many scores, against the exact one, dense algebra, and itself in other orders."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution

from sweeps.samplers import posterior, sparse
from sweeps.samplers.gp import NoiseAwareSampler
from sweeps.samplers.posterior import Posterior, fit_surrogate
from sweeps.samplers.remembered import Remembered
from sweeps.samplers.sparse import SparseSurrogate, inducing_points
from sweeps.samplers.surrogate import Hyperparameters, Surrogate

KNOWN = Hyperparameters(0.004, 0.006, (0.4, 1.5), (0, 1))
SPACE = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}


def sample(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    features = rng.random((n, 2))
    return features, 0.4 + 0.1 * np.sin(5 * features[:, 0]) + rng.normal(0, 0.02, n), rng.uniform(2e-4, 6e-4, n)


def test_with_every_point_inducing_it_is_the_exact_surface() -> None:
    features, values, noise = sample(60)
    exact, made = Surrogate(features, values, noise, KNOWN), SparseSurrogate(features, values, noise, KNOWN, features)
    at = np.random.default_rng(2).random((9, 2))
    for one, other in ((exact, made), (exact.believing(at[:3], 4e-4), made.believing(at[:3], 4e-4))):
        np.testing.assert_allclose(other.posterior(at), one.posterior(at), rtol=2e-3)
        np.testing.assert_allclose(other.joint(at)[1], one.joint(at)[1], atol=2e-6)
        np.testing.assert_allclose(other.known_means(), one.known_means(), rtol=1e-3)
        assert other.reference() == pytest.approx(one.reference(), abs=1e-4)
        assert other.mean == pytest.approx(one.mean, abs=1e-4)
    few = np.array([4, 7, 9])
    assert made.reference(few) == pytest.approx(exact.reference(few), abs=1e-4)


def test_it_is_the_conditional_of_dense_algebra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores share what the inducing points explain; the rest of each is noise of its own."""
    monkeypatch.setattr(sparse, "_BLOCK", 16)
    features, values, noise = sample(50)
    inducing, at = features[::9], np.random.default_rng(2).random((20, 2))
    jitter = sparse._JITTER * KNOWN.signal
    among = KNOWN.covariance(inducing, inducing) + jitter * np.eye(len(inducing))
    to_known, to_new = KNOWN.covariance(features, inducing), KNOWN.covariance(at, inducing)
    explained = to_known @ np.linalg.solve(among, to_known.T)
    whole = explained + np.diag(KNOWN.signal - np.diag(explained) + noise + jitter)
    cross, ones = to_new @ np.linalg.solve(among, to_known.T), np.ones(len(values))
    inverse = np.linalg.inv(whole)
    mean = ones @ inverse @ values / (ones @ inverse @ ones)
    lacking = 1 - cross @ inverse @ ones
    covariance = KNOWN.covariance(at, at) - cross @ inverse @ cross.T
    covariance += np.outer(lacking, lacking) / (ones @ inverse @ ones)
    made = SparseSurrogate(features, values, noise, KNOWN, inducing)
    np.testing.assert_allclose(made.posterior(at)[0], mean + cross @ inverse @ (values - mean))
    np.testing.assert_allclose(made.posterior(at)[1], np.sqrt(np.diag(covariance)))
    np.testing.assert_allclose(made.joint(at)[1], covariance, atol=1e-12)
    np.testing.assert_allclose(made.known_means(), made.posterior(features)[0])


def test_remembered_blocks_give_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_BLOCK", 16)
    features, values, noise = sample(70)

    def surface(n: int) -> SparseSurrogate:
        return SparseSurrogate(features[:n], values[:n], noise[:n], KNOWN, features[:12])

    surface(40)
    grown = surface(70)
    monkeypatch.setattr(sparse, "_blocks", Remembered(4))
    np.testing.assert_array_equal(surface(70).known_means(), grown.known_means())


def test_inducing_points_are_spread_and_near_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "SPREAD", 20)
    monkeypatch.setattr(sparse, "NEAR_BEST", 20)
    features, _, noise = sample(400)
    values = 0.4 - (features[:, 0] - 0.25) ** 2
    chosen = inducing_points(features, values, noise, KNOWN)
    assert len(np.unique(chosen, axis=0)) == len(chosen) <= 40
    assert {tuple(row) for row in chosen} <= {tuple(row) for row in features}
    gaps = np.sqrt(((features[:, None] - chosen[None]) ** 2).sum(axis=2)).min(axis=1)
    assert gaps.max() < 0.25
    assert np.mean(np.abs(chosen[:, 0] - 0.25) < 0.1) > 1.5 * np.mean(np.abs(features[:, 0] - 0.25) < 0.1)


def test_a_surface_is_exact_up_to_its_limit_and_sees_the_hill_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posterior, "EXACT", 60)
    monkeypatch.setattr(posterior, "FITTED", 50)
    rng = np.random.default_rng(0)
    points = [{"x": x, "y": y} for x, y in rng.random((90, 2))]
    truth = np.array([0.5 - (p["x"] - 0.3) ** 2 for p in points])
    values, noise = truth + rng.normal(0, 0.03, 90), np.full(90, 9e-4)
    assert isinstance(Posterior(SPACE, points[:60], values[:60], noise[:60]).surrogate, Surrogate)
    model = Posterior(SPACE, points, values, np.where(np.arange(90) % 3, noise, math.nan))
    assert isinstance(model.surrogate, SparseSurrogate)
    assert truth[model.pick()] > truth.max() - 0.01
    assert abs(model.difference(points[0], points[1])[0] - (truth[0] - truth[1])) < 0.04


def test_hyperparameters_of_many_scores_know_a_noise_that_few_trials_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one trial without a variance is not among those that are fitted: it gets the median one."""
    monkeypatch.setattr(posterior, "EXACT", 40)
    monkeypatch.setattr(posterior, "FITTED", 20)
    features, values, noise = sample(80)
    noise[1] = math.nan
    encoding = Posterior(SPACE, [{"x": 0.5, "y": 0.5}], [0.0], [1.0]).encoding
    made = fit_surrogate(encoding, features, values, noise)
    assert made is not None
    assert made.noise[1] == pytest.approx(np.nanmedian(noise))


def test_a_resumed_large_study_proposes_what_an_uninterrupted_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posterior, "EXACT", 20)
    monkeypatch.setattr(posterior, "FITTED", 15)

    def sampler() -> NoiseAwareSampler:
        return NoiseAwareSampler(seed=3, space=SPACE, n_startup_trials=10)

    def go_on(study: optuna.Study, trials: int) -> list[dict[str, Any]]:
        for _ in range(trials):
            trial = study.ask(SPACE)
            trial.set_user_attr("n", 6)
            trial.set_user_attr("noise_sd", 0.1)
            study.tell(trial, 0.5 - (trial.params["x"] - 0.3) ** 2)
        return [each.params for each in study.get_trials()]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    whole, resumed = (optuna.create_study(direction="maximize", sampler=sampler()) for _ in range(2))
    go_on(resumed, 31)
    trials = resumed.get_trials()
    resumed = optuna.create_study(direction="maximize", sampler=sampler())
    resumed.add_trials(trials)
    assert go_on(resumed, 6) == go_on(whole, 37)
    late = [trial.params["x"] for trial in whole.get_trials()[24:]]
    assert abs(float(np.median(late)) - 0.3) < 0.1


def test_a_surface_without_cached_blocks_has_the_same_digits_and_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_BLOCK", 16)
    monkeypatch.setattr(sparse, "_blocks", Remembered(48))
    features, values, noise = sample(50)
    cached = SparseSurrogate(features, values, noise, KNOWN, features[::9])
    sparse.forget_blocks()
    assert not sparse._blocks._known
    with sparse.uncached_blocks():
        plain = SparseSurrogate(features, values, noise, KNOWN, features[::9])
        more = plain.believing(features[:3], 4e-4)
    assert not sparse._blocks._known
    assert {half is None for _, half in plain._halves} == {True}
    assert np.array_equal(plain.known_means(), cached.known_means())
    assert np.array_equal(more.known_means(), cached.believing(features[:3], 4e-4).known_means())
