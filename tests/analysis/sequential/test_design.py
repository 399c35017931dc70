"""Sequential designs: repeated p values, chances, decisions and error rates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.sequential.decision import Prior
from analysis.sequential.design import SequentialDesign
from tests.analysis import simulate


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


@pytest.mark.slow
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


def test_predictive_power_by_simulation():
    """Of true effects drawn from the prior, those that give this look, and how many of them are claimed at the end."""
    design, rng = SequentialDesign(2), np.random.default_rng(3)
    error = 0.02  # at the first of two looks, so half of the variance at the last
    effects = rng.normal(0.01, 0.015, 2_000_000)
    seen = effects + error * rng.normal(size=effects.size)
    alike = effects[np.abs(seen - 0.03) < 0.001]
    later = alike + error * rng.normal(size=alike.size)
    claimed = 0.5 * (0.03 + later) / (error / math.sqrt(2)) >= design.bounds[-1]
    found = design.predictive_power(1, 0.03 / error, error, Prior(0.01, 0.015))
    assert found == pytest.approx(claimed.mean(), abs=0.01)
    assert 0.1 < found < 0.5


def test_predictive_power_counts_equivalence_where_a_margin_is_named():
    design, rng, error = SequentialDesign(2), np.random.default_rng(4), 0.02
    last, margin = error / math.sqrt(2), 0.03
    spread = math.sqrt(1 / (0.02**-2 + error**-2))
    effects = rng.normal((0.0 * 0.02**-2 + 0.004 * error**-2) * spread**2, spread, 1_000_000)
    ends = (0.004 + effects + error * rng.normal(size=effects.size)) / 2
    answers = (ends >= design.bounds[-1] * last) | (np.abs(ends) <= margin - stats.norm.isf(design.nominal(2)) * last)
    found = design.predictive_power(1, 0.004 / error, error, Prior(0.0, 0.02), margin)
    assert found == pytest.approx(answers.mean(), abs=3e-3)
    assert found > design.predictive_power(1, 0.004 / error, error, Prior(0.0, 0.02)) + 0.1
    narrow = design.predictive_power(1, 0.2, error, Prior(0.0, 0.02), 0.5 * last)  # never shown at this size
    assert narrow == design.predictive_power(1, 0.2, error, Prior(0.0, 0.02))


def test_predictive_power_between_its_extremes():
    design, error = SequentialDesign((0.3, 1)), 0.03
    last = error * math.sqrt(0.3)
    for z in (-1.0, 0.5, 2.0):
        sure, as_much = (design.predictive_power(1, z, error, Prior(0.04, sd)) for sd in (1e-6, last))
        assert sure == as_much  # no belief counts for more than the whole confirmation
        blank = [design.predictive_power(1, z, error, Prior(mean, 1e3)) for mean in (-0.5, 0.5)]
        assert blank[0] == pytest.approx(blank[1], abs=1e-4)  # nothing was known before
    rising = [design.predictive_power(1, 0.5, error, Prior(mean, 0.02)) for mean in (-0.05, 0.0, 0.05)]
    assert rising == sorted(rising)
    assert design.predictive_power(2, 3.0, error, Prior(-1.0, 0.01)) == 1.0


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
    assert nothing.chance < 0.1
    some = design.decide(1, looks_table(0.03), "b", "f")
    assert some.stop is None
    assert "go on" in some.sentence
    assert SequentialDesign(2, futility=0).decide(1, looks_table(-0.035), "b", "f").stop is None
    assert design.decide(2, looks_table(-0.035), "b", "f").stop is None


def test_a_gain_of_interest_that_is_smaller_than_what_can_be_seen_changes_nothing():
    design, table = SequentialDesign(2), looks_table(0.01)
    whole = design.decide(1, table, "b", "f").chance
    assert 0 < whole < 1
    assert design.decide(1, table, "b", "f", min_gain=1e-6).chance == whole
    assert design.decide(1, table, "b", "f", min_gain=0.3).chance > whole


def test_a_belief_decides_on_futility_and_on_nothing_else():
    design, table = SequentialDesign(2), looks_table(0.01)
    without = design.decide(1, table, "b", "f")
    hopeful, hopeless = (design.decide(1, table, "b", "f", prior=Prior(mean, 0.005)) for mean in (0.06, -0.02))
    assert (without.stop, hopeful.stop, hopeless.stop) == (None, None, "futility")
    assert hopeless.chance < 0.1 < hopeful.chance
    assert "the search expected -0.020 (sd 0.005); with this look, the chance" in hopeless.sentence
    numbers = {(d.effect, d.standard_error, d.p_value, d.bound) for d in (without, hopeful, hopeless)}
    assert len(numbers) == 1
    assert SequentialDesign(2, futility=0).decide(1, table, "b", "f", prior=Prior(-1, 0.01)).stop is None
    shown = looks_table(0.2)
    assert design.decide(1, shown, "b", "f", prior=Prior(-1, 0.01)).stop == "efficacy"
    # What is of interest is not what is probable.
    assert design.decide(1, table, "b", "f", min_gain=0.2, prior=Prior(-0.02, 0.005)).stop == "futility"


@pytest.mark.parametrize("settings", [{}, {"min_gain": 0.05}, {"prior": Prior(0.02, 0.01)}])
def test_two_greedy_arms_that_are_equal_need_no_more_seeds(settings):
    table = pd.concat([looks_table(0.0, noise=0.0), looks_table(0.0, noise=0.0).assign(case=lambda t: t["case"] + 4)])
    decision = SequentialDesign(2).decide(1, table.assign(temperature=0), "b", "f", **settings)
    assert decision.stop == "futility"
    assert "greedy" in decision.sentence
    assert SequentialDesign(2).decide(1, table, "b", "f", **settings).stop is None  # the next seed may tell


@pytest.mark.parametrize(
    ("gain", "believed", "power"),
    [(2.8, None, 0.79), (2.8, 0.0, 0.74), (2.8, -1.0, 0.67), (2.8, -3.0, 0.46), (4.0, -3.0, 0.78), (0.0, 0.0, 0.021)],
)
def test_what_a_belief_costs_in_power(gain, believed, power):
    """Gains in standard errors of the whole confirmation; a belief of None is right on average."""
    design, rng, n = SequentialDesign(2), np.random.default_rng(9), 4000
    halves = gain + math.sqrt(2) * rng.normal(size=(n, 2))
    priors = gain + rng.normal(size=n) if believed is None else np.full(n, believed)
    claims = 0
    for (first, second), mean in zip(halves, priors, strict=True):
        z = first / math.sqrt(2)
        if abs(z) > design.bounds[0]:
            claims += z > 0
        elif design.predictive_power(1, z, math.sqrt(2), Prior(mean, 1.0)) >= 0.1:
            claims += (first + second) / 2 > design.bounds[1]
    assert claims / n == pytest.approx(power, abs=3 * math.sqrt(power * (1 - power) / n) + 0.005)


def test_two_greedy_arms_need_no_more_seeds():
    decision = SequentialDesign(2).decide(1, looks_table(0.1, noise=0.0).assign(temperature=0), "b", "f")
    assert decision.stop == "futility"
    assert decision.as_dict()["p_value"] is None


@pytest.mark.parametrize("looks", [0, (), (0.5, 0.5, 1), (0.5, 0.9), (0.5, 1.2), (-0.1, 1)])
def test_plans_that_make_no_sense_are_refused(looks):
    with pytest.raises(ValueError, match="looks must be"):
        SequentialDesign(looks)


def test_looks_out_of_the_plan_are_refused():
    with pytest.raises(ValueError, match="look must be 1 to 2"):
        SequentialDesign(2).nominal(3)


@pytest.mark.slow
def test_error_spending_of_t_tests_on_scores():
    """Type I error over all looks with small samples; ignoring futility must not raise it."""
    for kind, cases, seeds in (("beta", 4, 6), ("beta-unequal", 6, 10)):
        scores = simulate.null_scores(np.random.default_rng(6), kind, 1500, cases, seeds)
        found = simulate.looks(SequentialDesign(2), scores)
        binding = np.array([s == "efficacy" for _, s, _ in simulate.stops(SequentialDesign(2), found)])
        ignored = np.array([s == "efficacy" for _, s, _ in simulate.stops(SequentialDesign(2, futility=0), found)])
        assert 0.03 <= ignored.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1500)
        assert (ignored >= binding).all()


@pytest.fixture(scope="module")
def three_looks():
    return simulate.looks(SequentialDesign(3), simulate.null_scores(np.random.default_rng(8), "beta", 1500, 4, 9))


@pytest.mark.parametrize("mean", [-0.05, 0.0, 0.05])
def test_no_belief_makes_more_errors(mean, three_looks):
    """Of three looks with futility by belief, however wrong, claims of a gain err with at most half of alpha."""
    stops = simulate.stops(SequentialDesign(3), three_looks, prior=Prior(mean, 0.03))
    claims = np.array([stop == "efficacy" and effect > 0 for _, stop, effect in stops])
    assert claims.mean() <= 0.025 + 2 * math.sqrt(0.025 * 0.975 / 1500)
    assert np.mean([look < 3 for look, _, _ in stops]) > (0.8 if mean <= 0 else 0.3)


@pytest.mark.parametrize("looks", [0, -1, 2.0, "2", None, [], [0.5], [1, 0.5], [float("nan"), 1]])
def test_looks_that_are_none_are_refused(looks):
    with pytest.raises(ValueError, match="looks must be a number from 1, or rising fractions"):
        SequentialDesign(looks)


def test_a_number_of_looks_may_be_numpys():
    assert SequentialDesign(np.int64(2)).bounds == SequentialDesign(2).bounds == SequentialDesign([0.5, 1]).bounds


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match="shape must be one of spending, obrien-fleming, not 'pocock'"):
        SequentialDesign(2, shape="pocock")


def test_a_belief_without_doubt_counts_as_much_as_the_confirmation():
    design = SequentialDesign(2)
    sure = design.predictive_power(1, 1.0, 0.1, Prior(0.05, 0.0))
    assert sure == pytest.approx(design.predictive_power(1, 1.0, 0.1, Prior(0.05, 1e-9)))


def test_a_look_that_is_not_planned_is_refused():
    design = SequentialDesign(2)
    assert [design.fraction(look) for look in (1, 2)] == [0.5, 1]
    for look in (0, 3):
        with pytest.raises(ValueError, match=f"look must be 1 to 2, not {look}"):
            design.fraction(look)
