"""Hosts that were set aside: asked again with growing waits, and taken back if they are the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sweeps.engines.base import EngineFailure, EngineUnreachable, Generation, Prompt, UsageLimit
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.fingerprints.capture import take
from sweeps.hosts import host as host_module
from sweeps.hosts.host import Host, RunStoppedError
from sweeps.hosts.pool import run_tasks
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.ledger import Ledger
from tests.doubles.ollama import OllamaDouble
from tests.sweeps.hosts.test_pool import CASES, ledger, make_tasks, places, places_of  # noqa: F401
from tests.sweeps.sweep_files import run, write_sweep


class Machine(ScriptedEngine):
    """A host whose `away` says whether nothing answers; `fails` whether each generation fails."""

    def __init__(self, address: str, **settings: Any) -> None:
        super().__init__(CASES, address=address, **settings)
        self.away = self.fails = False
        self.asked = 0

    def identify(self, model: str) -> dict[str, Any]:
        self.asked += 1
        self._answer()
        return super().identify(model)

    def generate(self, prompt: Prompt, options: Mapping[str, Any], **given: Any) -> Generation:
        self._answer()
        if self.fails:
            raise EngineFailure("failed with status 500: 'model runner has unexpectedly stopped'")
        return super().generate(prompt, options, **given)

    def _answer(self) -> None:
        if self.away:
            raise EngineUnreachable(f"no answer from {self.address}")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "FIRST_WAIT", 0.02)


def machines(count: int = 2, delay: float = 0.01) -> tuple[list[Machine], list[Host]]:
    engines = [Machine(f"h{i}", delay=delay) for i in range(count)]
    hosts = []
    for engine in engines:
        found = {"scripted": take(engine, "scripted")}
        hosts.append(Host(engine, found, name=engine.address, capture=partial(captured, engine)))
        engine.asked = 0
    return engines, hosts


def captured(engine: Machine) -> dict[str, Any]:
    return {"scripted": take(engine, "scripted")}


class Watch:
    """Results and events of a pool; `at` calls functions when so many results have come."""

    def __init__(self, at: Mapping[int, Callable[[], object]] | None = None) -> None:
        self.results: list[TaskResult] = []
        self.events: list[tuple[str, str]] = []
        self.at = dict(at or {})

    def run(self, hosts: list[Host], ledger: Ledger, tasks: list[Task]) -> None:  # noqa: F811
        run_tasks(
            hosts,
            ledger,
            tasks,
            study="s",
            on_result=self._result,
            on_drop=lambda host, why: self.events.append((host.name, why)),
            on_back=lambda host: self.events.append((host.name, "back")),
        )

    def _result(self, result: TaskResult) -> None:
        self.results.append(result)
        if act := self.at.pop(len(self.results), None):
            act()


def test_a_host_that_was_away_for_a_while_takes_part_again(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()
    watch = Watch({8: lambda: setattr(engines[1], "away", True), 24: lambda: setattr(engines[1], "away", False)})
    tasks = make_tasks(80)
    watch.run(hosts, ledger, tasks)
    assert places(watch.results) == places_of(tasks)
    assert not any(result.error for result in watch.results)
    assert [event[1] == "back" for event in watch.events] == [False, True]
    assert not hosts[1].dropped
    last = [result.task.place.host for result in watch.results[-10:]]
    assert set(last) == {host.digest for host in hosts}


def test_a_host_that_comes_back_between_two_batches(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()
    engines[1].away = True
    watch = Watch()
    watch.run(hosts, ledger, make_tasks(16))
    assert hosts[1].dropped
    engines[1].away = False
    watch.run(hosts, ledger, make_tasks(64))
    assert watch.events[-1] == ("h1", "back")
    assert hosts[1].clock.requests > 0


def test_a_host_that_has_changed_stays_out(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()

    def updated() -> None:
        engines[1].version, engines[1].away = "2.0", False

    watch = Watch({8: lambda: setattr(engines[1], "away", True), 20: updated})
    tasks = make_tasks(60)
    watch.run(hosts, ledger, tasks)
    assert places(watch.results) == places_of(tasks)
    assert watch.events[-1][0] == "h1"
    assert watch.events[-1][1].startswith("it answers again, but has changed: ")
    assert "version" in watch.events[-1][1]
    asked = engines[1].asked
    watch.run(hosts, ledger, make_tasks(80))
    assert engines[1].asked == asked


def test_a_host_that_answers_questions_but_fails_requests_is_not_asked_for_ever(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()
    engines[1].fails = True
    watch, started = Watch(), time.monotonic()
    tasks = make_tasks(60)
    watch.run(hosts, ledger, tasks)
    took = time.monotonic() - started
    assert places(watch.results) == places_of(tasks)
    assert not any(result.error for result in watch.results)
    backs = sum(event == ("h1", "back") for event in watch.events)
    assert 0.02 * (2**backs - 1) <= took + 0.1  # each wait is twice the one before


def test_the_last_request_of_a_host_that_fails_is_made_by_another(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()
    engines[1].fails = True
    watch = Watch()
    (task,) = make_tasks(4, host=1)[:1]
    watch.run(hosts, ledger, [task])
    (result,) = watch.results
    assert not result.error
    assert result.task.place.host == hosts[0].digest


def test_a_request_that_fails_everywhere_is_an_error(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines(3)
    for engine in engines:
        engine.fails = True
    watch = Watch()
    (task,) = make_tasks(4, host=1)[:1]
    watch.run(hosts, ledger, [task])
    (result,) = watch.results
    assert result.error.startswith("EngineFailure")
    assert not any(host.dropped for host in hosts)


def test_a_usage_limit_sets_a_host_aside_for_the_time_that_it_names(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()

    def limited(*args: object, **given: object) -> Generation:
        engines[1].counts.calls += 1
        raise UsageLimit("h1: a usage limit is reached", 3600.0)

    engines[1].generate = limited  # type: ignore[method-assign]
    watch = Watch()
    watch.run(hosts, ledger, make_tasks(40))
    assert watch.events == [("h1", "h1: a usage limit is reached")]
    assert hosts[1].ask_at - time.monotonic() > 3500


def test_with_all_hosts_away_the_run_stops(ledger: Ledger) -> None:  # noqa: F811
    engines, hosts = machines()
    watch = Watch({6: lambda: [setattr(engine, "away", True) for engine in engines]})
    with pytest.raises(RunStoppedError, match="kept"):
        watch.run(hosts, ledger, make_tasks(40))


class Notes:
    """A progress that restarts a server in the middle of a sweep."""

    def __init__(self, server: OllamaDouble) -> None:
        self.server, self.count, self.notes = server, 0, []

    def plan(self, floor: int, explore: int, confirm: int) -> None: ...
    def stage(self, name: str) -> None: ...
    def standing(self, standing: object) -> None: ...

    def advance(self, stage: str, *, seconds: float | None) -> None:
        self.count += 1
        if self.count == 16:
            self.server.stop()
        if self.count == 26:
            self.server.start()

    def note(self, text: str, *, warning: bool = False) -> None:
        self.notes.append(text)


def test_a_server_that_is_restarted_in_the_middle_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OllamaDouble(seconds_per_token=0.001) as one, OllamaDouble(seconds_per_token=0.001) as other:
        path = write_sweep(
            tmp_path,
            engine={"kind": "ollama", "hosts": [one.url, other.url], "options": None},
            baseline={"model": "smollm2:135m", "num_predict": 8},
            search={"sampler": "random", "probe": False},
            budget={"generations": 80},
        )
        path.write_text(path.read_text().replace('"hosts"', '"options" = {"attempts" = 1}, "hosts"'))
        notes = Notes(other)
        result = run(path, progress=notes)
    assert result.status == "done"
    assert result.observations["score"].notna().all()
    assert any(text.startswith(f"host {other.url} is set aside") for text in notes.notes)
    back = [text for text in notes.notes if "answers again with the same fingerprint" in text]
    assert back
    confirmed = [body for body in other.bodies() if body.get("options", {}).get("seed", 0) >= 1_000_000]
    assert confirmed  # it takes part to the end
