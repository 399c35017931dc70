"""Tests of budgets that were raised, and of the plans of comparisons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweeps.budget.allocation import comparison_plan, make_plan, smallest_budget
from sweeps.budget.plan import plan_text
from sweeps.budget.raised import is_lowered, is_raised, raised_plan
from sweeps.config.sweep_config import SweepConfig
from sweeps.config.tables import BudgetTable
from sweeps.errors import ConfigError
from tests.sweeps.config.test_candidates import config


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 8),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_a_raised_plan_keeps_what_was_planned_and_stays_within_the_budget(
    generations: int, more: int, cases: int, hosts: int, finalists: int, looks: int, runoff: int
) -> None:
    small = BudgetTable(generations=generations)
    assume(generations >= smallest_budget(small, cases, hosts, finalists, runoff=runoff))
    settings = {"cases": cases, "hosts": hosts, "finalists": finalists, "looks": looks, "runoff": runoff}
    before = make_plan(small, **settings)
    now = make_plan(BudgetTable(generations=generations + more), **settings)
    plan = raised_plan(before, now, looks)
    assert plan.trials >= before.trials
    assert plan.confirm_seeds >= before.confirm_seeds
    assert before.total <= plan.total <= generations + more
    assert (plan.floor, plan.seeds, plan.finalists) == (before.floor, before.seeds, before.finalists)
    assert plan.confirm_seeds % hosts == 0
    assert all(0 < seeds < plan.confirm_seeds for seeds in plan.look_seeds)
    assert bool(plan.runoff_seeds) == (runoff > finalists)
    assert plan.runoff_seeds in (0, *plan.look_seeds)
    assert plan.finalists == max(runoff, finalists)


def test_a_raised_plan_has_no_look_before_the_seeds_of_pass_k() -> None:
    settings = {"cases": 6, "looks": 5, "runoff": 2, "least_look": 7}
    before = make_plan(BudgetTable(generations=600), **settings)
    now = replace(before, trials=before.trials - 1, confirm_seeds=15)  # as rounding may have it
    plan = raised_plan(before, now, 5, 7)
    assert (plan.trials, plan.looks, plan.runoff_seeds) == (
        before.trials,
        (7, 9, 12, 14),
        7,
    )  # 2 * 14 + 7 of 36 per case


def test_which_changes_raise_a_budget() -> None:
    before = {"budget.generations": 100, "budget.minutes": None, "other": 1}
    assert is_raised(before, {**before, "budget.generations": 101})
    assert not is_raised(before, before)
    assert not is_raised(before, {**before, "budget.minutes": 5.0}), "a limit more is no larger budget"
    both = {**before, "budget.minutes": 5.0}
    assert not is_raised(both, {**both, "budget.generations": 200, "budget.minutes": 4.0})
    assert is_lowered(both, {**both, "budget.generations": 200, "budget.minutes": 4.0})
    assert not is_lowered(both, {**both, "budget.minutes": None})


def _comparison(generations: int, candidates: int = 2, **confirm: int) -> SweepConfig:
    named = {f"c{i}": {"top_k": i + 1} for i in range(candidates)}
    return config(space=None, candidates=named, budget={"generations": generations}, confirm=confirm).as_comparison()


def test_a_comparison_shares_its_budget_equally_after_the_floor() -> None:
    plan = comparison_plan(_comparison(125), cases=3, hosts=1)
    assert (plan.floor, plan.explore, plan.trials) == (12, 0, 0)
    assert plan.confirm_seeds == (125 - 12) // (3 * 3) == 12
    assert plan.looks == (2, 5, 7, 12)
    assert plan_text(plan) == (
        "120 generations: floor 3 cases x 4 seeds; comparison of the baseline and 2 candidates, each 3 x 12 fresh"
        " seeds, which may stop after 2, 5 or 7 seeds"
    )


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_the_smallest_budget_of_a_comparison_is_enough_and_one_less_is_not(hosts: int) -> None:
    floor, least = {1: (4, 3), 2: (4, 4), 3: (6, 6)}[hosts]
    needed = 3 * (floor + 3 * least)
    assert comparison_plan(_comparison(needed), cases=3, hosts=hosts).total == needed
    with pytest.raises(ConfigError, match=rf"{needed - 1} is too small to compare 2 candidates .*needs {needed} gen"):
        comparison_plan(_comparison(needed - 1), cases=3, hosts=hosts)


def test_a_comparison_by_time_is_the_largest_that_fits() -> None:
    by_time = _comparison(1).with_(budget={"generations": None, "minutes": 1.0}).as_comparison()
    plan = comparison_plan(by_time, cases=3, hosts=1, seconds_of=lambda plan: float(plan.total) / 2)
    assert plan.total == 120
