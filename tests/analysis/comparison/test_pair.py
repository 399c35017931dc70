"""Two arms side by side: weights, hosts, holes, noise and greedy arms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.pair import pair
from analysis.observations.table import TableError, summarize
from tests.analysis.comparison.cells import drawn, frame, two_of


def test_every_case_weighs_the_same_whatever_its_seeds():
    two = two_of({("a", "x"): [0.1, 0.2], ("b", "x"): [0.4] * 50, ("a", "y"): [0.5, 0.6], ("b", "y"): [0.5, 0.6]})
    assert two.effect == pytest.approx(0.25 / 2)


def test_cases_of_one_arm_only_are_left_out_and_named():
    cells = drawn(10, 3, 4, 4)
    del cells["b", "k1"]
    two = two_of(cells)
    assert two.cases == 2
    assert two.notes == ("Left out, because one arm has no usable score there: k1.",)
    expected = np.mean([cells["b", k].mean() - cells["a", k].mean() for k in ("k0", "k2")])
    assert two.effect == pytest.approx(expected)


def test_no_common_case_is_refused():
    with pytest.raises(TableError, match="have no case in common"):
        two_of({("a", "x"): [0.1, 0.2], ("b", "y"): [0.3, 0.4]})


def test_hosts_are_blocks():
    rng = np.random.default_rng(11)
    rows = []
    for host, lift in (("h1", 0.0), ("h2", 0.3)):
        for case in "xy":
            for configuration, gain in (("a", 0.0), ("b", 0.1)):
                # The configuration ran mostly on the better host: pooling hosts would flatter it.
                seeds = 3 if (configuration, host) != ("b", "h2") else 12
                noise = rng.uniform(-0.05, 0.05, seeds)
                rows += [(configuration, host, case, s, 0.2 + lift + gain + noise[s]) for s in range(seeds)]
    table = pd.DataFrame(rows, columns=["configuration", "host", "case", "seed", "score"])
    two = pair(summarize(table), 0, 1)
    assert two.effect == pytest.approx(0.1, abs=0.05)
    assert two.cases == 2
    assert two.weights.tolist() == [0.25] * 4
    assert len(two.case_differences()) == 2
    alone = table[~((table.configuration == "b") & (table.host == "h1") & (table.case == "x"))]
    two = pair(summarize(alone), 0, 1)
    assert two.notes == ("Left out, because one arm has no usable score there: x on h1.",)
    assert sorted(two.weights.tolist()) == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("single", ["a", "b"])
def test_an_arm_without_repeats_is_as_noisy_as_the_other(single):
    rng = np.random.default_rng(33)
    repeated = {case: list(rng.uniform(0.2, 0.8, 5)) for case in "uvwx"}
    cells = {(arm, case): [0.4] if arm == single else repeated[case] for arm in "ab" for case in "uvwx"}
    square = np.mean([np.var(scores, ddof=1) for scores in repeated.values()])
    # Means of four cases: of one seed each in one arm, of five in the other.
    assert two_of(cells).noise_variance == pytest.approx(square * (1 / 4 + 1 / (4 * 5)))
    assert two_of(cells).noise_sd == pytest.approx(np.sqrt(square))


def test_temperature_zero_is_greedy_with_one_seed_but_not_if_scores_vary():
    table = frame({("a", "x"): [0.1], ("b", "x"): [0.2, 0.4, 0.3]})
    assert pair(summarize(table.assign(temperature=[0, 0.8, 0.8, 0.8])), 0, 1).baseline.greedy
    assert not pair(summarize(table), 0, 1).baseline.greedy
    varied = pair(summarize(table.assign(temperature=0.0)), 0, 1)
    assert varied.baseline.greedy
    assert not varied.finalist.greedy


@pytest.mark.slow
def test_how_differently_cases_respond_is_recovered_and_its_chance_is_fair():
    rng, found, alarms = np.random.default_rng(14), [], 0
    for _ in range(200):
        response = rng.normal(0.5, 0.05, (2, 8)).clip(0.3, 0.7)
        keys = [(arm, case) for arm in range(2) for case in range(8)]
        arms = {("bf"[a], f"c{c}"): response[a, c] + rng.normal(0, 0.03, 4) for a, c in keys}
        found.append(two_of(arms).interaction()[0] ** 2)
        alarms += two_of({key: 0.5 + rng.normal(0, 0.03, 4) for key in arms}).interaction()[1] < 0.05
    assert np.sqrt(np.mean(found)) == pytest.approx(0.05, rel=0.1)
    assert alarms == pytest.approx(10, abs=2.5 * 9.5**0.5)
