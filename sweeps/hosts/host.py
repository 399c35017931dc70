"""One host: warmed up before its requests, every answer stored as it arrives."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.engines.base import Engine, EngineError, Generation, Prompt, PromptTooLong
from sweeps.engines.companions import companions, requests_at_once
from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.fingerprints.fingerprint import Fingerprint, host_label
from sweeps.hosts.busy_time import BusyTime
from sweeps.hosts.order import Warmth, warmth
from sweeps.hosts.task import Task
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Key

MAX_CONSECUTIVE_FAILURES = 3
"""Failed requests in a row after which a run stops: then the server is gone."""

FIRST_WAIT = 30.0
"""Seconds until a host that was set aside is asked again; doubled each time, up to `LONGEST_WAIT`."""

LONGEST_WAIT = 600.0

RELOAD_SECONDS = 0.25
RELOAD_RATIO = 10.0
"""A request was not warm if its load took at least `RELOAD_SECONDS` and this many times the shortest load."""


_ANY = Prompt("")


class RunStoppedError(EngineError):
    """A final failure of the engine; all generations are kept, and the same command goes on from there."""


class HostChangedError(RunStoppedError):
    """A change of engine or model since the run began.

    Args:
        lines: The changes.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(
            "the host changed during the sweep, so further generations would not be comparable:\n"
            + "\n".join(f"  {line}" for line in lines)
            + "\nEarlier generations are kept. Go back to the old version to finish this study, or give the sweep a new"
            " study.name"
        )


@dataclass(eq=False)
class Lane:
    """One engine of a host, with at most one request at a time.

    Attributes:
        engine: The engine.
        warm: The warm state before its next request; None if it is cold.
        shortest_load: Shortest load that it reported.
    """

    engine: Engine
    warm: Warmth | None = None
    shortest_load: float = math.inf


@dataclass
class Clock:
    """Seconds in which the engine worked, and the number of requests and warm-ups."""

    busy: BusyTime = field(default_factory=BusyTime)
    warmups: int = 0
    requests: int = 0

    @property
    def engine(self) -> float:
        """Seconds with one request or more in the engine."""
        return self.busy.seconds


@dataclass(eq=False)
class Host:
    """One engine with its fingerprint from the start of the run.

    Most engines take one request at a time. One with companions has a lane for each: they share everything else.

    Attributes:
        engine: The engine.
        fingerprints: Fingerprint by model name, the baseline's model first.
        timeout: Seconds for one request.
        clock: Time spent in the engine.
        name: Its name for users: the address, or the name in the configuration.
        dropped: Why it is no longer used; "" while it works.
        remembered: For a host that does not answer, its fingerprints from an earlier run of the study. They find that
            run's generations in the ledger; nothing new is stored under them.
        capture: Takes its fingerprints again; None where that is not possible, and it never comes back.
        in_a_row: Failed requests in a row.
        no_memory_for: Failures for lack of memory, by model and reload options (the prompt left empty).
        most_at_once: Most requests at the same time.
        at_once: Requests at the same time in the latest batch.
    """

    engine: Engine
    fingerprints: dict[str, Fingerprint]
    timeout: float | None = None
    clock: Clock = field(default_factory=Clock)
    name: str = ""
    dropped: str = ""
    remembered: dict[str, Fingerprint] = field(default_factory=dict)
    capture: Callable[[], dict[str, Fingerprint]] | None = None
    in_a_row: int = 0
    no_memory_for: dict[Warmth, str] = field(default_factory=dict)
    most_at_once: int = 64
    at_once: int = 1
    _dropped_at: float = field(default_factory=time.monotonic)
    _ask_wait: float = 0.0
    _fitted: set[Warmth] = field(default_factory=set)
    _lanes: list[Lane] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lanes = [Lane(self.engine)]

    @property
    def known(self) -> dict[str, Fingerprint]:
        """Fingerprint by model name, of this run or else remembered; {} for a host that never answered."""
        return self.fingerprints or self.remembered

    @property
    def label(self) -> str:
        """Its name in messages and tables: the label of its host file, else its name."""
        return host_label(self.known, self.name)

    @property
    def digest(self) -> str:
        """The digest in the observations table: host and engine, with the first model."""
        return next(iter(self.known.values())).digest

    def drop(self, why: str, *, wait: float | None = None, for_good: bool = False) -> None:
        """Set the host aside.

        Args:
            why: The reason.
            wait: Seconds until it may be asked again, as it says itself; None for the usual growing waits.
            for_good: Whether it never comes back in this run.
        """
        self.dropped, self._dropped_at = why, time.monotonic()
        self._ask_wait = max(min(2 * self._ask_wait or FIRST_WAIT, LONGEST_WAIT), wait or 0.0)
        self.cool()
        if for_good:
            self.capture = None

    @property
    def ask_at(self) -> float:
        """When a host that was set aside is to be asked again, by the monotonic clock."""
        return self._dropped_at + (self._ask_wait or FIRST_WAIT)

    @property
    def dropped_for(self) -> float:
        """Seconds since it was set aside, or last asked."""
        return time.monotonic() - self._dropped_at

    def ask_back(self) -> bool:
        """Ask a host that was set aside for its fingerprints, and take it back if they are the same.

        The next failure drops it again. One that never answered before comes in as a new host.

        Raises:
            HostChangedError: If it answers and has changed; it is then out for good.
        """
        assert self.capture is not None
        try:
            found = self.capture()
        except EngineError as error:
            self.drop(str(error), wait=getattr(error, "retry_after", None))
            return False
        if self.known and (lines := fingerprint_changes(self.known, found, self.name)):
            self.drop(f"it answers again, but has changed: {'; '.join(lines)}", for_good=True)
            raise HostChangedError(lines)
        self.fingerprints, self.dropped = found, ""
        self.in_a_row = MAX_CONSECUTIVE_FAILURES - 1
        return True

    def key(self, task: Task) -> Key:
        """Return the ledger's key of a task on this host."""
        fingerprint = self.known[task.configuration.model]
        return Key(
            fingerprint=fingerprint.digest,
            model_digest=fingerprint.model_digest,
            prompt=task.prompt,
            options=task.configuration.options,
            seed=task.place.seed,
            repeat=task.place.repeat,
        )

    def lanes_for(self, tasks: Sequence[Task]) -> Sequence[Lane]:
        """Return the lanes that can run tasks at the same time, at least one and at most one per task."""
        wants = {self.load(task): (task.configuration.model, task.options) for task in tasks}
        most = min(self.most_at_once, len(tasks))
        at_once = [requests_at_once(self.engine, *want) for want in wants.values()] if most > 1 else [1]
        self.at_once = max(1, min(most, *at_once))
        if self.at_once > len(self._lanes):
            others = companions(self.engine, self.at_once - 1)[len(self._lanes) - 1 :]
            self._lanes += [Lane(engine) for engine in others]
        return self._lanes[: self.at_once]

    def interrupt(self) -> None:
        """End the requests of several lanes, whose threads nobody waits for."""
        if self.at_once > 1:
            self.cool()
            self.engine.close()

    def generate(self, ledger: Ledger, task: Task, lane: Lane | None = None) -> Entry:
        """Warm up where needed, send one request, store the answer.

        An answer is stored only from a warm model, and only if engine and model still have the same fingerprint. After
        a restart or an unloading, an answer could not be compared with the others.

        Args:
            ledger: The ledger.
            task: The task.
            lane: The lane that is free; by default the first one.

        Raises:
            HostChangedError: If engine or model changed; the answer is not stored.
            EngineError: From the engine; the next request then warms up again.
        """
        lane = lane or self._lanes[0]
        need = warmth(task, self.engine.reload_options)
        with self.clock.busy:
            if need != lane.warm:
                lane.warm = None
                self._warm_up(lane, task)
                self.clock.warmups += 1
            lane.warm = None
            generation = self._send(lane, task)
            if self._was_cold(lane, generation):
                generation = self._send(lane, task)
            self._check_unchanged(need.model)
        lane.warm = need
        self.note_room(task)
        self.in_a_row, self._ask_wait = 0, 0.0
        self.clock.requests += 1
        if generation.truncated:
            raise PromptTooLong(
                f"the engine cut the prompt of case {task.place.case!r} to {generation.prompt_tokens} tokens at"
                f" num_ctx {task.options.get('num_ctx')}; raise num_ctx",
                generation.prompt_tokens,
            )
        return ledger.generations.add(self.key(task), generation, model=need.model)

    def load(self, task: Task) -> Warmth:
        """Return what a task loads: its model with its reload options, for any prompt."""
        return replace(warmth(task, self.engine.reload_options), prompt=_ANY)

    def has_room(self, task: Task) -> bool:
        """Whether the host has had memory for what a task loads; a lack of it is a passing fault then."""
        return self.load(task) in self._fitted

    def note_room(self, task: Task) -> None:
        """Note that the host has had memory for what a task loads."""
        self._fitted.add(self.load(task))

    def _warm_up(self, lane: Lane, task: Task) -> None:
        """Send the prompt once, uncounted: every repeat after it then takes the same numeric path."""
        lane.engine.warm_up(task.prompt, task.options, model=task.configuration.model, timeout=self.timeout)

    def cool(self) -> None:
        """Warm up again before the next request, since another program used the server."""
        for lane in self._lanes:
            lane.warm = None

    def _send(self, lane: Lane, task: Task) -> Generation:
        return lane.engine.generate(task.prompt, task.options, model=task.configuration.model, timeout=self.timeout)

    def _was_cold(self, lane: Lane, generation: Generation) -> bool:
        """Whether the server loaded the model for a request that should have found it warm."""
        load, usual = generation.timing.load, lane.shortest_load
        lane.shortest_load = min(load, usual)
        return is_reload(load, usual)

    def _check_unchanged(self, model: str) -> None:
        """Raise `HostChangedError` if engine or model changed. An engine in this process cannot change."""
        if self.engine.address == "in process":
            return
        before = self.fingerprints[model]
        revision = self.engine.revision(model)
        if revision["model"].get("digest") != before.facts["model"].get("digest"):
            revision = self.engine.identify(model)  # which also tells whether the weights are others
        current = {part: {**before.facts[part], **revision[part]} for part in ("engine", "model")}
        after = Fingerprint({**before.facts, **current})
        if lines := fingerprint_changes({model: before}, {model: after}, self.name):
            raise HostChangedError(lines)

    @property
    def warm(self) -> Warmth | None:
        """The warm state of the first lane before its next request; None if it is cold."""
        return self._lanes[0].warm


def is_reload(load: float, shortest: float) -> bool:
    """Whether a load of so many seconds loaded the model, where the shortest one took `shortest` seconds."""
    return load >= RELOAD_SECONDS and load > RELOAD_RATIO * shortest


def host_record(host: Host) -> dict[str, Any]:
    """Return a host's fingerprints by model, as JSON types."""
    return {model: json.loads(fingerprint.to_json()) for model, fingerprint in host.fingerprints.items()}
