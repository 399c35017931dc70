"""Values that a host has no memory for: the one of a configuration that is too large, and the baseline's message."""

from __future__ import annotations

from collections.abc import Sequence

from sweeps.config.narrowed_space import TooLarge
from sweeps.engines.base import EngineError, OutOfMemory
from sweeps.hosts.host import Host
from sweeps.hosts.task import Task
from sweeps.options import Configuration, OptionValue

LARGE = ("num_ctx", "num_batch", "num_gpu", "model")
"""Names whose values decide the memory that is needed, the likeliest cause first."""


class ValuesTooLargeError(Exception):
    """Values of the space that a host has no memory for. Everything else of the batch is kept.

    Attributes:
        found: The values.
    """

    def __init__(self, found: Sequence[TooLarge]) -> None:
        super().__init__("; ".join(each.reason for each in found))
        self.found = tuple(found)


def no_memory(baseline: Configuration, error: str) -> str:
    """Return the message for a baseline that does not fit."""
    held = ", ".join(f"{name} {baseline.values[name]}" for name in LARGE if name in baseline.values)
    return (
        f"the baseline ({held}) does not fit into the host's memory ({error}); free memory there, or give the"
        " baseline a smaller num_ctx or model"
    )


def too_large(host: Host, task: Task, baseline: Configuration) -> tuple[str, OptionValue] | None:
    """Find the value for which a host has no memory.

    Where several values differ from the baseline's, each is tried alone with a request for one token. If each fits
    alone, the first of `LARGE` counts.

    Args:
        host: The host.
        task: A task that failed for lack of memory.
        baseline: The baseline, which fits.

    Returns:
        Name and value; None if nothing that needs memory differs from the baseline's.
    """
    values, before = task.configuration.values, baseline.values
    different = [name for name in LARGE if name in values and values[name] != before.get(name)]
    if len(different) > 1:
        for name in different:
            alone = {**before, name: values[name]}
            options = {key: value for key, value in alone.items() if key not in ("model", "prompt")}
            host.cool()
            try:
                options |= {"num_predict": 1, "seed": task.place.seed}
                host.engine.generate(task.prompt, options, model=str(alone["model"]), timeout=host.timeout)
            except OutOfMemory:
                return name, values[name]
            except EngineError:
                continue
    return (different[0], values[different[0]]) if different else None
