"""One host: warmed up, one request at a time, every answer stored as it arrives."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.engines.base import Engine, EngineError, Generation, Prompt, PromptTooLong
from sweeps.fingerprints.changes import fingerprint_changes
from sweeps.fingerprints.fingerprint import Fingerprint
from sweeps.hosts.order import Warmth, warmth
from sweeps.hosts.task import Task
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.records import Entry, Key

MAX_CONSECUTIVE_FAILURES = 3
"""Failed requests in a row after which a run stops: then the server is gone."""

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


@dataclass
class Clock:
    """Seconds spent in the engine, and the number of requests and warm-ups."""

    engine: float = 0.0
    warmups: int = 0
    requests: int = 0


@dataclass(eq=False)
class Host:
    """One engine with its fingerprint from the start of the run.

    Attributes:
        engine: The engine.
        fingerprints: Fingerprint by model name, the baseline's model first.
        timeout: Seconds for one request.
        clock: Time spent in the engine.
        name: Its name for users: the address, or the name in the configuration.
        dropped: Why it is no longer used; "" while it works.
        remembered: For a host that does not answer, its fingerprints from an earlier run of the study. They find that
            run's generations in the ledger; nothing new is stored under them.
        no_memory_for: Failures for lack of memory, by model and reload options (the prompt left empty).
    """

    engine: Engine
    fingerprints: dict[str, Fingerprint]
    timeout: float | None = None
    clock: Clock = field(default_factory=Clock)
    name: str = ""
    dropped: str = ""
    remembered: dict[str, Fingerprint] = field(default_factory=dict)
    no_memory_for: dict[Warmth, str] = field(default_factory=dict)
    _fitted: set[Warmth] = field(default_factory=set)
    _warm: Warmth | None = None
    _shortest_load: float = math.inf

    @property
    def known(self) -> dict[str, Fingerprint]:
        """Fingerprint by model name, of this run or else remembered; {} for a host that never answered."""
        return self.fingerprints or self.remembered

    @property
    def digest(self) -> str:
        """The digest in the observations table: host and engine, with the first model."""
        return next(iter(self.known.values())).digest

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

    def generate(self, ledger: Ledger, task: Task) -> Entry:
        """Warm up where needed, send one request, store the answer.

        An answer is stored only from a warm model, and only if engine and model still have the same fingerprint. After
        a restart or an unloading, an answer could not be compared with the others.

        Raises:
            HostChangedError: If engine or model changed; the answer is not stored.
            EngineError: From the engine; the next request then warms up again.
        """
        started = time.perf_counter()
        need = warmth(task, self.engine.reload_options)
        try:
            if need != self._warm:
                self._warm = None
                self._warm_up(task)
                self.clock.warmups += 1
            self._warm = None
            generation = self._send(task)
            if self._was_cold(generation):
                generation = self._send(task)
            self._check_unchanged(need.model)
        finally:
            self.clock.engine += time.perf_counter() - started
        self._warm = need
        self.note_room(task)
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

    def _warm_up(self, task: Task) -> None:
        """Send the prompt once, uncounted: every repeat after it then takes the same numeric path."""
        options = {**task.options, "num_predict": 1}
        self.engine.generate(task.prompt, options, model=task.configuration.model, timeout=self.timeout)

    def cool(self) -> None:
        """Warm up again before the next request, since another program used the server."""
        self._warm = None

    def _send(self, task: Task) -> Generation:
        return self.engine.generate(task.prompt, task.options, model=task.configuration.model, timeout=self.timeout)

    def _was_cold(self, generation: Generation) -> bool:
        """Whether the server loaded the model for a request that should have found it warm."""
        load, usual = generation.timing.load, self._shortest_load
        self._shortest_load = min(load, usual)
        return load >= RELOAD_SECONDS and load > RELOAD_RATIO * usual

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
        """The warm state before the next request; None if it is cold."""
        return self._warm


def host_record(host: Host) -> dict[str, Any]:
    """Return a host's fingerprints by model, as JSON types."""
    return {model: json.loads(fingerprint.to_json()) for model, fingerprint in host.fingerprints.items()}
