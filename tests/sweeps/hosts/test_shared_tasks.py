"""Tasks that several coordinators share, with a board in memory in the place of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from sweeps.engines.base import Generation, Prompt, Timing
from sweeps.engines.scripted.engine import ScriptedEngine
from sweeps.fingerprints.capture import take
from sweeps.hosts import shared_tasks
from sweeps.hosts.host import Host
from sweeps.hosts.shared_tasks import SharedTasks
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.claims import Claims
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.options import Configuration

CONFIGURATION = Configuration("scripted", "p", {"temperature": 0.5})
TASKS = [Task(Place("explore", 0, "", "case", seed), CONFIGURATION, Prompt("Summarise.")) for seed in range(4)]


class Board:
    """The claims of a study whose other coordinator has marked every task as done."""

    id, hosts = "mine", ("h",)

    def __init__(self) -> None:
        self.shared: list[str] = []
        self.open: set[str] = set()

    @property
    def coordinator(self) -> Board:
        return self

    def offer(self, hosts: Sequence[str]) -> None:
        pass

    def alive(self) -> dict[str, list[str]]:
        return {"mine": ["h"], "other": ["h"]}

    def share(self, batch: str, digests: Sequence[str], hosts: Mapping[str, str]) -> None:
        self.shared = list(digests)

    def claim(self, batch: str, count: int, *, start: int) -> dict[str, str | None]:
        taken = [digest for digest in self.shared if digest in self.open]
        self.open.difference_update(taken)
        return dict.fromkeys(taken)

    def reopen(self, digests: Sequence[str]) -> None:
        self.open.update(digests)

    def finish(self, digests: Iterable[str]) -> None:
        pass

    def done(self, batch: str) -> set[str]:
        return set(self.shared) - self.open


def test_a_task_that_is_done_without_a_result_is_offered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_tasks, "LEASE", 0.05)
    engine = ScriptedEngine()
    host = Host(engine, {"scripted": take(engine, "scripted")}, name="h")
    ledger = Ledger(tmp_path / "ledger.db")
    answered, failed, *lost = TASKS
    text = Generation("Text.", finish="stop", timing=Timing(1.0), prompt_tokens=1, output_tokens=1, effective={})
    entry = ledger.generations.add(host.key(answered), text, model="scripted")
    for task, number, error in ((answered, entry.id, ""), (failed, None, "EngineTimeout: late")):
        ledger.observations.add("s", task.place, configuration=CONFIGURATION.key, generation=number, error=error)
    taken: list[TaskResult] = []
    here: list[list[Task]] = []
    checks: list[None] = []
    shared = SharedTasks(cast("Claims", Board()), ledger, [host], "s")
    shared.run(TASKS, lambda tasks: here.append(list(tasks)), taken.extend, lambda: checks.append(None))
    ledger.close()
    results = {result.task.place.seed: (result.entry is None, result.error) for result in taken}
    assert results == {0: (False, ""), 1: (True, "EngineTimeout: late")}
    assert [sorted(task.place.seed for task in tasks) for tasks in here] == [[task.place.seed for task in lost]]
    assert len(checks) > 1  # a value that leaves the space in the meantime ends the waiting
