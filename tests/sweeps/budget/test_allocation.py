"""Sharing a budget out: never more than it, never less than the design needs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweeps.budget.allocation import (
    MIN_TRIALS,
    REPEATS,
    make_plan,
    parts_of,
    plan_for,
    seeds_per_trial,
    smallest_budget,
)
from sweeps.budget.plan import Plan, plan_text
from sweeps.config.file import load_config
from sweeps.config.tables import BudgetTable
from sweeps.errors import ConfigError
from sweeps.samplers import start_kind
from sweeps.samplers.gp import NoiseAwareSampler
from tests.sweeps.sweep_files import write_sweep

budgets = st.builds(
    BudgetTable,
    generations=st.integers(1, 5000),
    floor_seeds=st.integers(2, 30),
    seeds=st.one_of(st.just("auto"), st.integers(1, 20)),
    cases_per_trial=st.one_of(st.just("auto"), st.integers(1, 40)),
    confirm_share=st.floats(0.01, 0.99),
)
cases_ = st.integers(1, 30)
hosts_ = st.integers(1, 5)
sizes = st.one_of(st.just(math.inf), st.integers(1, 400).map(float))


@given(budgets, cases_, hosts_, sizes)
def test_a_plan_keeps_to_the_budget_or_says_what_it_needs(
    budget: BudgetTable, cases: int, hosts: int, size: float
) -> None:
    assert budget.generations is not None
    needed = smallest_budget(budget, cases, hosts)
    if budget.generations < needed:
        with pytest.raises(ConfigError, match=rf"it needs {needed} generations"):
            make_plan(budget, cases=cases, hosts=hosts, space_size=size)
        return
    plan = make_plan(budget, cases=cases, hosts=hosts, space_size=size)
    assert plan.floor + plan.explore + plan.confirm == plan.total <= budget.generations
    assert plan.trials == size or plan.trials >= MIN_TRIALS
    assert plan.trials <= (size if size <= 2 else REPEATS * size)
    assert plan.floor_seeds >= budget.floor_seeds
    assert plan.confirm_seeds >= (3 if hosts == 1 else 2 * hosts)
    assert plan.floor_seeds % hosts == plan.confirm_seeds % hosts == 0
    # Nothing that would still hold a seed of the confirmation is left over.
    assert budget.generations - plan.total < 2 * cases * hosts


@given(budgets, cases_, hosts_)
def test_the_smallest_budget_is_enough_and_one_less_is_not(budget: BudgetTable, cases: int, hosts: int) -> None:
    needed = smallest_budget(budget, cases, hosts)
    plan = make_plan(budget.model_copy(update={"generations": needed}), cases=cases, hosts=hosts)
    assert plan.total == needed
    with pytest.raises(ConfigError):
        make_plan(budget.model_copy(update={"generations": needed - 1}), cases=cases, hosts=hosts)


@given(cases_, st.integers(1, 12), st.integers(1, 8), st.integers(0, 60), st.integers(0, 1000))
def test_trials_deal_the_cases_evenly(cases: int, parts: int, together: int, trials: int, seed: int) -> None:
    assume(parts <= cases)
    plan = Plan(cases, 4, 2, trials, 3, parts=parts, together=together)
    dealt = [plan.cases_of(trial, seed) for trial in range(trials)]
    assert plan.explore == 2 * sum(map(len, dealt))
    assert all(len(each) in (plan.trial_cases, cases // parts) for each in dealt)
    assert dealt == [plan.cases_of(trial, seed) for trial in range(trials)]
    assert all(each == dealt[trial - trial % together] for trial, each in enumerate(dealt))
    batches = dealt[::together]
    for first in range(0, trials // together - parts + 1, parts):  # a round has every case once
        assert sorted(case for each in batches[first : first + parts] for case in each) == list(range(cases))


@given(budgets, cases_, st.integers(1, 8), st.integers(0, 400))
def test_the_exploration_of_batches_fills_its_room(budget: BudgetTable, cases: int, together: int, more: int) -> None:
    parts = parts_of(budget, cases)
    needed = smallest_budget(budget, cases, parts=parts, together=together)
    budget = budget.model_copy(update={"generations": needed + more})
    plan = make_plan(budget, cases=cases, together=together)
    assert plan.total <= needed + more
    assert plan.together == (together if parts > 1 else 1)
    longer = dataclasses.replace(plan, trials=plan.trials + 1)
    assert plan.trials == MIN_TRIALS or longer.floor + longer.explore + round_up(budget, plan) > needed + more


def round_up(budget: BudgetTable, plan: Plan) -> int:
    """Generations that the confirmation was given before what was left over."""
    assert budget.generations is not None
    per_seed = 2 * plan.cases
    return per_seed * max(3, round(budget.generations * budget.confirm_share / per_seed))


def test_how_many_cases_a_trial_has() -> None:
    auto = BudgetTable(generations=1)
    assert [parts_of(auto, cases) for cases in (1, 6, 8, 11, 12, 17, 18, 20)] == [1, 1, 1, 1, 2, 2, 3, 3]
    assert parts_of(BudgetTable(generations=1, seeds=2), 12) == 1  # seeds were asked for
    asked = BudgetTable(generations=1, cases_per_trial=5)
    assert [parts_of(asked, cases) for cases in (4, 5, 6, 12)] == [1, 1, 2, 3]
    # 12 cases: floor 48; confirm 0.3 x 480 / 24 = 6 seeds, 144; the rest, 288, is 48 trials of 6.
    assert make_plan(BudgetTable(generations=480), cases=12) == Plan(12, 4, 1, 48, 6, parts=2)
    # 13 cases in parts of 7 and 6: floor 52; confirm 156; 292 are 22 rounds of 13 (286) and nothing of the next one.
    assert make_plan(BudgetTable(generations=500), cases=13) == Plan(13, 4, 1, 44, 6, parts=2)
    # 7 more hold the larger part.
    assert make_plan(BudgetTable(generations=501), cases=13) == Plan(13, 4, 1, 45, 6, parts=2)


@given(cases_)
def test_auto_gives_a_trial_at_least_six_generations_and_no_seed_more(cases: int) -> None:
    seeds = seeds_per_trial(BudgetTable(generations=1), cases)
    assert seeds * cases >= 6
    assert (seeds - 1) * cases < 6


@given(budgets, cases_, st.integers(1, 500))
def test_more_budget_never_gives_fewer_trials(budget: BudgetTable, cases: int, more: int) -> None:
    assert budget.generations is not None
    assume(budget.generations >= smallest_budget(budget, cases))
    less = make_plan(budget, cases=cases)
    plan = make_plan(budget.model_copy(update={"generations": budget.generations + 4 * cases * more}), cases=cases)
    assert plan.explore >= less.explore or plan.confirm > less.confirm
    assert plan.total > less.total


def test_by_hand() -> None:
    # 6 cases: floor 6 x 4 = 24; confirm 0.3 x 240 / 12 = 6 seeds, 72; the rest, 144, is 24 trials of 6.
    assert make_plan(BudgetTable(generations=240), cases=6) == Plan(6, 4, 1, 24, 6)
    # 3 cases, 2 seeds a trial: 60 - 12 = 48; confirm 0.3 x 60 / 6 = 3 seeds, 18; 30 are 5 trials of 6.
    assert make_plan(BudgetTable(generations=60), cases=3) == Plan(3, 4, 2, 5, 3)
    # 65: 5 are left over, too few for another seed of both arms (6).
    assert make_plan(BudgetTable(generations=65), cases=3) == Plan(3, 4, 2, 5, 3)
    # A small space must not free the confirmation from the budget: 12 - 2 - 1 leaves 4 seeds for each arm.
    tight = BudgetTable(generations=12, floor_seeds=2, seeds=1, confirm_share=0.875)
    assert make_plan(tight, cases=1, space_size=1) == Plan(1, 2, 1, 1, 4)
    # Two configurations are tried once each, and the rest confirms: 60 - 12 - 12 = 36 are 6 seeds for each arm.
    assert make_plan(BudgetTable(generations=60), cases=3, space_size=2) == Plan(3, 4, 2, 2, 6)
    # Three are repeated: 600 - 12 - 180 leaves room for 68 trials, 24 of them are 8 rounds of the space.
    assert make_plan(BudgetTable(generations=600), cases=3, space_size=3) == Plan(3, 4, 2, 24, 74)
    assert make_plan(BudgetTable(generations=600), cases=3, space_size=3, repeats=1) == Plan(3, 4, 2, 3, 95)


def test_what_is_told_of_a_budget_that_is_too_small() -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan(BudgetTable(generations=40), cases=6)
    # floor 24, 4 trials of 6 x 1, confirmation 2 x 6 x 3
    assert str(caught.value) == (
        "budget.generations: 40 is too small for 6 cases: floor 6 x 4 seeds, at least 4 trials of 6 x 1, confirmation"
        " 2 x 6 x 3; it needs 84 generations. Raise it, or name fewer cases (objective.names)"
    )


def warm(plan: Plan) -> float:
    """2.5 seconds for each generation."""
    return 2.5 * plan.total


def test_minutes_are_turned_into_generations_and_the_smaller_limit_counts() -> None:
    minutes = BudgetTable(minutes=10)
    assert make_plan(minutes, cases=6, seconds_of=warm) == make_plan(BudgetTable(generations=240), cases=6)
    both = BudgetTable(minutes=10, generations=100)
    assert make_plan(both, cases=6, seconds_of=warm) == make_plan(BudgetTable(generations=100), cases=6)
    with pytest.raises(ConfigError, match=r"budget.minutes: 1 is too small .* needs 84 .*, about 3.5 minutes"):
        make_plan(BudgetTable(minutes=1), cases=6, seconds_of=warm)
    with pytest.raises(ConfigError, match="measured seconds"):
        make_plan(minutes, cases=6)


@given(budgets, cases_, hosts_, st.floats(0.01, 10), st.floats(0, 30), st.floats(1.0, 5.0))
def test_minutes_hold_the_largest_plan_that_fits_into_them(
    budget: BudgetTable, cases: int, hosts: int, decode: float, prefill: float, share: float
) -> None:
    """Also with costs of each trial and each case, of which generations know nothing."""

    def seconds_of(plan: Plan) -> float:
        return decode * plan.total + prefill * (plan.cases + plan.trials)

    smallest = budget.model_copy(update={"generations": smallest_budget(budget, cases, hosts)})
    least = make_plan(smallest, cases=cases, hosts=hosts)
    minutes = share * seconds_of(least) / 60 + 1e-9
    timed = budget.model_copy(update={"generations": None, "minutes": minutes})
    plan = make_plan(timed, cases=cases, hosts=hosts, seconds_of=seconds_of)
    assert seconds_of(plan) <= 60 * minutes
    # Another seed of the confirmation can take trials away: only so many more generations cannot have fewer trials.
    seed = math.ceil((1 + plan.finalists) * cases * hosts / (1 - budget.confirm_share))
    more = budget.model_copy(update={"generations": plan.total + 4 * cases * hosts + cases * plan.seeds + seed})
    assert seconds_of(make_plan(more, cases=cases, hosts=hosts)) > 60 * minutes
    fewer = budget.model_copy(update={"minutes": minutes})
    if fewer.generations is not None and fewer.generations >= smallest_budget(budget, cases, hosts):
        both_limits = make_plan(fewer, cases=cases, hosts=hosts, seconds_of=seconds_of)
        assert seconds_of(both_limits) <= 60 * minutes
        assert both_limits.total <= fewer.generations


def test_time_that_is_told_to_be_none_ends_somewhere() -> None:
    assert make_plan(BudgetTable(minutes=1), cases=6, seconds_of=lambda plan: 0.0).total > 1_000_000


def test_finalists_are_others_than_the_baseline() -> None:
    budget = BudgetTable(generations=600)
    assert make_plan(budget, cases=3, finalists=2, space_size=2, has_baseline=True).finalists == 1
    assert make_plan(budget, cases=3, finalists=2, space_size=2).finalists == 2
    assert make_plan(budget, cases=3, finalists=2, space_size=3, has_baseline=True).finalists == 2
    assert make_plan(budget, cases=3, finalists=2, space_size=1, has_baseline=True).finalists == 1


@pytest.mark.parametrize(
    ("changes", "finalists"),
    [
        ({"space": {"temperature": [0.3, 1.2]}}, 1),  # the baseline's is 1.2
        ({"space": {"temperature": [0.3, 0.6]}}, 2),
        ({"space": {"temperature": [0.3, 0.6, 1.2]}}, 2),
        ({"space": {"temperature": [0.3, 1.2]}, "search": {"sampler": "grid"}}, 1),
        ({"space": {"temperature": {"low": 1.0, "high": 1.4, "step": 0.2}}, "search": {"sampler": "grid"}}, 2),
    ],
)
def test_a_sweep_plans_no_more_finalists_than_there_can_be(
    tmp_path: Path, changes: dict[str, Any], finalists: int
) -> None:
    config = load_config(write_sweep(tmp_path, confirm={"finalists": 2}, budget={"generations": 300}, **changes))
    assert plan_for(config, cases=3, hosts=1).finalists == finalists


@pytest.mark.parametrize(
    ("changes", "planned", "kind"),
    [
        ({}, 7, "ends"),  # of 8 the baseline's floor is the first
        ({"space": {"temperature": {"low": 1.5, "high": 1.9}}}, 8, "ends"),  # the space does not hold the baseline
        ({"search": {"sampler": "tpe"}}, 0, "near"),
        ({"search": {"sampler": "gp", "start": "near"}}, 7, "near"),
        ({"constraints": {"words": 100}}, 7, "near"),
    ],
)
def test_the_plan_knows_the_trials_of_the_start_design(
    tmp_path: Path, changes: dict[str, Any], planned: int, kind: str
) -> None:
    config = load_config(
        write_sweep(tmp_path, **{"search": {"sampler": "gp"}, "budget": {"generations": 300}, **changes})
    )
    plan = plan_for(config, cases=3, hosts=1)
    assert (plan.start_trials, plan.start) == (planned, kind)
    assert (f", the first {planned} by the start design (search.start = {kind})" in plan_text(plan)) == bool(planned)
    if planned:
        sampler, inside = NoiseAwareSampler(n_trials=plan.trials), config.space.params_of(config.baseline) is not None
        assert planned == sampler.n_startup(len(config.space.distributions())) - inside


def test_the_start_changes_one_option_at_a_time_where_each_gets_a_change() -> None:
    assert [start_kind(options, 7) for options in (1, 3, 4)] == ["ends", "ends", "near"]
    assert (start_kind(9, 17), start_kind(9, 18)) == ("near", "ends")


def test_the_plan_as_json_types() -> None:
    assert Plan(3, 4, 2, 5, 3).as_dict() == {
        "cases": 3, "floor_seeds": 4, "seeds": 2, "trials": 5, "confirm_seeds": 3, "finalists": 1, "hosts": 1,
        "look_seeds": (), "parts": 1, "together": 1, "anytime": False, "prune": False, "start": "near",
        "start_trials": 0, "runoff_seeds": 0, "runoff_left": 0,
        "floor_generations": 12, "explore_generations": 30, "confirm_generations": 18, "total_generations": 60,
    }  # fmt: skip


def test_a_run_off_by_hand() -> None:
    settings: dict[str, Any] = {"cases": 6, "looks": "auto"}
    plan = make_plan(BudgetTable(generations=300), runoff=2, **settings)
    # .3 of 300 are 15 per case: 2 arms x 6 seeds, and 2 seeds of the other finalist make 14, 84 of 300.
    assert (plan.finalists, plan.confirm_seeds, plan.runoff_seeds, plan.runoff_left) == (2, 6, 2, 1)
    assert plan.look_seeds == (2, 4)
    assert (plan.floor, plan.trials, plan.explore, plan.confirm, plan.total) == (24, 32, 192, 84, 300)
    assert plan.of_finalists == 6 * (6 + 2)
    assert [plan.per_case(seeds) for seeds in (6, 50)] == [2 * 6 + 2, 2 * 50 + 20]
    assert plan_text(plan).endswith(
        "confirmation 2 settings x 6 cases x 6 seeds, which may stop after 2 or 4 seeds;"
        " a run-off with 1 more finalist ends after 2 seeds"
    )
    plain = make_plan(BudgetTable(generations=300), **settings)
    assert make_plan(BudgetTable(generations=300), runoff=2, space_size=1, **settings).finalists == 1  # nobody else
    assert (plain.finalists, plain.runoff_seeds, plain.per_case(6)) == (1, 0, 2 * 6)


@pytest.mark.parametrize(("hosts", "early", "last"), [(1, 2, 3), (2, 4, 6), (3, 6, 9)])
def test_the_smallest_run_off_has_two_seeds_on_every_host(hosts: int, early: int, last: int) -> None:
    budget = BudgetTable(generations=smallest_budget(BudgetTable(generations=1), 6, hosts, runoff=2))
    plan = make_plan(budget, cases=6, hosts=hosts, runoff=2, looks="auto")
    assert plan.looks == (early, last)
    assert (plan.runoff_seeds, plan.total) == (early, budget.generations)


def test_a_run_off_with_a_bar_ends_after_the_seeds_of_pass_k() -> None:
    def plan(generations: int, **settings: Any) -> Plan:
        return make_plan(BudgetTable(generations=generations), cases=6, looks=5, runoff=2, **settings)

    assert (plan(600).looks, plan(600).runoff_seeds) == ((3, 5, 6, 8, 11, 13), 5)
    bar = plan(600, least_look=7)  # two seeds more of the other finalist take two trials from the search
    assert (bar.looks, bar.runoff_seeds, bar.explore, bar.total) == ((7, 8, 11, 13), 7, 390 - 12, 24 + 378 + 198)
    assert plan(130, least_look=7).looks == (2, 3)  # there are not so many


def test_a_budget_without_room_for_the_run_off_says_so() -> None:
    budget = BudgetTable(generations=95)
    # floor 24, 4 trials of 6, baseline and finalist 3 seeds each, the other finalist 2: 24 + 24 + 36 + 12
    assert smallest_budget(budget, 6, runoff=2) == 96
    with pytest.raises(ConfigError, match=r"run-off 1 x 6 x 2, confirmation 2 x 6 x 3; it needs 96 .*confirm.runoff"):
        make_plan(budget, cases=6, runoff=2)
