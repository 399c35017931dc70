"""Tasks on one host or several: from the ledger where it has them, else each host works off its own queue.

A host that falls idle takes over tasks that need no particular host; one that fails for good is set aside, and its work
goes on elsewhere. With one host everything runs in the calling thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

from sweeps.engines.base import (
    EngineError,
    EngineFailure,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
)
from sweeps.hosts.host import MAX_CONSECUTIVE_FAILURES, Host, RunStoppedError
from sweeps.hosts.order import order
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Observed

KEPT = "Everything generated so far is kept: mend it and run the same command again to go on from here."

_FAULTS = (EngineUnreachable, EngineTimeout, EngineProtocolError, EngineFailure)
"""Failures of the connection or the server: tried once more at the end, and never a score."""


def run_tasks(
    hosts: Sequence[Host],
    ledger: Ledger,
    tasks: Sequence[Task],
    *,
    study: str,
    on_result: Callable[[TaskResult], None],
    on_drop: Callable[[Host, str], object] = lambda *_: None,
) -> None:
    """Run tasks in the best order; each result is handed on as soon as it is kept.

    What the ledger has comes first and costs nothing. A request that fails by a fault of the connection or the server
    is tried once more at the end; one that is refused is not.

    Args:
        hosts: Where to run. Hosts that dropped out before are left alone.
        ledger: What is kept.
        tasks: The tasks, in any order; their places' hosts are filled in here.
        study: Name of the study, for the record of failures.
        on_result: Called in this thread for every task exactly once.
        on_drop: Called in this thread when a host is set aside, with the reason.

    Raises:
        RunStoppedError: When no host is left: each had `MAX_CONSECUTIVE_FAILURES` faults in a row, or lost the model.
        LedgerError: If an answer cannot be kept.
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
    """Hand on what the ledger has; return the rest.

    An observation that the study has counts for its place whichever host made it: that may be one that does not answer
    now, or one that took the work over while the task's own was set aside. Another study's generations, and those of a
    run that was killed before it noted them, are found by their keys.
    """
    own = _observed(hosts, ledger, tasks, study)
    eligible = {task: _eligible(hosts, task) for task in tasks if task not in own}
    keys = {(i, task): hosts[i].key(task) for task, indices in eligible.items() for i in indices}
    kept = ledger.generations.find(keys.values())
    waiting = []
    for task in tasks:
        if (seen := own.get(task)) is not None:
            on_result(TaskResult(replace(task, place=seen.place), seen.entry, kept=True, unscored=seen.error))
            continue
        found = next((i for i in eligible[task] if keys[i, task].sha256 in kept), None)
        if found is None:
            waiting.append(task)
        else:
            on_result(TaskResult(_placed(task, hosts[found]), kept[keys[found, task].sha256], kept=True))
    return waiting


def _observed(hosts: Sequence[Host], ledger: Ledger, tasks: Sequence[Task], study: str) -> dict[Task, Observed]:
    """What the study has of its tasks; where two hosts made the same (earlier versions did), the task's own counts."""
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
    """Hosts that a task may have run on, its own first; with one set aside, its work went elsewhere."""
    own = [] if task.host is None else [task.host]
    free = task.host is None or any(host.dropped for host in hosts)
    known = [i for i in range(len(hosts)) if hosts[i].known]
    return [*(i for i in own if i in known), *(i for i in known if free and i not in own)]


def _placed(task: Task, host: Host) -> Task:
    return replace(task, place=replace(task.place, host=host.digest))


def _share_out(hosts: Sequence[Host], living: Sequence[Host], tasks: Sequence[Task]) -> dict[int, list[Task]]:
    """Tasks by index of the living host, equal shares of what is free, each share a run of the best order."""
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
    """The queues of all hosts, and who may take what."""

    def __init__(self, hosts: Sequence[Host], shares: dict[int, list[Task]]) -> None:
        self.hosts = list(hosts)
        self._queues = [deque(_Job(task) for task in shares[i]) for i in range(len(hosts))]
        self._orphans: deque[_Job] = deque()
        self._busy = 0
        self._stopped = False
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """Jobs that nobody has taken."""
        return sum(map(len, self._queues)) + len(self._orphans)

    def take(self, host: Host) -> _Job | None:
        """The next job for a host; waits while others may still leave theirs; None when all is done."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            while not self._stopped:
                job = own.popleft() if own else self._orphans.popleft() if self._orphans else self._steal()
                if job is not None:
                    self._busy += 1
                    return job
                if not self._busy and not self.left:  # a host between two of its jobs may still leave its others
                    return None
                self._changed.wait(timeout=0.5)
        return None

    def _steal(self) -> _Job | None:
        """The last job of the longest other queue, if it may run anywhere: the one its host would reach last."""
        for queue in sorted(self._queues, key=len, reverse=True):
            if len(queue) > 1 and queue[-1].task.host is None:
                return queue.pop()
        return None

    def done(self) -> None:
        """A job was finished."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def again(self, host: Host, job: _Job) -> None:
        """A job is to be tried once more, after everything else of its host."""
        with self._changed:
            self._queues[self.hosts.index(host)].append(replace(job, second=True))

    def abandon(self, host: Host, job: _Job) -> None:
        """A host drops out: its job and its queue go to the others."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            self._orphans.extend([job, *own])
            own.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody takes anything any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


@dataclass
class _Worker:
    """Works off jobs on one host."""

    host: Host
    board: _Board
    ledger: Ledger
    study: str
    emit: SimpleQueue[object]
    now: Callable[[object], None] | None = None
    _in_a_row: int = field(default=0)

    def work(self) -> None:
        """Until nothing is left for this host, or it drops out. Defects and ledger failures are raised."""
        while (job := self.board.take(self.host)) is not None:
            try:
                going_on = self._do(job)
            finally:
                self.board.done()
            if not going_on:
                return

    def _tell(self, event: object) -> None:
        if self.now is not None:
            self.now(event)
        else:
            self.emit.put(event)

    def _do(self, job: _Job) -> bool:
        """One job; False if the host drops out."""
        task = _placed(job.task, self.host)
        try:
            entry = self.host.generate(self.ledger, task)
        except RunStoppedError:
            raise
        except EngineError as error:
            return self._failed(job, task, error)
        self._in_a_row = 0
        self._tell(TaskResult(task, entry))
        return True

    def _failed(self, job: _Job, task: Task, error: EngineError) -> bool:
        kind = type(error).__name__
        self.ledger.generations.add_failure(self.host.key(task), study=self.study, kind=kind, message=str(error))
        if isinstance(error, ModelMissing):
            return self._drop(job, str(error))
        if not isinstance(error, _FAULTS):
            self._tell(TaskResult(task, None, f"{kind}: {error}"))
            return True
        self._in_a_row += 1
        if self._in_a_row >= MAX_CONSECUTIVE_FAILURES:
            return self._drop(job, f"{self._in_a_row} requests in a row failed; the last one: {error}")
        if job.second and self._is_gone(task):
            return self._drop(job, str(error))
        if job.second:
            self._tell(TaskResult(task, None, f"{kind}: {error}"))
        else:
            self.board.again(self.host, job)
        return True

    def _is_gone(self, task: Task) -> bool:
        """Whether the engine answers nothing any more, as opposed to not this one request."""
        try:
            self.host.engine.revision(task.configuration.model)
        except EngineError:
            return True
        return False

    def _drop(self, job: _Job, why: str) -> bool:
        self.host.dropped = why
        self.board.abandon(self.host, job)
        self._tell(_Dropped(self.host, why))
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
    """Run the workers at the same time; results are handled here, in the calling thread."""
    finished = object()

    def work(worker: _Worker) -> None:
        try:
            worker.work()
        except BaseException as error:  # noqa: BLE001 - raised where results are handled, which waits for all workers
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
