"""The jobs of a pool: a queue per host, and the rules for taking, passing on and taking over."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sweeps.hosts.host import Host, Lane
from sweeps.hosts.order import Warmth, warmth
from sweeps.hosts.task import Task

_MOMENT = 5.0
"""Seconds within which a host that was set aside is not asked again, even if it is the last one."""


@dataclass(frozen=True)
class Job:
    """A task, and how often it failed.

    Attributes:
        task: The task.
        second: Whether it failed on its present host, or on others.
        failed_on: Indices of the hosts on which it failed twice.
    """

    task: Task
    second: bool = False
    failed_on: tuple[int, ...] = ()


class Board:
    """The queues of all hosts, and the rules for taking jobs from them.

    Args:
        hosts: The hosts. Those that are dropped have no jobs, and may join later.
        shares: The tasks of each host, by its index.

    Attributes:
        stopped: Whether no job is to be taken any more.
    """

    def __init__(self, hosts: Sequence[Host], shares: dict[int, list[Task]]) -> None:
        self.hosts = list(hosts)
        self._queues = [deque(Job(task) for task in shares.get(i, ())) for i in range(len(hosts))]
        self._orphans: deque[Job] = deque()
        self._working = {i for i, host in enumerate(hosts) if not host.dropped}
        self._busy = 0
        self._needs: dict[Lane, Warmth] = {}
        self.stopped = False
        self._changed = threading.Condition()

    @property
    def left(self) -> int:
        """Number of jobs that no host has taken."""
        return sum(map(len, self._queues)) + len(self._orphans)

    def waits(self, host: Host) -> bool:
        """Wait until a host that was set aside is to be asked again; False when nothing is left for it.

        Where no other host works any more, it is asked at once, unless it was asked a moment ago.
        """
        with self._changed:
            while not self.stopped and (self._busy or self.left):
                if time.monotonic() >= host.ask_at:
                    return True
                if not self._working and not self._busy:
                    return host.dropped_for > _MOMENT
                self._changed.wait(timeout=max(0.01, min(0.5, host.ask_at - time.monotonic())))
        return False

    def join(self, host: Host) -> None:
        """Count a host as working again."""
        with self._changed:
            self._working.add(self.hosts.index(host))

    def pass_on(self, host: Host, job: Job) -> bool:
        """Give a job that failed twice on a host to another one that has not tried it; False if there is none."""
        with self._changed:
            tried = (*job.failed_on, self.hosts.index(host))
            others = self._working - set(tried)
            if others:
                self._queues[min(others)].append(replace(job, second=True, failed_on=tried))
                self._changed.notify_all()
            return bool(others)

    def take(self, host: Host, lane: Lane) -> Job | None:
        """Return a host's next job; wait while others may still give up theirs; None when all is done."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            while not self.stopped:
                given_up = self._orphans.popleft if self._orphans else self._steal
                job = self._next(own, host, lane) if own else given_up()
                if job is not None:
                    self._busy += 1
                    self._needs[lane] = warmth(job.task, host.engine.reload_options)
                    return job
                if not self._busy and not self.left:  # a host between two jobs may still give up the others
                    return None
                self._changed.wait(timeout=0.5)
        return None

    def _next(self, own: deque[Job], host: Host, lane: Lane) -> Job:
        """Take a host's next job: the first one whose prompt is warm on the lane, or is not in use on another lane."""
        if host.at_once > 1:
            others = {need for each, need in self._needs.items() if each is not lane}
            needs = [warmth(job.task, host.engine.reload_options) for job in own]
            fits = [i for i, need in enumerate(needs) if need == lane.warm]
            fits += [i for i, need in enumerate(needs) if need not in others]
            if fits:
                job = own[fits[0]]
                del own[fits[0]]
                return job
        return own.popleft()

    def _steal(self) -> Job | None:
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

    def again(self, host: Host, job: Job) -> None:
        """Put a job back, to be repeated after all other jobs of its host."""
        with self._changed:
            self._queues[self.hosts.index(host)].append(replace(job, second=True))

    def abandon(self, host: Host, job: Job) -> None:
        """Give the job and the queue of a dropped host to the others."""
        own = self._queues[self.hosts.index(host)]
        with self._changed:
            self._working.discard(self.hosts.index(host))
            self._orphans.extend([job, *own])
            own.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Let no host take another job."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()
