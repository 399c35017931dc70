"""Runs tasks on a host: from the ledger where it has them, else warm and one at a time on the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sweeps.engines.base import (
    Engine,
    EngineError,
    EngineProtocolError,
    EngineTimeout,
    EngineUnreachable,
    ModelMissing,
    OptionRefused,
    PromptTooLong,
)
from sweeps.fingerprint import Fingerprint
from sweeps.ledger import Entry, Key, Ledger
from sweeps.schedule import Task, Warmth, order, warmth

MAX_CONSECUTIVE_FAILURES = 3
"""Failed requests in a row after which a run stops: the server is gone, not one answer."""


class RunStoppedError(EngineError):
    """The engine failed for good; everything that was generated is kept and the same command goes on from there."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task: an entry of the ledger, or an error text.

    Attributes:
        task: The task.
        entry: The generation, None where there is none.
        error: What failed, "" where nothing did.
        kept: Whether the generation was in the ledger before.
    """

    task: Task
    entry: Entry | None
    error: str = ""
    kept: bool = False


@dataclass
class Clock:
    """Seconds spent, to tell the engine's time from ours."""

    engine: float = 0.0
    warmups: int = 0
    requests: int = 0


@dataclass
class Host:
    """One engine with the fingerprint that it had when the run started.

    Attributes:
        engine: The engine.
        fingerprints: Fingerprint by model name.
        timeout: Seconds for one request.
        clock: Time spent in the engine.
    """

    engine: Engine
    fingerprints: dict[str, Fingerprint]
    timeout: float | None = None
    clock: Clock = field(default_factory=Clock)
    _warm: Warmth | None = None

    @property
    def digest(self) -> str:
        """The digest that stands in the observations table: host and engine, with the first model."""
        return next(iter(self.fingerprints.values())).digest

    def key(self, task: Task) -> Key:
        """The ledger's key of a task on this host."""
        fingerprint = self.fingerprints[task.configuration.model]
        return Key(
            fingerprint=fingerprint.digest,
            model_digest=fingerprint.model_digest,
            prompt=task.prompt,
            options=task.configuration.options,
            seed=task.place.seed,
            repeat=task.place.repeat,
        )

    def generate(self, ledger: Ledger, task: Task) -> Entry:
        """Warm up where needed, send one request, keep the answer.

        Raises:
            EngineError: As the engine raises it; the next request warms up again then.
        """
        started = time.perf_counter()
        need = warmth(task, self.engine.reload_options)
        try:
            if need != self._warm:
                self._warm = None
                self._warm_up(task)
                self.clock.warmups += 1
            self._warm = None
            generation = self.engine.generate(task.prompt, task.options, model=need.model, timeout=self.timeout)
        finally:
            self.clock.engine += time.perf_counter() - started
        self._warm = need
        self.clock.requests += 1
        if generation.truncated:
            raise PromptTooLong(
                f"the engine cut the prompt of case {task.place.case!r} to {generation.prompt_tokens} tokens at"
                f" num_ctx {task.options.get('num_ctx')}; raise num_ctx",
                generation.prompt_tokens,
            )
        return ledger.add(self.key(task), generation, model=need.model)

    def _warm_up(self, task: Task) -> None:
        """Send the prompt once, uncounted, so that every repeat behind it takes the same numeric path."""
        options = {**task.options, "num_predict": 1}
        self.engine.generate(task.prompt, options, model=task.configuration.model, timeout=self.timeout)

    @property
    def warm(self) -> Warmth | None:
        """What the next request finds warm."""
        return self._warm


def run_tasks(
    host: Host,
    ledger: Ledger,
    tasks: Sequence[Task],
    *,
    study: str,
    on_outcome: Callable[[Outcome], None],
) -> None:
    """Run tasks in the best order; each outcome is handed on as soon as it is kept.

    What the ledger has comes first and costs nothing. A request that fails by a fault of the connection or the server
    is tried once more at the end; one that is refused is not.

    Args:
        host: Where to run.
        ledger: What is kept.
        tasks: The tasks, in any order.
        study: Name of the study, for the record of failures.
        on_outcome: Called in this thread for every task exactly once.

    Raises:
        RunStoppedError: After `MAX_CONSECUTIVE_FAILURES` faults in a row, or when the model is gone.
        LedgerError: If an answer cannot be kept.
    """
    keys = {task: host.key(task).sha256 for task in tasks}
    kept = ledger.find(host.key(task) for task in tasks)
    for task in tasks:
        if keys[task] in kept:
            on_outcome(Outcome(task, kept[keys[task]], kept=True))
    waiting = order([t for t in tasks if keys[t] not in kept], host.engine.reload_options, host.warm)
    again = _run_once(host, ledger, waiting, study=study, on_outcome=on_outcome, last=False)
    _run_once(host, ledger, again, study=study, on_outcome=on_outcome, last=True)


def _run_once(
    host: Host,
    ledger: Ledger,
    tasks: Sequence[Task],
    *,
    study: str,
    on_outcome: Callable[[Outcome], None],
    last: bool,
) -> list[Task]:
    """One pass over the tasks; those that failed and may be tried again are returned."""
    again: list[Task] = []
    in_a_row = 0
    for task in tasks:
        try:
            entry = host.generate(ledger, task)
        except (PromptTooLong, OptionRefused) as error:
            ledger.add_failure(host.key(task), study=study, kind=type(error).__name__, message=str(error))
            on_outcome(Outcome(task, None, f"{type(error).__name__}: {error}"))
        except ModelMissing as error:
            raise RunStoppedError(f"{error}\n{_KEPT}") from error
        except (EngineUnreachable, EngineTimeout, EngineProtocolError) as error:
            ledger.add_failure(host.key(task), study=study, kind=type(error).__name__, message=str(error))
            in_a_row += 1
            if in_a_row >= MAX_CONSECUTIVE_FAILURES:
                raise RunStoppedError(f"{in_a_row} requests in a row failed; the last one: {error}\n{_KEPT}") from error
            if last:
                on_outcome(Outcome(task, None, f"{type(error).__name__}: {error}"))
            else:
                again.append(task)
        else:
            in_a_row = 0
            on_outcome(Outcome(task, entry))
    return again


_KEPT = "Everything generated so far is kept: mend it and run the same command again to go on from here."
