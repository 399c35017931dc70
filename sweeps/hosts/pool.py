"""A pool of hosts for tasks that the ledger does not have yet; each host has its own queue.

An idle host takes over tasks of others that need no particular host. After a final failure a host is dropped, and the
others do its work. A host whose engine takes several requests at once has a worker for each. A single worker runs in
the calling thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue

from sweeps.engines.base import (
    AccessRefused,
    EngineError,
    EngineFailure,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    OutOfMemory,
    UsageLimit,
)
from sweeps.hosts.board import Board, Job
from sweeps.hosts.host import MAX_CONSECUTIVE_FAILURES, Host, HostChangedError, Lane, RunStoppedError
from sweeps.hosts.memory import no_memory
from sweeps.hosts.order import order
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Key, Observed

KEPT = "Everything generated so far is kept: correct the fault, then run the same command again to go on from here."

_FAULTS = (EngineUnreachable, EngineTimeout, EngineProtocolError, EngineFailure)
"""Failures of the connection or the server: repeated once at the end, and never scored."""

_LASTING = (ModelMissing, AccessRefused, UsageLimit)
"""Failures that every further request would meet, too: the host is dropped at once."""


def run_tasks(
    hosts: Sequence[Host],
    ledger: Ledger,
    tasks: Sequence[Task],
    *,
    study: str,
    on_result: Callable[[TaskResult], None],
    on_drop: Callable[[Host, str], object] = lambda *_: None,
    on_back: Callable[[Host], object] = lambda _: None,
    on_kept: Callable[[Sequence[TaskResult]], object] = lambda _: None,
    new: bool = False,
) -> None:
    """Run tasks in the best order; report each result as soon as it is stored.

    Results in the ledger come first and cost nothing. After a fault of the connection or the server a request is
    repeated once at the end, and then once on each other host; a refused request is not. Hosts that were set aside are
    asked again now and then while others work, and take part again if they are the same.

    Args:
        hosts: The hosts, also those that were dropped before.
        ledger: The ledger of stored generations.
        tasks: The tasks in any order; the hosts of their places are filled in here.
        study: Name of the study, for the record of failures.
        on_result: Called in this thread for every task exactly once.
        on_drop: Called in this thread when a host is dropped, with the reason.
        on_back: Called in this thread when a host is taken back.
        on_kept: Called once with all results that the ledger has, before `on_result` gets each of them.
        new: Whether the ledger is known to have none of the tasks, so that it is not asked.

    Raises:
        RunStoppedError: When no host is left: each had `MAX_CONSECUTIVE_FAILURES` faults in a row, or lost the model.
        LedgerError: If an answer cannot be stored.
    """
    kept, waiting = ([], tasks) if new else _take_kept(hosts, ledger, tasks, study)
    on_kept(kept)
    for result in kept:
        on_result(result)
    if not waiting:
        return
    living = [host for host in hosts if not host.dropped]
    absent = [host for host in hosts if host.dropped and host.capture is not None]
    board = Board([*living, *absent], _share_out(hosts, living, waiting))
    emit: SimpleQueue[object] = SimpleQueue()
    workers = [
        _Worker(host, lane, board, ledger, study, emit) for host in board.hosts for lane in host.lanes_for(waiting)
    ]

    def handle(event: object) -> None:
        if isinstance(event, TaskResult):
            on_result(event)
        elif isinstance(event, _Dropped):
            on_drop(event.host, event.why)
        elif isinstance(event, _Back):
            on_back(event.host)
        elif isinstance(event, BaseException):
            raise event

    if len(workers) == 1:
        workers[0].now = handle
        workers[0].work()
    else:
        _in_threads(workers, board, emit, handle)
    if board.left:
        reasons = "\n".join(f"{host.label}: {host.dropped}" for host in hosts) if len(hosts) > 1 else hosts[0].dropped
        raise RunStoppedError(f"{reasons}\n{KEPT}")


def _take_kept(
    hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task], study: str
) -> tuple[list[TaskResult], list[Task]]:
    """Return the results that the ledger has, and the other tasks.

    An observation of the study counts for its place whichever host made it. That host may be silent now, or may have
    taken over the work of a dropped one. Generations of other studies are found by their keys, and so are those of a
    run that was killed before it recorded them.
    """
    own = observed(hosts, ledger, tasks, study)
    eligible = {task: _eligible(hosts, task) for task in tasks if task not in own}
    keys = _keys(hosts, eligible)
    kept = ledger.generations.find(keys.values())
    results, waiting = [], []
    for task in tasks:
        if (seen := own.get(task)) is not None:
            made_by = next((host for host in hosts if host.known and host.digest == seen.place.host), None)
            if made_by is not None and seen.entry is not None:
                made_by.note_room(task)
            there = replace(task, place=seen.place)
            results.append(TaskResult(there, seen.entry, kept=True, unscored=seen.error, observed=True))
            continue
        found = next((i for i in eligible[task] if keys[i, task].sha256 in kept), None)
        if found is None:
            waiting.append(task)
        else:
            hosts[found].note_room(task)
            results.append(TaskResult(_placed(task, hosts[found]), kept[keys[found, task].sha256], kept=True))
    return results, waiting


def generated(hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task]) -> set[Task]:
    """Return those of some tasks that the ledger has a generation for, from one of the hosts in any study."""
    keys = _keys(hosts, {task: _eligible(hosts, task) for task in tasks})
    there = ledger.generations.having(keys.values())
    return {task for (_, task), key in keys.items() if key.sha256 in there}


def _keys(hosts: Sequence[Host], eligible: Mapping[Task, Sequence[int]]) -> dict[tuple[int, Task], Key]:
    """Return the ledger's keys of tasks on the hosts that may have run them, by index of the host and task."""
    return {(i, task): hosts[i].key(task) for task, indices in eligible.items() for i in indices}


def observed(hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task], study: str) -> dict[Task, Observed]:
    """Return the study's observations of its tasks; of two from different hosts, the task's own host counts."""
    found: dict[tuple[object, ...], list[Observed]] = {}
    stages, trials = ({getattr(task.place, name) for task in tasks} for name in ("stage", "trial"))
    for seen in ledger.observations.answered(study, stages, trials):
        found.setdefault((seen.configuration, *seen.place.on_any_host), []).append(seen)
    own: dict[Task, Observed] = {}
    for task in tasks:
        if made := found.get((task.configuration.key, *task.place.on_any_host)):
            digest = hosts[task.host].digest if task.host is not None and hosts[task.host].known else ""
            own[task] = next((seen for seen in made if seen.place.host == digest), made[0])
    return own


def _eligible(hosts: Sequence[Host], task: Task) -> Sequence[int]:
    """Return the hosts that may have run a task, its own first; a dropped host's work went elsewhere."""
    own = [] if task.host is None else [task.host]
    free = task.host is None or any(host.dropped for host in hosts)
    known = [i for i in range(len(hosts)) if hosts[i].known]
    return [*(i for i in own if i in known), *(i for i in known if free and i not in own)]


def _placed(task: Task, host: Host) -> Task:
    return replace(task, place=replace(task.place, host=host.digest))


def _share_out(hosts: Sequence[Host], living: Sequence[Host], tasks: Sequence[Task]) -> dict[int, list[Task]]:
    """Return tasks by index of the living host; free tasks are shared equally, in runs of the best order."""
    shares: dict[int, list[Task]] = {i: [] for i in range(len(living))}
    free = []
    for task in tasks:
        own = None if task.host is None else hosts[task.host]
        if own is not None and own in living:
            shares[living.index(own)].append(task)
        else:
            free.append(task)
    ordered = order(free, living[0].engine.reload_options, living[0].warm) if free else []
    for i in range(len(living)):
        shares[i] += ordered[len(ordered) * i // len(living) : len(ordered) * (i + 1) // len(living)]
    return {i: order(share, living[i].engine.reload_options, living[i].warm) for i, share in shares.items()}


@dataclass(frozen=True)
class _Dropped:
    host: Host
    why: str


@dataclass(frozen=True)
class _Back:
    host: Host


@dataclass
class _Worker:
    """The worker of one lane of a host."""

    host: Host
    lane: Lane
    board: Board
    ledger: Ledger
    study: str
    emit: SimpleQueue[object]
    now: Callable[[object], None] | None = None

    def work(self) -> None:
        """Run jobs until none is left for this host. Defects and ledger failures are raised."""
        while not self.host.dropped or self._comes_back():
            if (job := self.board.take(self.host, self.lane)) is None:
                return
            try:
                self._do(job)
            finally:
                self.board.done()

    def _comes_back(self) -> bool:
        """Ask a host that was set aside again, with growing waits, until it is back; False when nothing is left."""
        while self.host.capture is not None and self.board.waits(self.host):
            try:
                if self.host.ask_back():
                    self.board.join(self.host)
                    self._emit(_Back(self.host))
                    return True
            except HostChangedError:
                self._emit(_Dropped(self.host, self.host.dropped))
        return False

    def _emit(self, event: object) -> None:
        if self.now is not None:
            self.now(event)
        else:
            self.emit.put(event)

    def _do(self, job: Job) -> None:
        """Run one job, which may drop the host."""
        task = _placed(job.task, self.host)
        if (why := self.host.no_memory_for.get(self.host.load(task))) is not None:
            self._emit(TaskResult(task, None, why, no_memory=True))
            return
        try:
            entry = self._generate(task)
        except RunStoppedError:
            raise
        except EngineError as error:
            if not self.board.stopped:
                self._failed(job, task, error)
        else:
            self._emit(TaskResult(task, entry))

    def _generate(self, task: Task) -> Entry:
        """Generate; where memory is short, once more, since another model may have just left it."""
        try:
            return self.host.generate(self.ledger, task, self.lane)
        except OutOfMemory:
            if self.host.has_room(task):
                raise
        return self.host.generate(self.ledger, task, self.lane)

    def _no_room(self, job: Job, task: Task, error: OutOfMemory) -> None:
        """Leave a configuration out that the host has no memory for; without memory for the baseline, drop the host."""
        if task.place.trial < 0:
            self._drop(job, no_memory(task.configuration, str(error)), for_good=True)
            return
        why = f"{type(error).__name__}: {error}"
        self.host.no_memory_for[self.host.load(task)] = why
        self._emit(TaskResult(task, None, why, no_memory=True))

    def _failed(self, job: Job, task: Task, error: EngineError) -> None:
        kind = type(error).__name__
        self.ledger.generations.add_failure(self.host.key(task), study=self.study, kind=kind, message=str(error))
        if isinstance(error, _LASTING):
            self._drop(job, str(error), wait=getattr(error, "retry_after", None))
        elif isinstance(error, OutOfMemory) and task.place.stage != "confirm" and not self.host.has_room(task):
            self._no_room(job, task, error)
        elif isinstance(error, _FAULTS):
            self._repeat(job, task, error)
        else:
            self._emit(TaskResult(task, None, f"{kind}: {error}"))

    def _repeat(self, job: Job, task: Task, error: EngineError) -> None:
        """Put a job back after a fault, or give it to another host; drop a host that fails too often."""
        self.host.in_a_row += 1
        if self.host.in_a_row >= MAX_CONSECUTIVE_FAILURES:
            self._drop(job, f"{self.host.in_a_row} requests in a row failed; the last one: {error}")
        elif not job.second:
            self.board.again(self.host, job)
        elif self._is_gone(task):
            self._drop(job, str(error))
        elif not self.board.pass_on(self.host, job):
            self._emit(TaskResult(task, None, f"{type(error).__name__}: {error}"))

    def _is_gone(self, task: Task) -> bool:
        """Whether the engine answers no request at all, rather than not this one."""
        try:
            self.host.engine.revision(task.configuration.model)
        except EngineError:
            return True
        return False

    def _drop(self, job: Job, why: str, *, wait: float | None = None, for_good: bool = False) -> None:
        self.host.drop(why, wait=wait, for_good=for_good)
        self.board.abandon(self.host, job)
        self._emit(_Dropped(self.host, why))


def _in_threads(
    workers: Sequence[_Worker],
    board: Board,
    emit: SimpleQueue[object],
    handle: Callable[[object], None],
) -> None:
    """Run the workers at the same time; handle their results in the calling thread."""
    finished = object()

    def work(worker: _Worker) -> None:
        try:
            worker.work()
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread, after all workers
            emit.put(error)
        finally:
            emit.put(finished)

    threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            event = emit.get()
            if event is finished:
                running -= 1
            else:
                handle(event)
    finally:
        board.stop()
        if running:
            for host in board.hosts:
                host.interrupt()
        for thread in threads:
            thread.join(timeout=2.0)
