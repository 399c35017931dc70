"""Rankings and Dunnett's intervals against scipy's and published constants."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.observations.table import TableError
from analysis.ranks.dunnett import dunnett_critical, dunnett_p, ranking
from tests.analysis import simulate


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


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["common", "own"])
def test_familywise_error_of_the_ranking(noise):
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(150):
        scores = simulate.draw(rng, "beta", np.full((6, 4), 0.4), np.full((6, 4), 0.12), 5)
        index = np.indices(scores.shape).reshape(3, -1)
        table = {"configuration": index[0], "case": index[1], "seed": index[2], "score": scores.ravel()}
        wrong += ranking(pd.DataFrame(table), "0", noise=noise)["p_value"].min() <= 0.05
    assert 0.01 <= wrong / 150 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 150)


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


@pytest.mark.slow
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
    with pytest.raises(TableError, match="the noise is unknown"):
        ranking(table[table["case"] == 0], "0")
