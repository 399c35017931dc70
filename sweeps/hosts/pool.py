"""A pool of hosts for tasks that the ledger does not have yet; each host has its own queue.

An idle host takes over tasks of others that need no particular host. After a final failure a host is dropped, and the
others do its work. With one host everything runs in the calling thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from sweeps.hosts.host import MAX_CONSECUTIVE_FAILURES, Host, RunStoppedError
from sweeps.hosts.memory import no_memory
from sweeps.hosts.order import order
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Observed

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
) -> None:
    """Run tasks in the best order; report each result as soon as it is stored.

    Results in the ledger come first and cost nothing. After a fault of the connection or the server a request is
    repeated once at the end; a refused request is not.

    Args:
        hosts: The hosts. Those dropped before are not used.
        ledger: The ledger of stored generations.
        tasks: The tasks in any order; the hosts of their places are filled in here.
        study: Name of the study, for the record of failures.
        on_result: Called in this thread for every task exactly once.
        on_drop: Called in this thread when a host is dropped, with the reason.

    Raises:
        RunStoppedError: When no host is left: each had `MAX_CONSECUTIVE_FAILURES` faults in a row, or lost the model.
        LedgerError: If an answer cannot be stored.
    """
    waiting = _take_kept(hosts, ledger, tasks, study, on_result)
    if not waiting:
        return
    living = [host for host in hosts if not host.dropped]
    board = _Board(living, _share_out(hosts, living, waiting))
    emit: SimpleQueue[object] = SimpleQueue()
    workers = [_Worker(host, board, ledger, study, emit) for host in living]
    if len(workers) == 1:
        workers[0].now = lambda event: _handle(event, on_result, on_drop)
        workers[0].work()
    else:
        _in_threads(workers, board, emit, on_result, on_drop)
    if board.left:
        reasons = "\n".join(f"{host.name}: {host.dropped}" for host in hosts) if len(hosts) > 1 else hosts[0].dropped
        raise RunStoppedError(f"{reasons}\n{KEPT}")


def _take_kept(
    hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task], study: str, on_result: Callable[[TaskResult], None]
) -> list[Task]:
    """Report the results that the ledger has; return the other tasks.

    An observation of the study counts for its place whichever host made it. That host may be silent now, or may have
    taken over the work of a dropped one. Generations of other studies are found by their keys, and so are those of a
    run that was killed before it recorded them.
    """
    own = _observed(hosts, ledger, tasks, study)
    eligible = {task: _eligible(hosts, task) for task in tasks if task not in own}
    keys = {(i, task): hosts[i].key(task) for task, indices in eligible.items() for i in indices}
    kept = ledger.generations.find(keys.values())
    waiting = []
    for task in tasks:
        if (seen := own.get(task)) is not None:
            made_by = next((host for host in hosts if host.known and host.digest == seen.place.host), None)
            if made_by is not None and seen.entry is not None:
                made_by.note_room(task)
            on_result(TaskResult(replace(task, place=seen.place), seen.entry, kept=True, unscored=seen.error))
            continue
        found = next((i for i in eligible[task] if keys[i, task].sha256 in kept), None)
        if found is None:
            waiting.append(task)
        else:
            hosts[found].note_room(task)
            on_result(TaskResult(_placed(task, hosts[found]), kept[keys[found, task].sha256], kept=True))
    return waiting


def _observed(hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task], study: str) -> dict[Task, Observed]:
    """Return the study's observations of its tasks; of two from different hosts, the task's own host counts."""
    found: dict[tuple[object, ...], list[Observed]] = {}
    stages, trials = ({getattr(task.place, name) for task in tasks} for name in ("stage", "trial"))
    for seen in ledger.observations.answered(study, stages, trials):
        found.setdefault((seen.configuration, replace(seen.place, host="")), []).append(seen)
    own: dict[Task, Observed] = {}
    for task in tasks:
        if made := found.get((task.configuration.key, replace(task.place, host=""))):
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
class _Job:
    task: Task
    second: bool = False


@dataclass(frozen=True)
class _Dropped:
    host: Host
    why: str


class _Board:
    """The queues of all hosts, and the rules for taking jobs from them."""

    def __init__(self, hosts: Sequence[Host], shares: dict[int, list[Task]]) -> None:
        self.hosts = list(hosts)
        self._queues = [deque(_Job(task) for task in shares[i]) for i in range(len(hosts))]
        self._orphans: deque[_Job] = deque()
        self._busy = 0
        self._stopped = False
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """Number of jobs that no host has taken."""
        return sum(map(len, self._queues)) + len(self._orphans)

    def take(self, host: Host) -> _Job | None:
        """Return a host's next job; wait while others may still give up theirs; None when all is done."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            while not self._stopped:
                job = own.popleft() if own else self._orphans.popleft() if self._orphans else self._steal()
                if job is not None:
                    self._busy += 1
                    return job
                if not self._busy and not self.left:  # a host between two jobs may still give up the others
                    return None
                self._changed.wait(timeout=0.5)
        return None

    def _steal(self) -> _Job | None:
        """Take the last job of the longest other queue, if any host may run it."""
        for queue in sorted(self._queues, key=len, reverse=True):
            if len(queue) > 1 and queue[-1].task.host is None:
                return queue.pop()
        return None

    def done(self) -> None:
        """Count a job as finished."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def again(self, host: Host, job: _Job) -> None:
        """Put a job back, to be repeated after all other jobs of its host."""
        with self._changed:
            self._queues[self.hosts.index(host)].append(replace(job, second=True))

    def abandon(self, host: Host, job: _Job) -> None:
        """Give the job and the queue of a dropped host to the others."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            self._orphans.extend([job, *own])
            own.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no host take another job."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


@dataclass
class _Worker:
    """The worker of one host."""

    host: Host
    board: _Board
    ledger: Ledger
    study: str
    emit: SimpleQueue[object]
    now: Callable[[object], None] | None = None
    _in_a_row: int = field(default=0)

    def work(self) -> None:
        """Run jobs until none is left for this host, or it is dropped. Defects and ledger failures are raised."""
        while (job := self.board.take(self.host)) is not None:
            try:
                going_on = self._do(job)
            finally:
                self.board.done()
            if not going_on:
                return

    def _emit(self, event: object) -> None:
        if self.now is not None:
            self.now(event)
        else:
            self.emit.put(event)

    def _do(self, job: _Job) -> bool:
        """Run one job; return False if the host is dropped."""
        task = _placed(job.task, self.host)
        if (why := self.host.no_memory_for.get(self.host.load(task))) is not None:
            self._emit(TaskResult(task, None, why, no_memory=True))
            return True
        try:
            entry = self._generate(task)
        except RunStoppedError:
            raise
        except EngineError as error:
            return self._failed(job, task, error)
        self._in_a_row = 0
        self._emit(TaskResult(task, entry))
        return True

    def _generate(self, task: Task) -> Entry:
        """Generate; where memory is short, once more, since another model may have just left it."""
        try:
            return self.host.generate(self.ledger, task)
        except OutOfMemory:
            if self.host.has_room(task):
                raise
        return self.host.generate(self.ledger, task)

    def _no_room(self, job: _Job, task: Task, error: OutOfMemory) -> bool:
        """Leave a configuration out that the host has no memory for; without memory for the baseline, drop the host."""
        if task.place.trial < 0:
            return self._drop(job, no_memory(task.configuration, str(error)))
        why = f"{type(error).__name__}: {error}"
        self.host.no_memory_for[self.host.load(task)] = why
        self._emit(TaskResult(task, None, why, no_memory=True))
        return True

    def _failed(self, job: _Job, task: Task, error: EngineError) -> bool:
        kind = type(error).__name__
        self.ledger.generations.add_failure(self.host.key(task), study=self.study, kind=kind, message=str(error))
        if isinstance(error, _LASTING):
            return self._drop(job, str(error))
        if isinstance(error, OutOfMemory) and task.place.stage != "confirm" and not self.host.has_room(task):
            return self._no_room(job, task, error)
        if not isinstance(error, _FAULTS):
            self._emit(TaskResult(task, None, f"{kind}: {error}"))
            return True
        self._in_a_row += 1
        if self._in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return self._drop(job, f"{self._in_a_row} requests in a row failed; the last one: {error}")
        if job.second and self._is_gone(task):
            return self._drop(job, str(error))
        if job.second:
            self._emit(TaskResult(task, None, f"{kind}: {error}"))
        else:
            self.board.again(self.host, job)
        return True

    def _is_gone(self, task: Task) -> bool:
        """Whether the engine answers no request at all, rather than not this one."""
        try:
            self.host.engine.revision(task.configuration.model)
        except EngineError:
            return True
        return False

    def _drop(self, job: _Job, why: str) -> bool:
        self.host.dropped = why
        self.board.abandon(self.host, job)
        self._emit(_Dropped(self.host, why))
        return False


def _handle(event: object, on_result: Callable[[TaskResult], None], on_drop: Callable[[Host, str], object]) -> None:
    if isinstance(event, TaskResult):
        on_result(event)
    elif isinstance(event, _Dropped):
        on_drop(event.host, event.why)
    elif isinstance(event, BaseException):
        raise event


def _in_threads(
    workers: Sequence[_Worker],
    board: _Board,
    emit: SimpleQueue[object],
    on_result: Callable[[TaskResult], None],
    on_drop: Callable[[Host, str], object],
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
                _handle(event, on_result, on_drop)
    finally:
        board.stop()
        for thread in threads:
            thread.join(timeout=2.0)
