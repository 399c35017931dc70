"""An engine that keeps the time of its requests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sweeps.engines.base import Engine, Generation, Prompt
from sweeps.options import OptionValue

LEAST_LOAD_SECONDS = 0.05
"""Servers report a few milliseconds of load for a model that is loaded already."""


class TimedEngine:
    """An engine whose answers are noted, to learn from their times.

    Attributes:
        warmups: Answers of one token: their prefill is a whole prompt's, where it was not cached.
        load_seconds: The longest load seen.
        seconds: Time of all requests, as the engine tells it: a scripted engine's clock goes faster than ours.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.warmups: list[Generation] = []
        self.load_seconds = 0.0
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def generate(
        self, prompt: Prompt, options: Mapping[str, OptionValue], *, model: str, timeout: float | None = None
    ) -> Generation:
        """See `Engine.generate`."""
        started = time.perf_counter()
        try:
            answer = self._engine.generate(prompt, options, model=model, timeout=timeout)
        except Exception:
            self.seconds += time.perf_counter() - started
            raise
        self.seconds += max(answer.timing.total, time.perf_counter() - started)
        if options.get("num_predict") == 1:
            self.warmups.append(answer)
        if answer.timing.load >= LEAST_LOAD_SECONDS:
            self.load_seconds = max(self.load_seconds, answer.timing.load)
        return answer


def timed(engine: Engine) -> tuple[Engine, TimedEngine]:
    """The engine to use, and the same as its watcher."""
    watcher = TimedEngine(engine)
    return cast("Engine", watcher), watcher


def prefill_rate(warmups: Sequence[Generation]) -> float | None:
    """Seconds per prompt token of an uncached prefill; None where none was seen.

    Engines that do not tell what they had cached show it by a prefill that is far too fast, so the slowest counts; of
    the others it is the mean.
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
