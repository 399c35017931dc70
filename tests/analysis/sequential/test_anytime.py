"""Looks after every seed: the claims at any look, and what they cost against planned looks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis import SequentialDesign, judge_one
from benchmarks.verdicts import anytime
from tests.analysis import simulate


@pytest.mark.parametrize("kind", anytime.KINDS)
@pytest.mark.parametrize("cases", [1, 4])
def test_the_benchmark_of_many_tables_has_the_test_that_verdicts_use(kind, cases):
    scores = anytime.draw(np.random.default_rng(1), kind, 6, cases, 7)
    expected = [(each.effect, each.standard_error, each.p_value) for each in simulate.estimates(scores)]
    found = np.array(anytime.welch(scores)).T
    assert found[found[:, 1] > 0] == pytest.approx(np.array(expected), rel=1e-9)  # the others have no test


def test_claims_and_ends_are_those_of_the_design():
    scores = anytime.draw(np.random.default_rng(2), "beta", 12, 6, 8, gain=0.1)
    design = anytime.design_of(8, anytime=True)
    usual = np.ones(len(scores), dtype=bool)
    for seeds in range(3, 9):  # where seeds seem to share noise, a verdict takes them as units
        usual &= ["as units" not in each.test for each in simulate.estimates(scores[..., :seeds])]
    assert usual.sum() >= 8
    stopped, better = anytime.run(design, scores[usual])
    found = simulate.stops(design, simulate.looks(design, scores[usual]))
    assert [math.ceil(design.fraction(look) * 8 - 1e-9) for look, _, _ in found] == stopped.tolist()
    assert [stop == "efficacy" and effect > 0 for _, stop, effect in found] == better.tolist()
    assert 0 < better.mean() < 1
    assert stopped.mean() < 8


@pytest.mark.parametrize(
    ("kind", "cases", "seeds"), [("beta-unequal", 4, 10), ("pass .9", 6, 20), ("discrete", 12, 10)]
)
def test_equal_arms_differ_at_some_look_in_no_more_than_alpha(kind, cases, seeds):
    rates = anytime.at_any_look(1500, kind, cases, seeds)
    assert rates["claimed at any look"] < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)
    assert rates["in the first half"] < 0.015


def test_equal_power_costs_fewer_generations_than_two_looks():
    rates = anytime.costs(1500, "beta", 6, 20)
    assert rates["anytime, gain: called better"] > rates["planned, gain: called better"] - 0.03
    assert rates["gain: generations of anytime to planned"] < 1
    assert rates["none: generations of anytime to planned"] < 1


def test_a_verdict_at_any_look_says_so_and_its_interval_allows_for_all_of_them():
    scores = anytime.draw(np.random.default_rng(3), "beta", 1, 6, 12, gain=0.05)[0, ..., :7]
    arm, case, seed = (each.ravel() for each in np.indices(scores.shape))
    table = pd.DataFrame({"configuration": arm, "case": case, "seed": seed, "score": scores.ravel()})
    design = SequentialDesign([each / 12 for each in range(3, 13)], anytime=True)
    found = judge_one(table, baseline="0", design=design, look=5)
    alone = judge_one(table, baseline="0")
    assert found.ci_high - found.ci_low > alone.ci_high - alone.ci_low
    assert found.p_value > alone.p_value
    note = "Look 5 of 10, valid at any look: p and interval allow for all looks (confidence sequence"
    assert any(each.startswith(note) for each in found.notes)
