"""The order of requests: by reload options first, then prompt, then configuration and seed.

A prompt that is not cached is prefilled in one batch; a cached one evaluates its last token only. The two paths round
differently. So all repeats of a prompt run back to back after one uncounted warm-up. They take the same path, and their
prefill is nearly free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweeps.engines.base import Prompt
from sweeps.hosts.task import Task
from sweeps.options import OptionValue


@dataclass(frozen=True)
class Warmth:
    """Model, reload options and prompt. A request is warm if the previous one had the same."""

    model: str
    reload: tuple[OptionValue | None, ...]
    prompt: Prompt


def warmth(task: Task, reload_options: Sequence[str]) -> Warmth:
    """Return the warmth that a task needs and leaves."""
    reload = tuple(task.configuration.options.get(name) for name in reload_options)
    return Warmth(task.configuration.model, reload, task.prompt)


def order(tasks: Iterable[Task], reload_options: Sequence[str], current: Warmth | None = None) -> list[Task]:
    """Sort tasks into the order that reloads and prefills least.

    Args:
        tasks: Tasks of one batch and one host, in any order.
        reload_options: Options whose change reloads the model, the slowest first.
        current: The present warmth: tasks with its model and reload options come first, and in them its prompt.

    Returns:
        The tasks sorted by warmth, model, reload options, case, prompt, trial and seed: each (model, reload options)
        group, and each prompt in it, is one run of tasks.
    """

    def key(task: Task) -> tuple[object, ...]:
        need = warmth(task, reload_options)
        loaded = current is not None and (need.model, need.reload) == (current.model, current.reload)
        reload = tuple((value is not None, value or 0) for value in need.reload)
        configuration, place = task.configuration, task.place
        prompt = (place.case, configuration.prompt)
        warm = (not loaded, need != current)
        return (*warm, need.model, reload, *prompt, place.trial, configuration.key, place.seed, place.repeat)

    return sorted(tasks, key=key)
