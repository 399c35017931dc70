"""The order of requests: everything that reloads first, then the prompt, then configuration and seed.

A request whose prompt is not cached is prefilled in one batch; the same prompt again evaluates its last token only, and
the two paths round differently (`ollama-facts`, Determinism). So all repeats of a prompt run back to back behind one
uncounted warm-up, which makes them take the same path and makes their prefill nearly free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweeps.engines.base import Prompt
from sweeps.hosts.task import Task
from sweeps.options import OptionValue


@dataclass(frozen=True)
class Warmth:
    """What must stay the same from one request to the next for the second to be warm."""

    model: str
    reload: tuple[OptionValue | None, ...]
    prompt: Prompt


def warmth(task: Task, reload_options: Sequence[str]) -> Warmth:
    """The warmth that a task needs and leaves."""
    reload = tuple(task.configuration.options.get(name) for name in reload_options)
    return Warmth(task.configuration.model, reload, task.prompt)


def order(tasks: Iterable[Task], reload_options: Sequence[str], current: Warmth | None = None) -> list[Task]:
    """Tasks in the order that reloads and prefills least.

    Args:
        tasks: Tasks of one batch and one host, in any order.
        reload_options: Options whose change reloads the model, slowest first.
        current: What is warm now; its model and its reload options come first, and in them its prompt.

    Returns:
        The tasks sorted by warmth, model, reload options, case, prompt, trial and seed: each (model, reload options)
        group and, in it, each prompt is one run.
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
