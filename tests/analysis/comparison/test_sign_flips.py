"""Cases with one seed: no noise of other cases is lent to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import judge_one
from analysis.comparison import sign_flips
from analysis.comparison.compare import compare
from analysis.comparison.pair import pair
from analysis.comparison.sign_flips import sign_flip_test
from analysis.observations.table import summarize


def table(rng, base, other, noise, *, gain=0.0, greedy=False):
    """Return scores about .5: seeds per case of either arm, the noise of each case, and a gain of the second arm."""
    rows = [
        (arm, f"k{case}", seed, 0.5 if greedy and arm == "a" else 0.5 + gain * (arm == "b") + sd * draw)
        for arm, seeds in (("a", base), ("b", other))
        for case, (many, sd) in enumerate(zip(seeds, noise, strict=True))
        for seed, draw in enumerate(rng.standard_normal(many))
    ]
    made = pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])
    return made.assign(score=made["score"].clip(0, 1), temperature=np.where(greedy & (made.configuration == "a"), 0, 1))


def two_of(*args, **options):
    return pair(summarize(table(*args, **options)), 0, 1)


def rate(replications, *args, test="auto", **options):
    claims = 0
    for seed in range(replications):
        estimate = compare(two_of(np.random.default_rng([seed, 5]), *args, **options), test=test).estimate
        claims += estimate is not None and estimate.p_value <= 0.05
    return claims / replications


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
@pytest.mark.parametrize(
    ("base", "other", "noise", "greedy"),
    [
        ([1, 1, 1, 10], [1, 1, 1, 10], [0.15] * 3 + [0.03], False),
        ([1, 1, 5, 5, 5, 5], [1, 1, 5, 5, 5, 5], [0.15] * 2 + [0.05] * 4, False),
        ([6, 6, 1, 1, 6], [1, 1, 6, 6, 6], [0.15] * 4 + [0.02], False),
        ([1] * 4, [1, 1, 1, 10], [0.15] * 3 + [0.03], True),
        ([1] * 6, [1, 5, 5, 5, 5, 5], [0.15] + [0.05] * 5, True),
    ],
)
def test_hard_cases_run_once_are_not_lent_the_noise_of_easy_ones(base, other, noise, greedy):
    """Welch's test, which lends it, calls .3 to .6 of equal arms different."""
    replications = 120
    assert rate(replications, base, other, noise, greedy=greedy) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / replications)


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
def test_an_arm_that_is_noisier_where_it_has_one_seed_is_not_lent_the_noise_of_the_other():
    """A permutation within cases errs with .2 here, since it takes the arms to be equally noisy."""
    claims = 0
    for seed in range(120):
        rng = np.random.default_rng([seed, 6])
        quiet, loud = ([sd * k for sd in (0.06, 0.06, 0.06, 0.02)] for k in (1, 2))
        base = table(rng, [10] * 4, [1, 1, 1, 10], quiet)
        other = table(rng, [10] * 4, [1, 1, 1, 10], loud)
        both = pd.concat([base[base.configuration == "a"], other[other.configuration == "b"]])
        claims += compare(pair(summarize(both), 0, 1)).estimate.p_value <= 0.05
    assert claims / 120 <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 120)


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_permutations")
@pytest.mark.parametrize("greedy", [False, True])
def test_what_that_costs_where_all_cases_are_equally_noisy(greedy):
    design = [1] + [5] * 5, [1] + [5] * 5, [0.12] * 6
    power, lent = (rate(150, *design, gain=0.1, greedy=greedy, test=test) for test in ("auto", "welch"))
    assert lent > 0.6
    assert lent - 0.07 <= power <= lent


@pytest.mark.parametrize("seed", range(4))
def test_signs_and_the_t_distribution_of_repeated_cases(seed):
    two = two_of(np.random.default_rng(seed), [1] * 3, [1, 1, 9], [0.1, 0.1, 0.1], greedy=True)
    error = two.finalist.m2[2] / 8 / 9
    noise = stats.t(8, scale=np.sqrt(error) / 3)
    sums = [(i * two.difference[0] + j * two.difference[1]) / 3 for i in (-1, 1) for j in (-1, 1)]
    above = np.mean([noise.sf(two.effect - each) for each in sums])
    found = sign_flip_test(two)
    assert found.p_value == pytest.approx(2 * min(above, 1 - above), abs=0.03)
    low, high = found.interval(0.9)
    assert (low > 0 or high < 0) is (found.p_value <= 0.1)


def test_two_signs_alone_have_an_end():
    two = two_of(np.random.default_rng(3), [1, 2], [2, 1], [0.1, 0.1], gain=0.3)
    found = sign_flip_test(two)
    assert found.p_value == pytest.approx(0.5, abs=0.03)  # one of four arrangements, on two sides
    assert found.least_p == found.p_value
    assert found.interval(0.95) == (-1.0, 1.0)


def test_many_signs_are_drawn_as_the_normal_distribution_that_they_have(monkeypatch):
    two = two_of(np.random.default_rng(4), [1] * 30 + [4] * 3, [1] * 30 + [4] * 3, [0.1] * 33, gain=0.04)
    exact = sign_flip_test(two)
    monkeypatch.setattr(sign_flips, "_SIGNS_AT_ONCE", 0)
    drawn = sign_flip_test(two)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.02)
    assert drawn.interval(0.9) == pytest.approx(exact.interval(0.9), abs=0.005)
    assert 0.01 < exact.p_value < 0.4


def test_a_verdict_says_that_the_noise_of_some_cases_is_not_known():
    verdict = judge_one(table(np.random.default_rng(5), [1, 5, 5], [1, 5, 5], [0.1] * 3), baseline="a")
    assert any("one seed in an arm, so their noise is unknown" in note for note in verdict.notes)
    assert "t and " in verdict.test
    assert (verdict.ci_low > 0 or verdict.ci_high < 0) is (verdict.p_value <= 0.05)
    repeated = judge_one(table(np.random.default_rng(5), [3, 5, 5], [3, 5, 5], [0.1] * 3), baseline="a")
    assert repeated.test == "stratified Welch t"
