"""Power by integration, by textbook formulas and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from analysis.power import planning, power
from tests.analysis import simulate


@pytest.mark.parametrize(("dof", "drift"), [(3, 1.0), (8, 2.8), (40, 3.0), (200, 0.5)])
def test_power_agrees_with_integrating_over_the_estimated_variance(dof, drift):
    critical = stats.t.isf(0.025, dof)

    def rejected(scale):
        return stats.norm.sf(critical * scale - drift) + stats.norm.cdf(-critical * scale - drift)

    expected, _ = integrate.quad(lambda v: rejected(math.sqrt(v / dof)) * stats.chi2.pdf(v, dof), 0, dof * 12 + 60)
    assert power.power_of_drift(drift, dof) == pytest.approx(expected, abs=1e-6)


def test_mde_has_the_power_it_names():
    for cases, seeds, interaction in ((4, 3, None), (6, 10, None), (12, 1, 0.05), (1, 3, None)):
        gain = power.mde(0.12, cases=cases, seeds=seeds, power=0.8, interaction_sd=interaction)
        seen = power.power_at(gain, 0.12, cases=cases, seeds=seeds, interaction_sd=interaction)
        assert seen == pytest.approx(0.8, abs=2e-3)


def test_a_tiny_level_with_one_degree_of_freedom_sees_nothing():
    assert power.critical_drift(1, 1e-5) == math.inf
    assert 1e3 < power.critical_drift(1, 1e-4) < 1e5


@pytest.mark.parametrize(("cases", "seeds", "sees"), [(1, 2, False), (2, 2, False), (3, 2, True), (1, 3, True)])
def test_two_seeds_that_can_only_be_permuted_see_nothing_on_two_cases(cases, seeds, sees):
    assert math.isfinite(power.mde(0.02, cases=cases, seeds=seeds)) is sees
    assert (power.power_at(0.5, 0.02, cases=cases, seeds=seeds) > 0) is sees
    assert power.required_seeds(0.5, 0.02, cases=cases) == (2 if cases == 3 else 3)


def test_mde_for_many_seeds_is_the_textbook_formula():
    expected = (1.959964 + 0.841621) * 0.12 * math.sqrt(2 / (6 * 1000))
    assert power.mde(0.12, cases=6, seeds=1000) == pytest.approx(expected, rel=1e-3)


def test_mde_is_what_simulated_comparisons_see():
    gain = power.mde(0.115, cases=6, seeds=5)
    rng = np.random.default_rng(4)
    scores = simulate.shifted_scores(rng, "beta", 600, 6, 5, gain)
    noise = math.sqrt(scores.var(axis=3, ddof=1).mean())
    assert noise == pytest.approx(0.115, abs=0.005)
    assert simulate.error_rate(scores) == pytest.approx(0.8, abs=0.05)


def test_required_seeds_is_the_smallest_that_is_enough():
    for gain, cases, interaction in ((0.03, 6, None), (0.1, 4, None), (0.08, 12, 0.04)):
        seeds = power.required_seeds(gain, 0.12, cases=cases, interaction_sd=interaction)
        assert power.mde(0.12, cases=cases, seeds=seeds, interaction_sd=interaction) <= gain
        assert power.mde(0.12, cases=cases, seeds=seeds - 1, interaction_sd=interaction) > gain


def test_seeds_cannot_replace_cases():
    assert power.required_seeds(0.03, 0.12, cases=6, interaction_sd=0.05) is None
    cases = power.required_cases(0.03, 0.12, seeds=10, interaction_sd=0.05)
    assert power.mde(0.12, cases=cases, seeds=10, interaction_sd=0.05) <= 0.03
    assert power.mde(0.12, cases=cases - 1, seeds=10, interaction_sd=0.05) > 0.03


def test_one_seed_sees_nothing_on_these_cases():
    assert power.mde(0.12, cases=6, seeds=1) == math.inf
    assert power.power_at(0.5, 0.12, cases=6, seeds=1) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: power.mde(-0.1, cases=6, seeds=3),
        lambda: power.mde(0.1, cases=0, seeds=3),
        lambda: power.mde(0.1, cases=6, seeds=3, alpha=0),
        lambda: power.mde(0.1, cases=6, seeds=3, power=0.01),
        lambda: power.required_seeds(0, 0.1, cases=6),
        lambda: power.required_cases(-1, 0.1, seeds=6),
        lambda: planning.plan(0.12, 1.5, cases=6),
        lambda: planning.plan(0.12, 0.05),
        lambda: planning.plan(0.12, 0.05, cases=0),
        lambda: planning.plan(0.12, 0.05, cases=6, confirm_share=0),
    ],
)
def test_numbers_out_of_range_are_refused(call):
    with pytest.raises(ValueError, match=r"must|not"):
        call()


def test_the_gain_seen_on_new_cases_is_that_of_the_paired_t_test():
    # 6 cases x 10 seeds, noise .12: standard error sqrt(2 * .12**2 / 10 / 6) = .02191, 5 degrees of freedom.
    error, critical = math.sqrt(2 * 0.12**2 / 10 / 6), stats.t.isf(0.025, 5)
    gain = power.mde(0.12, cases=6, seeds=10, interaction_sd=0.0)
    assert gain == pytest.approx(0.077, abs=5e-4)
    assert stats.nct.sf(critical, 5, gain / error) == pytest.approx(0.8, abs=2e-3)
    assert power.mde(0.12, cases=6, seeds=10) == pytest.approx(0.062, abs=5e-4)
    assert power.mde(0.12, cases=6, seeds=10, interaction_sd=0.05) == pytest.approx(0.127, abs=5e-4)


def test_simulated_paired_t_tests_see_that_gain():
    rng = np.random.default_rng(11)
    gain = power.mde(0.12, cases=6, seeds=10, interaction_sd=0.0)
    differences = gain + (rng.normal(0, 0.12, (8000, 2, 6, 10)).mean(axis=3) * [[1], [-1]]).sum(axis=1)
    found = stats.ttest_1samp(differences, 0, axis=1).pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.015)  # standard error .0045


def test_new_cases_are_as_many_as_judge_asks_for():
    assert power.mde(0.001, cases=5, seeds=100, interaction_sd=0.0) == math.inf
    assert power.power_at(0.5, 0.001, cases=5, seeds=100, interaction_sd=0.0) == 0
    assert power.required_seeds(0.5, 0.12, cases=5, interaction_sd=0.0) is None
    assert power.required_cases(0.5, 0.12, seeds=10, interaction_sd=0.0) == 6
    plan = planning.plan(0.12, 0.15, cases=4, interaction_sd=0.05)
    assert (plan.seeds, plan.cases_needed) == (None, 6)
    assert "at least 6 cases" in plan.sentence
    assert "differ too much" not in plan.sentence
    assert plan.as_dict()["curve"][0]["mde"] is None
