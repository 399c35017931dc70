"""Reliability: shares of runs that reach a bar and pass^k, by hand, by brute force and by their coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import reliability
from analysis.comparison.means import shares_interval
from analysis.pass_rates import Reliability


def table(scores: dict[str, list[float]], configuration: str = "a", **columns: object) -> pd.DataFrame:
    rows = [
        {"configuration": configuration, "case": case, "seed": seed, "score": score}
        for case, own in scores.items()
        for seed, score in enumerate(own)
    ]
    return pd.DataFrame(rows).assign(**columns)


def test_pass_k_is_the_share_of_all_choices_of_k_runs():
    scores = {"x": [0.9, 0.2, 0.8, 0.7, 0.6], "y": [0.1, 0.2, 0.3, 0.7, 0.9]}
    for k in (1, 2, 3, 5):
        found = reliability(table(scores), bar=0.6, k=k).set_index("case")
        for case, own in scores.items():
            choices = list(itertools.combinations(own, k))
            expected = sum(min(choice) >= 0.6 for choice in choices) / len(choices)
            assert found["pass_k"][case] == pytest.approx(expected)
    assert list(found["share"]) == pytest.approx([0.8, 0.4])
    assert list(found["mean"]) == pytest.approx([0.64, 0.44])


def test_the_interval_of_a_case_is_clopper_and_pearsons_and_its_powers():
    found = reliability(table({"x": [1.0] * 7 + [0.0] * 3}), bar=0.5, k=2).iloc[0]
    low, high = stats.binomtest(7, 10).proportion_ci(0.95, method="exact")
    assert (found["share_low"], found["share_high"]) == pytest.approx((low, high))
    assert (found["pass_k_low"], found["pass_k_high"]) == pytest.approx((low**2, high**2))
    always = reliability(table({"x": [1.0] * 10}), bar=0.5).iloc[0]
    assert (always["pass_k"], always["share_high"]) == (1.0, 1.0)
    assert always["pass_k_low"] == pytest.approx(0.025 ** (3 / 10))


def test_too_few_runs_leave_pass_k_unknown_but_not_its_bounds():
    found = reliability(table({"x": [1.0, 1.0], "y": [1.0] * 4}), bar=0.5).set_index("case")
    assert math.isnan(found["pass_k"]["x"])
    assert found["pass_k"]["y"] == 1.0
    assert 0 < found["pass_k_low"]["x"] < found["pass_k_low"]["y"]
    means = Reliability.of(table({"x": [1.0, 1.0], "y": [1.0] * 4}), 0.5)
    assert means.text("a").endswith("pass^3 unknown: takes 3 runs of a case")


def test_failed_runs_do_not_reach_the_bar():
    rows = table({"x": [0.9, 0.9, 0.9, 0.9]}, finish=["stop", "error", "stop", "stop"])
    rows.loc[3, "score"] = np.nan
    found = reliability(rows, bar=0.5, k=1).iloc[0]
    assert (found["runs"], found["reached"], found["failed"]) == (4, 2, 2)
    assert found["mean"] == pytest.approx(0.9)  # as a verdict has it
    only_failed = reliability(table({"x": [np.nan, np.nan]}), bar=0.5, by="configuration").iloc[0]
    assert (only_failed["share"], only_failed["failed"]) == (0.0, 2)
    assert math.isnan(only_failed["mean"])


def test_on_another_scale_and_where_less_is_better():
    seconds = table({"x": [5.0, 20.0, 30.0, 61.0]})
    found = reliability(seconds, bar=30, k=1, range=(0, 100), lower_is_better=True).iloc[0]
    assert (found["reached"], found["mean"]) == (3, pytest.approx(29.0))
    assert Reliability.of(seconds, 30, range=(0, 100), lower_is_better=True).bar_text == "30 or less"


def test_a_sum_of_weights_that_rounds_below_the_bar_reaches_it():
    assert reliability(table({"x": [0.1 + 0.2, 0.6 - 1e-12]}), bar=0.3, k=2).iloc[0]["pass_k"] == 1.0
    assert reliability(table({"x": [0.6 - 1e-6] * 2}), bar=0.6, k=2).iloc[0]["reached"] == 0


def test_one_text_under_several_seeds_is_one_run():
    rows = table({"x": [0.9, 0.9, 0.1]}, text_sha256=["t", "t", "u"], words=80, temperature=0.8)
    assert reliability(rows, bar=0.5, k=1).iloc[0][["runs", "reached"]].tolist() == [2, 1]


def test_a_greedy_configuration_gives_the_same_again():
    rows = table({"x": [0.9], "y": [0.1]}, temperature=0.0)
    found = reliability(rows, bar=0.5).set_index("case")
    assert found["pass_k"].tolist() == [1.0, 0.0]
    assert (found["share_low"]["x"], found["share_high"]["y"]) == (1.0, 0.0)
    drawn = reliability(rows.assign(temperature=0.5), bar=0.5).set_index("case")
    assert math.isnan(drawn["pass_k"]["x"])
    assert drawn["share_low"]["x"] < 0.1


def test_every_case_counts_the_same_in_the_mean():
    rows = table({"x": [1.0] * 9, "y": [1.0, 0.0, 0.0]})
    found = reliability(rows, bar=0.5, k=3, by="configuration").iloc[0]
    assert (found["cases"], found["runs"]) == (2, 12)
    assert found["share"] == pytest.approx((1 + 1 / 3) / 2)
    assert found["pass_k"] == pytest.approx(0.5)
    assert found["share_low"] < found["share"] < found["share_high"]
    wider = reliability(rows, bar=0.5, k=3, by="configuration", claim="new-cases").iloc[0]
    assert wider["share_high"] >= found["share_high"]
    assert wider["share_low"] <= found["share_low"]


@pytest.mark.parametrize("rates", [[0.9] * 6, [0.3, 1, 0.3, 1, 0.3, 1]])
def test_intervals_of_mean_pass_k_hold_in_95_of_100_tables(rates):
    rng, shares, runs, k = np.random.default_rng(5), np.array(rates), 10, 3
    held = 0
    for _ in range(100):
        passed = rng.binomial(runs, shares)
        values = np.array([math.comb(int(c), k) / math.comb(runs, k) for c in passed])
        weights = np.full(6, 1 / 6)
        low, high = shares_interval(float(values.mean()), np.full(6, runs / k), weights, values)
        held += low <= np.mean(shares**k) <= high
    assert held >= 90


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bar": 1.2}, "bar must lie from 0 to 1, not 1.2"),
        ({"bar": 0.5, "k": 0}, "k must be a whole number from 1 to 100, not 0"),
        ({"bar": 0.5, "k": 2.5}, "not 2.5"),
        ({"bar": 0.5, "by": "host"}, "by must be one of case, configuration"),
        ({"bar": 0.5, "level": 1}, "level must lie between 0 and 1"),
        ({"bar": 0.5, "range": (1, 5)}, "bar must lie from 1 to 5"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        reliability(table({"x": [1.0, 1.0]}), **options)
