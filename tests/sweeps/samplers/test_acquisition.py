"""Start design, candidates and augmented expected improvement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats

from sweeps.samplers.acquisition import (
    N_LOCAL,
    N_RANDOM,
    augmented_expected_improvement,
    candidates,
    distinct,
    one_change,
    perturb,
    start_design,
)
from sweeps.samplers.encoding import Encoding
from sweeps.samplers.surrogate import Hyperparameters, Surrogate

CUBE = Encoding({name: FloatDistribution(0, 1) for name in "abcd"})
BASELINE = np.array([0.2, 0.9, 0.5, 0.4])


def test_the_start_is_half_spread_and_half_near_the_baseline() -> None:
    design = start_design(CUBE, 12, BASELINE, seed=3)
    spread, near = design[0::2], design[1::2]
    # A Latin hypercube has one point in each of the 6 slices of every parameter.
    for column in spread.T:
        assert sorted((column * 6).astype(int)) == list(range(6))
    unchanged = near == BASELINE
    assert 0.3 < unchanged.mean() < 0.8
    assert not unchanged.all(axis=1).any()
    assert not (spread == BASELINE).any()


def test_the_half_around_the_baseline_has_one_parameter_at_an_end() -> None:
    design = start_design(CUBE, 19, BASELINE, 3, "ends")
    np.testing.assert_array_equal(design[0::2], start_design(CUBE, 19, BASELINE, 3)[0::2])
    # The farther end of each first; .5 is as far from both. Then the other ends, and at last what "near" has.
    ends = [(0, 1), (1, 0), (2, 0), (3, 1), (0, 0), (1, 1), (2, 1), (3, 0)]
    for point, (place, end) in zip(design[1::2], ends, strict=False):
        np.testing.assert_array_equal(point, np.where(np.arange(4) == place, end, BASELINE))
    assert not np.isin(design[17], (0, 1)).any()


def test_categories_modes_and_options_that_do_not_act_have_no_ends() -> None:
    space = {
        "mirostat": IntDistribution(0, 2), "mirostat_tau": FloatDistribution(0, 9),
        "prompt": CategoricalDistribution(["a", "b", "c"]), "top_k": IntDistribution(1, 4),
    }  # fmt: skip
    baseline = {"mirostat": 0, "prompt": "b", "top_k": 4}
    encoding = Encoding(space, {"mirostat_tau": {"mirostat": (1, 2)}}, baseline)
    found = [encoding.params(codes) for codes in one_change(encoding, encoding.codes([baseline])[0])]
    assert {each.pop("mirostat_tau") for each in found} == {4.5}  # the middle of the range
    changes = [{name: value for name, value in each.items() if value != baseline[name]} for each in found]
    assert changes == [{"mirostat": 1}, {"prompt": "a"}, {"top_k": 1}, {"mirostat": 2}, {"prompt": "c"}]


def test_without_a_baseline_all_points_are_spread() -> None:
    for column in start_design(CUBE, 9, None, seed=0).T:
        assert sorted((column * 9).astype(int)) == list(range(9))


def test_a_start_design_is_repeatable() -> None:
    np.testing.assert_array_equal(start_design(CUBE, 8, BASELINE, 5), start_design(CUBE, 8, BASELINE, 5))
    assert not np.array_equal(start_design(CUBE, 8, BASELINE, 5), start_design(CUBE, 8, BASELINE, 6))


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 3.0), st.integers(1, 6))
def test_perturbations_stay_in_the_cube_and_move(seed: int, scale: float, dimensions: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.random((20, dimensions))
    moved = perturb(codes, np.full(20, scale), rng)
    assert ((moved >= 0) & (moved <= 1)).all()
    assert (moved != codes).any(axis=1).all()


def test_a_small_space_is_searched_whole() -> None:
    encoding = Encoding({"a": IntDistribution(0, 9), "b": CategoricalDistribution(["x", "y"])})
    assert len(candidates(encoding, np.zeros((0, 2)), np.random.default_rng(0))) == 20


def test_candidates_lie_all_over_and_near_the_best() -> None:
    pool = candidates(CUBE, BASELINE[None, :], np.random.default_rng(0))
    near = (pool == BASELINE).any(axis=1)
    assert 0.75 * N_LOCAL < near.sum() <= N_LOCAL
    assert (~near).sum() >= N_RANDOM
    assert len(distinct(pool)) == len(pool)


def test_improvement_is_that_of_a_simulation_less_the_noise_discount() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((10, 1))
    values, noise = np.sin(4 * features[:, 0]), np.full(10, 0.05)
    surrogate = Surrogate(features, values, noise, Hyperparameters(0.2, 0.3, (0.4,), (0,)))
    at = np.array([[0.1], [0.35], [0.6], [0.95]])
    found = augmented_expected_improvement(surrogate, at, 0.05)
    known_mean, known_sd = surrogate.posterior(features)
    reference = known_mean[np.argmax(known_mean - known_sd)]
    mean, sd = surrogate.posterior(at)
    draws = rng.normal(mean[:, None], sd[:, None], (4, 400_000))
    expected = np.maximum(draws - reference, 0).mean(axis=1) * (1 - np.sqrt(0.05 / (0.05 + sd**2)))
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=1e-5)


def test_the_reference_is_a_point_that_is_known_and_not_one_that_was_lucky() -> None:
    features = np.array([[0.0], [1.0]])
    lucky_then_known = np.array([1.0, 1e-6])  # variances
    surrogate = Surrogate(features, np.array([1.0, 0.5]), lucky_then_known, Hyperparameters(0.25, 0.0, (0.1,), (0,)))
    mean, sd = surrogate.posterior(features)
    assert mean[0] > mean[1]
    assert mean[0] - sd[0] < mean[1] - sd[1]
    at = np.array([[5.0]])  # far from both
    (there,), (spread,) = surrogate.posterior(at)
    z = (there - mean[1]) / spread
    improvement = spread * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    discount = 1 - 0.3 / np.sqrt(0.3**2 + spread**2)
    np.testing.assert_allclose(augmented_expected_improvement(surrogate, at, 0.3**2), [improvement * discount])


def test_points_under_way_repel() -> None:
    features = np.array([[0.1], [0.5], [0.9]])
    surrogate = Surrogate(
        features, np.array([0.0, 1.0, 0.2]), np.full(3, 1e-3), Hyperparameters(0.2, 0.3, (0.3,), (0,))
    )
    at = np.linspace(0, 1, 101)[:, None]
    first = at[[np.argmax(augmented_expected_improvement(surrogate, at, 1e-3))]]
    second = at[[np.argmax(augmented_expected_improvement(surrogate.believing(first, 1e-3), at, 1e-3))]]
    assert abs(first - second).item() > 0.05


def test_improvement_is_never_negative() -> None:
    surrogate = Surrogate(
        np.array([[0.1], [0.9]]), np.array([0.0, 1.0]), np.full(2, 1e-4), Hyperparameters(0.5, 0.5, (0.2,), (0,))
    )
    assert (augmented_expected_improvement(surrogate, np.linspace(-1, 2, 50)[:, None], 0.01) >= 0).all()
    assert pytest.approx(0.0, abs=0.05) == augmented_expected_improvement(surrogate, np.array([[0.9]]), 0.01)[0]
