"""Rankings: means, intervals of ranks, and how often one text beats another."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from analysis import SequentialDesign, TableError, judge, rank
from analysis.comparison.pair import pair
from analysis.observations.table import summarize
from analysis.ranks.ranks import probability_of_better
from tests.analysis import simulate


def table_of(scores, names=None):
    """A table from scores (configuration, case, seed)."""
    which, case, seed = np.indices(scores.shape).reshape(3, -1)
    labels = np.array(names or [f"c{number}" for number in range(len(scores))])
    return pd.DataFrame({"configuration": labels[which], "case": case, "seed": seed, "score": scores.ravel()}).dropna()


def drawn(rng, gains, cases, seeds, noise=0.12):
    mean = rng.uniform(0.3, 0.6, (1, 1, cases)) + np.asarray(gains)[None, :, None]
    return simulate.draw(rng, "beta", mean, np.full(mean.shape, noise), seeds)[0]


def test_far_apart_configurations_have_exact_ranks():
    rng = np.random.default_rng(1)
    found = rank(table_of(drawn(rng, [0.0, 0.3, 0.15], 6, 10, 0.03), ["low", "high", "middle"]))
    assert list(found["configuration"]) == ["high", "middle", "low"]
    for column in ("rank", "rank_low", "rank_high"):
        assert list(found[column]) == [1, 2, 3]
    assert found.attrs["baseline"] == "high"
    assert found.attrs["claim"] == "these-cases"


def test_the_baseline_is_the_reference_of_effects():
    rng = np.random.default_rng(2)
    found = rank(table_of(drawn(rng, [0.0, 0.2], 6, 10, 0.05)), baseline="c0").set_index("configuration")
    assert math.isnan(found.loc["c0", "effect"])
    row = found.loc["c1"]
    assert row["effect"] == pytest.approx(found.loc["c1", "mean"] - found.loc["c0", "mean"])
    assert row["ci_low"] < row["effect"] < row["ci_high"]
    assert 0.9 < row["p_better"] <= 1


def test_the_probability_counts_pairs_of_texts_and_half_of_the_ties():
    # Case 0: 3 wins and a tie of 4 pairs; case 1: 0 wins of 4.
    scores = np.array([[[0.1, 0.2], [0.8, 0.9]], [[0.2, 0.3], [0.1, 0.2]]])
    cells = summarize(table_of(scores))
    probability, low, high = probability_of_better(pair(cells, 0, 1))
    assert probability == pytest.approx((3.5 / 4 + 0) / 2)
    assert low < probability < high


def test_swapped_arms_give_the_mirrored_probability():
    rng = np.random.default_rng(3)
    cells = summarize(table_of(drawn(rng, [0.0, 0.05], 5, 4)))
    forward, low, high = probability_of_better(pair(cells, 0, 1))
    back, back_low, back_high = probability_of_better(pair(cells, 1, 0))
    assert (back, back_low, back_high) == pytest.approx((1 - forward, 1 - high, 1 - low))


def test_an_interval_that_nothing_shows_is_missing():
    cells = summarize(table_of(np.array([[[0.1]], [[0.2]]])))
    probability, low, high = probability_of_better(pair(cells, 0, 1))
    assert probability == 1
    assert math.isnan(low)
    assert math.isnan(high)


def test_one_generation_for_each_of_many_cases_ranks_for_new_cases():
    rng = np.random.default_rng(4)
    found = rank(table_of(drawn(rng, [0.0, 0.2], 60, 1)))
    assert found.attrs["claim"] == "new-cases"
    assert list(found["rank_low"]) == [1, 2]


def test_configurations_that_share_no_case_keep_all_ranks_and_a_note():
    table = table_of(np.full((2, 2, 3), 0.5) + np.arange(3) / 10)
    table.loc[table["configuration"] == "c1", "case"] += 5
    found = rank(table)
    assert list(found["rank_low"]) == [1, 1]
    assert list(found["rank_high"]) == [2, 2]
    assert found.attrs["notes"]


def test_an_order_that_missing_rows_could_make_is_left_open():
    rng = np.random.default_rng(8)
    scores = drawn(rng, [0.0, 0.0], 6, 8)
    worst = np.argsort(scores[1] - scores[1].mean(axis=1, keepdims=True), axis=None)[:16]
    scores[1].flat[worst] = np.nan  # the second arm lost its worst third
    found = rank(table_of(scores))
    assert list(found["rank_low"]) == [1, 1]
    assert "missing rows could make the difference" in found.attrs["notes"][0]
    assert list(rank(table_of(scores), assume_missing_at_random=True)["rank_low"]) == [1, 2]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"alpha": 1.5}, ValueError, "alpha must be"),
        ({"claim": "all"}, ValueError, "claim must be"),
        ({"baseline": "c7"}, TableError, "no baseline 'c7'"),
    ],
)
def test_bad_arguments_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        rank(table_of(np.full((2, 2, 3), 0.5) + np.arange(3) / 10), **options)


def test_one_configuration_cannot_be_ranked():
    with pytest.raises(TableError, match="fewer than two"):
        rank(table_of(np.full((1, 2, 3), 0.5)))


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "seeds"), [(4, 5), (30, 1)])
def test_rank_intervals_of_equal_configurations_err_at_the_nominal_rate(cases, seeds):
    rng = np.random.default_rng([5, cases])
    count = 120
    wrong = 0
    for _ in range(count):
        found = rank(table_of(drawn(rng, [0.0] * 4, cases, seeds)))
        wrong += bool((found["rank_low"] > 1).any() or (found["rank_high"] < 4).any())
    assert wrong / count <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / count)


def test_ranks_agree_with_the_pairs_that_a_verdict_shows():
    rng = np.random.default_rng(6)
    table = table_of(drawn(rng, [0.0, 0.08, 0.16, 0.24], 6, 6))
    found = rank(table).set_index("configuration")
    for first, second in itertools.combinations(found.index, 2):
        if found.loc[first, "rank_high"] < found.loc[second, "rank_low"]:
            assert found.loc[first, "mean"] > found.loc[second, "mean"]
    assert (found["rank_low"] <= found["rank"]).all()
    assert (found["rank"] <= found["rank_high"]).all()


@pytest.mark.slow
def test_intervals_against_the_best_one_allow_for_the_choice_of_the_best():
    """With 10 equal configurations, .17 of rankings had an interval against the best that excludes 0."""
    wrong = 0
    for number in range(60):
        found = rank(table_of(drawn(np.random.default_rng([number, 10]), [0.0] * 10, 6, 5)))
        wrong += bool((found["ci_high"] < 0).any())
    assert wrong <= 60 * 0.05 + 2 * (60 * 0.05 * 0.95) ** 0.5


def test_an_order_allows_for_looks_as_a_verdict_does():
    table = table_of(drawn(np.random.default_rng(4), [0.0, 0.09, 0.1], 6, 8), ["b", "f", "g"])
    early = table[(table["configuration"] != "f") | (table["seed"] < 3)]
    design, look = SequentialDesign([3 / 8, 1.0]), {"f": 1}
    plain, looked = rank(early, baseline="b"), rank(early, baseline="b", design=design, look=look)
    wide = {name: frame.set_index("configuration")["ci_high"] for name, frame in (("p", plain), ("l", looked))}
    assert wide["l"]["f"] > wide["p"]["f"] + 0.05
    assert wide["l"]["g"] == pytest.approx(wide["p"]["g"], abs=0.01)
    verdicts = {each.configuration: each for each in judge(early, baseline="b", design=design, look={"f": 1, "g": 2})}
    ranks = looked.set_index("configuration")
    assert (verdicts["f"].outcome, verdicts["g"].outcome) == ("not distinguishable", "better")
    assert (ranks["rank_high"]["g"], ranks["rank_high"]["f"]) == (2, 3)
    assert plain.set_index("configuration")["rank_high"]["f"] == 2


def test_no_interval_leaves_the_scale():
    scores = np.array([[[0.0, 1.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
    found = rank(
        table_of(np.repeat(scores, 2, axis=2)), baseline="c0", design=SequentialDesign([0.2, 1.0]), look={"c1": 1}
    )
    others = found.dropna(subset=["ci_low"])
    assert len(others) == 2
    assert (others["ci_low"] >= -1).all()
    assert (others["ci_high"] <= 1).all()
