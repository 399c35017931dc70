"""Boundaries against published constants, spending against simulation, and what a look says."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.sequential import SequentialDesign, boundaries, exits, spent
from tests.analysis import simulate


def even(looks):
    return tuple((k + 1) / looks for k in range(looks))


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (2, (2.797, 1.977)),
        (3, (3.471, 2.454, 2.004)),
        (4, (4.049, 2.863, 2.337, 2.024)),
        (5, (4.562, 3.226, 2.634, 2.281, 2.040)),
    ],
)
def test_obrien_and_flemings_constants(looks, published):
    assert boundaries(even(looks), 0.05, "obrien-fleming") == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (2, (2.9626, 1.9686)),
        (3, (3.7103, 2.5114, 1.9930)),
        (5, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
    ],
)
def test_lan_and_demets_constants(looks, published):
    assert boundaries(even(looks), 0.05) == pytest.approx(published, abs=1.5e-4)


@pytest.mark.parametrize("fractions", [even(4), (0.2, 0.5, 1.0), (0.6, 1.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_what_is_spent_adds_up(fractions, alpha):
    cumulative = np.cumsum(exits(fractions, boundaries(fractions, alpha)))
    assert cumulative == pytest.approx([spent(alpha, each) for each in fractions], abs=1e-7)
    assert cumulative[-1] == pytest.approx(alpha)


def test_spending_in_simulated_normal_walks():
    fractions = (0.3, 0.6, 1.0)
    steps = np.sqrt(np.diff((0.0, *fractions)))
    walks = np.cumsum(np.random.default_rng(0).normal(size=(200_000, 3)) * steps, axis=1) / np.sqrt(fractions)
    crossed = np.abs(walks) >= boundaries(fractions, 0.05)
    first = [crossed[:, 0].mean(), (crossed[:, 1] & ~crossed[:, 0]).mean(), (crossed.any(axis=1)).mean()]
    assert first[0] == pytest.approx(spent(0.05, 0.3), abs=3e-4)
    assert first[1] == pytest.approx(spent(0.05, 0.6) - spent(0.05, 0.3), abs=8e-4)
    assert first[2] == pytest.approx(0.05, abs=1.5e-3)


def test_one_look_is_the_ordinary_test():
    design = SequentialDesign(1)
    assert design.nominal(1) == pytest.approx(0.05)
    assert design.repeated_p(1, 0.03) == pytest.approx(0.03, abs=1e-6)


@pytest.mark.parametrize("shape", ["spending", "obrien-fleming"])
def test_repeated_p_is_alpha_on_the_boundary_and_monotone(shape):
    design = SequentialDesign(3, shape=shape)
    for look in (1, 2, 3):
        assert design.repeated_p(look, design.nominal(look)) == pytest.approx(0.05, abs=1e-6)
        found = [design.repeated_p(look, p) for p in (0.0, 1e-6, 1e-3, 0.01, 0.04, 0.2, 0.9, 1.0)]
        assert all(low <= high for low, high in itertools.pairwise(found))
        assert all(mine >= p for mine, p in zip(found[1:], (1e-6, 1e-3, 0.01, 0.04, 0.2, 0.9, 1.0), strict=True))
        assert found[-1] == 1.0
    assert math.isnan(design.repeated_p(1, math.nan))


def test_repeated_p_errs_no_more_than_it_says_at_any_look():
    design = SequentialDesign(3)
    walks = np.cumsum(np.random.default_rng(1).normal(size=(400, 3)), axis=1) / np.sqrt([1, 2, 3])
    p = 2 * stats.norm.sf(np.abs(walks))
    lowest = [min(design.repeated_p(k + 1, row[k]) for k in range(3)) for row in p]
    for alpha in (0.05, 0.2):
        assert np.mean(np.array(lowest) <= alpha) == pytest.approx(alpha, abs=2 * math.sqrt(alpha / 400))


def test_conditional_power_by_hand_and_by_simulation():
    design = SequentialDesign(2)
    steps = np.random.default_rng(2).normal(size=100_000) * math.sqrt(0.5)
    ends = 0.4 * math.sqrt(0.5) + 2.0 * 0.5 + steps
    assert design.conditional_power(1, 0.4, 2.0) == pytest.approx((ends >= design.bounds[-1]).mean(), abs=5e-3)
    assert design.conditional_power(2, 3.0) == 1.0
    assert design.conditional_power(2, 1.0) == 0.0


def looks_table(gain, seeds=20, noise=0.1):
    rng = np.random.default_rng(5)
    rows = [
        (c, k, s, min(1.0, max(0.0, 0.4 + (gain if c == "f" else 0) + noise * rng.normal())))
        for c in "bf"
        for k in range(4)
        for s in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["configuration", "case", "seed", "score"])


def test_a_look_stops_for_a_large_gain_for_a_large_loss_and_for_nothing_in_sight():
    design = SequentialDesign(2)
    gain = design.decide(1, looks_table(0.2), "b", "f")
    assert gain.stop == "efficacy"
    assert gain.effect > 0
    loss = design.decide(1, looks_table(-0.2), "b", "f")
    assert (loss.stop, loss.effect < 0) == ("efficacy", True)
    nothing = design.decide(1, looks_table(-0.035), "b", "f")
    assert nothing.stop == "futility"
    assert nothing.conditional_power < 0.1
    some = design.decide(1, looks_table(0.03), "b", "f")
    assert some.stop is None
    assert "go on" in some.sentence
    assert SequentialDesign(2, futility=0).decide(1, looks_table(-0.035), "b", "f").stop is None
    assert design.decide(2, looks_table(-0.035), "b", "f").stop is None


def test_two_greedy_arms_need_no_more_seeds():
    decision = SequentialDesign(2).decide(1, looks_table(0.1, noise=0.0), "b", "f")
    assert decision.stop == "futility"
    assert decision.as_dict()["p_value"] is None


def test_seeds_are_dealt_to_looks():
    assert [SequentialDesign(2).seeds_at(look, 25) for look in (1, 2)] == [13, 25]
    assert [SequentialDesign((0.3, 1)).seeds_at(look, 4) for look in (1, 2)] == [2, 4]


@pytest.mark.parametrize("looks", [0, (), (0.5, 0.5, 1), (0.5, 0.9), (0.5, 1.2), (-0.1, 1)])
def test_plans_that_make_no_sense_are_refused(looks):
    with pytest.raises(ValueError, match="looks must be"):
        SequentialDesign(looks)


def test_looks_out_of_the_plan_are_refused():
    with pytest.raises(ValueError, match="look must be 1 to 2"):
        SequentialDesign(2).nominal(3)


def test_error_spending_of_t_tests_on_scores():
    """Type I error over all looks with small samples; ignoring futility must not raise it."""
    for kind, cases, seeds in (("beta", 4, 6), ("beta-unequal", 6, 10)):
        scores = simulate.null_scores(np.random.default_rng(6), kind, 1500, cases, seeds)
        binding = np.array([s == "efficacy" for _, s, _ in simulate.stops(SequentialDesign(2), scores)])
        ignored = np.array([s == "efficacy" for _, s, _ in simulate.stops(SequentialDesign(2, futility=0), scores)])
        assert 0.03 <= ignored.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1500)
        assert (ignored >= binding).all()
