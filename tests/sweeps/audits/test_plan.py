"""The plan of an audit: its size, and every experiment in it or named as not done."""

from __future__ import annotations

from itertools import product

import pytest

from sweeps.audits.experiments import HOST_EXPERIMENTS, SEEDS, WARM
from sweeps.audits.hosts import HostAbilities
from sweeps.audits.plan import HostPlan, Modes, plan_for
from sweeps.audits.record import MODES
from sweeps.options import default_options

CASES = ["c16", "c17"]
OPTIONS = {**default_options(), "num_predict": 200}
USED = Modes(OPTIONS)
HOSTS = [
    HostAbilities(path=path, server=server, gpu=gpu, thinks=able, drafts=able)
    for path, server, gpu, able in product(["native", "openai"], [True, False], [True, False, None], [True, False])
    if server or path == "native"
]


def arms(plan: HostPlan, experiment: str, mode: str = "production") -> dict[str, int]:
    found: dict[str, int] = {}
    for step in plan.steps:
        if (step.experiment, step.setting.mode) == (experiment, mode):
            found[step.arm] = found.get(step.arm, 0) + len(step.requests)
    return found


@pytest.mark.parametrize("cases", [1, 2, 6])
def test_three_hosts_with_two_cases_have_at_most_300_generations_and_a_quick_audit_fewer_than_60(cases: int) -> None:
    names = [f"c{n}" for n in range(cases)]
    for host in HOSTS:
        full, quick = (plan_for(host, names, USED, quick=quick).generations for quick in (False, True))
        assert full <= 100 + 8 * max(0, cases - 2)
        assert quick < 20 + 8 * max(0, cases - 2)
    able = HostAbilities(gpu=True, thinks=True, drafts=True)
    if cases == 2:
        assert 3 * plan_for(able, names, USED).generations <= 300
        assert 40 < 3 * plan_for(able, names, USED, quick=True).generations < 60


def test_every_experiment_is_made_or_named_as_not_done_with_its_reason() -> None:
    for host, quick in product(HOSTS, [False, True]):
        plan = plan_for(host, CASES, USED, quick=quick)
        one = plan_for(host, CASES[:1], Modes({**OPTIONS, "temperature": 0.0}), quick=quick)
        names = {each.experiment for each in one.not_done} | {step.experiment for step in one.steps}
        assert names == {SEEDS, *(each.name for each in HOST_EXPERIMENTS)}
        made = {step.experiment for step in plan.steps}
        missing = {each.experiment for each in plan.not_done}
        assert made | missing == {SEEDS, *(each.name for each in HOST_EXPERIMENTS)}
        assert not made & missing
        assert all(each.reason for each in plan.not_done)


def test_arms_are_those_of_the_list_of_experiments() -> None:
    plan = plan_for(HostAbilities(gpu=True, thinks=True, drafts=True, threads=8), CASES, USED)
    for each in HOST_EXPERIMENTS:
        values = {"num_thread": 4, "num_batch": 64}
        made = {arm for mode in MODES for arm in arms(plan, each.name, mode)}
        assert made == {arm.format(value=values.get(each.name)) for arm in each.arms}


def test_seeds_are_sent_in_production_and_only_a_repeat_sends_a_request_again() -> None:
    plan = plan_for(HostAbilities(), CASES, USED)
    assert arms(plan, SEEDS) == {WARM: 2 * 8}
    assert arms(plan, "repeat") == {"again": 2 * 8}  # each seed, or nobody knows whether one host alone repeats it
    assert arms(plan, SEEDS, "baseline") == {WARM: 2}
    assert arms(plan, "repeat", "baseline") == {"again": 2 * 2}
    sent = [(s.setting.mode, s.experiment, s.arm, request, s.repeat) for s in plan.steps for request in s.requests]
    once = [each for each in sent if each[1] != "in flight" or each[0] == "production"]
    assert len(once) == len(set(once))
    assert {s.experiment for s in plan.steps if s.repeat} == {"repeat"}
    seeds = {(s.setting.mode, *request) for s in plan.steps if s.experiment == SEEDS for request in s.requests}
    assert {(s.setting.mode, *request) for s in plan.steps for request in s.requests} == seeds  # each has its reference


def test_the_options_of_each_arm() -> None:
    plan = plan_for(HostAbilities(context_length=4096), CASES, USED)
    by_arm = {(s.setting.mode, s.experiment, s.arm): s.setting for s in plan.steps}
    for mode in MODES:
        assert "num_ctx" not in by_arm[mode, "num_ctx", "unset"].options
        assert by_arm[mode, "num_ctx", "other"].options["num_ctx"] == 2048  # the model has no room for more
        assert "top_p" in by_arm[mode, "api path", "/v1, all it takes"].options
        assert "top_k" not in by_arm[mode, "api path", "/v1, all it takes"].options
    assert set(by_arm["production", "api path", "/v1, its defaults"].options) == {"num_predict"}
    assert by_arm["baseline", "api path", "/v1, its defaults"].options["temperature"] == 0
    assert by_arm["baseline", SEEDS, WARM].options["temperature"] == 0
    assert not any(name.startswith("mirostat") for name in by_arm["baseline", SEEDS, WARM].options)


def test_a_host_on_v1_gets_only_what_the_user_names() -> None:
    named = Modes({**OPTIONS, "temperature": 0.3}, frozenset({"temperature", "top_k", "num_ctx"}))
    plan = plan_for(HostAbilities(path="openai"), CASES, named)
    first = plan.steps[0].setting
    assert first.way.path == "openai"
    assert first.options == {"temperature": 0.3, "num_predict": 200}
