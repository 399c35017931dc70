"""Holm by hand, Dunnett against scipy, the ranking table, the variance components."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.comparison.dunnett import dunnett_critical, dunnett_p, ranking
from analysis.comparison.holm import holm
from analysis.noise.variance_components import double_centred_variance, variance_components
from analysis.observations.table import TableError
from tests.analysis import simulate


def test_holm_by_hand():
    adjusted, levels = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # Sorted: .005 at alpha/4 and .01 at alpha/3 are rejected; .03 at alpha/2 stops it, for the last as well.
    assert levels == pytest.approx([0.05 / 3, 0.025, 0.025, 0.0125])


def test_holm_of_one_is_itself_and_of_nothing_counts():
    assert holm([0.03]) == ([0.03], [0.05])
    adjusted, _ = holm([0.03, math.nan])
    assert adjusted[0] == pytest.approx(0.06)
    assert math.isnan(adjusted[1])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_levels_decide_as_the_adjusted_p_do(p_values):
    adjusted, levels = holm(p_values)
    for p_value, p_adjusted, level in zip(p_values, adjusted, levels, strict=True):
        assert p_value <= p_adjusted <= 1
        if abs(p_value - level) > 1e-12:
            assert (p_value <= level) is (p_adjusted <= 0.05)


def one_case(arrays):
    rows = [(f"c{i}", "k", s, score) for i, scores in enumerate(arrays) for s, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


@pytest.mark.parametrize("sizes", [(9, 9, 9, 9), (14, 5, 9, 7)])
def test_ranking_of_one_case_is_scipys_dunnett(sizes):
    rng = np.random.default_rng(3)
    arrays = [rng.normal(0.4 + 0.04 * i, 0.08, n) for i, n in enumerate(sizes)]
    expected = stats.dunnett(*arrays[1:], control=arrays[0], rng=np.random.default_rng(0))
    interval = expected.confidence_interval(0.95)
    table = ranking(one_case(arrays), "c0", noise="common").set_index("configuration").loc[["c1", "c2", "c3"]]
    assert table["p_value"].to_numpy() == pytest.approx(expected.pvalue, abs=2e-3)
    assert table["ci_low"].to_numpy() == pytest.approx(interval.low, abs=1e-3)
    assert table["ci_high"].to_numpy() == pytest.approx(interval.high, abs=1e-3)


def test_dunnett_against_scipys_multivariate_t():
    shape = np.full((4, 4), 0.5)
    np.fill_diagonal(shape, 1)
    critical = dunnett_critical([math.sqrt(0.5)] * 4, 8)
    inside = stats.multivariate_t(shape=shape, df=8).cdf([critical] * 4, lower_limit=[-critical] * 4, random_state=1)
    assert 1 - inside == pytest.approx(0.05, abs=5e-4)
    assert dunnett_p([critical], [math.sqrt(0.5)] * 4, 8) == pytest.approx([0.05], abs=1e-5)


def test_dunnett_published_constants():
    # Dunnett (1964), two-sided, alpha .05.
    for comparisons, dof, published in ((1, 10, 2.23), (2, 10, 2.57), (3, 20, 2.54), (5, 10, 2.99)):
        assert dunnett_critical([math.sqrt(0.5)] * comparisons, dof) == pytest.approx(published, abs=0.006)


def test_many_comparisons_are_interpolated_to_the_same_p():
    loadings = [math.sqrt(0.5)] * 250
    sizes = np.linspace(0.5, 5, 250)
    few = dunnett_p(sizes[::50], loadings[:1] * 250, 40)
    many = dunnett_p(sizes, loadings, 40)
    assert many[::50] == pytest.approx(few, rel=0.01)


def test_a_configuration_that_has_the_easy_cases_alone_does_not_rank_higher_for_it():
    # The baseline has .8 on the easy case and .2 on the hard one; "easy" gains .1, "both" .15.
    scores = {("base", "e"): 0.8, ("base", "h"): 0.2, ("easy", "e"): 0.9, ("both", "e"): 0.95, ("both", "h"): 0.35}
    rows = [
        {"configuration": configuration, "case": case, "seed": seed, "score": mean + shift}
        for (configuration, case), mean in scores.items()
        for seed, shift in enumerate((-0.02, 0.0, 0.02))
    ]
    table = ranking(pd.DataFrame(rows), "base")
    assert list(table["configuration"]) == ["both", "easy", "base"]
    assert list(table["mean"]) == pytest.approx([0.65, 0.6, 0.5])


@pytest.mark.parametrize("noise", ["common", "own"])
def test_familywise_error_of_the_ranking(noise):
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(250):
        scores = simulate.draw(rng, "beta", np.full((6, 4), 0.4), np.full((6, 4), 0.12), 5)
        index = np.indices(scores.shape).reshape(3, -1)
        table = {"configuration": index[0], "case": index[1], "seed": index[2], "score": scores.ravel()}
        wrong += ranking(pd.DataFrame(table), "0", noise=noise)["p_value"].min() <= 0.05
    assert 0.01 <= wrong / 250 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 250)


def test_ranking_is_ordered_and_complete():
    rng = np.random.default_rng(5)
    table = one_case([rng.normal(m, 0.05, 6) for m in (0.4, 0.7, 0.2)])
    stray = pd.DataFrame({"configuration": ["lost"], "case": ["other"], "seed": [0], "score": [0.5]})
    ranked = ranking(pd.concat([table, stray]), "c0")
    assert ranked["configuration"].tolist() == ["c1", "lost", "c0", "c2"]
    ranked = ranked.set_index("configuration")
    assert ranked.loc["c0", "effect"] == 0
    assert ranked.loc[["c0", "lost"], "p_value"].isna().all()
    assert ranked.loc["c1", "ci_low"] > 0 > ranked.loc["c2", "ci_high"]
    with pytest.raises(TableError, match="nothing to rank"):
        ranking(stray, "lost")


@pytest.mark.parametrize("share", [0.05, 0.1])
def test_trials_of_few_seeds_are_not_better_for_their_luck(share):
    """30 seeds of the baseline, 3 of each trial, all of which fail now and then: .47 and .77 of tables had an error."""
    rng, errors = np.random.default_rng(12), 0
    for _ in range(60):
        rows = [
            (arm, case, seed, float(rng.random() >= share))
            for arm in "abcdef"
            for case in range(4)
            for seed in range(30 if arm == "a" else 3)
        ]
        table = ranking(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]), "a")
        errors += bool((table["ci_low"] > 0).any() or (table["ci_high"] < 0).any())
    assert errors <= 60 * 0.05 + 2.5 * (60 * 0.05 * 0.95) ** 0.5


def test_ranking_without_repeats_takes_the_residuals_for_noise():
    rng = np.random.default_rng(6)
    means = rng.uniform(0.2, 0.6, (1, 8)) + rng.normal(0, 0.05, (5, 8))
    index = np.indices(means.shape).reshape(2, -1)
    table = pd.DataFrame({"configuration": index[0], "case": index[1], "seed": 1, "score": means.ravel()})
    rest = means - means.mean(1, keepdims=True) - means.mean(0) + means.mean()
    error = math.sqrt((rest**2).sum() / 28 * 2 / 8)
    ranked = ranking(table, "0").dropna()
    half = (ranked["ci_high"] - ranked["ci_low"]).to_numpy() / 2
    assert half == pytest.approx(dunnett_critical([math.sqrt(0.5)] * 4, 28) * error)
    with pytest.raises(TableError, match="nothing in the table tells the noise"):
        ranking(table[table["case"] == 0], "0")


SPREAD = {"configuration": 0.05, "case": 0.08, "host": 0.04, "cc": 0.04, "ch": 0.02, "kh": 0.02, "seed": 0.1}


def simulated_table(rng, configurations, cases, hosts, seeds):
    def part(name, *shape):
        return rng.normal(0, SPREAD[name], shape)

    scores = (
        0.5
        + part("configuration", configurations, 1, 1, 1)
        + part("case", 1, cases, 1, 1)
        + part("cc", configurations, cases, 1, 1)
        + part("seed", configurations, cases, hosts, seeds)
    )
    if hosts > 1:
        scores = (
            scores
            + part("host", 1, 1, hosts, 1)
            + part("ch", configurations, 1, hosts, 1)
            + part("kh", 1, cases, hosts, 1)
        )
    index = np.indices(scores.shape).reshape(4, -1)
    names = ["configuration", "case", "host", "seed"]
    return pd.DataFrame(dict(zip(names, index, strict=True))).assign(score=scores.clip(0, 1).ravel())


def test_components_of_two_factors_by_hand():
    # Cell means [[.2, .4], [.4, .2]]: all interaction. Mean square .04; seeds: two per cell, .1 apart, variance .005.
    rows = []
    for c, case, mean in (("a", "x", 0.2), ("a", "y", 0.4), ("b", "x", 0.4), ("b", "y", 0.2)):
        rows += [(c, case, 0, mean - 0.05), (c, case, 1, mean + 0.05)]
    found = variance_components(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]))
    assert found.seed == pytest.approx(math.sqrt(0.005))
    assert found.configuration_case == pytest.approx(math.sqrt(0.04 - 0.0025))
    assert found.configuration == found.case == 0
    assert found.host is None
    assert found.limiting == "cases"


def test_components_are_found_again():
    rng = np.random.default_rng(7)
    found = [variance_components(simulated_table(rng, 20, 20, 1, 3)) for _ in range(12)]

    def squared(name):
        return math.sqrt(np.mean([getattr(each, name) ** 2 for each in found]))

    assert squared("seed") == pytest.approx(0.1, rel=0.03)
    assert squared("configuration") == pytest.approx(0.05, rel=0.2)
    assert squared("case") == pytest.approx(0.08, rel=0.2)
    assert squared("configuration_case") == pytest.approx(0.04, rel=0.12)


def test_components_with_hosts_and_unequal_numbers():
    rng = np.random.default_rng(8)
    found = []
    for _ in range(8):
        table = simulated_table(rng, 12, 10, 5, 4)
        kept = (table["seed"] < 2) | (rng.random(len(table)) < 0.5)
        found.append(variance_components(table[kept]))
    assert math.sqrt(np.mean([each.seed**2 for each in found])) == pytest.approx(0.1, rel=0.03)
    assert math.sqrt(np.mean([each.configuration_case**2 for each in found])) == pytest.approx(0.04, rel=0.2)
    assert math.sqrt(np.mean([each.configuration_host**2 for each in found])) == pytest.approx(0.02, rel=0.4)
    assert math.sqrt(np.mean([each.host**2 for each in found])) == pytest.approx(0.04, rel=0.5)
    assert not found[0].notes


def test_an_interaction_that_may_be_chance_speaks_against_no_seeds():
    """Without any interaction, one that looks larger than the noise comes up now and then in so small a table."""
    rng, limits = np.random.default_rng(11), []
    for _ in range(200):
        rows = [(a, c, s, rng.normal(0.5, 0.1)) for a in "ab" for c in range(4) for s in range(3)]
        found = variance_components(pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"]))
        larger = found.configuration_case**2 > found.seed**2 / 3
        limits.append(found.limiting)
        if larger and found.limiting is None:
            assert "cannot be told yet whether more cases or more seeds would help more" in found.sentence
    assert limits.count("cases") <= 0.05 * 200 + 2 * (200 * 0.05 * 0.95) ** 0.5
    assert None in limits


def test_components_leave_out_what_is_not_full_and_say_so():
    table = simulated_table(np.random.default_rng(9), 6, 5, 1, 3)
    found = variance_components(table[(table["configuration"] != 2) | (table["case"] < 2)])
    assert (found.configurations, found.cases) == (5, 5)
    assert found.notes == ("Left out of the components, for cells without a score: 1 of 6 configurations.",)


def test_components_say_what_limits():
    rng = np.random.default_rng(10)
    few_seeds = variance_components(simulated_table(rng, 10, 10, 1, 2))
    assert few_seeds.limiting == "seeds"
    assert "more seeds would help" in few_seeds.sentence
    many_seeds = variance_components(simulated_table(rng, 10, 10, 1, 40))
    assert many_seeds.limiting == "cases"
    error = (2 * (many_seeds.configuration_case**2 + many_seeds.seed**2 / 40) / 10) ** 0.5
    assert f"four times the cases {error / 2:.3f}" in many_seeds.sentence
    alone = variance_components(simulated_table(rng, 1, 10, 1, 4))
    assert alone.configuration_case is None
    assert alone.limiting is None
    with pytest.raises(TableError, match="repeated"):
        variance_components(simulated_table(rng, 4, 4, 1, 1))


def test_double_centring_leaves_the_interaction():
    # 2 x 2: residuals are all +-(a - b - c + d)/4 = +-(1 - 2 - 5 + 4)/4 = +-0.5, so 4 x 0.25 / ((2-1)(2-1)) = 1
    assert double_centred_variance(np.array([[1.0, 2.0], [5.0, 4.0]])) == pytest.approx(1.0)


def test_double_centring_removes_configuration_and_case_effects():
    rows, columns = np.array([0.1, 0.5, 0.3]), np.array([0.0, 0.2, -0.1, 0.4])
    assert double_centred_variance(rows[:, None] + columns[None, :]) == pytest.approx(0.0, abs=1e-30)


def test_double_centring_recovers_the_noise():
    rng = np.random.default_rng(0)
    table = rng.normal(0, 0.3, (200, 1)) + rng.normal(0, 0.3, (1, 8)) + rng.normal(0, 0.1, (200, 8))
    # 199 x 7 degrees of freedom: relative standard error sqrt(2 / 1393) = .038
    assert double_centred_variance(table) == pytest.approx(0.01, rel=0.12)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (0, 0), (3, 0)])
def test_double_centring_needs_two_of_each(shape):
    assert math.isnan(double_centred_variance(np.zeros(shape)))
