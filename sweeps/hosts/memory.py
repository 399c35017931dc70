"""Values that a host has no memory for: those of failed configurations, and the baseline's message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sweeps.config.narrowed_space import TooLarge, between
from sweeps.config.space import Dimension
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import EngineError, OutOfMemory
from sweeps.hosts.host import Host, RunStoppedError
from sweeps.hosts.task import Task, TaskResult
from sweeps.options import Configuration, OptionValue, as_number

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


def values_too_large(
    failed: Iterable[TaskResult], hosts: Sequence[Host], config: SweepConfig, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[TooLarge], list[TaskResult]]:
    """Find the values for which hosts had no memory.

    Args:
        failed: Tasks that failed for lack of memory.
        hosts: The hosts.
        config: The sweep's configuration.
        rows: Rows of the observations table so far.

    Returns:
        The values of the space, one of each failed configuration; and the results of configurations whose value is not
        in the space, such as a candidate's.

    Raises:
        RunStoppedError: If a configuration does not fit that needs as much as the baseline.
    """
    found: dict[tuple[str, OptionValue], TooLarge] = {}
    outside: list[TaskResult] = []
    culprits: dict[object, tuple[str, OptionValue] | None] = {}
    for result in failed:
        host = next(host for host in hosts if host.known and host.load(result.task) in host.no_memory_for)
        load = (host.digest, host.load(result.task))
        if load not in culprits:
            culprits[load] = too_large(host, result.task, config.baseline)
        value = culprits[load]
        if value is None:
            raise RunStoppedError(no_memory(config.baseline, result.error))
        if value[0] not in config.space:
            outside.append(result)
            continue
        reason = f"It does not fit into the memory of {host.label} with model {result.task.configuration.model}:"
        dimension = config.space[value[0]]
        highest = None if dimension.choices else between(dimension, _fitting(dimension, *value, rows), value[1])
        found.setdefault(value, TooLarge(*value, f"{reason} {result.error}", highest))
    return list(found.values()), outside


def _fitting(dimension: Dimension, name: str, limit: OptionValue, rows: Sequence[Mapping[str, Any]]) -> OptionValue:
    """Return the largest value below a limit that a host had memory for, or else the range's lower end."""
    known = {row[name] for row in rows if row.get(name) is not None and row["finish"] != "error"}
    return max([dimension.low, *(number for each in known if (number := as_number(each)) < as_number(limit))])
