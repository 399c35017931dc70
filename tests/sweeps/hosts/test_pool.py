"""Several hosts: queues, blocks, taking over, dropping out."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from objectives import load_cases
from sweeps.config.file import parse_config
from sweeps.engines.base import EngineUnreachable, Prompt
from sweeps.engines.scripted.engine import Fault, ScriptedEngine
from sweeps.fingerprints.capture import take
from sweeps.hosts.host import Host, RunStoppedError
from sweeps.hosts.pool import run_tasks
from sweeps.hosts.task import Task
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.options import Configuration
from sweeps.study.sweep import Sweep

CASES = load_cases("engineering-chats")[:4]

CONFIG = """
[study]
name = "hosts"
[engine]
kind = "scripted"
hosts = ["h0", "h1", "h2"]
[prompts]
p = "Summarise: {log}"
[objective]
cases = "engineering-chats"
names = [NAMES]
[baseline]
model = "scripted"
[space]
temperature = {low = 0.1, high = 1.2}
[budget]
generations = 130
""".replace("NAMES", ", ".join(f'"{case.name}"' for case in CASES))


def make_hosts(count, faults=None, **settings):
    engines = [
        ScriptedEngine(CASES, address=f"h{i}", faults=(faults or {}).get(i, []), **settings) for i in range(count)
    ]
    return [Host(engine, {"scripted": take(engine, "scripted")}, name=engine.address) for engine in engines]


def make_tasks(count, host=None):
    configuration = Configuration("scripted", "p", {"temperature": 0.5})
    return [
        Task(Place("explore", 0, "", case.name, seed), configuration, Prompt(f"Summarise: {case.log}"), host)
        for case in CASES
        for seed in range(count // len(CASES))
    ]


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger(tmp_path / "ledger.db")
    yield opened
    opened.close()


def run(hosts, ledger, tasks):
    outcomes, drops = [], []
    run_tasks(
        hosts,
        ledger,
        tasks,
        study="s",
        on_result=outcomes.append,
        on_drop=lambda host, why: drops.append((host.name, why)),
    )
    return outcomes, drops


def places(outcomes):
    return sorted((o.task.place.case, o.task.place.seed) for o in outcomes)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_task_has_one_outcome_and_runs_once(count, ledger):
    tasks = make_tasks(40)
    hosts = make_hosts(count)
    outcomes, drops = run(hosts, ledger, tasks)
    assert places(outcomes) == places_of(tasks)
    assert not drops
    assert sum(host.clock.requests for host in hosts) == 40
    again, _ = run(make_hosts(count), ledger, tasks)
    assert places(again) == places_of(tasks)
    assert all(outcome.kept for outcome in again)


def places_of(tasks):
    return sorted((task.place.case, task.place.seed) for task in tasks)


def test_outcomes_are_handed_on_in_the_calling_thread(ledger):
    threads = set()
    run_tasks(
        make_hosts(3),
        ledger,
        make_tasks(24),
        study="s",
        on_result=lambda _: threads.add(threading.current_thread()),
    )
    assert threads == {threading.current_thread()}


def test_a_place_names_the_host_that_generated(ledger):
    hosts = make_hosts(3)
    outcomes, _ = run(hosts, ledger, make_tasks(24))
    per_host = Counter(outcome.task.place.host for outcome in outcomes)
    assert per_host == {host.digest: host.clock.requests for host in hosts}


def test_tasks_of_a_host_stay_there(ledger):
    hosts = make_hosts(3)
    outcomes, _ = run(hosts, ledger, make_tasks(24, host=1))
    assert {outcome.task.place.host for outcome in outcomes} == {hosts[1].digest}


def test_an_idle_host_takes_over_what_needs_no_host(ledger):
    """While a host is stuck, the other does more than its half of the tasks, however busy the machine is."""
    made, rest = [], threading.Event()

    def count(_):
        made.append(1)
        if len(made) == 30:
            rest.set()

    stuck = ScriptedEngine(CASES, address="stuck", delay=0.001, sleep=lambda _: rest.wait(60))
    quick = ScriptedEngine(CASES, address="quick", delay=0.001, sleep=count)
    hosts = [Host(engine, {"scripted": take(engine, "scripted")}, name=engine.address) for engine in (stuck, quick)]
    outcomes, _ = run(hosts, ledger, make_tasks(40))
    assert len(outcomes) == 40
    assert hosts[1].clock.requests >= 30 - len(CASES)  # each prompt is warmed up once


@pytest.mark.parametrize("host", [None, 1])
def test_work_of_a_host_that_drops_out_goes_on_elsewhere(host, ledger):
    faults = {1: [Fault("unreachable", frozenset(range(2, 1000)))]}
    hosts = make_hosts(3, faults, delay=0.02)  # slow enough that no other host takes the work before it fails
    tasks = make_tasks(40, host=host)
    outcomes, drops = run(hosts, ledger, tasks)
    assert places(outcomes) == places_of(tasks)
    assert not any(outcome.error for outcome in outcomes)
    assert [name for name, _ in drops] == ["h1"]
    assert hosts[1].dropped
    more, _ = run(hosts, ledger, make_tasks(48, host=host))
    assert len(more) == 48


def test_what_ran_elsewhere_is_not_made_again_when_its_host_is_back(ledger):
    tasks = make_tasks(16, host=1)
    outcomes, _ = run(make_hosts(2, {1: [Fault("unreachable")]}), ledger, tasks)
    for outcome in outcomes:
        place, key = outcome.task.place, outcome.task.configuration.key
        ledger.observations.add("s", place, configuration=key, generation=outcome.entry.id)
    back = make_hosts(2)
    again, _ = run(back, ledger, tasks)
    assert all(outcome.kept for outcome in again)
    assert {outcome.task.place.host for outcome in again} == {back[0].digest}
    others = []  # another study has seeds of its own on every host
    run_tasks(make_hosts(2), ledger, tasks, study="t", on_result=others.append)
    assert not any(outcome.kept for outcome in others)


def test_with_no_host_left_the_run_stops_and_keeps_what_it_has(ledger):
    faults = {i: [Fault("unreachable", frozenset(range(6, 1000)))] for i in range(2)}
    tasks = make_tasks(40)
    with pytest.raises(RunStoppedError, match="kept"):
        run(make_hosts(2, faults), ledger, tasks)
    kept = len(ledger.generations.find(make_hosts(2)[i].key(task) for task in tasks for i in range(2)))
    assert 0 < kept < 40
    outcomes, _ = run(make_hosts(2), ledger, tasks)
    assert places(outcomes) == places_of(tasks)
    assert sum(outcome.kept for outcome in outcomes) == kept


def test_a_single_fault_is_tried_again_and_leaves_no_trace_in_the_scores(ledger):
    hosts = make_hosts(1, {0: [Fault("timeout", frozenset([7]))]})
    outcomes, drops = run(hosts, ledger, make_tasks(24))
    assert not drops
    assert len(outcomes) == 24
    assert not any(outcome.error for outcome in outcomes)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("count", [1, 2])
def test_what_a_worker_cannot_handle_ends_the_run(error, count, ledger):
    def broken(*args, **kwargs):
        raise error

    hosts = make_hosts(count)
    hosts[-1].engine.generate = broken
    done = threading.Event()
    raised = []

    def work():
        try:
            run(hosts, ledger, make_tasks(8))
        except BaseException as caught:  # noqa: BLE001
            raised.append(type(caught))
        done.set()

    threading.Thread(target=work, daemon=True).start()  # apart, so that a run without an end does not hold up the tests
    assert done.wait(timeout=20)
    assert raised == [error]


def test_a_sweep_on_three_hosts_blocks_by_host_and_is_balanced(tmp_path):
    engines = [ScriptedEngine(CASES, address=f"h{i}") for i in range(3)]
    result = Sweep(parse_config(CONFIG), directory=tmp_path, engine=engines, tracking=False, report=False).run()
    table = result.observations
    assert table["host"].nunique() == 3
    for stage in ("floor", "confirm"):
        cells = table[table["stage"] == stage].groupby(["configuration", "case", "host"]).size()
        assert cells.nunique() == 1
        assert cells.iloc[0] >= 2
    assert not table.duplicated(["stage", "trial", "case", "seed"]).any()
    assert result.verdict is not None
    assert set(result.hosts) == {"h0", "h1", "h2"}


class Gone(ScriptedEngine):
    """Answers 30 requests, then nothing at all, as a machine that was switched off."""

    def __init__(self) -> None:
        super().__init__(CASES, address="h2", faults=[Fault("unreachable", frozenset(range(30, 9999)))])

    def revision(self, model: str) -> dict[str, object]:
        if self.counts.calls > 30:
            raise EngineUnreachable("nothing answers at h2")
        return super().revision(model)


def test_a_sweep_survives_a_host_that_drops_out(tmp_path):
    engines = [ScriptedEngine(CASES, address="h0"), ScriptedEngine(CASES, address="h1"), Gone()]
    result = Sweep(parse_config(CONFIG), directory=tmp_path, engine=engines, tracking=False, report=False).run()
    assert result.status == "done"
    assert result.observations["score"].notna().all()
    assert len(result.observations) == result.plan.total


def test_hosts_that_differ_are_named_before_the_start(tmp_path):
    notes = []

    class Listener:
        def plan(self, floor, explore, confirm): ...
        def stage(self, name): ...
        def advance(self, stage, *, seconds): ...
        def standing(self, standing): ...
        def note(self, text, *, warning=False):
            notes.append((text, warning))

    engines = [ScriptedEngine(CASES, address=f"h{i}") for i in range(3)]
    engines[1].version = "2.0"
    Sweep(
        parse_config(CONFIG), directory=tmp_path, engine=engines, tracking=False, report=False, progress=Listener()
    ).run()
    assert any("h1 differs from h0 in engine.version" in text and warning for text, warning in notes)


class SeveralAtOnce(ScriptedEngine):
    """An engine with companions; `running` holds the prompts in work, and `seen` its contents at each request."""

    def __init__(self, at_once=2, running=None, seen=None, **settings):
        super().__init__(CASES, address="in process", delay=0.005, **settings)
        self.lanes = at_once
        self.running, self.seen = running if running is not None else [], seen if seen is not None else []
        self.others = []

    def at_once(self, model, options):
        return self.lanes

    def companions(self, count):
        self.others = self.others or [SeveralAtOnce(1, self.running, self.seen) for _ in range(self.lanes - 1)]
        return self.others[:count]

    def generate(self, prompt, options, *, model, timeout=None):
        self.running.append(prompt.user)
        self.seen.append(tuple(self.running))
        try:
            return super().generate(prompt, options, model=model, timeout=timeout)
        finally:
            self.running.remove(prompt.user)


def one_host(engine):
    return Host(engine, {"scripted": take(engine, "scripted")}, name="here")


def test_an_engine_with_companions_runs_several_requests_of_different_prompts_at_once(ledger, tmp_path):
    tasks = make_tasks(24)
    host = one_host(SeveralAtOnce())
    outcomes, _ = run([host], ledger, tasks)
    assert host.at_once == 2
    assert max(len(prompts) for prompts in host.engine.seen) == 2
    # Each of four prompts stays on one lane, until a lane has nothing else to do.
    assert 4 <= host.clock.warmups <= 6
    alone = one_host(SeveralAtOnce(at_once=1))
    other = Ledger(tmp_path / "alone.db")
    expected, _ = run([alone], other, tasks)
    other.close()
    assert max(len(prompts) for prompts in alone.engine.seen) == 1
    texts = ({o.task.place: o.entry.generation.text for o in each} for each in (outcomes, expected))
    assert next(texts) == next(texts)


def test_lanes_share_the_last_prompt_and_one_that_asks_for_a_single_request_gets_it(ledger):
    host = one_host(SeveralAtOnce())
    run([host], ledger, [task for task in make_tasks(24) if task.place.case == CASES[0].name])
    assert host.clock.warmups == 2
    host.most_at_once = 1
    run([host], ledger, [task for task in make_tasks(40) if task.place.seed >= 6])
    assert host.at_once == 1


def test_a_stop_closes_an_engine_of_several_requests_and_records_no_failure(ledger):
    engine = SeveralAtOnce()
    closed = []
    engine.close = lambda: closed.append(True)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks([one_host(engine)], ledger, make_tasks(24), study="s", on_result=stop)
    assert closed == [True]


def test_a_fault_on_one_lane_is_repeated_and_a_host_that_fails_is_dropped_once(ledger):
    host = one_host(SeveralAtOnce(faults=[Fault("unreachable", frozenset({3}))]))
    outcomes, _ = run([host], ledger, make_tasks(24))
    assert places(outcomes) == places_of(make_tasks(24))
    assert not any(outcome.error for outcome in outcomes)


def test_tasks_that_are_known_to_be_new_are_not_looked_for(ledger, monkeypatch):
    tasks, outcomes = make_tasks(8), []
    reading = []
    monkeypatch.setattr(ledger.observations, "answered", lambda *_: reading.append("observations") or [])
    monkeypatch.setattr(ledger.generations, "find", lambda _: reading.append("generations") or {})
    run_tasks(make_hosts(1), ledger, tasks, study="t", on_result=outcomes.append, new=True)
    assert not reading
    assert {o.task.place.on_any_host for o in outcomes} == {task.place.on_any_host for task in tasks}
