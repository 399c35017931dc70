"""Tasks that several coordinators share: each generates what it can claim, and takes the rest from the ledger."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from sweeps.hosts.host import Host
from sweeps.hosts.order import order
from sweeps.hosts.pool import generated, observed
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.claims import Claims
from sweeps.ledger.coordinators import BEAT
from sweeps.ledger.ledger import Ledger
from sweeps.workspace.study_lock import LEASE

_MOST = 64
"""Most tasks of a host in one claim: more would wait for one coordinator at the end of a batch."""

_PAUSE = 0.25
"""Longest wait for others, in seconds: then this coordinator looks again what is done, and what a lost one has left."""

_FINISH_AGAIN = 1.0
"""Seconds after which the others get to know which tasks are done here, while there are more to claim. They need them
at the batch's end only; a task in hand has its text in the ledger, whatever happens to this coordinator."""

_TAKE_AGAIN = 1.0
"""Seconds after which the results of others are taken before the whole batch is done, for the progress."""

_SHARE_AGAIN = 2.0
"""Seconds of waiting after which the tasks are offered again, in case another coordinator had others."""


class RunHere(Protocol):
    """Generates and scores tasks on the hosts of this coordinator."""

    def __call__(self, tasks: Sequence[Task], *, new: bool) -> object:
        """Run the tasks; with `new` the ledger is known to have none of them."""


@dataclass
class _Batch:
    """A batch of shared tasks, as one coordinator sees it.

    Attributes:
        name: Its name, the same in every coordinator.
        positions: The place of each task in the order of requests.
        left: The tasks without a result here.
        generated: The tasks that the ledger had a generation for at the start.
        claims: Number of claims that got tasks.
        in_hand: The tasks that were run here, and that the others do not know as done.
        finished: When they last got to know some, by the monotonic clock.
        alive: The coordinators with the digests of their hosts.
        seen: When they were seen, by the monotonic clock.
    """

    name: str
    positions: Mapping[str, int]
    left: dict[str, Task]
    generated: Collection[str]
    claims: int = 0
    in_hand: list[str] = field(default_factory=list)
    finished: float = field(default_factory=time.monotonic)
    alive: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seen: float = -math.inf

    def remove(self, digests: Collection[str]) -> None:
        """Remove tasks that have a result."""
        self.left = {digest: task for digest, task in self.left.items() if digest not in digests}


@dataclass(frozen=True)
class SharedTasks:
    """The tasks of a study that other coordinators may run as well.

    Attributes:
        claims: Claims in the ledger.
        ledger: The ledger.
        hosts: The hosts of this coordinator.
        study: The study's name.
        dealt: Most hosts that get seeds of a stage whose seeds are dealt to hosts, by stage.
    """

    claims: Claims
    ledger: Ledger
    hosts: Sequence[Host]
    study: str
    dealt: Mapping[str, int] = field(default_factory=dict)

    def run(
        self,
        tasks: Sequence[Task],
        left: Sequence[Task],
        run_here: RunHere,
        keep: Callable[[], object],
        take: Callable[[Sequence[TaskResult]], object],
        check: Callable[[], object],
    ) -> None:
        """Run tasks together with the other coordinators, until each has its observation and score in the ledger.

        Args:
            tasks: The tasks of the batch, the same ones in every coordinator.
            left: Those of them that had no score when this coordinator came to the batch, which others may have begun.
            run_here: Generates and scores some of them on the hosts of this coordinator.
            keep: Writes their observations and scores to the ledger.
            take: Takes results of others.
            check: Called now and then while this coordinator waits; what it raises ends the waiting.

        A task that another coordinator has done without a result is offered again after a lease, to any host.
        """
        own = [host.digest for host in self.hosts if host.fingerprints and not host.dropped]
        self.claims.coordinator.offer(own)
        if not left:
            return
        batch = self._batch(tasks, left)
        offered, took, idle_until = 0.0, time.monotonic(), 0.0
        since: dict[str, float] = {}
        with ExitStack() as stack:
            wait: Callable[[float], object] | None = None
            while batch.left:
                if time.monotonic() > offered + _SHARE_AGAIN:
                    places = {task: batch.positions[task] for task in batch.left}
                    self.claims.share(batch.name, places, self._deal(batch))
                    offered = time.monotonic()
                    check()
                if time.monotonic() >= idle_until:
                    if self._run_some(batch, run_here, keep):
                        offered = time.monotonic()
                        continue
                    idle_until = time.monotonic() + _PAUSE
                others = self.claims.done(batch.name) & set(batch.left)
                taken: set[str] = set()
                if others and (len(others) == len(batch.left) or time.monotonic() > took + _TAKE_AGAIN):
                    taken = self._take({task: batch.left[task] for task in batch.positions if task in others}, take)
                    took = time.monotonic()
                    batch.remove(taken)
                    if others - taken:
                        check()
                        self._offer_again(others - taken, since)
                if batch.left and not taken:
                    if wait is None:
                        wait = stack.enter_context(self.claims.others())
                    else:
                        wait(_PAUSE)
        self._finish(batch, keep)

    def _batch(self, tasks: Sequence[Task], left: Sequence[Task]) -> _Batch:
        ordered = order(tasks, self.hosts[0].engine.reload_options)  # the same one in every coordinator
        digests = {task: _digest(task) for task in ordered}
        name = hashlib.sha256("".join(digests.values()).encode()).hexdigest()
        positions = {digest: number for number, digest in enumerate(digests.values())}
        wanted = set(left)
        open_tasks = {digest: replace(task, host=None) for task, digest in digests.items() if task in wanted}
        there = generated(self.hosts, self.ledger, list(open_tasks.values()))
        return _Batch(name, positions, open_tasks, {digest for digest, task in open_tasks.items() if task in there})

    def _run_some(self, batch: _Batch, run_here: RunHere, keep: Callable[[], object]) -> bool:
        """Run those tasks of a batch that this coordinator can claim now; returns whether there were any."""
        start, count = self._part(batch)
        claimed = self.claims.claim(batch.name, count, start=start, but=batch.in_hand)
        mine = {task: self._here(batch.left[task], claim.host) for task, claim in claimed.items() if task in batch.left}
        if mine:
            new = all(claimed[digest].is_new and digest not in batch.generated for digest in mine)
            run_here([mine[digest] for digest in batch.positions if digest in mine], new=new)
            batch.claims += 1
        batch.in_hand += claimed  # a task of a lost coordinator may have its score already
        batch.remove(mine)
        if not claimed or time.monotonic() > batch.finished + _FINISH_AGAIN:
            self._finish(batch, keep)
        return bool(claimed)

    def _finish(self, batch: _Batch, keep: Callable[[], object]) -> None:
        """Keep the observations of the tasks in hand, and let the others know."""
        if batch.in_hand:
            keep()
            self.claims.finish(batch.in_hand)
            batch.in_hand.clear()
        batch.finished = time.monotonic()

    def _part(self, batch: _Batch) -> tuple[int, int]:
        """Where this coordinator begins in a batch, and how many tasks it claims.

        Each begins at its own part, so that its requests go on from prompt to prompt. All together claim half of what
        is left each time, so that they end at the same moment.
        """
        tasks, alive = len(batch.positions), list(self._alive(batch))
        rank = alive.index(self.claims.coordinator.id)
        hosts = max(1, sum(not host.dropped for host in self.hosts))
        count = tasks if len(alive) == 1 else math.ceil(tasks / (2 ** min(batch.claims + 1, 30) * len(alive)))
        return tasks * rank // len(alive), min(_MOST * hosts, max(hosts, count))

    def _alive(self, batch: _Batch) -> Mapping[str, Sequence[str]]:
        """The coordinators with their hosts, as they were at most a heartbeat ago."""
        if time.monotonic() > batch.seen + BEAT:
            batch.alive, batch.seen = self.claims.coordinator.alive(), time.monotonic()
        return batch.alive

    def _deal(self, batch: _Batch) -> dict[str, str]:
        """Deal the seeds of floor and confirmation to the hosts in turn, so that a seed never stands on two.

        Equal hosts, whose fingerprints have one digest, count as one.
        """
        found = sorted({digest for hosts in self._alive(batch).values() for digest in hosts})
        deal = {}
        for digest, task in batch.left.items():
            most = self.dealt.get(task.place.stage, 0)
            if most:
                among = found[:most]
                deal[digest] = among[task.place.seed % len(among)]
        return deal

    def _here(self, task: Task, host: str | None) -> Task:
        """Return a task with its host here; without one, where the host's coordinators are gone, for any host."""
        working = [i for i, each in enumerate(self.hosts) if each.known and each.digest == host]
        return replace(task, host=working[0] if len(working) == 1 else None)

    def _take(self, tasks: Mapping[str, Task], take: Callable[[Sequence[TaskResult]], object]) -> set[str]:
        """Report the results of other coordinators, failures included.

        Returns:
            The digests of the tasks that have one.
        """
        if not tasks:
            return set()
        answered = observed(self.hosts, self.ledger, list(tasks.values()), self.study)
        stages, trials = ({getattr(task.place, name) for task in tasks.values()} for name in ("stage", "trial"))
        missing = any(task not in answered for task in tasks.values())
        failed = {
            place.on_any_host: (place, error)
            for place, error in (self.ledger.observations.failed(self.study, stages, trials) if missing else ())
        }
        results = {}
        for digest, task in tasks.items():
            if (seen := answered.get(task)) is not None:
                there = replace(task, place=seen.place)
                results[digest] = TaskResult(there, seen.entry, kept=True, unscored=seen.error)
            elif (lost := failed.get(task.place.on_any_host)) is not None:
                results[digest] = TaskResult(replace(task, place=lost[0]), None, lost[1], kept=True)
        take(list(results.values()))
        return set(results)

    def _offer_again(self, lost: Iterable[str], since: dict[str, float]) -> None:
        """Offer tasks again that are done for a lease, and have neither an answer nor a failure.

        Mostly such a task did not fit into the memory of another coordinator's host. That coordinator takes the value
        out of the space at the end of its batch. It may also have died before it did, or the answer is damaged.

        Args:
            lost: The tasks.
            since: When each of them was first seen; updated here.
        """
        now = time.monotonic()
        late = [digest for digest in lost if now >= since.setdefault(digest, now) + LEASE]
        if late:
            self.claims.reopen(late)
            for digest in late:
                del since[digest]


def _digest(task: Task) -> str:
    parts = [*task.place.on_any_host, task.configuration.key]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
