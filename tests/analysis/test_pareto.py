"""The Pareto set: dominance, how far noisy means are drawn together, and that what it says holds for fresh seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import pareto
from analysis.observations.table import TableError
from analysis.pareto import expected, front_of, shrink, undominated
from tests.analysis.sample import BASELINE, finalist_of, make_observations

KEYS = ["configuration", "trial", "stage", "case", "seed", "score", "output_tokens"]


def table(rows):
    return pd.DataFrame(rows, columns=KEYS)


def test_undominated_by_hand():
    gain, cost = np.array([0.5, 0.2, 0.4, 0.3, 0.5]), np.array([[3.0], [1.0], [2.0], [2.0], [4.0]])
    assert undominated(gain, cost).tolist() == [True, True, True, False, False]
    assert undominated(np.array([0.5, 0.5]), np.array([[1.0], [1.0]])).tolist() == [True, True]  # neither is better
    two = np.array([[3.0, 1.0], [1.0, 9.0], [2.0, 2.0], [2.0, 1.0], [4.0, 1.0]])
    assert undominated(gain, two).tolist() == [True, True, True, True, False]
    assert undominated(np.empty(0), np.empty((0, 1))).tolist() == []


points = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=15)


@settings(deadline=None)
@given(points)
def test_exactly_those_are_beaten_that_some_undominated_one_beats(given_points):
    values = np.array(given_points, dtype=float)
    front = undominated(values[:, 0], values[:, 1:])
    assert front.any()
    for point, on_front in zip(values, front, strict=True):
        beats = [
            other[0] >= point[0] and (other[1:] <= point[1:]).all() and (other != point).any()
            for other in values[front]
        ]
        assert any(beats) != on_front


def test_what_is_expected_is_the_mean_over_all_that_may_be_the_truth():
    # The same model integrated without any algebra: common mean and spread of the truths on a fine grid.
    means, sd = np.array([0.30, 0.34, 0.38, 0.42, 0.46]), np.array([0.03, 0.03, 0.02, 0.03, 0.04])
    spread, centre = np.meshgrid(np.linspace(1e-6, np.ptp(means), 400), np.linspace(0.0, 0.8, 801), indexing="ij")
    total = spread[..., None] ** 2 + sd**2
    likelihood = np.exp(-0.5 * ((means - centre[..., None]) ** 2 / total + np.log(total)).sum(axis=2))
    likelihood /= likelihood.sum()
    kept = spread[..., None] ** 2 / total
    inner = centre[..., None] + kept * (means - centre[..., None])
    mean = (likelihood[..., None] * inner).sum(axis=(0, 1))
    variance = (likelihood[..., None] * (kept * sd**2 + (inner - mean) ** 2)).sum(axis=(0, 1))
    values, errors = shrink(means, sd**2)
    assert values == pytest.approx(mean, abs=2e-4)
    assert errors == pytest.approx(np.sqrt(variance), abs=2e-4)


def test_more_noise_is_drawn_further_and_none_not_at_all():
    means = np.array([0.1, 0.3, 0.5, 0.7, 0.7])
    values, errors = shrink(means, np.array([0.0, 0.01, 0.01, 0.01, 0.04]))
    assert values[0] == 0.1
    assert errors[0] == 0.0
    assert values[4] < values[3] < 0.7
    assert errors[4] > errors[3]


def test_differences_that_noise_explains_are_drawn_to_little():
    means = np.array([0.40, 0.42, 0.41, 0.39])
    values, errors = shrink(means, np.full(4, 0.01))
    assert np.ptp(values) < 0.1 * np.ptp(means)
    assert (errors > np.ptp(means)).all()  # how little is not known
    assert shrink(np.array([0.5, 0.5, 0.5]), np.zeros(3))[0].tolist() == [0.5] * 3
    assert shrink(np.array([0.2, 0.6]), np.full(2, 0.01))[0].tolist() == [0.2, 0.6]  # two tell no distribution


@pytest.mark.parametrize("between", [0.0, 0.02, 0.06])
def test_what_is_expected_of_the_best_comes_true(between):
    rng = np.random.default_rng(3)
    raw, drawn, error_raw, error_drawn, held = [], [], [], [], []
    for _ in range(300):
        truth = 0.4 + between * rng.standard_normal(40)
        sd = rng.choice([0.03, 0.05], 40)
        means = truth + sd * rng.standard_normal(40)
        values, errors = shrink(means, sd**2)
        best, lucky = int(np.argmax(values)), int(np.argmax(means))
        raw.append(means[lucky] - truth[lucky])
        drawn.append(values[best] - truth[best])
        error_raw.append(np.mean((means - truth) ** 2))
        error_drawn.append(np.mean((values - truth) ** 2))
        held.append(np.mean(np.abs(values - truth) <= 1.96 * errors))
    assert np.mean(raw) > 0.04
    assert abs(np.mean(drawn)) < 0.012
    assert np.mean(error_drawn) < 0.9 * np.mean(error_raw)
    assert np.mean(held) == pytest.approx(0.95, abs=0.06)


def test_ruined_texts_do_not_make_luck_look_real():
    rng = np.random.default_rng(5)
    means = np.concatenate([0.4 + 0.05 * rng.standard_normal(36), np.full(4, 0.05)])
    alone, _ = shrink(means[:36], np.full(36, 0.05**2))
    beside, _ = shrink(means, np.full(40, 0.05**2))
    assert np.ptp(beside[:36]) < 0.8 * np.ptp(means[:36])
    assert beside[:36].max() == pytest.approx(alone.max(), abs=0.04)


def test_the_set_is_taken_of_what_is_expected_and_says_what_is_confirmed():
    observations = make_observations()
    finalist = finalist_of(observations)
    every = expected(observations, baseline=BASELINE).set_index("configuration")
    chosen = front_of(expected(observations, baseline=BASELINE))
    assert set(chosen["configuration"]) == set(every.index[every["front"]])
    assert chosen["output_tokens"].is_monotonic_increasing
    assert chosen["score"].is_monotonic_increasing
    assert set(every.index[every["confirmed"]]) == {BASELINE, finalist}
    fresh = observations[(observations["configuration"] == finalist) & (observations["stage"] == "confirm")]
    assert every.loc[finalist, "n"] == len(fresh) == 48
    assert every.loc[finalist, "mean"] == pytest.approx(fresh["score"].mean())
    assert every.loc[BASELINE, "n"] == 48  # as the verdict counts it, without the 24 of the floor
    trials = every[~every["confirmed"]]
    assert (trials["se"] > every.loc[finalist, "se"]).all()
    assert np.ptp(trials["score"]) < np.ptp(trials["mean"])
    shuffled = front_of(expected(observations.sample(frac=1, random_state=1), baseline=BASELINE))
    pd.testing.assert_frame_equal(shuffled.reset_index(drop=True), chosen, check_exact=False)


def test_seconds_are_those_of_the_request_itself():
    observations = make_observations(trials=5)
    slow = observations.assign(seconds=observations["seconds"] + 30.0, load_seconds=20.0, queue_seconds=10.0)
    costs = ("output_tokens", "seconds")
    plain, loaded = (expected(each, baseline=BASELINE, costs=costs) for each in (observations, slow))
    assert plain["seconds"].tolist() == pytest.approx(loaded["seconds"].tolist())
    assert {"seconds_se", "output_tokens_se"} <= set(plain.columns)


def test_an_easy_case_that_is_missing_flatters_nobody():
    rows = []
    for trial, key in enumerate(["b", "x", "y", "z"]):
        for case, level in (("easy", 0.8), ("hard", 0.2)):
            rows += [[key, trial, "explore", case, seed, level, 50 + trial] for seed in (1, 2)]
    whole = table(rows)
    partial = whole[~((whole["configuration"] == "x") & (whole["case"] == "hard"))]
    scores = expected(partial, baseline="b", noise_sd=0.05).set_index("configuration")["score"]
    assert scores["x"] == pytest.approx(scores["y"])


def test_the_floor_of_a_greedy_baseline_says_nothing_of_the_others():
    observations = make_observations()
    pooled, exact = (expected(observations, baseline=BASELINE, noise_sd=sd) for sd in (None, 0.0))
    pd.testing.assert_frame_equal(exact, pooled)
    known = expected(observations, baseline=BASELINE, noise_sd=0.3)
    assert (known["se"] > pooled["se"]).all()


def test_what_nothing_can_be_told_of():
    single = table([["b", -1, "floor", "a", 1, 0.5, 40], ["x", 0, "explore", "a", 2, 0.6, 30]])
    assert front_of(expected(single, baseline="b")).empty
    silent = make_observations(trials=3).assign(output_tokens=None)
    assert front_of(expected(silent, baseline=BASELINE)).empty
    failed = make_observations(trials=3).assign(score=np.nan)
    assert front_of(expected(failed, baseline=BASELINE)).empty
    nothing = make_observations(trials=3).iloc[:0]
    assert (
        front_of(expected(nothing, baseline=BASELINE)).columns.tolist()
        == front_of(expected(silent, baseline=BASELINE)).columns.tolist()
    )
    assert len(front_of(expected(nothing, baseline=BASELINE))) == 0
    with pytest.raises(TableError, match="no cost 'tokens'"):
        front_of(expected(single, baseline="b", costs=["tokens"]))
    with pytest.raises(TableError, match="seconds"):
        front_of(expected(single, baseline="b", costs=["seconds"]))


def test_the_grid_of_many_means_is_gone_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    means, variances = rng.normal(0.5, 0.05, 40), rng.uniform(1e-4, 1e-3, 40)
    whole = shrink(means, variances)
    monkeypatch.setattr(pareto, "_MOST_CELLS", 40 * 7)
    np.testing.assert_allclose(shrink(means, variances), whole, rtol=1e-12)
