"""Options and values that cannot be searched on a host: they do nothing, or cut prompts. They leave the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.config.narrowed_space import Narrowing, TooLarge
from sweeps.config.space import Dimension, Space, Value
from sweeps.config.sweep_config import SweepConfig
from sweeps.engines.base import Engine
from sweeps.errors import ConfigError
from sweeps.hosts.host import Host
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.options import OPTIONS
from sweeps.probes.capacity import Capacity
from sweeps.probes.probe import DEAD, ProbeResult, probe
from sweeps.progress import Progress


def require_search(config: SweepConfig) -> None:
    """Refuse a sweep without anything to search, and candidates that its search cannot try first.

    What depends on an open value of the baseline passes; ask again when the baseline is settled.

    Raises:
        ConfigError: If there is no space, if the baseline is its only configuration, or if candidates lie outside.
    """
    where, compare = config.path or "<text>", f"sweeps compare {config.path or 'FILE'}"
    if not config.space.dimensions:
        raise ConfigError(
            f"{where}: space: is missing, so there is nothing to search; compare [candidates] with the baseline by:"
            f" {compare}"
        )
    refuse_baseline_alone(config)
    problems = []
    for candidate in config.candidates:
        if {name for name in config.open_options if (name in config.space) != (name in candidate.values)}:
            continue
        if candidate.params_in(config.space, config.baseline) is None:
            values = candidate.configuration(config.baseline, config.space).values
            outside = {name: value for name, value in values.items() if not _allows(config, name, value)}
            which = ", ".join(
                f"{name} {value}" + ("" if name in candidate.values else " (the baseline's)")
                for name, value in outside.items()
            )
            problems.append(
                f"{where}: candidates.{candidate.name}: [space] does not allow {which}, so a search cannot try it;"
                f" widen [space], or compare without a search by: {compare}"
            )
    if problems:
        raise ConfigError(problems)


def _allows(config: SweepConfig, name: str, value: Value) -> bool:
    if name in config.space:
        return config.space[name].has(value)
    return config.baseline.values.get(name) == value


def refuse_baseline_alone(config: SweepConfig) -> None:
    """Refuse a space that holds only the baseline, since there is nothing to compare it with.

    Raises:
        ConfigError: If the baseline is the only configuration of the space.
    """
    if any(dimension.name in config.open_options for dimension in config.space):
        return
    if config.space.dimensions and _is_baseline_alone(config.space, config):
        held = ", ".join(f"{dimension.name} {dimension.text()}" for dimension in config.space)
        first = config.space.dimensions[0].name
        raise ConfigError(
            f"{config.path or '<text>'}: [space] holds only the baseline ({held}), so there is nothing to compare it"
            f" with; give space.{first} other values than the baseline's, or name another option"
        )


def _is_baseline_alone(space: Space, config: SweepConfig) -> bool:
    return space.size == 1 and space.params_of(config.baseline) is not None


def refuse_unsent(engine: Engine, config: SweepConfig) -> None:
    """Refuse swept options that the engine does not send.

    Raises:
        ConfigError: With each such option and the engine.
    """
    unsent = [d.name for d in config.space if d.name in OPTIONS and d.name not in engine.honours]
    if unsent:
        where = config.path or "<text>"
        remedy = '; use engine.kind = "ollama", or' if engine.name == "openai" else ";"
        raise ConfigError(
            [
                f"{where}: space.{name}: the {engine.name} engine at {engine.address} does not send {name}, so all its"
                f" values would give the same texts{remedy} remove it from [space]"
                for name in unsent
            ]
        )


def probe_space(
    hosts: Sequence[Host],
    config: SweepConfig,
    capacity: Capacity,
    ledger: Ledger | None,
    progress: Progress,
    *,
    again: bool = False,
) -> dict[str, dict[str, ProbeResult]]:
    """Probe every swept option on every host and model that fits into its memory.

    Returns:
        Results by option and place (`MODEL`, or `MODEL on HOST` with several hosts).
    """
    names = [dimension.name for dimension in config.space if dimension.name in OPTIONS]
    found: dict[str, dict[str, ProbeResult]] = {name: {} for name in names}
    working = [host for host in hosts if not host.dropped]
    for host in working:
        for model, fingerprint in host.fingerprints.items():
            if model not in capacity.models:
                continue
            place = model if len(working) == 1 else f"{model} on {host.label}"
            announce = _announcer(progress, place, names)
            progress.step(f"probing {', '.join(names)} of {place}")
            results = probe(
                host.engine, model, names, config.baseline.options, space=config.space, fingerprint=fingerprint,
                ledger=ledger, again=again, timeout=host.timeout, announce=announce,
            )  # fmt: skip
            for result in results:
                found[result.option][place] = result
    return found


def _announcer(progress: Progress, place: str, names: Sequence[str]) -> Any:
    started: list[str] = []

    def announce(text: str) -> None:
        progress.note(f"probing {', '.join(names)} of {place}: {text}" if not started else text)
        started.append(text)

    return announce


def narrow(
    hosts: Sequence[Host],
    config: SweepConfig,
    capacity: Capacity,
    found: Mapping[str, Mapping[str, ProbeResult]],
    *,
    strict: bool,
) -> Narrowing:
    """Decide from the measurements which options and values leave the space.

    Args:
        hosts: The hosts.
        config: The sweep as written.
        capacity: The size of the prompts.
        found: Probe results by option and place; empty without a probe.
        strict: Refuse instead of dropping.

    Raises:
        ConfigError: If only the baseline is left, or with `strict` if anything has to leave.
    """
    dropped, notes = dead_options(found)
    removed = {"num_ctx": capacity.removed} if capacity.removed else {}
    narrowing = Narrowing(dropped, removed, tuple(notes))
    for found_large in capacity.too_large:
        if found_large.name not in dropped:
            narrowing = narrowing.without(found_large, config)
    children = [d.name for d in config.space if d.name not in narrowing.apply(config).space and d.name not in dropped]
    narrowing = replace(narrowing, dropped=dropped | {name: _orphan(config.space[name], dropped) for name in children})
    if strict:
        _refuse(narrowing, config)
    _refuse_empty(narrowing, config, hosts)
    return narrowing


def dead_options(found: Mapping[str, Mapping[str, ProbeResult]]) -> tuple[dict[str, str], list[str]]:
    """Return the options that act in no place, each with the reason, and notes on the others."""
    dropped, notes = {}, []
    for name, places in found.items():
        dead = {place: result for place, result in places.items() if result.verdict in DEAD}
        if places and len(dead) == len(places):
            result = next(iter(dead.values()))
            dropped[name] = f"{result.verdict} ({result.evidence or 'not tried'}): {result.explanation}"
        elif dead:
            notes.append(f"space.{name} does nothing on {', '.join(dead)}, but acts elsewhere")
        notes += [
            f"space.{name} on {place}: {result.verdict}; {result.why}"
            for place, result in places.items()
            if result.verdict in ("clamped", "untestable")
        ]
    return dropped, notes


def _refuse_empty(narrowing: Narrowing, config: SweepConfig, hosts: Sequence[Host]) -> None:
    """Refuse a narrowed space that holds only the baseline."""
    left = narrowing.apply(config).space
    if config.space.dimensions and (not left.dimensions or _is_baseline_alone(left, config)):
        engine = next(host.engine for host in hosts if not host.dropped)
        raise ConfigError(
            [f"{config.path or '<text>'}: nothing is left to search with the {engine.name} engine at {engine.address}:"]
            + [f"  {line}" for line in narrowing.lines(config)]
            + [f"  space.{dimension.name}: {dimension.text()} is the baseline's" for dimension in left]
            + ["  see which options act with: sweeps probe"]
        )


def settle(
    hosts: Sequence[Host],
    config: SweepConfig,
    capacity: Capacity,
    ledger: Ledger,
    progress: Progress,
    *,
    stored: StoredStudy | None,
    strict: bool,
    dropped: Sequence[TooLarge] = (),
) -> Narrowing:
    """Narrow the space of a study, and warn of each loss. An existing study keeps its space, without `dropped` values.

    Raises:
        ConfigError: If the engine does not send a swept option, if only the baseline is left, or with `strict` if
            anything has to leave.
    """
    for host in hosts:
        refuse_unsent(host.engine, config)
    if stored is None:
        found = probe_space(hosts, config, capacity, ledger, progress) if config.search.probe else {}
        narrowing = narrow(hosts, config, capacity, found, strict=strict)
    else:
        narrowing = Narrowing.from_record(stored.record.narrowing)
        if strict:
            _refuse(narrowing, config)
    if dropped:
        narrowing = without(narrowing, dropped, config, hosts)
    for line in [*narrowing.lines(config), *narrowing.notes]:
        progress.note(line, warning=True)
    return narrowing


def without(narrowing: Narrowing, found: Sequence[TooLarge], config: SweepConfig, hosts: Sequence[Host]) -> Narrowing:
    """Return a narrowing that leaves out further values.

    Raises:
        ConfigError: If the baseline has such a value, or only the baseline is left.
    """
    for each in found:
        narrowing = narrowing.without(each, config)
    _refuse_empty(narrowing, config, hosts)
    return narrowing


def _refuse(narrowing: Narrowing, config: SweepConfig) -> None:
    where = config.path or "<text>"
    lines = narrowing.lines(config)
    if lines:
        raise ConfigError([f"{where}: {line}; refused by --strict; remove it from the file" for line in lines])


def _orphan(dimension: Dimension, dropped: Mapping[str, str]) -> str:
    if not dimension.when:
        return "only the baseline's value is left"
    parents = [parent for parent in dimension.when if parent in dropped] or list(dimension.when)
    return f"it acts only with {', '.join(parents)}, which was dropped"
