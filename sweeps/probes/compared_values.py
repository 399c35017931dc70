"""Candidates of a comparison that a host cannot tell from the baseline, or that cut a prompt there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sweeps.config.candidates import Candidate
from sweeps.config.narrowed_space import Narrowing
from sweeps.config.sweep_config import SweepConfig
from sweeps.errors import ConfigError
from sweeps.hosts.host import Host
from sweeps.ledger.ledger import Ledger
from sweeps.ledger.study_record import StoredStudy
from sweeps.options import OPTIONS
from sweeps.probes.capacity import Capacity
from sweeps.probes.contexts import reason
from sweeps.probes.probe import ProbeResult
from sweeps.probes.unsearchable import dead_options, probe_space
from sweeps.progress import Progress


def settle_candidates(
    hosts: Sequence[Host],
    config: SweepConfig,
    capacity: Capacity,
    ledger: Ledger,
    progress: Progress,
    *,
    stored: StoredStudy | None,
    strict: bool,
) -> Narrowing:
    """Refuse candidates that cannot be compared on these hosts, and warn of values that do nothing.

    Nothing is taken out of a candidate: it is compared as it is written.

    Raises:
        ConfigError: If a candidate differs from the baseline only in options that do nothing, if its num_ctx would cut
            a prompt, or if the engine does not send one of its options; with `strict` if any value does nothing.
    """
    refuse_unfit(hosts, config, capacity)
    if stored is not None:
        return Narrowing()
    found = probe_space(hosts, config, capacity, ledger, progress) if config.search.probe else {}
    for line in inert_values(config, found, strict=strict):
        progress.note(line, warning=True)
    return Narrowing()


def refuse_unfit(hosts: Sequence[Host], config: SweepConfig, capacity: Capacity) -> None:
    """Refuse options that an engine does not send, and contexts that cut a prompt.

    Raises:
        ConfigError: With each such value.
    """
    where = config.path or "<text>"
    problems = [
        f"{where}: candidates.{candidate.name}.{name}: {wrong}"
        for candidate in config.candidates
        for name, value in candidate.values.items()
        if name in config.space and (wrong := _unfit(name, value, hosts, capacity))
    ]
    if problems:
        raise ConfigError(problems)


def _unfit(name: str, value: object, hosts: Sequence[Host], capacity: Capacity) -> str:
    deaf = next((host.engine for host in hosts if name in OPTIONS and name not in host.engine.honours), None)
    if deaf is not None:
        return f"the {deaf.name} engine at {deaf.address} does not send {name}; take it out"
    if name == "num_ctx" and value in capacity.removed:
        cut = f"the prompt of case {capacity.case!r} has {capacity.longest} tokens"
        return f"{value} would cut a prompt, because {cut}; use a larger one"
    for large in capacity.too_large:
        if (large.name, large.value) == (name, value):
            return f"{value}: {large.reason}; free memory there, or take it out"
    return ""


def inert_values(
    config: SweepConfig, found: Mapping[str, Mapping[str, ProbeResult]], *, strict: bool = False
) -> list[str]:
    """Describe values of candidates that do nothing on the hosts.

    Args:
        config: The comparison.
        found: Probe results by option and place; empty without a probe.
        strict: Refuse them.

    Raises:
        ConfigError: If a candidate has no other value, or with `strict` if there are any.
    """
    where = config.path or "<text>"
    dead, notes = dead_options(found)
    warnings, problems = [note.removeprefix("space.") for note in notes], []
    for candidate in config.candidates:
        inert = dict(_inert_in(candidate, config, dead))
        if not inert:
            continue
        named = "; ".join(f"{name} is {why}" for name, why in inert.items())
        differing = set(candidate.configuration(config.baseline).differences(config.baseline))
        if differing <= set(inert):
            problems.append(
                f"candidates.{candidate.name}: differs from the baseline only in options that do nothing here"
                f" ({named}); change another value, or take it out"
            )
        else:
            warnings.append(f"candidates.{candidate.name}: {named}")
    if strict:
        problems += [f"{warning}; refused by --strict" for warning in warnings]
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    return warnings


def _inert_in(candidate: Candidate, config: SweepConfig, dead: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the names in which a candidate differs without an effect, each with the reason."""
    configuration = candidate.configuration(config.baseline)
    for name in configuration.differences(config.baseline):
        if name in dead:
            yield name, dead[name]
        elif name in OPTIONS:
            hidden = reason(name, configuration.options), reason(name, config.baseline.options)
            if all(hidden):
                yield name, f"hidden ({hidden[0]})"
