"""An engine whose requests are timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sweeps.engines.base import Engine, Generation, Prompt
from sweeps.engines.companions import companions
from sweeps.hosts.busy_time import BusyTime
from sweeps.options import OptionValue

LEAST_LOAD_SECONDS = 0.05
"""Shorter loads do not count: servers report a few milliseconds for a loaded model."""


class TimedEngine:
    """An engine that records the times of its requests.

    Attributes:
        warmups: Answers of one token: unless cached, their prefill is that of a whole prompt.
        busy: Time with requests.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.warmups: list[Generation] = []
        self._companions: list[TimedEngine] = []
        self._longest_load = 0.0
        self.busy = BusyTime()

    @property
    def seconds(self) -> float:
        """Seconds with requests, by the engine's clock; a scripted engine's is faster than ours."""
        return self.busy.seconds

    @property
    def load_seconds(self) -> float:
        """The longest load seen."""
        return max(self._longest_load, *(each._longest_load for each in self._companions), 0.0)

    def companions(self, count: int) -> Sequence[Engine]:
        """See `WithCompanions.companions`: their warm-ups and seconds are counted here as well."""
        for engine in companions(self._engine, count)[len(self._companions) :]:
            another = TimedEngine(engine)
            another.warmups, another.busy = self.warmups, self.busy
            self._companions.append(another)
        return [cast("Engine", each) for each in self._companions[:count]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`."""
        answer = self._timed(self._engine.generate, prompt, options, model=model, timeout=timeout)
        if options.get("num_predict") == 1:
            self.warmups.append(answer)
        return answer

    def warm_up(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.warm_up`."""
        answer = self._timed(self._engine.warm_up, prompt, options, model=model, timeout=timeout)
        self.warmups.append(answer)
        return answer

    def _timed(self, send: Callable[..., Generation], *arguments: Any, **named: Any) -> Generation:
        started = time.perf_counter()
        with self.busy:
            answer = send(*arguments, **named)
            faster = answer.timing.total - (time.perf_counter() - started)
        self.busy.add(max(0.0, faster))
        if answer.timing.load >= LEAST_LOAD_SECONDS:
            self._longest_load = max(self._longest_load, answer.timing.load)
        return answer


def timed(engine: Engine) -> tuple[Engine, TimedEngine]:
    """Return a timed engine twice: as an `Engine` to use, and as a `TimedEngine` to read the times from."""
    recorder = TimedEngine(engine)
    return cast("Engine", recorder), recorder


def prefill_rate(warmups: Sequence[Generation]) -> float | None:
    """Return the seconds per prompt token of an uncached prefill; None if there was none.

    Where an engine does not report cached tokens, a cached prefill is far too fast, so the slowest one counts.
    Otherwise the result is the mean.
    """
    fresh = [
        (tokens, answer.timing.prefill)
        for answer in warmups
        if (tokens := (answer.prompt_tokens or 0) - (answer.cached_tokens or 0)) >= 16 and answer.timing.prefill > 0
    ]
    if not fresh:
        return None
    if any(answer.cached_tokens is None for answer in warmups):
        return max(seconds / tokens for tokens, seconds in fresh)
    return sum(seconds for _, seconds in fresh) / sum(tokens for tokens, _ in fresh)
