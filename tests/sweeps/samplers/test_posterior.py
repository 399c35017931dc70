"""Posterior and pick on plain tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.samplers import posterior
from sweeps.samplers.posterior import Posterior

SPACE = {
    "temperature": FloatDistribution(0, 2),
    "top_k": IntDistribution(5, 100, log=True),
    "mirostat": CategoricalDistribution((0, 1, 2)),
    "mirostat_tau": FloatDistribution(1, 9),
}
CONDITIONS = {"mirostat_tau": {"mirostat": (1, 2)}}
X = {"x": FloatDistribution(0, 1)}


def sample(n: int, seed: int = 0) -> tuple[list[dict[str, float]], np.ndarray]:
    rng = np.random.default_rng(seed)
    points: list[dict[str, float]] = []
    for _ in range(n):
        point = {"temperature": rng.uniform(0, 2), "top_k": int(rng.integers(5, 101)), "mirostat": int(rng.integers(3))}
        if point["mirostat"]:
            point["mirostat_tau"] = rng.uniform(1, 9)
        points.append(point)
    truth = np.array([0.5 - 0.3 * (p["temperature"] - 0.6) ** 2 for p in points])
    return points, truth + rng.normal(0, 0.02, n)


def test_a_difference_is_surer_than_its_parts():
    points = [{"x": x} for x in np.linspace(0.0, 1.0, 12)]
    model = Posterior(X, points, [0.3 + 0.2 * point["x"] for point in points], [0.01] * 12)
    (here, there), (one, two) = model.at([{"x": 0.6}, {"x": 0.5}])
    mean, sd = model.difference({"x": 0.6}, {"x": 0.5})
    assert mean == pytest.approx(here - there)
    assert 0 < sd < math.hypot(one, two)
    assert model.difference({"x": 0.5}, {"x": 0.5}) == (0.0, pytest.approx(0.0, abs=1e-5))
    back, same = model.difference({"x": 0.5}, {"x": 0.6})
    assert (back, same) == (pytest.approx(-mean), pytest.approx(sd))


def test_without_a_surface_two_configurations_know_nothing_of_each_other():
    model = Posterior(X, [{"x": 0.1}, {"x": 0.5}, {"x": 0.9}], [0.3, 0.4, 0.5], [0.01] * 3)
    mean, sd = model.at([{"x": 0.9}, {"x": 0.1}])
    assert model.difference({"x": 0.9}, {"x": 0.1}) == (pytest.approx(mean[0] - mean[1]), pytest.approx(np.hypot(*sd)))


def test_few_scores_are_shrunk_by_the_ratio_of_signal_to_noise() -> None:
    values, noise = [0.2, 0.4, 0.6], [0.01, 0.01, 0.01]
    mean, sd = Posterior(X, [{"x": 0.1}, {"x": 0.5}, {"x": 0.9}], values, noise).at([{"x": 0.9}, {"x": 0.3}])
    # variance of the scores .04, between configurations .04 - .01 = .03, weight .03 / .04 = 3/4
    np.testing.assert_allclose(mean, [0.4 + 0.75 * 0.2, 0.4])
    np.testing.assert_allclose(sd, [math.sqrt(0.03 * 0.25), math.sqrt(0.03)])


def test_scores_that_scatter_less_than_their_noise_keep_their_order() -> None:
    values, noise = [0.49, 0.5, 0.51], [0.01, 0.01, 0.01]
    mean, sd = Posterior(X, [{"x": 0.1}, {"x": 0.5}, {"x": 0.9}], values, noise).at([{"x": 0.9}, {"x": 0.3}])
    # A twentieth of the noise is the least variance between configurations: the weight is .0005 / .0105 = 1/21.
    np.testing.assert_allclose(mean, [0.5 + 0.01 / 21, 0.5])
    np.testing.assert_allclose(sd, [math.sqrt(0.0005 * 20 / 21), math.sqrt(0.0005)])


def test_few_scores_pool_the_repeats_of_a_configuration() -> None:
    points = [{"x": 0.1}, {"x": 0.1}, {"x": 0.9}]
    model = Posterior(X, points, [0.2, 0.4, 0.6], [0.01, 0.01, 0.01])
    # repeats: mean .3 with variance .005, weight .03 / .035
    assert model.at([{"x": 0.1}])[0][0] == pytest.approx(0.4 - 0.1 * 6 / 7)


def test_a_lucky_single_score_does_not_beat_a_well_known_one() -> None:
    points = [{"x": v} for v in (0.1, 0.3, 0.5, 0.7)]
    model = Posterior(X, points, [0.50, 0.40, 0.41, 0.55], [1e-4, 1e-4, 1e-4, 0.04])
    assert model.pick() == 0


def test_constant_scores_are_fine_and_ties_go_to_the_best_known_then_the_first() -> None:
    points = [{"x": i / 20} for i in range(12)]
    model = Posterior(X, points, [0.5] * 12, [0.01] * 4 + [0.005] * 2 + [0.01] * 6)
    assert model.surrogate is None
    np.testing.assert_allclose(model.means(), 0.5)
    assert model.pick() == 4
    assert model.pick(among=[0, 1, 9]) == 0


def test_the_surface_is_learnt_and_noise_is_seen_through() -> None:
    points, values = sample(80)
    model = Posterior(SPACE, points, values, np.full(80, 4e-4), active_when=CONDITIONS)
    assert model.surrogate is not None
    at, _ = sample(200, seed=1)
    truth = np.array([0.5 - 0.3 * (p["temperature"] - 0.6) ** 2 for p in at])
    mean, sd = model.at(at)
    high = truth > 0.2  # the lowest scores are winsorised on purpose
    assert np.abs(mean - truth)[high].mean() < 0.015
    assert (np.abs(mean - truth) < 2 * sd)[high].mean() > 0.85
    chosen = points[model.pick()]
    assert abs(chosen["temperature"] - 0.6) < 0.25


def test_the_order_of_the_table_does_not_matter() -> None:
    points, values = sample(30)
    order = np.random.default_rng(0).permutation(30)
    one = Posterior(SPACE, points, values, np.full(30, 4e-4), active_when=CONDITIONS)
    two = Posterior(SPACE, [points[i] for i in order], values[order], np.full(30, 4e-4), active_when=CONDITIONS)
    np.testing.assert_allclose(one.at(points)[0], two.at(points)[0], atol=2e-4)
    assert order[two.pick()] == one.pick()


@pytest.mark.parametrize(("n", "values"), [(0, []), (2, [0.5])])
def test_tables_that_do_not_fit_are_refused(n: int, values: list[float]) -> None:
    with pytest.raises(ValueError, match="needs at least one point"):
        Posterior(X, [{"x": 0.5}] * n, values, [0.01] * n)


def test_joint_posterior_agrees_with_the_marginal_one() -> None:
    points, values = sample(40)
    model = Posterior(SPACE, points, values, np.full(40, 4e-4), active_when=CONDITIONS)
    assert model.surrogate is not None
    features = model.encoding.features(model.codes[:15])
    mean, sd = model.surrogate.posterior(features)
    together, covariance = model.surrogate.joint(features)
    np.testing.assert_allclose(together, mean)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), sd, rtol=1e-6)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


def test_a_second_finalist_is_no_twin_of_the_first() -> None:
    """Two hills, the left one a hair higher: two finalists stand on different hills, by rank they would not."""
    at = np.linspace(0, 1, 41)
    truth = 0.3 + 0.30 * np.exp(-(((at - 0.2) / 0.08) ** 2)) + 0.295 * np.exp(-(((at - 0.8) / 0.08) ** 2))
    scores = truth + np.random.default_rng(3).normal(0, 0.03, 41)
    model = Posterior(X, [{"x": x} for x in at], scores, np.full(41, 0.03**2))
    assert all(at[i] < 0.5 for i in model.ranked()[:2])
    first, second = model.finalists(2)
    assert first == model.pick()
    assert at[first] < 0.5 < at[second]
    assert model.finalists(1) == [model.pick()]
    assert sorted(model.finalists(99)) == list(range(41))
    assert set(model.finalists(3, among=[1, 2])) == {1, 2}


def test_finalists_come_from_the_best_of_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posterior, "FINALISTS", 5)
    points, values = sample(40)
    model = Posterior(SPACE, points, values, np.full(40, 4e-4), active_when=CONDITIONS)
    assert sorted(model.finalists(99)) == sorted(model.ranked()[:5])
