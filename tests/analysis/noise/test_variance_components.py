"""Variance components by hand and found again in simulated tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.noise.variance_components import double_centred_variance, variance_components
from analysis.observations.table import TableError

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
            assert "whether more cases or more seeds would help more is not known yet" in found.sentence
    assert limits.count("cases") <= 0.05 * 200 + 2 * (200 * 0.05 * 0.95) ** 0.5
    assert None in limits


def test_components_leave_out_what_is_not_full_and_say_so():
    table = simulated_table(np.random.default_rng(9), 6, 5, 1, 3)
    found = variance_components(table[(table["configuration"] != 2) | (table["case"] < 2)])
    assert (found.configurations, found.cases) == (5, 5)
    assert found.notes == ("Left out of the components, because cells have no score: 1 of 6 configurations.",)


def test_components_say_what_limits():
    rng = np.random.default_rng(10)
    few_seeds = variance_components(simulated_table(rng, 10, 10, 1, 2))
    assert few_seeds.limiting == "seeds"
    assert "more seeds would bring it down" in few_seeds.sentence
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
