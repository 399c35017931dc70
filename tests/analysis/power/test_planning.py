"""Plans: how many generations a gain takes."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.noise.floor import NoiseFloor
from analysis.power import planning, power
from tests.analysis import simulate

FLOOR = NoiseFloor(0.12, 0.1, 0.15, 24, 30, 6, 5.0, 0.4, False, "base")


def test_plan_answers_with_generations_and_their_uncertainty():
    plan = planning.plan(FLOOR, 0.05)
    seeds = power.required_seeds(0.05, 0.12, cases=6)
    assert (plan.seeds, plan.generations, plan.budget) == (seeds, 12 * seeds, 40 * seeds)
    assert plan.generations_low < plan.generations < plan.generations_high
    assert f"{plan.generations} generations" in plan.sentence
    assert f"{seeds} seeds per case" in plan.sentence
    row = next(each for each in plan.curve if each["seeds"] == 10)
    assert row["mde"] == pytest.approx(power.mde(0.12, cases=6, seeds=10))
    assert row["power"] == pytest.approx(power.power_at(0.05, 0.12, cases=6, seeds=10))
    assert plan.as_dict()["curve"][0]["seeds"] == 2


def test_plan_for_new_cases_says_when_seeds_cannot_do_it():
    plan = planning.plan(FLOOR, 0.03, interaction_sd=0.05)
    assert plan.generations is None
    assert plan.claim == "new-cases"
    assert str(plan.cases_needed) in plan.sentence


def test_several_finalists_cost_more():
    one, three = (planning.plan(0.12, 0.05, cases=6, finalists=m) for m in (1, 3))
    assert three.seeds == power.required_seeds(0.05, 0.12, cases=6, alpha=0.05 / 3)
    assert three.generations == 4 * 6 * three.seeds > one.generations


def test_a_plan_for_new_cases_that_do_not_differ_says_that_it_is_the_least():
    alike, differing = (planning.plan(0.12, 0.15, cases=8, interaction_sd=sd) for sd in (0.0, 0.05))
    assert "the least, if all cases respond alike" in alike.sentence
    assert "respond alike" not in differing.sentence
    assert alike.seeds < differing.seeds


GREEDY = NoiseFloor(0.0, 0.0, 0.0, 18, 24, 6, 4.0, 0.5, True, "base")


@pytest.mark.parametrize("floor", [GREEDY, 0.0])
def test_the_prior_stands_in_for_the_noise_of_a_greedy_floor(floor):
    plan, measured = planning.plan(floor, 0.03, cases=6), planning.plan(FLOOR, 0.03)
    assert (plan.noise_sd, plan.assumed, measured.assumed) == (0.12, True, False)
    assert plan.seeds == power.required_seeds(0.03, 0.12, cases=6)
    # By the normal approximation 2 * (2.8016 * .12 / .03)**2 / 6 = 41.9 seeds, and few more by the t distribution.
    assert 42 <= plan.seeds <= 44
    assert plan.generations_low is None
    assert plan.generations_high is None
    assert "assumed" in plan.sentence
    assert "assumed" not in measured.sentence
    assert all(row["mde"] > 0 for row in plan.curve)


def test_the_curve_counts_the_generations_of_all_arms():
    plan = planning.plan(0.12, 0.05, cases=6, finalists=3, alpha=0.01, confirm_share=0.4)
    assert (plan.seeds, plan.generations, plan.budget) == (28, 672, 1680)
    assert [row["generations"] for row in plan.curve[:3]] == [4 * 6 * 2, 4 * 6 * 3, 4 * 6 * 5]
    assert planning.power_curve(0.12, cases=6, gain=0.05)[0]["generations"] == 2 * 6 * 2
    early = planning.plan(0.12, 0.05, cases=6, finalists=3, alpha=0.01, confirm_share=0.4, per_case=lambda s: 2 * s + 5)
    assert (early.seeds, early.generations) == (28, 6 * (2 * 28 + 5))
    assert early.curve[0]["generations"] == 6 * (2 * 2 + 5)


@pytest.mark.parametrize(("cases", "seeds", "finalists"), [(4, 3, 20), (2, 3, 5), (4, 4, 3), (4, 2, 3), (6, 2, 20)])
def test_many_finalists_see_what_is_planned(cases, seeds, finalists):
    """At the small levels of many finalists the t test has fewer degrees of freedom, a permutation few values of p."""
    level, replications = 0.05 / finalists, 300
    gain = power.mde(0.08, cases=cases, seeds=seeds, alpha=level)
    scores = 0.45 + np.random.default_rng(3).normal(0, 0.08, (replications, 2, cases, seeds))
    scores[:, 1] += gain
    seen = np.mean([each.p_value <= level and each.effect > 0 for each in simulate.estimates(scores.clip(0, 1))])
    assert seen == pytest.approx(0.8, abs=0.05 + 2 * (0.16 / replications) ** 0.5)
    assert power.power_at(gain, 0.08, cases=cases, seeds=seeds, alpha=level) == pytest.approx(0.8, abs=1e-3)
