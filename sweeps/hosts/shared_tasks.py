"""Tasks that several coordinators share: each generates what it can claim, and takes the rest from the ledger."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeps.hosts.host import Host
from sweeps.hosts.order import order
from sweeps.hosts.pool import observed
from sweeps.hosts.task import Task, TaskResult
from sweeps.ledger.claims import Claims
from sweeps.ledger.ledger import Ledger
from sweeps.workspace.study_lock import LEASE

_MOST = 64
"""Most tasks of a host in one claim: more would wait for one coordinator at the end of a batch."""

_PAUSES = (0.01, 0.25)
"""Seconds between two looks at the tasks of others: the first and the longest."""

_LONGER = 1.4
"""The next pause, as a multiple of the last one: a batch goes on soon after its last answer, whatever that took."""

_SHARE_AGAIN = 2.0
"""Seconds of waiting after which the tasks are offered again, in case another coordinator had others."""


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
        run_here: Callable[[Sequence[Task]], object],
        take: Callable[[Sequence[TaskResult]], object],
        check: Callable[[], object],
    ) -> None:
        """Run tasks together with the other coordinators, until each has its observation and score in the ledger.

        Args:
            tasks: The tasks, the same ones in every coordinator.
            run_here: Generates, keeps and scores some of them on the hosts of this coordinator.
            take: Takes results of others.
            check: Called now and then while this coordinator waits; what it raises ends the waiting.

        A task that another coordinator has done without a result is offered again after a lease, to any host.
        """
        own = [host.digest for host in self.hosts if host.fingerprints and not host.dropped]
        self.claims.coordinator.offer(own)
        ordered = order(tasks, self.hosts[0].engine.reload_options)  # the same one in every coordinator
        left = {_digest(task): replace(task, host=None) for task in ordered}
        batch = hashlib.sha256("".join(left).encode()).hexdigest()
        positions = {digest: number for number, digest in enumerate(left)}
        offered, pause, times = 0.0, _PAUSES[0], 0
        since: dict[str, float] = {}
        while left:
            if time.monotonic() > offered + _SHARE_AGAIN:
                self.claims.share(batch, list(positions), self._deal(tasks))
                offered = time.monotonic()
                check()
            start, count = self._part(len(positions), times)
            claimed = self.claims.claim(batch, count, start=start)
            mine = {digest: self._here(left[digest], host) for digest, host in claimed.items() if digest in left}
            if mine:
                run_here([mine[digest] for digest in positions if digest in mine])
                self.claims.finish(list(mine))
                left = {digest: task for digest, task in left.items() if digest not in mine}
                pause, offered, times = _PAUSES[0], time.monotonic(), times + 1
                continue
            others = self.claims.done(batch) & set(left)  # nothing is left to claim
            taken = self._take({digest: left[digest] for digest in positions if digest in others}, take)
            left = {digest: task for digest, task in left.items() if digest not in taken}
            if others - taken:
                check()
                self._offer_again(others - taken, since)
            if left and not taken:
                time.sleep(pause)
                pause = min(_LONGER * pause, _PAUSES[1])

    def _part(self, tasks: int, times: int) -> tuple[int, int]:
        """Where this coordinator begins in a batch, and how many tasks it claims.

        Each begins at its own part, so that its requests go on from prompt to prompt. All together claim half of what
        is left each time, so that they end at the same moment.

        Args:
            tasks: Number of tasks of the batch.
            times: Number of its claims so far.
        """
        alive = list(self.claims.coordinator.alive())
        rank = alive.index(self.claims.coordinator.id)
        hosts = max(1, sum(not host.dropped for host in self.hosts))
        count = tasks if len(alive) == 1 else math.ceil(tasks / (2 ** min(times + 1, 30) * len(alive)))
        return tasks * rank // len(alive), min(_MOST * hosts, max(hosts, count))

    def _deal(self, tasks: Iterable[Task]) -> dict[str, str]:
        """Deal the seeds of floor and confirmation to the hosts in turn, so that a seed never stands on two.

        Equal hosts, whose fingerprints have one digest, count as one.
        """
        found = sorted({digest for hosts in self.claims.coordinator.alive().values() for digest in hosts})
        deal = {}
        for task in tasks:
            most = self.dealt.get(task.place.stage, 0)
            if most:
                among = found[:most]
                deal[_digest(task)] = among[task.place.seed % len(among)]
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
        failed = {
            place.on_any_host: (place, error)
            for place, error in self.ledger.observations.failed(self.study, stages, trials)
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
