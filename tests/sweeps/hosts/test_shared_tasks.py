"""Tasks that several coordinators share, with a board in memory in the place of PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
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
from sweeps.ledger.claims import Claim, Claims
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Place
from sweeps.options import Configuration

CONFIGURATION = Configuration("scripted", "p", {"temperature": 0.5})
TASKS = [Task(Place("explore", 0, "", "case", seed), CONFIGURATION, Prompt("Summarise.")) for seed in range(4)]


class Board:
    """The claims of a study whose other coordinator has marked every task as done."""

    id, hosts = "mine", ("h",)

    def __init__(self) -> None:
        self.batch = ""
        self.shared: list[str] = []
        self.open: set[str] = set()
        self.finished: set[str] = set()

    @property
    def coordinator(self) -> Board:
        return self

    def offer(self, hosts: Sequence[str]) -> None:
        pass

    def alive(self) -> dict[str, list[str]]:
        return {"mine": ["h"], "other": ["h"]}

    def share(self, batch: str, positions: Mapping[str, int], hosts: Mapping[str, str]) -> None:
        self.batch, self.shared = batch, list(positions)

    def claim(self, batch: str, count: int, *, start: int, but: Sequence[str] = ()) -> dict[str, Claim]:
        taken = [digest for digest in self.shared if digest in self.open]
        self.open.difference_update(taken)
        return dict.fromkeys(taken, Claim(None, is_new=False))

    def reopen(self, digests: Sequence[str]) -> None:
        self.open.update(digests)

    def finish(self, digests: Iterable[str]) -> None:
        self.finished.update(digests)

    def others(self) -> AbstractContextManager[Callable[[float], object]]:
        return nullcontext(time.sleep)

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
    shared.run(
        TASKS,
        TASKS,
        lambda tasks, *, new: here.append(list(tasks)),
        lambda: None,
        taken.extend,
        lambda: checks.append(None),
    )
    ledger.close()
    results = {result.task.place.seed: (result.entry is None, result.error) for result in taken}
    assert results == {0: (False, ""), 1: (True, "EngineTimeout: late")}
    assert [sorted(task.place.seed for task in tasks) for tasks in here] == [[task.place.seed for task in lost]]
    assert len(checks) > 1  # a value that leaves the space in the meantime ends the waiting


@pytest.fixture
def host_and_ledger(tmp_path: Path) -> Iterator[tuple[Host, Ledger]]:
    engine = ScriptedEngine()
    ledger = Ledger(tmp_path / "ledger.db")
    yield Host(engine, {"scripted": take(engine, "scripted")}, name="h"), ledger
    ledger.close()


class Free(Board):
    """The claims of a study whose tasks are all free."""

    def __init__(self, *held: str) -> None:
        super().__init__()
        self.held = held

    def claim(self, batch: str, count: int, *, start: int, but: Sequence[str] = ()) -> dict[str, Claim]:
        free = [digest for digest in (*self.held, *self.shared) if digest not in (*self.finished, *but)]
        return dict.fromkeys(free, Claim(None, is_new=True))


def test_who_comes_later_shares_the_batch_of_the_others(host_and_ledger: tuple[Host, Ledger]) -> None:
    host, ledger = host_and_ledger
    first, later, kept = Free(), Free(), list[int]()
    for board, left in ((first, TASKS), (later, TASKS[2:])):  # two have their scores by now
        shared = SharedTasks(cast("Claims", board), ledger, [host], "s")
        keep = partial(lambda board: kept.append(len(board.finished)), board)
        shared.run(TASKS, left, lambda *_, **__: None, keep, lambda _: None, lambda: None)
    assert kept == [0, 0]  # a task is done when its observation is in the ledger
    assert later.batch == first.batch
    assert set(later.shared) < set(first.shared)
    assert later.finished == set(later.shared)


def test_a_lost_ones_task_that_has_its_score_is_not_run_again(host_and_ledger: tuple[Host, Ledger]) -> None:
    host, ledger = host_and_ledger
    board, here = Free("of a lost one"), list[Task]()
    shared = SharedTasks(cast("Claims", board), ledger, [host], "s")
    shared.run(TASKS, TASKS[2:], lambda tasks, *, new: here.extend(tasks), lambda: None, lambda _: None, lambda: None)
    assert sorted(task.place.seed for task in here) == [2, 3]
    assert "of a lost one" in board.finished  # nobody waits for it


def test_texts_of_other_studies_are_looked_for_before_new_ones(host_and_ledger: tuple[Host, Ledger]) -> None:
    host, ledger = host_and_ledger
    text = Generation("Text.", finish="stop", timing=Timing(1.0), prompt_tokens=1, output_tokens=1, effective={})
    found = []
    for _ in range(2):
        shared = SharedTasks(cast("Claims", Free()), ledger, [host], "s")
        shared.run(TASKS, TASKS, lambda tasks, *, new: found.append(new), lambda: None, lambda _: None, lambda: None)
        ledger.generations.add(host.key(TASKS[3]), text, model="scripted")
    assert found == [True, False]
